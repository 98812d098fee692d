"""The built-in model on machines of which it has seen little: from which age on it finds a shift, and what their stops raise.

    python -m tests.benchmarks.bench_first_readings

Each of 90 sensors of a kind of bench_new_sensors.py, a reading a minute, is new; at some age one of its two features leaves for
30 readings by 8, 16 or 32 deviations of what it showed before. The shift is found if an incident opens in the first 15.

Then plants of eight machines, each with five features that follow its drive: off and on (`stops`), at one of four speeds
(`speeds`), or both. Three times in the second half of the time, while the drive is steady, one feature leaves for 15 minutes by
4, 8 or 16 deviations of its noise. An incident is false if it opens neither in such a time nor in the 70 readings after it;
`first` are those in a machine's first 1,024 readings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.built_in.members import LENGTH
from stream_detector.built_in.scorer import BuiltIn
from stream_detector.commands.progress import score_with_progress
from stream_detector.readings import BoolArray, Float64Array
from stream_detector.settings.schema import Settings
from stream_detector.state.record_layout import WindowShape
from stream_detector.tables.dataset import Dataset
from tests.benchmarks.bench_new_sensors import courses

START_MS, LEARNED, AFTER = 1_767_300_000_000, 1_024, 70
NEW, AGES, SHIFTS, LASTING = 90, (150, 300, 700, 2_000), (8, 16, 32), 30
MACHINES, QUIET = 8, 32
#: Of the five features: value beside the drive, value by the drive, noise, and seconds in which it follows the drive.
BESIDE, BY_DRIVE, NOISE = (0.0, 1.0, 1.0, 20.0, 0.0), (300.0, 10.0, 3.0, 25.0, 200.0), (4.0, 0.15, 0.04, 0.3, 3.0)
FOLLOWS_SECONDS = (20.0, 30.0, 60.0, 900.0, 120.0)


@dataclass(frozen=True, slots=True)
class Plant:
    """Readings of S machines at the same times, and the faults."""

    values: Float64Array  # [N, S, F]
    faults: list[tuple[int, int, int]]  # machine, first row, first row after it
    seconds: int  # between readings


def new_sensors(kind: str, age: int) -> Plant:
    """Return new sensors, each with a shift at this age."""
    rng = np.random.default_rng(11)
    values = np.stack([courses(kind, age + LASTING, rng) for _ in range(NEW)], axis=1).astype(np.float64)
    for sensor in range(NEW):
        feature = int(rng.integers(values.shape[2]))
        values[age:, sensor, feature] += SHIFTS[sensor % len(SHIFTS)] * values[:age, sensor, feature].std()
    return Plant(values, [(sensor, age, age + LASTING) for sensor in range(NEW)], 60)


def plant(kind: str, seconds: int, hours: int, seed: int) -> Plant:
    """Return a plant whose machines stop, change their speed, or do both."""
    rng, count = np.random.default_rng(seed), hours * 3600 // seconds
    machines, faults = [], []
    for machine in range(MACHINES):
        drive = np.ones(count)
        if kind != "stops":
            drive *= _held(rng, count, 1.5 * 3600 / seconds)
        if kind != "speeds":
            drive *= _on(rng, count, seconds)
        values = _following(rng, drive, seconds)
        for row in _steady(rng, drive, max(LENGTH, 600 // seconds), 900 // seconds):
            feature = int(rng.integers(len(NOISE)))
            values[row : row + 900 // seconds, feature] += rng.choice([-1, 1]) * rng.choice([4, 8, 16]) * NOISE[feature]
            faults.append((machine, row, row + 900 // seconds))
        machines.append(values)
    return Plant(np.stack(machines, axis=1), faults, seconds)


def _held(rng: np.random.Generator, count: int, usual: float) -> Float64Array:
    """Return one of four speeds at each of so many readings, each held for a while."""
    speeds, found = rng.uniform(0.6, 1.4, 4), np.empty(0)
    while len(found) < count:
        found = np.append(found, np.full(int(rng.exponential(usual)) + 10, speeds[rng.integers(4)]))
    return found[:count]


def _on(rng: np.random.Generator, count: int, seconds: int) -> Float64Array:
    """Return 1 where a machine runs, and 0 where it stands, for 5 to 40 minutes."""
    found = np.empty(0)
    while len(found) < count:
        runs, stands = int(rng.exponential(2.5 * 3600 / seconds)) + 10, int(rng.uniform(300, 2_400) / seconds)
        found = np.concatenate([found, np.ones(runs), np.zeros(stands)])
    return found[:count]


def _following(rng: np.random.Generator, drive: Float64Array, seconds: int) -> Float64Array:
    """Return the features [N, F] of a machine with this drive: each follows it in its time, with a noise that has a memory."""
    state, noise = np.full(len(NOISE), drive[0]), np.zeros(len(NOISE))
    share, scale = 1.0 - np.exp(-seconds / np.array(FOLLOWS_SECONDS)), np.array(BY_DRIVE) * rng.uniform(0.8, 1.2, len(NOISE))
    found = np.empty((len(drive), len(NOISE)))
    for row, value in enumerate(drive.tolist()):
        state += share * (value - state)
        noise = 0.7 * noise + 0.7 * rng.normal(size=len(NOISE))
        found[row] = np.array(BESIDE) + scale * state + np.array(NOISE) * noise
    return found


def _steady(rng: np.random.Generator, drive: Float64Array, before: int, lasting: int) -> list[int]:
    """Return up to three rows of the second half, apart from one another, from which the drive is steady for a fault."""
    found: list[int] = []
    for row in rng.integers(len(drive) // 2, len(drive) - lasting, 400).tolist():
        part = drive[row - before : row + lasting]
        if part.min() == part.max() > 0 and all(abs(row - other) > 3 * lasting + AFTER for other in found):
            found.append(row)
    return found[:3]


def opened(of: Plant) -> BoolArray:
    """Return where incidents of the score open [N, S], at the default budget."""
    count, sensors, features = of.values.shape
    codes, rows = np.tile(np.arange(sensors, dtype=np.int32), count), np.arange(count * sensors)
    times = np.repeat(START_MS + 1000 * of.seconds * np.arange(count, dtype=np.int64), sensors)
    names = tuple(f"f{number}" for number in range(features))
    values = of.values.reshape(-1, features).astype(np.float32)
    dataset = Dataset(names, tuple(f"m{number}" for number in range(sensors)), codes, times, values, rows)
    found = score_with_progress(BuiltIn(WindowShape(names, LENGTH)), dataset, Settings()).is_anomaly.reshape(count, sensors)
    opens = found.copy()
    for row in range(1, count):
        opens[row] &= ~found[max(0, row - QUIET) : row].any(axis=0)
    return opens


def figures(of: Plant) -> str:
    """Return what is found, and what is false, as cells of a table."""
    opens = opened(of)
    found = sum(bool(opens[first : first + (after - first) // 2, machine].any()) for machine, first, after in of.faults)
    for machine, first, after in of.faults:
        opens[first : after + AFTER, machine] = False
    days = opens.size * of.seconds / 86_400
    return f"{found} of {len(of.faults)} | {opens.sum()}, first {opens[:LEARNED].sum()} | {0.1 * days:.1f} |"


def main() -> None:
    """Print a row for each kind of sensors and age, and for each plant."""
    print("| | found | false | allowed |\n| --- | --- | --- | --- |")
    for kind in ("noise", "sine", "modes"):
        for age in AGES:
            print(f"| {kind}, after {age:,} readings | {figures(new_sensors(kind, age))}", flush=True)
    for kind, seconds, hours in (("stops", 5, 10), ("speeds", 30, 30), ("both", 60, 48)):
        print(f"| {kind}, {hours} h, every {seconds} s | {figures(plant(kind, seconds, hours, 1))}", flush=True)


if __name__ == "__main__":
    main()
