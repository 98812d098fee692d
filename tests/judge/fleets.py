"""Simulated fleets with injected faults, as cases: pumps that change their mode of operation, and pumps that do not.

Readings come once a minute. One model is trained on all pumps of a fleet. A week of the test has a fault a day in each pump,
of each kind one; the day before it and the day after have none. Sizes and features differ from pump to pump.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stream_detector.readings import Float64Array, Int64Array
from stream_detector.simulation.faults import Fault, apply_faults, labels
from stream_detector.simulation.fleet import FEATURES, Fleet
from tests.judge.cases import START_MS, Case, CaseRef, Event, SensorCase

WITH_MODES, STEADY = "fleet-modes", "fleet-steady"
SEEDS = (7, 11)
PUMPS = 6
INTERVAL_SECONDS = 60.0
DAY_ROWS = 1440
TRAINING_DAYS, TEST_DAYS = 5, 9
SILENT = "silent"
#: By kind, in the order of the first pump's days, how long a fault lasts, in hours.
HOURS = {
    "stuck": 4.0,
    SILENT: 2.0,
    "level_shift": 6.0,
    "drift": 8.0,
    "noise": 4.0,
    "lost_correlation": 4.0,
    "changed_period": 4.0,
}
KINDS = tuple(HOURS)
#: Sizes in spreads of the feature, one for each third of the pumps; of changed_period, the factor of the period. The spread of
#: a pump with modes is that over its modes, so the same share of it is a larger fault.
SIZES = {
    STEADY: {"level_shift": (1.0, 2.0, 4.0), "drift": (1.5, 3.0, 6.0), "noise": (0.7, 1.5, 3.0)},
    WITH_MODES: {"level_shift": (0.3, 0.7, 1.5), "drift": (0.5, 1.0, 2.0), "noise": (0.2, 0.5, 1.0)},
}
PERIODS = (0.3, 0.6, 2.0)
_RHYTHMIC = ("pressure", "flow", "current")
_AWAY_MS = 25_000_000  # lost_correlation: about seven hours
#: A mean time at one set point that no simulation reaches.
_NO_CHANGE_SECONDS = 1e12


@dataclass(frozen=True, slots=True)
class _Span:
    """The training, or the test, of a fleet's pumps."""

    times_ms: Int64Array  # [N]
    values: Float64Array  # [S, N, F]


def fleets() -> list[CaseRef]:
    """Return the simulated cases."""
    cost = float(PUMPS * DAY_ROWS * (TRAINING_DAYS + TEST_DAYS) * len(FEATURES) * 8)
    return [
        CaseRef(family, f"seed-{seed}", simulate, seed=seed, cost=cost) for family in (STEADY, WITH_MODES) for seed in SEEDS
    ]


def simulate(ref: CaseRef) -> Case:
    """Simulate a fleet and inject its faults; equal names give equal readings."""
    fleet, pumps = _fleet(ref.family, ref.seed)
    training = _span(fleet, 0, TRAINING_DAYS)
    test = _span(fleet, TRAINING_DAYS, TEST_DAYS)
    faults = [fault for place, pump in enumerate(pumps) for fault in plan(ref.family, ref.seed, place, pump)]
    changed = apply_faults(fleet, test.times_ms, test.values, [fault for fault in faults if fault.kind != SILENT])
    faulty = replace(test, values=changed)
    return Case(FEATURES, tuple(_sensor(fleet, pump, training, faulty, faults) for pump in pumps))


def _fleet(family: str, seed: int) -> tuple[Fleet, list[int]]:
    """Return a fleet, and the pumps of it that are judged: without modes, those that run."""
    if family == WITH_MODES:
        return Fleet(PUMPS, seed, INTERVAL_SECONDS, cycle_seconds=86_400.0), list(range(PUMPS))
    fleet = Fleet(2 * PUMPS, seed, INTERVAL_SECONDS, _NO_CHANGE_SECONDS, 86_400.0)
    _, values = fleet.readings(START_MS, 60)
    runs = values[:, :, FEATURES.index("flow")].mean(axis=1) > 1.0
    return fleet, np.flatnonzero(runs)[:PUMPS].tolist()


def _span(fleet: Fleet, first_day: int, days: int) -> _Span:
    start_ms = START_MS + round(1000 * INTERVAL_SECONDS * DAY_ROWS) * first_day
    return _Span(*fleet.readings(start_ms, days * DAY_ROWS))


def plan(family: str, seed: int, place: int, pump: int) -> list[Fault]:
    """Return the faults of a pump, one on each of days 1 to 7 of the test; `place` is the pump's number among the judged."""
    generator = np.random.default_rng([seed, place])
    faults = []
    for day in range(len(KINDS)):
        kind = KINDS[(day + place) % len(KINDS)]
        rows = round(HOURS[kind] * 3600 / INTERVAL_SECONDS)
        first = (TRAINING_DAYS + 1 + day) * DAY_ROWS + int(generator.integers(60, DAY_ROWS - rows - 60))
        start_ms, end_ms = (START_MS + round(1000 * INTERVAL_SECONDS * row) for row in (first, first + rows))
        features = _RHYTHMIC if kind == "changed_period" else (str(generator.choice(FEATURES)),)
        faults.append(Fault(kind, pump, features, start_ms, end_ms, _size(family, kind, place), _AWAY_MS))
    return faults


def _size(family: str, kind: str, place: int) -> float:
    sizes = {**SIZES[family], "changed_period": PERIODS}.get(kind, (0.0,))
    return sizes[place % len(sizes)]


def _sensor(fleet: Fleet, pump: int, training: _Span, test: _Span, faults: Sequence[Fault]) -> SensorCase:
    """Return a pump's readings; while it is silent it has none."""
    own = [fault for fault in faults if fault.sensor == pump]
    silent = [fault for fault in own if fault.kind == SILENT]
    inside = labels(fleet, test.times_ms, own)[pump]
    speaks = labels(fleet, test.times_ms, silent)[pump] < 0
    return SensorCase(
        sensor=f"pump-{pump + 1}",
        train_ms=training.times_ms,
        train=training.values[pump],
        test_ms=test.times_ms[speaks],
        test=test.values[pump][speaks],
        labels=(inside >= 0)[speaks],
        interval_seconds=INTERVAL_SECONDS,
        silences_ms=np.array([[fault.start_ms, fault.end_ms] for fault in silent], np.int64).reshape(-1, 2),
        injected=tuple(Event(fault.kind, fault.size, fault.start_ms) for fault in own),
    )
