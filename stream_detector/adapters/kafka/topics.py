"""Looks up topics, checks the user's rights on them, and creates missing ones."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, NoError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from stream_detector.adapters.kafka.connect import open_client
from stream_detector.adapters.kafka.errors import translate
from stream_detector.adapters.kafka.options import admin_options
from stream_detector.adapters.kafka.security import SETTING
from stream_detector.errors import RIGHTS_PAGE, PermanentDeliveryError, SettingsError
from stream_detector.settings.kafka_settings import KafkaSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TopicDescription:
    """A topic as the brokers describe it."""

    name: str
    topic_id: str  # changes when the topic is deleted and created again
    partitions: tuple[int, ...]
    #: The operations that this user may do on it, as Kafka names them (READ); None if the brokers do not say.
    allowed: frozenset[str] | None = None


class KafkaTopics:
    """The topics of the settings. Every call blocks at most the request time-out; a context manager.

    Raises RetriableError when the brokers do not answer, PermanentDeliveryError when they refuse.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._admin: KafkaAdminClient = open_client(KafkaAdminClient, admin_options(settings))

    def describe(self, topic: str) -> TopicDescription | None:
        """Return a topic's description; None if it does not exist."""
        doing = f"looking up topic {topic}"
        try:
            (found,) = self._admin.describe_topics([topic])
        except KafkaError as error:
            raise translate(error, doing) from error
        error_type = for_code(found["error_code"])
        if error_type is UnknownTopicOrPartitionError:
            return None
        if error_type is not NoError:
            raise translate(error_type(), doing)
        partitions = tuple(sorted(partition["partition_index"] for partition in found["partitions"]))
        allowed = frozenset(found.get("authorized_operations") or ()) or None
        return TopicDescription(topic, str(found.get("topic_id")), partitions, allowed)

    def ensure(self) -> None:
        """Check that the three topics exist and that this user may use them; create missing ones if the settings allow.

        An input topic gets the settings' number of partitions, the others the brokers' default. Raises SettingsError for a
        missing topic that may not be created, PermanentDeliveryError for a missing right, which otherwise only the first
        alert or the first restore from the log would discover.
        """
        settings = self._settings
        self._ensure(settings.input_topic, "INPUT_TOPIC", settings.partitions, ("READ",))
        self._ensure(settings.alerts_topic, "ALERTS_TOPIC", -1, ("WRITE", "READ"))
        self.ensure_dead_letters()

    def ensure_dead_letters(self) -> None:
        """Do so for the topic of dead letters alone."""
        self._ensure(self._settings.dead_letter_topic, "DEAD_LETTER_TOPIC", -1, ("WRITE",))

    def _ensure(self, topic: str, name: str, partitions: int, operations: Sequence[str]) -> None:
        found = self.describe(topic)
        if found is None and not self._settings.create_topics:
            msg = f"{SETTING}{name}: there is no topic {topic}; create it, or set {SETTING}CREATE_TOPICS=true"
            raise SettingsError(msg)
        if found is None:
            self.create(topic, partitions)
            found = self.describe(topic)
        if found is not None:
            check_rights(found, f"{SETTING}{name}", operations)

    def create(self, topic: str, partitions: int, configuration: dict[str, str] | None = None) -> None:
        """Create a topic and wait until it can be used. Succeeds if somebody else has created it meanwhile."""
        options = {
            "num_partitions": partitions,
            "replication_factor": self._settings.replication_factor,
            "configs": configuration or {},
        }
        try:
            self._admin.create_topics({topic: options})
            logger.info("created topic %s", topic, extra={"topic": topic})
        except TopicAlreadyExistsError:
            logger.debug("topic %s was created by another process meanwhile", topic)
        except KafkaError as error:
            raise translate(error, f"creating topic {topic}") from error
        try:
            self._admin.wait_for_topics([topic], timeout_ms=self._settings.request_timeout_seconds * 1000)
        except KafkaError as error:
            raise translate(error, f"waiting for the new topic {topic}") from error

    def close(self) -> None:
        """Release the connections. Idempotent."""
        self._admin.close()

    def __enter__(self) -> KafkaTopics:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def check_rights(topic: TopicDescription, setting: str, operations: Sequence[str]) -> None:
    """Raise PermanentDeliveryError for an operation on the topic of a setting that the brokers would refuse."""
    for operation in operations:
        if topic.allowed is not None and operation not in topic.allowed:
            msg = (
                f"this Kafka user may not {operation} topic {topic.name} ({setting}): grant it that operation;"
                f" {RIGHTS_PAGE} lists all that are needed"
            )
            raise PermanentDeliveryError(msg)


def ensure_topics(settings: KafkaSettings) -> None:
    """Check the topics of the settings, and create missing ones if allowed; see KafkaTopics.ensure."""
    with KafkaTopics(settings) as topics:
        topics.ensure()
