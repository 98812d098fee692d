"""Messages of Sparkplug nodes through the re-keying: as they are, by node, in the order of time, with earlier births."""

from __future__ import annotations

from stream_detector.ingest.dead_letters import DeadLetterLimit
from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.ingest.sparkplug.shape import SparkplugShape
from stream_detector.rekey.engine import LATEST, EngineConfig, Rekeyer, committed_of_all
from stream_detector.rekey.rewriter import Rewriter, Targets
from stream_detector.settings.input_reading import input_reader, native_again
from stream_detector.settings.input_settings import InputSettings
from tests.fakes.memory_log import MemoryLog
from tests.fakes.memory_sink import MemorySink
from tests.fakes.memory_source import MemorySource
from tests.ingest.sparkplug_messages import START_MS, metric, payload, session
from tests.rekey.records import Rec

TARGETS = Targets("copy", "dead", 1000)


def test_a_message_is_copied_as_it_is_by_node() -> None:
    rewriter = Rewriter(InputReader(SparkplugShape()), InputLimits(), TARGETS)
    data = payload([metric(value=1.0, alias=3)], seq=5)
    rewritten = rewriter(
        [
            Rec(data, 4, 2, START_MS, key=b"spBv1.0/g/DDATA/n/d"),
            Rec(b"{}", 5, 2, START_MS, key=b"spBv1.0/g/NCMD/n"),
            Rec(b"{}", 6, 2, START_MS, key=b"else"),
        ]
    )
    copy, letter = rewritten.messages

    assert (copy.topic, copy.key, copy.value, copy.timestamp_ms) == ("copy", b"g/n", data, START_MS)
    assert copy.headers == (("mqtt.topic", b"spBv1.0/g/DDATA/n/d"), ("rekeyed-from", b"plant-2-4-0"))
    assert (letter.topic, rewritten.excluded) == ("dead", {"record": 1})


def test_births_from_before_the_start_and_all_from_it_on_are_copied_and_the_detector_reads_them() -> None:
    log = MemoryLog()
    log.create_topic("plant", 3)
    log.create_topic("copy", 2)
    log.create_topic("dead")
    kinds = ("NBIRTH/n", "DBIRTH/n/d", "DDATA/n/d", "NDEATH/m", "DDATA/n/d")
    for at, kind in enumerate(kinds):
        metrics = [session(1), metric("x", float(at), alias=7)] if "BIRTH" in kind else [metric(value=float(at), alias=7)]
        topic = f"spBv1.0/g/{kind}"
        log.append("plant", at % 3, payload(metrics, at_ms=START_MS + at), key=topic.encode(), timestamp=START_MS + at)
    source = MemorySource(log, "plant", "group", max_poll_records=2)
    rewriter = Rewriter(InputReader(SparkplugShape()), InputLimits(), TARGETS)
    config, ticks = EngineConfig(START_MS + 4), iter(range(10_000))
    rekeyer = Rekeyer(
        source, MemorySink(log, "plant"), rewriter, DeadLetterLimit(1.0, 99, 99), config, clock=lambda: next(ticks)
    )
    ends = {number: log.bounds("plant", number)[1] for number in range(3)}
    for _ in range(50):
        rekeyer.step(0.0)
    behind = input_reader(native_again(InputSettings(preset="sparkplug", sensor="$key")))
    copies = sorted(log.records("copy"), key=lambda record: (record.partition, record.offset))

    assert committed_of_all(source, ends)
    assert {record.key for record in copies} == {b"g/n"}
    assert [reading.values for record in copies for reading in behind.readings_in(record)] == [
        {"x": 0.0},
        {"x": 1.0},
        {"x": 4.0},
    ]


def test_a_start_at_the_end_still_copies_births() -> None:
    log = MemoryLog()
    for name in ("plant", "copy", "dead"):
        log.create_topic(name)
    for at, kind in enumerate(("NBIRTH/n", "NDATA/n")):
        value = payload([metric("x", 1.0, alias=7)], at_ms=START_MS + at)
        log.append("plant", 0, value, key=f"spBv1.0/g/{kind}".encode(), timestamp=START_MS + at)
    rewriter = Rewriter(InputReader(SparkplugShape()), InputLimits(), TARGETS)
    source, ticks = MemorySource(log, "plant", "group"), iter(range(10_000))
    limit = DeadLetterLimit(1.0, 99, 99)
    rekeyer = Rekeyer(source, MemorySink(log, "plant"), rewriter, limit, EngineConfig(LATEST), clock=lambda: next(ticks))
    for _ in range(10):
        rekeyer.step(0.0)

    assert [record.headers[0][1] for record in log.records("copy")] == [b"spBv1.0/g/NBIRTH/n"]
