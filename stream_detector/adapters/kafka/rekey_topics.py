"""Creates the topic to which readings are re-keyed, and checks it."""

from __future__ import annotations

from dataclasses import dataclass

from stream_detector.adapters.kafka.security import SETTING
from stream_detector.adapters.kafka.topics import KafkaTopics, check_rights
from stream_detector.errors import InputDataError, SettingsError
from stream_detector.settings.group import PREFIX
from stream_detector.settings.kafka_settings import KafkaSettings

#: Bytes of a segment: the brokers remove whole segments, so a topic with small ones holds little more than it must.
SEGMENT_BYTES = 50 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RekeyedTopic:
    """The topic that the readings go to."""

    name: str
    partitions: int | None  # of a new topic; None: as many as the plant's
    retention_ms: int  # of a new topic


def check_source(settings: KafkaSettings) -> None:
    """Raise InputDataError if there is no topic to re-key, PermanentDeliveryError if this user may not read it."""
    with KafkaTopics(settings) as topics:
        found = topics.describe(settings.input_topic)
    if found is None:
        msg = f"there is no topic {settings.input_topic} to read"
        raise InputDataError(msg)
    check_rights(found, "--from", ("READ",))


def ensure_rekey_topics(settings: KafkaSettings, target: RekeyedTopic) -> None:
    """Check the target and the topic of dead letters, and create missing ones if the settings allow.

    A new target keeps the records' own times, for so long as `target` says. Blocks, bounded. Raises SettingsError for a missing
    topic that may not be created, PermanentDeliveryError for a missing right, RetriableError if the brokers do not answer.
    """
    with KafkaTopics(settings) as topics:
        topics.ensure_dead_letters()
        found = topics.describe(target.name)
        if found is None:
            plant = topics.describe(settings.input_topic)
            if not settings.create_topics:
                msg = (
                    f"there is no topic {target.name} for the re-keyed readings; create it, or set {SETTING}CREATE_TOPICS=true"
                )
                raise SettingsError(msg)
            partitions = target.partitions or (len(plant.partitions) if plant else settings.partitions)
            topics.create(target.name, partitions, _configuration(target))
            found = topics.describe(target.name)
        if found is not None:
            check_rights(found, f"{PREFIX}INPUT__REPARTITION_TOPIC", ("WRITE", "READ"))


def _configuration(target: RekeyedTopic) -> dict[str, str]:
    return {
        "cleanup.policy": "delete",
        "message.timestamp.type": "CreateTime",
        "retention.ms": str(target.retention_ms),
        "segment.bytes": str(SEGMENT_BYTES),
    }
