"""The speed and the lag in `status` of a topic that the detector re-keys: marks of its transactions are no records."""

from __future__ import annotations

import json
import time
from contextlib import closing

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition

from stream_detector.commands.inspected import KafkaLook
from stream_detector.settings.schema import Settings
from tests.integration.topics import Topics

RECORDS, READ = 30, 20


def commit(topics: Topics, position: int) -> None:
    """Commit a position of the group, as the detector does."""
    partition = TopicPartition(topics.settings.input_topic, 0)
    group = topics.settings.group_id
    brokers = topics.settings.brokers
    with closing(KafkaConsumer(bootstrap_servers=brokers, group_id=group, enable_auto_commit=False)) as consumer:
        consumer.assign([partition])
        consumer.commit({partition: OffsetAndMetadata(position, "", -1)})


def test_half_of_the_positions_are_records_where_each_has_a_transaction_of_its_own(
    kafka_brokers: str, unique_name: str
) -> None:
    topics = Topics(kafka_brokers, unique_name, 1, start="earliest")
    settings = Settings(kafka=topics.settings)
    plant = settings.model_copy(update={"kafka": topics.settings.model_copy(update={"input_topic": f"{unique_name}-plant"})})
    with closing(topics):
        with closing(KafkaProducer(bootstrap_servers=kafka_brokers, transactional_id=unique_name)) as producer:
            producer.init_transactions()
            for at in range(RECORDS):
                producer.begin_transaction()
                producer.send(topics.settings.input_topic, key=b"pump", value=json.dumps({"at": at}).encode())
                producer.commit_transaction()
        commit(topics, 2 * READ)
        with closing(KafkaLook(settings, lambda: time.time_ns() // 1_000_000, plant)) as look:
            (rekeyed,) = look.progress().partitions
        with closing(KafkaLook(settings, lambda: time.time_ns() // 1_000_000, settings)) as look:
            (other,) = look.progress().partitions

    assert (rekeyed.end, rekeyed.share, rekeyed.lag) == (2 * RECORDS, 0.5, RECORDS - READ)
    assert (other.end, other.share, other.lag) == (2 * RECORDS, 1.0, 2 * (RECORDS - READ))
