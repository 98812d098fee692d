"""Spans of a topic of Sparkplug messages: births before the span, and in other partitions, name what is in it."""

from __future__ import annotations

import pytest

from stream_detector.commands.input_payload import build_decoder
from stream_detector.ingest.earlier import learn_before
from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.pipeline.feature_search import find_shape
from stream_detector.settings.input_reading import input_reader
from stream_detector.settings.input_settings import InputSettings
from stream_detector.tables.topic_count import TopicCount
from stream_detector.tables.topic_dataset import read_topic_span
from stream_detector.tables.topic_span import find_features, find_span
from stream_detector.values import NO_MISSING_VALUES
from tests.fakes.memory_log import MemoryLog
from tests.fakes.memory_source import MemorySource
from tests.fakes.memory_store import MemoryStore
from tests.ingest.sparkplug_messages import START_MS, metric, payload, session

HOUR_MS = 3_600_000


def reader() -> InputReader:
    return input_reader(InputSettings(preset="sparkplug"))


def filled(partitions: int) -> MemorySource:
    """Return a topic with births, in the last partition, and an hour later data of aliases, in the first."""
    log = MemoryLog()
    log.create_topic("plant", partitions)
    born = [("NBIRTH/n", [session(1)]), ("DBIRTH/n/d", [metric("x", 0.0, alias=1), metric("y", 0.0, alias=2)])]
    told = [("DDATA/n/d", [metric(value=float(at), alias=1 + at % 2)]) for at in range(4)]
    for at, (kind, metrics) in enumerate([*born, *told]):
        time_ms = START_MS + 1000 * at + (HOUR_MS if at > 1 else 0)
        partition = 0 if at > 1 else partitions - 1
        key = f"spBv1.0/g/{kind}".encode()
        log.append("plant", partition, payload(metrics, at_ms=time_ms, seq=at), key=key, timestamp=time_ms)
    return MemorySource(log, "plant", "none")


def test_a_span_knows_the_births_before_it() -> None:
    source, shape = filled(1), reader()
    span = find_span(source, [0], START_MS + HOUR_MS, None)
    features = find_features(source, span, shape)
    decoder = build_decoder(shape, features, InputLimits())
    dataset, notes = read_topic_span(source, span, decoder, features)

    assert (features, dataset.sensors, len(dataset), notes) == (("x", "y"), ("g/n/d",), 4, [])


@pytest.mark.parametrize("partitions", [1, 3])
def test_partitions_that_are_one_log_know_each_others_births_by_time(partitions: int) -> None:
    source, shape = filled(partitions), reader()
    assert shape.nodes is not None
    shape.nodes.is_one_log = True
    for partition in range(partitions):
        learn_before(source, shape, partition, source.bounds(partition)[1])
    span = find_span(source, range(partitions), START_MS + HOUR_MS, None)
    features = find_features(source, span, shape)
    dataset, notes = read_topic_span(source, span, build_decoder(shape, features, InputLimits()), features, is_one_log=True)

    assert (features, len(dataset), notes) == (("x", "y"), 4, [])


def test_features_are_found_in_the_newest_records_by_births_before_them() -> None:
    source = filled(1)
    shape = find_shape(source, MemoryStore(), NO_MISSING_VALUES, reader())

    assert shape is not None
    assert shape.features == ("x", "y")


def test_a_topic_is_counted_with_the_births_before_what_is_counted() -> None:
    source = filled(1)
    count = TopicCount(source, lambda features: build_decoder(reader(), features, InputLimits()), reader())
    count.look([0], HOUR_MS // 2, lambda _: False)

    assert {name: sensor.readings for name, sensor in count.sensors.items()} == {"g/n/d": 4}
