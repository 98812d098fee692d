"""Bounded and up-to-date versions of Kafka consumer calls that the client does not bound, or answers from old requests.

Defects: partitions_for_topic() waits for metadata, and position() for an offset, until a broker answers. committed() reuses
a request that timed out earlier, and then returns its old answer. Seen in kafka-python 3.0.12. Upstream:
https://github.com/dpkp/kafka-python/issues/3121 (blocking calls without a time-out); no issue found for committed().
"""

# ruff: noqa: SLF001 - the client has no public way to do this

from __future__ import annotations

from kafka import KafkaConsumer, TopicPartition


def fetch_metadata(consumer: KafkaConsumer, timeout_ms: float) -> None:
    """Fetch the metadata of the consumer's topics. Blocks up to the time-out; raises KafkaError."""
    update = consumer._cluster.request_update()
    consumer._net.run(consumer._manager.wait_for, update, timeout_ms)


def partitions_of(consumer: KafkaConsumer, topic: str, timeout_ms: float) -> set[int]:
    """Return a topic's partitions; none if it does not exist. Blocks up to the time-out, twice; raises KafkaError."""
    cluster = consumer._cluster
    if cluster.partitions_for_topic(topic) is None:
        if cluster.metadata_refresh_in_progress:  # that refresh may not ask for all topics
            fetch_metadata(consumer, timeout_ms)
        needs_all, cluster.need_all_topic_metadata = cluster.need_all_topic_metadata, True
        try:
            fetch_metadata(consumer, timeout_ms)
        finally:
            cluster.need_all_topic_metadata = needs_all
    return set(cluster.partitions_for_topic(topic) or ())


def is_known(consumer: KafkaConsumer, topic: str) -> bool:
    """Return whether the brokers' last answer had this topic. Does not ask the brokers."""
    return consumer._cluster.partitions_for_topic(topic) is not None


def position(consumer: KafkaConsumer, tp: TopicPartition) -> int:
    """Return the offset that the consumer reads next in a partition that has a position. Does not ask the brokers."""
    return int(consumer._subscription.position(tp).offset)


def forget_offset_requests(consumer: KafkaConsumer) -> None:
    """Let the next committed() ask the brokers, even if an earlier request for the same partition is still unanswered."""
    consumer._coordinator._offset_fetch_futures.clear()
