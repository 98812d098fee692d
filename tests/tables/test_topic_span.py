from __future__ import annotations

import json

import numpy as np
import pytest

from stream_detector.errors import InputDataError
from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.state.bucket_state import Assembly
from stream_detector.tables.dataset import clean
from stream_detector.tables.topic_dataset import read_topic_span
from stream_detector.tables.topic_span import find_features, find_span
from tests.fakes.memory_log import MemoryLog
from tests.fakes.memory_source import MemorySource

TOPIC = "readings"
FEATURES = ("pressure", "temperature")
START = 1_767_225_600  # the readings' second 0


def reading(sensor: str, second: int, **values: float | None) -> bytes:
    return json.dumps({"sensor_id": sensor, "timestamp": START + second, "values": values}).encode()


@pytest.fixture
def log() -> MemoryLog:
    """Partition 0: pump-1 at seconds 1, 2, 3; partition 1: a marker, then pump-2 at 2 and a record that is not a reading."""
    log = MemoryLog()
    log.create_topic(TOPIC, partitions=3)
    for second in (1, 2, 3):
        log.append(TOPIC, 0, reading("pump-1", second, temperature=10.0 * second), timestamp=1000 * (START + second))
    log.append_gap(TOPIC, 1)
    log.append(TOPIC, 1, reading("pump-2", 2, temperature=5.0, pressure=None), timestamp=1000 * (START + 2))
    log.append(TOPIC, 1, b"hello", timestamp=1000 * START + 2500)
    return log


def test_a_topic_becomes_a_dataset_and_what_is_left_out_is_said(log: MemoryLog) -> None:
    source = MemorySource(log, TOPIC, "none")
    passed: list[int] = []

    span = find_span(source, [0, 1, 2], None, None)
    features = find_features(source, span, InputReader())
    dataset, notes = read_topic_span(source, span, JsonDecoder(features, InputLimits()), features, passed.append)

    assert features == FEATURES
    assert dataset.sensors == ("pump-1", "pump-2")
    assert dataset.times_ms.tolist() == [1000 * (START + second) for second in (1, 2, 3, 2)]
    np.testing.assert_array_equal(dataset.values, [[np.nan, 10.0], [np.nan, 20.0], [np.nan, 30.0], [np.nan, 5.0]])
    assert notes == ["1 records were left out: not_json, Expecting value: line 1 column 1 (char 0)"]
    assert sum(passed) == span.length == 6
    assert clean(dataset)[1] == []


def test_a_span_is_bounded_by_the_records_times(log: MemoryLog) -> None:
    source = MemorySource(log, TOPIC, "none")

    span = find_span(source, [0, 1, 2], 1000 * START + 2000, 1000 * START + 2500)
    dataset, notes = read_topic_span(source, span, JsonDecoder(FEATURES, InputLimits()), FEATURES)

    assert dataset.times_ms.tolist() == [1000 * (START + 2)] * 2
    assert notes == []


def test_an_empty_span_and_one_without_readings_are_refused(log: MemoryLog) -> None:
    source = MemorySource(log, TOPIC, "none")

    with pytest.raises(InputDataError, match="no records in this span"):
        find_span(source, [0, 1, 2], 1000 * START + 9000, None)
    with pytest.raises(InputDataError, match="no record at the start of the span is a reading"):
        find_features(source, find_span(source, [1], 1000 * START + 2500, None), InputReader())
    with pytest.raises(InputDataError, match=r"no record of the span could be used \(1 records were left out: not_json, Exp"):
        read_topic_span(
            source, find_span(source, [1], 1000 * START + 2500, None), JsonDecoder(FEATURES, InputLimits()), FEATURES
        )


def test_what_a_topic_lacks_is_said(log: MemoryLog) -> None:
    log.append(TOPIC, 2, b'{"sensor_id": "pump-3", "values": {"temperature": "Bad", "pressure": 1}}', timestamp=1000 * START)
    log.append(TOPIC, 2, None, timestamp=1000 * START)
    source = MemorySource(log, TOPIC, "none")

    _, notes = read_topic_span(source, find_span(source, [2], None, None), JsonDecoder(FEATURES, InputLimits()), FEATURES)

    assert notes == ["1 records without a value were skipped", "taken as missing: temperature of pump-3: 'Bad' 1 time"]


def test_a_topic_of_another_shape_is_refused_with_what_it_holds(log: MemoryLog) -> None:
    log.append(TOPIC, 2, b'{"fields": {"temperature": 1}, "name": "pump", "tags": {"host": "p"}, "timestamp": 1}', timestamp=0)
    source = MemorySource(log, TOPIC, "none")

    with pytest.raises(
        InputDataError, match=r"Partition 2 offset 0: found fields \(temperature\), name, tags \(host\), timestamp; it"
    ):
        find_features(source, find_span(source, [2], None, None), InputReader())


def test_messages_of_a_metric_each_are_learned_from_as_the_stream_scores_them(log: MemoryLog) -> None:
    for second in range(10, 14):
        for number, name in enumerate(FEATURES):
            time_ms = 1000 * (START + second) + 100 * number
            log.append(TOPIC, 2, reading("pump-3", second, **{name: second + 0.5 * number}), timestamp=time_ms)
    source = MemorySource(log, TOPIC, "none")
    span = find_span(source, [2], None, None)

    decoder = JsonDecoder(FEATURES, InputLimits())
    dataset, notes = read_topic_span(source, span, decoder, FEATURES, assembly=Assembly(1000, 5000))

    assert dataset.times_ms.tolist() == [1000 * (START + second) for second in (11, 12, 13)]
    assert dataset.values.tolist() == [[second, second + 0.5] for second in (10, 11, 12)]
    assert notes == ["8 messages were assembled into 3 readings, one per 1 s"]
    assert dataset.held is not None
    assert not dataset.held.any()


def test_what_is_held_in_assembled_readings_is_told_apart_through_sorting_and_choosing(log: MemoryLog) -> None:
    for second, names in ((10, FEATURES), (11, FEATURES[:1]), (12, FEATURES), (13, FEATURES)):
        for name in names:
            log.append(TOPIC, 2, reading("pump-3", second, **{name: 7.0}), timestamp=1000 * (START + second))
    source = MemorySource(log, TOPIC, "none")
    span, decoder = find_span(source, [2], None, None), JsonDecoder(FEATURES, InputLimits())

    dataset, _ = read_topic_span(source, span, decoder, FEATURES, assembly=Assembly(1000, 5000))
    of_second, _ = clean(dataset.select(FEATURES[1:]))

    assert of_second.held is not None
    assert of_second.held.tolist() == [[False], [True], [False]]


def test_metrics_of_an_unkeyed_topic_are_assembled_over_all_partitions(log: MemoryLog) -> None:
    log.create_topic("metrics", partitions=2)
    for second in range(0, 40, 10):
        for partition, name in ((second // 10 % 2, "temperature"), (1 - second // 10 % 2, "pressure")):
            content = reading("pump-1", second + partition, **{name: second + len(name)})
            log.append("metrics", partition, content, timestamp=1000 * (START + second + partition))
    source = MemorySource(log, "metrics", "none")
    span, decoder = find_span(source, [0, 1], None, None), JsonDecoder(FEATURES, InputLimits())

    dataset, _ = read_topic_span(source, span, decoder, FEATURES, assembly=Assembly(10_000, 60_000), is_one_log=True)

    # The fourth bucket is not complete yet.
    np.testing.assert_array_equal(dataset.values, [[8.0, 11.0], [18.0, 21.0], [28.0, 31.0]])
    assert np.diff(dataset.times_ms).tolist() == [10_000, 10_000]
