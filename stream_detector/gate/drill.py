"""Plans a drill: faults of set kinds and sizes in held-back data, to see which of them would be alarmed, and how late.

The trials of trials.py rank faults of random sizes, to choose and compare scores. A drill is for the user: its faults have
round sizes, include what breaks most often (a frozen or silent machine, a feature that is gone), and run through the product's
own decision (drill_run.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from stream_detector.gate.fault_injection import MINIMUM_CHANGE, HealthyRun, inject
from stream_detector.gate.fault_kinds import CHANGED_PERIOD, DRIFT, LEVEL_SHIFT, LOST_CORRELATION, NOISE, SPIKE, STUCK
from stream_detector.gate.left_out import why_left_out
from stream_detector.readings import BoolArray, Float64Array, Int64Array

#: A fault lasts this many windows, after healthy readings of half a window that raise an alarm only by mistake.
FAULT_WINDOWS, HEALTHY_WINDOWS = 2.0, 0.5
SPIKE_ROWS = 2
#: Fewer readings than this behind the first window show too little.
FEWEST_ROWS = 16
TRIALS_PER_KIND = 12
#: Upper limit of the windows to score in a drill.
MOST_WINDOWS = 50_000
#: Places to try for a fault before giving up its trial.
ATTEMPTS = 24
FROZEN_ONE, FROZEN_ALL, SILENT, MISSING = "frozen_one", "frozen_all", "silent", "missing_feature"
_MS_PER_HOUR = 3_600_000.0


@dataclass(frozen=True, slots=True)
class DrillKind:
    """A kind of fault; sizes are in standard deviations of the feature, of which one is at fault unless the text says all."""

    name: str
    text: str  # for tables
    effect: str  # a kind of fault_kinds.py, or one of the above
    size: float = 0.0


DRILL_KINDS = (
    *(DrillKind(f"shift_{n}", f"shift by {n} deviation{'s' * (n > 1)}", LEVEL_SHIFT, float(n)) for n in (1, 2, 3, 4)),
    DrillKind("drift", "drift to 4 deviations", DRIFT, 4.0),
    DrillKind("spike", "spike of 4 deviations", SPIKE, 4.0),
    DrillKind("noise", "noise of 1 deviation", NOISE, 1.0),
    DrillKind("lost_correlation", "lost correlation", LOST_CORRELATION),
    DrillKind("changed_period", "twice as fast or slow", CHANGED_PERIOD, 2.0),
    DrillKind(FROZEN_ONE, "one feature frozen", STUCK),
    DrillKind(FROZEN_ALL, "all features frozen", FROZEN_ALL),
    DrillKind(SILENT, "silent: no readings", SILENT),
    DrillKind(MISSING, "one feature missing", MISSING),
)
#: The sizes of the lasting shifts, in deviations, by the names of their kinds.
SHIFTS = {kind.name: kind.size for kind in DRILL_KINDS if kind.effect == LEVEL_SHIFT}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Healthy held-back readings of one sensor without a gap, N rows; the first ones only fill a window."""

    sensor: str
    times_ms: Int64Array  # [N]
    run: HealthyRun


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A kind of fault that fits nowhere."""

    text: str  # for tables
    why: str


@dataclass(frozen=True, slots=True)
class Drill:
    """K trials of L rows and F features; each ends with its fault, or soon after a spike."""

    kinds: tuple[str, ...]  # [K] names
    sensors: tuple[str, ...]  # [K]
    times_ms: Int64Array  # [K, L]
    values: Float64Array  # [K, L, F] NaN: missing
    arrives: BoolArray  # [K, L] False: there is no such reading, the sensor is silent
    starts: Int64Array  # [K] first row of the fault
    ends: Int64Array  # [K] the row after its last
    fault_rows: int  # of all kinds but spikes
    at_fault: tuple[int | None, ...] = ()  # [K] feature that an injected fault is in; None: all, or it gives no readings
    left_out: tuple[LeftOut, ...] = ()  # kinds without trials, where others have some

    def __len__(self) -> int:
        return len(self.kinds)


def plan_drill(stretches: Sequence[Stretch], window_length: int, seed: int, trials_per_kind: int = TRIALS_PER_KIND) -> Drill:
    """Plan faults of all kinds, taking the stretches in turn; equal seeds give equal drills.

    If the stretches are short, so are the faults. A kind that fits nowhere has no trials; without room for any, K is 0.
    """
    judged = _judged_rows([len(stretch.times_ms) - window_length for stretch in stretches], window_length)
    long_enough = [stretch for stretch in stretches if len(stretch.times_ms) >= window_length + judged]
    fault_rows = int(judged * FAULT_WINDOWS / (FAULT_WINDOWS + HEALTHY_WINDOWS))
    shape = _Shape(window_length + judged, fault_rows)
    count = min(trials_per_kind, MOST_WINDOWS // (len(DRILL_KINDS) * judged)) if judged else 0
    trials = [
        trial
        for number in range(count)
        for position, kind in enumerate(DRILL_KINDS)
        if (trial := _trial(long_enough, number * len(DRILL_KINDS) + position, kind, shape, seed)) is not None
    ]
    return replace(_stack(trials, shape, stretches), left_out=_left_out(trials, [one.run for one in long_enough]))


def _left_out(trials: Sequence[_Trial], runs: Sequence[HealthyRun]) -> tuple[LeftOut, ...]:
    tried = {trial.kind.name for trial in trials}
    others = [kind for kind in DRILL_KINDS if tried and kind.name not in tried]
    return tuple(LeftOut(kind.text, why_left_out(kind.effect, runs, MISSING, FROZEN_ALL)) for kind in others)


def healthy_drill(stretches: Sequence[Stretch], most_readings: int) -> Drill:
    """Return the newest readings of the stretches without any fault, to count false alarms in; of the longer half of them."""
    lengths = [len(stretch.times_ms) for stretch in stretches]
    rows = min(int(np.quantile(lengths, 0.5, method="lower")), most_readings // len(stretches)) if stretches else 0
    kept = [stretch for stretch in stretches if len(stretch.times_ms) >= rows]
    features = stretches[0].run.values.shape[1] if stretches else 0
    return Drill(
        kinds=("healthy",) * len(kept),
        sensors=tuple(stretch.sensor for stretch in kept),
        times_ms=np.array([stretch.times_ms[-rows:] for stretch in kept], np.int64).reshape(len(kept), rows),
        values=np.array([stretch.run.values[-rows:] for stretch in kept]).reshape(len(kept), rows, features),
        arrives=np.ones((len(kept), rows), np.bool_),
        starts=np.full(len(kept), rows),
        ends=np.full(len(kept), rows),
        fault_rows=0,
    )


def as_meters(drill: Drill, counters: Sequence[int]) -> Drill:
    """Return the drill with these features as the meters show them, not as rises per hour. A frozen meter stands still.

    A meter never falls: a fault that would make it fall makes it stand.
    """
    values = drill.values.copy()
    hours = np.diff(drill.times_ms, axis=1, prepend=drill.times_ms[:, :1]) / _MS_PER_HOUR
    for column in counters:
        rises = values[:, :, column]
        for trial, kind in enumerate(drill.kinds):
            during = slice(drill.starts[trial], drill.ends[trial])
            if kind == FROZEN_ALL or (kind == FROZEN_ONE and np.ptp(rises[trial, during]) == 0.0):
                rises[trial, during] = 0.0
        missing = np.isnan(rises)
        meter = np.cumsum(np.where(missing, 0.0, np.maximum(rises, 0.0)) * hours, axis=1)
        values[:, :, column] = np.where(missing, np.nan, meter)
    return replace(drill, values=values)


@dataclass(frozen=True, slots=True)
class _Shape:
    rows: int  # of a trial
    fault_rows: int


@dataclass(frozen=True, slots=True)
class _Trial:
    kind: DrillKind
    stretch: Stretch
    first: int  # row of the stretch
    values: Float64Array  # [L, F]
    at_fault: int | None
    start: int
    end: int


def _judged_rows(available: Sequence[int], window_length: int) -> int:
    """Return the rows of a trial behind its first window: what half of the stretches that have enough can supply; or 0."""
    enough = [rows for rows in available if rows >= FEWEST_ROWS]
    if not enough:
        return 0
    most = max(int((FAULT_WINDOWS + HEALTHY_WINDOWS) * window_length), FEWEST_ROWS)
    return min(most, int(np.quantile(enough, 0.5, method="lower")))


def _trial(stretches: Sequence[Stretch], turn: int, kind: DrillKind, shape: _Shape, seed: int) -> _Trial | None:
    generator = np.random.default_rng([seed, 1, turn])
    for attempt in range(ATTEMPTS):
        stretch = stretches[(turn + attempt) % len(stretches)]
        first = int(generator.integers(len(stretch.times_ms) - shape.rows + 1))
        start = first + shape.rows - shape.fault_rows
        end = start + min(SPIKE_ROWS, shape.fault_rows) if kind.effect == SPIKE else first + shape.rows
        make = _SPECIAL.get(kind.effect) or partial(_injected, kind=kind)
        made = make(stretch.run, (start, end), generator)
        if made is not None:
            faulty, at_fault = made
            rows = slice(first, first + shape.rows)
            return _Trial(kind, stretch, first, faulty[rows], at_fault, start - first, end - first)
    return None


#: The readings of the run with the fault, and the feature at fault if it was injected into one; None: it does not fit.
_Made = tuple[Float64Array, int | None] | None


def _injected(run: HealthyRun, rows: tuple[int, int], generator: np.random.Generator, kind: DrillKind) -> _Made:
    candidates = run.candidates(kind.effect)
    if not len(candidates):
        return None
    feature = int(generator.choice(candidates))
    injection = inject(run, kind.effect, (feature,), rows, generator, size=kind.size)
    return None if injection is None else (injection.apply(run.values), feature)


def _frozen(run: HealthyRun, rows: tuple[int, int], _generator: np.random.Generator) -> _Made:
    """Repeat the last healthy row; None where the features hardly move anyway."""
    start, end = rows
    varying = run.spread > 0.0
    change = np.abs(run.filled[start:end, varying] - run.filled[start - 1, varying]) / run.spread[varying]
    if not varying.any() or not np.nanmax(change.mean(axis=0), initial=0.0) >= MINIMUM_CHANGE:
        return None
    values = run.values.copy()
    values[start:end] = np.where(np.isnan(values[start:end]), np.nan, run.filled[start - 1])
    return values, None


def _silent(run: HealthyRun, _rows: tuple[int, int], _generator: np.random.Generator) -> _Made:
    return run.values, None


def _without_feature(run: HealthyRun, rows: tuple[int, int], generator: np.random.Generator) -> _Made:
    """Take all values of a feature that mostly has some; None for a single feature, whose loss is that of the sensor."""
    start, end = rows
    present = ~np.isnan(run.values[start:end])
    candidates = np.flatnonzero(run.is_scored & (present.mean(axis=0) > 0.5))
    if not len(candidates) or run.values.shape[1] < 2:
        return None
    values = run.values.copy()
    values[start:end, int(generator.choice(candidates))] = np.nan
    return values, None


_Make = Callable[[HealthyRun, tuple[int, int], np.random.Generator], _Made]
_SPECIAL: dict[str, _Make] = {FROZEN_ALL: _frozen, SILENT: _silent, MISSING: _without_feature}


def _stack(trials: Sequence[_Trial], shape: _Shape, stretches: Sequence[Stretch]) -> Drill:
    rows = shape.rows if trials else 0
    features = stretches[0].run.values.shape[1] if stretches else 0
    arrives = np.ones((len(trials), rows), np.bool_)
    for number, trial in enumerate(trials):
        if trial.kind.effect == SILENT:
            arrives[number, trial.start : trial.end] = False
    return Drill(
        kinds=tuple(trial.kind.name for trial in trials),
        sensors=tuple(trial.stretch.sensor for trial in trials),
        times_ms=np.array([trial.stretch.times_ms[trial.first : trial.first + rows] for trial in trials], np.int64).reshape(
            len(trials), rows
        ),
        values=np.array([trial.values for trial in trials]).reshape(len(trials), rows, features),
        arrives=arrives,
        starts=np.array([trial.start for trial in trials], np.int64),
        ends=np.array([trial.end for trial in trials], np.int64),
        fault_rows=shape.fault_rows,
        at_fault=tuple(trial.at_fault for trial in trials),
    )
