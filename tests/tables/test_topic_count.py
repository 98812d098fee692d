from __future__ import annotations

import json

import pytest

from stream_detector.errors import InputDataError
from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.tables.topic_count import TimeSpan, TopicCount, choose_span
from tests.fakes.memory_log import MemoryLog
from tests.fakes.memory_source import MemorySource

TOPIC, HOUR_MS = "readings", 3_600_000
START_MS = 1_767_225_600_000


def append(log: MemoryLog, partition: int, sensor: str, *seconds: int) -> None:
    for second in seconds:
        document = {"sensor_id": sensor, "timestamp": START_MS / 1000 + second, "values": {"temperature": second}}
        log.append(TOPIC, partition, json.dumps(document).encode(), timestamp=START_MS + 1000 * second)


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog()
    log.create_topic(TOPIC, partitions=2)
    return log


def count_of(log: MemoryLog) -> TopicCount:
    source = MemorySource(log, TOPIC, "none")
    return TopicCount(source, lambda features: JsonDecoder(features, InputLimits()), InputReader())


def test_every_record_is_counted_once_however_often_one_looks(log: MemoryLog) -> None:
    count = count_of(log)
    append(log, 0, "pump-1", 0, 30, 60)
    log.append(TOPIC, 0, b"no reading", timestamp=START_MS + 61_000)
    append(log, 1, "pump-2", 0, 60)

    for _ in range(2):
        count.look([0, 1], HOUR_MS, lambda _: False)
    before = count.readings, len(count.sensors), count.per_minute, count.records
    append(log, 1, "pump-2", 120)
    count.look([0, 1], HOUR_MS, lambda _: False)

    assert before == (5, 2, 3.0, 6)  # 2 a minute and 1 a minute
    assert (count.readings, count.records) == (6, 7)


def test_records_from_before_the_span_and_after_enough_are_not_counted(log: MemoryLog) -> None:
    append(log, 0, "pump-1", 0, 5_000, 6_000)
    late, enough = count_of(log), count_of(log)

    late.look([0, 1], HOUR_MS, lambda _: False)
    enough.look([0, 1], HOUR_MS, lambda count: count.records >= 0)

    assert late.readings == 2
    assert enough.readings == 0


def test_a_topic_without_records_counts_nothing_and_one_without_readings_says_so(log: MemoryLog) -> None:
    count = count_of(log)
    count.look([0, 1], HOUR_MS, lambda _: False)
    assert (count.readings, count.records) == (0, 0)

    log.append(TOPIC, 0, b"hello", timestamp=START_MS)
    with pytest.raises(InputDataError, match="is a reading"):
        count.look([0, 1], HOUR_MS, lambda _: False)


def test_the_span_is_the_newest_and_bounded_by_time_and_by_records(log: MemoryLog) -> None:
    source = MemorySource(log, TOPIC, "none")
    assert choose_span(source, [0, 1], HOUR_MS, 1_000) is None

    append(log, 0, "pump-1", *range(0, 1_000, 10))
    append(log, 1, "pump-2", *range(0, 2_000, 10))

    assert choose_span(source, [0, 1], HOUR_MS, 1_000) == TimeSpan(START_MS, START_MS + 1_990_001)  # it holds less
    assert choose_span(source, [0, 1], 500_000, 1_000) == TimeSpan(START_MS + 1_500_000, START_MS + 1_990_001)
    # A tenth of each: 10 of the first, from second 900 on, and 20 of the second, from 1800 on.
    assert choose_span(source, [0, 1], HOUR_MS, 30) == TimeSpan(START_MS + 1_800_000, START_MS + 1_990_001)


def test_messages_of_a_bucket_count_as_one_reading(log: MemoryLog) -> None:
    count = count_of(log)
    count.bucket_ms = 10_000
    append(log, 0, "pump-1", 0, 1, 9, 10, 25)

    count.look([0, 1], HOUR_MS, lambda _: False)

    assert (count.readings, count.records) == (3, 5)
