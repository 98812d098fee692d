"""Recognises messages of Sparkplug nodes, and how they must be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from stream_detector.discovery.guessed import MOST, Guess
from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.sparkplug.topic import BIRTHS, SparkplugTopic, parse_topic, topic_finder
from stream_detector.readings import Record

_find = topic_finder()


def topic_of(record: Record) -> SparkplugTopic | None:
    """Return the MQTT topic of a record; None if it has none."""
    try:
        return _find(record)
    except RejectionError:
        return None


def is_birth(record: Record) -> bool:
    """Return whether a record is a birth, by its topic."""
    topic = topic_of(record)
    return topic is not None and topic.kind in BIRTHS


def is_sparkplug(records: Sequence[Record]) -> bool:
    """Return whether most of these records are messages of nodes, by their topics, and not in JSON."""
    found = sum(topic_of(record) is not None and (record.value or b"")[:1] != b"{" for record in records)
    return bool(records) and found >= MOST * len(records)


def guess_sparkplug(records: Sequence[Record]) -> Guess:
    """Return the settings for messages of nodes."""
    guess = Guess("Sparkplug B")
    guess.set("preset", "sparkplug", "each record has the MQTT topic of a Sparkplug message")
    guess.set("max_record_bytes", 1_048_576, "a birth of a large node has many metrics")
    partitions: dict[str, set[int]] = defaultdict(set)
    for record in records:
        topic = topic_of(record)
        if topic is not None and topic.node:
            partitions[topic.node].add(record.partition)
    spread = sorted(node for node, numbers in partitions.items() if len(numbers) > 1)
    keyed_by_topic = [record for record in records if record.key and parse_topic(record.key.decode(errors="replace"))]
    is_of_several = len({record.partition for record in records}) > 1
    if spread:
        count = len(partitions[spread[0]])
        reason = f"node {spread[0]} comes from {count} partitions: its messages are brought together first"
        guess.set("repartition", True, reason)
    elif is_of_several and len(keyed_by_topic) >= MOST * len(records):
        guess.set("repartition", True, "records are keyed by MQTT topic: births and data of a node lie in several partitions")
    return guess
