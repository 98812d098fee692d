"""Counts the incidents of sensors that the model does not know, and the spikes that are found in them.

    python -m tests.benchmarks.bench_new_sensors [--known 50] [--new 150] [--rows 4000] [--window 32] [--seed 0]

Trains the linear members, without the network, on some sensors of a fleet, and scores the rows that follow of these and all
rows of the others, at the default budget. Every sensor has its own scale, noise and period. There are three kinds of fleets:

    sine    a slow cycle of 200 to 5,000 readings in each feature
    modes   three levels, each held for 100 to 1,000 readings, with ramps of 64 readings between them
    noise   nothing but noise: a scale is learnt from a few windows

Of every other sensor, one in each 500 readings or so is a spike of one feature, by 8 or 16 deviations of its sensor over all
its readings. A spike is found by an incident that opens at it or at the three readings after; it is hidden if one was open
before. An incident is false if it opens elsewhere, and not within a window after a spike.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stream_detector.assembly import build_detector
from stream_detector.detection.transition import CLOSED, OPENED
from stream_detector.readings import BoolArray, Float32Array, Int64Array, Readings
from stream_detector.settings.schema import AlertSettings, StateSettings
from stream_detector.tables.dataset import Dataset
from stream_detector.training.preparation import TrainingConfig, prepare
from tests.benchmarks.bench_missing_features import START_MS, LinearScorer

INTERVAL_MS = 200
FEATURES = ("temperature", "pressure")
KINDS = ("sine", "modes", "noise")
FOUND_WITHIN = 3
RAMP = 64
BATCH_TICKS = 40
#: Bounds of a sensor's age, in its readings.
AGES = (128, 512, 2048)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Readings of S sensors at the same times: N of each."""

    values: Float32Array  # [N, S, F]
    spikes: BoolArray  # [N, S]


def courses(kind: str, count: int, rng: np.random.Generator) -> Float32Array:
    """Return the readings [count, F] of a healthy sensor."""
    rows, features = np.arange(count)[:, np.newaxis], len(FEATURES)
    if kind == "sine":
        period = np.exp(rng.uniform(np.log(200), np.log(5_000)))
        clean = np.sin(2 * np.pi * (rows / period + rng.uniform(0, 1, features)))
    elif kind == "modes":
        lengths = rng.integers(100, 1_000, count // 100 + 1)
        mode = np.repeat(rng.integers(0, 3, len(lengths)), lengths)[: count + RAMP - 1]
        steps = rng.normal(0, 1, (3, features))[mode]
        clean = np.lib.stride_tricks.sliding_window_view(steps, RAMP, axis=0).mean(axis=2)
    else:
        clean = np.zeros((count, features))
    noise = rng.normal(0, 1, (count, features)) * rng.uniform(0.05, 0.2)
    unit = np.exp(rng.uniform(np.log(0.1), np.log(100), features))
    return np.asarray(unit * (clean + noise + rng.uniform(-20, 20, features)), np.float32)


def fleet_of(kind: str, sensors: int, count: int, seed: int) -> Fleet:
    """Return a fleet without spikes."""
    rng = np.random.default_rng(seed)
    values = np.stack([courses(kind, count, rng) for _ in range(sensors)], axis=1)
    return Fleet(values, np.zeros((count, sensors), np.bool_))


def with_spikes(fleet: Fleet, first: int, seed: int) -> Fleet:
    """Return the fleet with spikes in every other sensor, from this reading on."""
    rng = np.random.default_rng(seed)
    values, spikes = fleet.values.copy(), fleet.spikes.copy()
    deviation = fleet.values.std(axis=0)  # [S, F]
    for sensor in range(1, spikes.shape[1], 2):
        at = first + int(rng.integers(0, 300))
        while at < len(values):
            feature, size = int(rng.integers(len(FEATURES))), rng.choice([-16, -8, 8, 16])
            values[at, sensor, feature] += size * deviation[sensor, feature]
            spikes[at, sensor] = True
            at += int(rng.integers(300, 700))
    return Fleet(values, spikes)


def trained(fleet: Fleet, window_length: int) -> LinearScorer:
    """Train on a fleet without spikes."""
    count, sensors, features = fleet.values.shape
    dataset = Dataset(
        features=FEATURES,
        sensors=tuple(f"known-{number}" for number in range(sensors)),
        codes=np.repeat(np.arange(sensors, dtype=np.int32), count),
        times_ms=np.tile(START_MS + INTERVAL_MS * np.arange(count, dtype=np.int64), sensors),
        values=fleet.values.transpose(1, 0, 2).reshape(-1, features),
        rows=np.arange(count * sensors),
    )
    return LinearScorer(prepare(dataset, TrainingConfig(window_length=window_length)))


def batches(fleet: Fleet, names: list[str], first_row: int) -> Iterator[Readings]:
    """Yield the readings as they would come, some rows of all sensors at a time."""
    count, sensors, features = fleet.values.shape
    for first in range(0, count, BATCH_TICKS):
        rows = np.arange(first, min(first + BATCH_TICKS, count), dtype=np.int64)
        yield Readings(
            sensors=names * len(rows),
            partitions=np.zeros(len(rows) * sensors, np.int32),
            places=np.arange(first * sensors, (first + len(rows)) * sensors, dtype=np.int64),
            times_ms=np.repeat(START_MS + INTERVAL_MS * (first_row + rows), sensors),
            values=fleet.values[rows].reshape(-1, features),
        )


@dataclass(frozen=True, slots=True)
class Incidents:
    """Where incidents open and are open: [N, S] each."""

    opened: BoolArray
    is_open: BoolArray


def detect(scorer: LinearScorer, fleet: Fleet, names: list[str], first_row: int = 0) -> Incidents:
    """Run the product's fold over a fleet."""
    detector = build_detector(scorer, StateSettings(), AlertSettings())
    detector.arena.make_room(len(names))
    detector.admit_new(0, names)
    shape = count, sensors = fleet.values.shape[:2]
    opened = np.zeros(shape, np.bool_)
    change = np.zeros((count + 1, sensors), np.int8)
    base = 0
    for readings in batches(fleet, names, first_row):
        detected = detector.detect(readings)
        assert detected.decisions is not None
        for one in detected.decisions.transitions:
            row, sensor = divmod(base + int(detected.appended.reading[one.position]), sensors)
            if one.status == OPENED:
                opened[row, sensor], change[row, sensor] = True, 1
            elif one.status == CLOSED:
                change[row, sensor] -= 1
        base += len(readings)
    return Incidents(opened, np.cumsum(change, axis=0)[:-1] > 0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Counts over the chosen sensors and readings."""

    readings: int
    false: int
    spikes: int
    found: int
    hidden: int  # an incident was open already

    def __str__(self) -> str:
        spikes = f"{self.found:3d} of {self.spikes:3d} spikes, {self.hidden:3d} hidden"
        return f"{self.false:5d} false in {self.readings:7d} readings; {spikes}"


def outcome(fleet: Fleet, incidents: Incidents, window: int, sensors: Int64Array, rows: slice) -> Outcome:
    """Count the incidents and spikes of these sensors and rows."""
    after = _within(fleet.spikes, window)
    chosen = np.zeros(fleet.spikes.shape, np.bool_)
    chosen[rows, sensors] = True
    found = _within(incidents.opened[::-1], FOUND_WITHIN)[::-1]
    before = np.roll(incidents.is_open, 1, axis=0)
    before[0] = False
    spikes = fleet.spikes & chosen
    return Outcome(
        readings=int(chosen.sum()),
        false=int((incidents.opened & ~after & chosen).sum()),
        spikes=int(spikes.sum()),
        found=int((spikes & found).sum()),
        hidden=int((spikes & before).sum()),
    )


def _within(events: BoolArray, readings: int) -> BoolArray:
    """Return which rows [N, S] are an event or at most so many readings after one."""
    total = np.cumsum(events, axis=0, dtype=np.int64)
    before = np.zeros_like(total)
    before[readings + 1 :] = total[: -readings - 1]
    return np.asarray(total > before)


def report(title: str, fleet: Fleet, incidents: Incidents, window: int) -> Iterator[str]:
    """Yield lines by the age of the sensors, in readings."""
    count, sensors = fleet.spikes.shape
    everyone, everything = np.arange(sensors), slice(0, count)
    storming = int((incidents.opened & ~_within(fleet.spikes, window)).any(axis=0).sum())
    yield f"{title}: {storming} of {sensors} sensors with a false incident"
    yield f"  all             {outcome(fleet, incidents, window, everyone, everything)}"
    bounds = [0, *(age for age in AGES if age < count), count]
    for first, stop in itertools.pairwise(bounds):
        yield f"  {f'{first} to {stop}':15s} {outcome(fleet, incidents, window, everyone, slice(first, stop))}"


def compare(kind: str, options: argparse.Namespace) -> None:
    """Print what is found in the sensors of a fleet that the model knows, and in new ones."""
    count, first = options.rows, options.window + 8
    whole = fleet_of(kind, options.known, 2 * count, options.seed)
    past, future = (Fleet(part, whole.spikes[:count]) for part in np.split(whole.values, 2))
    scorer = trained(past, options.window)
    new = fleet_of(kind, options.new, count, options.seed + 2)
    for title, fleet, row in (("known", future, count), ("new", new, 0)):
        spiked = with_spikes(fleet, first, options.seed + 1)
        names = [f"{title}-{number}" for number in range(spiked.spikes.shape[1])]
        print("\n".join(report(f"{kind}, {title}", spiked, detect(scorer, spiked, names, row), options.window)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--known", type=int, default=50)
    parser.add_argument("--new", type=int, default=150)
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--window", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for kind in options.kinds:
        compare(kind, options)


if __name__ == "__main__":
    main()
