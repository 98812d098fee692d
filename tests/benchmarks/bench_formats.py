"""CPU of decoding a record of each preset's sample and of mappings, and of native records with the same readings, in turns.

python -m tests.benchmarks.bench_formats
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.presets.catalog import PRESETS
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.ingest.shaped_decoder import ShapedDecoder
from stream_detector.settings.input_reading import input_reader
from stream_detector.settings.input_settings import InputSettings
from tests.ingest.foreign import Foreign, read
from tests.ingest.preset_pages import SAMPLES
from tests.ingest.sparkplug_messages import DOUBLE, INT32, START_MS, message, metric

RECORDS, ROUNDS = 1024, 41
FEATURES = ("temp", "rpm", "Temp", "Pressure", "Rpm")
LIMITS = InputLimits(ignore_unknown_features=True)
#: What samples have of bad quality, and what stands there most of the time: a bad value costs its account, in any format.
GOOD = (('"q": false', '"q": true'), ('{"Code": 2147483648, "Symbol": "Bad"}', "0"))
_HOST, _AT = {"plant": "north", "tags": {"host": "press-1"}}, {"at": "2026-11-23T07:12:00Z"}
_VALUES = {"temp": 61.2, "rpm": 1480}
_PAIRS = [{"name": name, "v": value} for name, value in _VALUES.items()]
_NAMES: dict[str, Any] = {"sensor": "tags.host", "time": "at"}
#: Mappings written by hand, each with a document.
MAPPINGS: Mapping[str, tuple[dict[str, Any], object]] = {
    "an object, a template": (
        {"sensor": "{plant}/{tags.host}", "time": "at", "values": "data"},
        {**_HOST, **_AT, "data": _VALUES},
    ),
    "a path for each": ({**_NAMES, "features": {"temp": "motor.temp", "rpm": "motor.rpm"}}, {**_HOST, **_AT, "motor": _VALUES}),
    "name-value pairs": ({**_NAMES, "items": "data", "feature": "name", "value": "v"}, {**_HOST, **_AT, "data": _PAIRS}),
    "one value": ({**_NAMES, "feature": "name", "value": "v"}, {**_HOST, **_AT, **_PAIRS[0]}),
}

Task = tuple[Callable[[Any], object], Sequence[Foreign]]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a record costs, in microseconds of CPU, and what its readings cost as native records."""

    readings: int
    values: int
    decode: float
    native: float
    ratio: float  # the median of those of the rounds


def batch(text: str) -> list[Foreign]:
    """Return records of one text with other numbers in each."""
    return [Foreign(text.replace("61.2", f"{20 + number / 100:.2f}").encode(), offset=number) for number in range(RECORDS)]


def settings_and_documents() -> Iterator[tuple[str, dict[str, Any], object]]:
    """Yield what is measured: its name, the settings, a document."""
    for name in PRESETS:
        yield name, {"preset": name}, SAMPLES[name][0]
    for name, (mapping, document) in MAPPINGS.items():
        yield name, mapping, document


def tasks_of(settings: dict[str, Any], document: object) -> tuple[Task, Task, int, int]:
    """Return how a document is decoded, and its readings as native records; its numbers of readings and values."""
    text = json.dumps(document)
    for bad, good in GOOD:
        text = text.replace(bad, good)
    readings = read(json.loads(text), **settings)
    native = [json.dumps({"sensor_id": sensor, "timestamp": stamp, "values": values}) for sensor, stamp, values in readings]
    shaped = ShapedDecoder(FEATURES, LIMITS, input_reader(InputSettings(**settings)))
    records = [record for together in zip(*map(batch, native), strict=True) for record in together]
    counts = len(readings), sum(len(values) for _, _, values in readings)
    return (shaped.decode, batch(text)), (JsonDecoder(FEATURES, LIMITS).decode, records), *counts


def sparkplug_tasks(quality: int | None = None, *, most: int = 5) -> tuple[Task, Task, int, int]:
    """Return how data of a device are decoded that have aliases for 4 doubles and an integer, and so on as in tasks_of.

    Each metric has this quality, or none. Of `most` metrics that the device has, each message has 5 others.
    """
    names = [f"Motor/{number}" for number in range(most)]
    birth = message("north/DBIRTH/press/motor", [metric(name, 20.0, alias=alias) for alias, name in enumerate(names)])
    chosen = np.random.default_rng(1)
    sent = [_values(sorted(chosen.permutation(most)[:5].tolist()), number) for number in range(RECORDS)]
    records = [
        message(
            "north/DDATA/press/motor",
            [
                metric(value=value, alias=alias, datatype=INT32 if isinstance(value, int) else DOUBLE, quality=quality)
                for alias, value in values.items()
            ],
            offset=number + 1,
            seq=number % 256,
        )
        for number, values in enumerate(sent)
    ]
    foreign = [Foreign(one.value or b"", one.key, one.headers, offset=one.offset) for one in (birth, *records)]
    shaped = ShapedDecoder(names, LIMITS, input_reader(InputSettings(preset="sparkplug")))
    shaped.decode(foreign[:1])
    named = [{names[alias]: value for alias, value in values.items()} for values in sent]
    native = [json.dumps({"sensor_id": "north/press/motor", "timestamp": START_MS, "values": values}) for values in named]
    natives = [Foreign(text.encode(), offset=number) for number, text in enumerate(native)]
    return (shaped.decode, foreign[1:]), (JsonDecoder(names, LIMITS).decode, natives), 1, 5


def _values(aliases: Sequence[int], number: int) -> dict[int, float]:
    return {alias: 20.5 + alias + number / 100 if place < 4 else 1000 + number for place, alias in enumerate(aliases)}


def seconds(task: Task) -> float:
    """Return the CPU seconds of a task."""
    run, records = task
    begin = time.process_time()
    run(records)
    return time.process_time() - begin


def costs(rounds: int = ROUNDS) -> Mapping[str, Cost]:
    """Measure all presets and mappings."""
    tasks = {name: tasks_of(settings, document) for name, settings, document in settings_and_documents()}
    tasks["sparkplug"] = sparkplug_tasks()
    tasks["sparkplug, qualities"] = sparkplug_tasks(quality=192)
    tasks["sparkplug, 5 of 12"] = sparkplug_tasks(most=12)
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, (shaped, native, _, _) in tasks.items():
            spent[name].append((seconds(shaped), seconds(native)))
    found: dict[str, Cost] = {}
    for name, pairs in spent.items():
        measured = np.array(pairs)
        decode_us, native_us = (np.median(measured, axis=0) / RECORDS * 1e6).tolist()
        ratio = float(np.median(measured[:, 0] / measured[:, 1]))
        found[name] = Cost(*tasks[name][2:], decode=decode_us, native=native_us, ratio=ratio)
    return found


def main() -> None:
    """Measure and print."""
    print(f"microseconds of CPU a record, medians of {ROUNDS} rounds")
    print(f"{'':21s} {'readings':>8s} {'values':>6s} {'decode':>7s} {'native':>7s}  ratio")
    for name, cost in costs().items():
        row = f"{cost.readings:8d} {cost.values:6d} {cost.decode:7.2f} {cost.native:7.2f}  {cost.ratio:5.2f}"
        print(f"{name:21s} {row}")


if __name__ == "__main__":
    main()
