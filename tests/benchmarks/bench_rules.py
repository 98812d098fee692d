"""Measures how often rules are wrong on labelled series, and what they cost.

    python -m tests.benchmarks.bench_rules false DIRECTORY   # of .npz: train [n, F], test [n, F], y [n], seconds; FAMILY__name
    python -m tests.benchmarks.bench_rules cost              # bytes a sensor, microseconds a reading

`false` learns the limits from `train` and counts, by family, the incidents that open on normal rows of `test`; "in faults"
opened within a labelled anomaly or 64 readings after. `cost` reads 4,096 healthy sensors once a batch.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np

from stream_detector.assembly import rule_config
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.rules.batch import RuleBatch
from stream_detector.detection.rules.changes import RuleChange
from stream_detector.detection.rules.fold import RuleConfig, fold_rules
from stream_detector.readings import Float32Array, Readings
from stream_detector.settings.schema import RuleSettings
from stream_detector.state.record_layout import new_records, rules_dtype
from stream_detector.state.rule_states import RuleStates
from stream_detector.state.windows import append
from stream_detector.tables.dataset import Dataset
from stream_detector.timestamps import SECONDS_PER_DAY
from stream_detector.training.healthy_fit import fit_healthy

START_MS, LENGTH, BATCH = 1_700_000_000_000, 64, 4096


class Folded:
    """Sensors that the rules of a training watch."""

    def __init__(self, train: Float32Array, interval_ms: int, sensors: int) -> None:
        count, features = train.shape
        names = tuple(f"f{number}" for number in range(features))
        model = ModelSpec("bench", "v", names, LENGTH, interval_ms / 1000.0, ("one",))
        times_ms = START_MS + interval_ms * np.arange(count, dtype=np.int64)
        data = Dataset(names, ("s0",), np.zeros(count, np.int32), times_ms, train, np.arange(count, dtype=np.int64))
        self.features, self.sensors, self.interval_ms = names, sensors, interval_ms
        self.config: RuleConfig = rule_config(model, fit_healthy(data, np.ones(features, np.bool_)), RuleSettings(), 300.0)
        self.records, self.states = new_records(sensors, LENGTH, features, 1), RuleStates(features)
        self.states.grow(sensors)
        self.next = 0

    def read(self, values: Float32Array) -> list[tuple[str, str, int]]:
        """Fold readings of the sensors in turn; return the type, status and offset of the changes."""
        return [(one.type, one.status, one.offset) for one in self.fold(self.batch(values))]

    def batch(self, values: Float32Array) -> RuleBatch:
        """Append readings of the sensors in turn."""
        offsets = self.next + np.arange(len(values), dtype=np.int64)
        self.next += len(values)
        slots = (offsets % self.sensors).astype(np.int32)
        times_ms = START_MS + self.interval_ms * (offsets // self.sensors)
        readings = Readings([f"s{slot}" for slot in slots.tolist()], np.zeros(len(slots), np.int32), offsets, times_ms, values)
        last_ms = self.records["header"]["last_time_ms"][slots]
        appended = append(self.records, slots, readings, None)
        return RuleBatch.of(appended, readings, last_ms, np.zeros(len(appended.slot), np.int32))

    def fold(self, batch: RuleBatch) -> tuple[RuleChange, ...]:
        """Fold a batch into the rules."""
        return fold_rules(self.records, self.states, batch, self.features, self.config, emits=True)


def count_false(directory: Path) -> None:
    """Print the incidents on normal rows, by family."""
    normal, faulty, days, series = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[str](), Counter[str]()
    for path in sorted(directory.rglob("*.npz")):
        data = np.load(path)
        family, labels, interval_ms = path.parent.name, data["y"] > 0, max(1, round(1000 * float(data["seconds"])))
        if family == directory.name:
            family = path.name.split("_")[0]
        sensor, test = Folded(data["train"].astype(np.float32), interval_ms, 1), data["test"].astype(np.float32)
        sensor.read(data["train"][-LENGTH:].astype(np.float32))
        after = np.convolve(labels, np.ones(LENGTH + 1))[: len(labels)] > 0
        for start in range(0, len(test), BATCH):
            for kind, status, offset in sensor.read(test[start : start + BATCH]):
                if status == "opened" and offset >= LENGTH:
                    (faulty if after[offset - LENGTH] else normal)[family, kind] += 1
        days[family] += (~labels).sum() * interval_ms / 1000.0 / SECONDS_PER_DAY
        series[family] += 1
    for family in series:
        kinds = sorted({kind for _, kind in normal | faulty})
        found = [f"{kind} {normal[family, kind]} ({faulty[family, kind]} in faults)" for kind in kinds]
        print(f"{family}: {series[family]} series, {days[family]:.3g} sensor-days: {', '.join(found)}", flush=True)


def measure_cost() -> None:
    """Print what the rules cost beside what a reading costs anyway, for healthy continuous signals."""
    for features in (1, 3, 8):
        random = np.random.default_rng(0)
        sensors = Folded(random.normal(size=(4000, features)).astype(np.float32), 1000, BATCH)
        seconds = []
        for _ in range(60):
            batch = sensors.batch(random.normal(size=(BATCH, features)).astype(np.float32))
            began = time.process_time()
            sensors.fold(RuleBatch.of(batch.appended, batch.readings, batch.previous_ms, batch.table_rows))
            seconds.append(time.process_time() - began)
        microseconds = 1e6 * np.array(seconds) / BATCH
        always = 2 * features + 5  # runs of unchanged values; where the rest is, and whether it is stored
        least, median, more = microseconds.min(), np.median(microseconds), rules_dtype(features).itemsize
        print(f"{features} features: {least:.2f} us a reading (median {median:.2f}); {always} bytes a sensor")
        print(f"  and {more} for one with something open or counted, as {sensors.states.count} of {BATCH} have")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["false", "cost"])
    parser.add_argument("directory", nargs="?", type=Path)
    arguments = parser.parse_args()
    if arguments.what == "cost":
        measure_cost()
    else:
        count_false(arguments.directory)


if __name__ == "__main__":
    main()
