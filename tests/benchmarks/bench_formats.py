"""CPU of decoding a record of each preset's sample, as a multiple of parsing its JSON alone; in turns, so that noise hits all.

python -m tests.benchmarks.bench_formats
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.presets.catalog import PRESETS
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.ingest.shaped_decoder import ShapedDecoder
from stream_detector.settings.input_reading import input_reader
from stream_detector.settings.input_settings import InputSettings
from tests.ingest.foreign import Foreign
from tests.ingest.test_presets import SAMPLES

RECORDS, ROUNDS = 4096, 15
FEATURES = ("temp", "rpm", "Temp", "Pressure", "Rpm")
LIMITS = InputLimits(ignore_unknown_features=True)
NATIVE = {"sensor_id": "press-1", "timestamp": "2026-11-23T07:12:00Z", "values": {"temp": 61.2, "rpm": 1480}}


def batch(document: object) -> list[Foreign]:
    """Return records of one document with other numbers in each."""
    text = json.dumps(document)
    return [Foreign(text.replace("61.2", f"{20 + number / 100:.2f}").encode(), offset=number) for number in range(RECORDS)]


def parse_only(records: Sequence[Foreign]) -> None:
    """Parse the records' JSON."""
    decode = msgspec.json.Decoder().decode
    for record in records:
        decode(record.value)


def seconds(task: Callable[[Any], object], records: Sequence[Foreign]) -> float:
    """Return the CPU seconds of a task."""
    begin = time.process_time()
    task(records)
    return time.process_time() - begin


def main() -> None:
    """Measure and print."""
    tasks: dict[str, tuple[list[Foreign], Callable[[Any], object]]] = {
        "native": (batch(NATIVE), JsonDecoder(FEATURES, LIMITS).decode)
    }
    for name in PRESETS:
        reader = input_reader(InputSettings(preset=name))
        tasks[name] = batch(SAMPLES[name][0]), ShapedDecoder(FEATURES, LIMITS, reader).decode
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    for _ in range(ROUNDS):
        for name, (records, decode) in tasks.items():
            spent[name].append((seconds(parse_only, records), seconds(decode, records)))
    print(f"{'preset':12s} {'parse':>8s} {'decode':>8s}  ratio   (microseconds a record, median of {ROUNDS} rounds)")
    for name, pairs in spent.items():
        parse, decode = np.median(np.array(pairs), axis=0) / RECORDS * 1e6
        print(f"{name:12s} {parse:8.2f} {decode:8.2f}  {decode / parse:5.1f}")


if __name__ == "__main__":
    main()
