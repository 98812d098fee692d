"""A round with a Sparkplug topic keyed by MQTT topic: kills `stream-detector run`, or the process in it that re-keys."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.ingest.shaped_decoder import ShapedDecoder
from stream_detector.ports import Decoder
from stream_detector.settings.input_reading import input_reader, native_again
from stream_detector.settings.input_settings import InputSettings
from stream_detector.settings.schema import RuleSettings
from tests.chaos.checker import Findings, Leniency, compare_rejected, expected_by
from tests.chaos.feed import Produce
from tests.chaos.models import PERIOD, make_detector, series_of
from tests.chaos.nodes import aliases_of, compare_nodes, of_nodes, time_of, with_all_born
from tests.chaos.round import Places, RoundResult
from tests.chaos.unkeyed import PARTITIONS, Plant, compare_rekeyed, kill_rekeying
from tests.fixtures_model import FEATURES
from tests.ingest.sparkplug_messages import DOUBLE, metric, payload
from tests.integration.topics import Topics

DEVICES = 5
#: Longer than a round: sensors are silent by deaths only.
SILENT_SECONDS = 3600
FAULT_EVERY, FAULT_SECONDS = 40, 3
SETTINGS = InputSettings(preset="sparkplug", unknown_features="ignore")


def payload_of(node: int, second: int, device: int, is_birth: bool) -> bytes:
    """Return the payload of a device, with the names of the model; a device is far too hot now and then."""
    temperature, pressure = series_of(node, device)[second % PERIOD].tolist()
    is_hot = (second + 7 * device) % FAULT_EVERY < FAULT_SECONDS
    names = dict(zip(("a", "b"), FEATURES, strict=True))
    values = {"a": temperature + 40.0 * is_hot, "b": None if (second + device) % 11 == 0 else pressure}
    metrics = [
        metric(names[name] if is_birth else "", values[name], alias=alias, datatype=DOUBLE)
        for name, alias in aliases_of(second, device).items()
    ]
    return payload(metrics, at_ms=time_of(second), seq=second % 256)


def nodes_rekeying_kills(name: str, places: Places, chance: Random, count: int, model: Path) -> RoundResult:
    """Kill services and their re-keying processes while nodes and devices are born, die and are born again."""
    settings = {"INPUT__PRESET": "sparkplug", "INPUT__UNKNOWN_FEATURES": "ignore", "RULES__SILENT_SECONDS": SILENT_SECONDS}
    plant = Plant(
        fault="kill -9 of the service or of its re-keying, Sparkplug keyed by MQTT topic",
        sensors=DEVICES,
        make_records=partial(of_nodes, payload_of=payload_of),
        last_records=partial(with_all_born, payload_of=payload_of),
        settings=settings,
        spread=spread,
        compare=compare_all,
        model=model,
    )
    return kill_rekeying(plant, name, places, chance, count)


def spread(topics: Topics) -> Produce:
    """Return what appends messages as a bridge does that keys by MQTT topic, each a millisecond after the one before."""
    newest_ms = 0

    def produce(_: int, records: list[tuple[str, bytes]]) -> None:
        nonlocal newest_ms
        for topic, value in records:
            newest_ms = max(newest_ms + 1, time.time_ns() // 1_000_000)
            topics.produce(crc32(topic.encode()) % PARTITIONS, [(topic, value)], timestamp_ms=newest_ms)

    return produce


def make_decoder() -> Decoder:
    """Return a decoder as the service has behind the re-keying."""
    return ShapedDecoder(FEATURES, InputLimits(ignore_unknown_features=True), input_reader(native_again(SETTINGS)))


def compare_all(topics: Topics, rekeyed: list[Any], model: Path, findings: Findings) -> None:
    """Compare what was re-keyed, the events and the dead letters."""
    inputs = topics.input()
    compare_rekeyed(inputs, (), rekeyed, findings)
    rules = RuleSettings(silent_seconds=SILENT_SECONDS)
    expected = expected_by(rekeyed, lambda: make_detector(model, rules), make_decoder)
    compare_nodes(expected, topics.alerts(), Leniency(), findings)
    compare_rejected(make_decoder().decode(rekeyed).rejected, topics.dead_letters(), findings)
