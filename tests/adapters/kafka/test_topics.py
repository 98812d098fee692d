from __future__ import annotations

from collections.abc import Iterator

import pytest

from stream_detector.adapters.kafka.topics import KafkaTopics, ensure_topics
from stream_detector.errors import SettingsError
from stream_detector.settings.kafka_settings import KafkaSettings


@pytest.fixture
def settings(kafka_brokers: str, unique_name: str) -> KafkaSettings:
    return KafkaSettings(
        brokers=kafka_brokers,
        input_topic=f"{unique_name}.in",
        alerts_topic=f"{unique_name}.alerts",
        dead_letter_topic=f"{unique_name}.dead",
        partitions=3,
        request_timeout_seconds=10,
    )


@pytest.fixture
def topics(settings: KafkaSettings) -> Iterator[KafkaTopics]:
    with KafkaTopics(settings) as made:
        yield made


def test_missing_topics_are_made_and_existing_ones_left_alone(settings: KafkaSettings, topics: KafkaTopics) -> None:
    topics.create(settings.alerts_topic, 2)
    before = topics.describe(settings.alerts_topic)

    ensure_topics(settings)
    ensure_topics(settings)

    made = topics.describe(settings.input_topic)
    assert made is not None
    assert made.partitions == (0, 1, 2)
    assert topics.describe(settings.alerts_topic) == before
    assert topics.describe(settings.dead_letter_topic) is not None


def test_topics_are_not_made_where_that_is_not_allowed(settings: KafkaSettings, topics: KafkaTopics) -> None:
    given = settings.model_copy(update={"create_topics": False})

    with pytest.raises(SettingsError, match=f"STREAM_DETECTOR_KAFKA__INPUT_TOPIC: there is no topic {settings.input_topic}"):
        ensure_topics(given)

    assert topics.describe(settings.input_topic) is None


def test_a_topic_that_somebody_else_makes_meanwhile_is_fine(settings: KafkaSettings, topics: KafkaTopics) -> None:
    topics.create(settings.input_topic, 2)
    topics.create(settings.input_topic, 5)

    made = topics.describe(settings.input_topic)
    assert made is not None
    assert made.partitions == (0, 1)


def test_more_replicas_than_brokers_are_a_settings_error(settings: KafkaSettings) -> None:
    with pytest.raises(SettingsError, match="STREAM_DETECTOR_KAFKA__REPLICATION_FACTOR"):
        ensure_topics(settings.model_copy(update={"replication_factor": 99}))


def test_the_identity_of_a_topic_is_told(settings: KafkaSettings, topics: KafkaTopics) -> None:
    topics.create(settings.input_topic, 1)
    topics.create(settings.alerts_topic, 1)

    one, other = topics.describe(settings.input_topic), topics.describe(settings.alerts_topic)

    assert one is not None
    assert other is not None
    assert one.topic_id not in (other.topic_id, "None", "")
