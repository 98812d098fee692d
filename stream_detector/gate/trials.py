"""Trials: short series of held-back readings with one fault each, as many of every kind as the budget allows.

A trial is a stretch of one sensor's healthy readings. Its first rows only fill the detectors' windows; the rest is judged:
healthy rows, then the fault, then what is left. For as long as a window after the fault, a detector that still has it in its
window is neither right nor wrong, so those rows do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream_detector.gate.fault_injection import HealthyRun, InjectedFault, Injection, inject
from stream_detector.gate.fault_kinds import KINDS, SPIKE
from stream_detector.readings import BoolArray, Float64Array, Int64Array

#: Judged rows of a trial, in windows; the fault is one of them, more or less.
JUDGED_WINDOWS = 3
#: A fault takes at most this share of the judged rows; as many at least are healthy and before it.
LARGEST_SHARE = 1 / 3
#: Judged rows below which a trial says too little.
FEWEST_JUDGED_ROWS = 16
#: Places looked at for a fault before its trial is given up.
ATTEMPTS = 24


@dataclass(frozen=True, slots=True)
class Budget:
    """What trials may cost at most."""

    judged_rows: int = 20_000  # of all trials together: windows to be scored
    trials_per_kind: int = 20
    runs: int = 16  # drawn where there are more; each needs a baseline of its own


@dataclass(frozen=True, slots=True)
class Trials:
    """K trials of L rows and F features. K may be 0; then L is 0."""

    values: Float64Array  # [K, L, F] in the features' units; NaN = missing
    inside: BoolArray  # [K, L] rows of the fault
    counts: BoolArray  # [K, L] rows that are judged
    faults: tuple[InjectedFault, ...]  # [K] their rows are those of the trial
    runs: Int64Array  # [K] position of the run that the trial is a stretch of
    first_rows: Int64Array  # [K] row of the run at which the trial starts
    stretches: int  # judged stretches that the runs used hold side by side; trials beyond that share readings

    def __len__(self) -> int:
        return len(self.faults)

    def of_kind(self, kind: str) -> Int64Array:
        """Return the positions of the trials of a kind of fault."""
        return np.flatnonzero([fault.kind == kind for fault in self.faults])

    def kinds(self) -> tuple[str, ...]:
        """Return the kinds that there are trials of."""
        there = {fault.kind for fault in self.faults}
        return tuple(kind for kind in KINDS if kind in there)

    def untouched(self) -> BoolArray:
        """Return the judged rows before the faults [K, L]."""
        begun = np.logical_or.accumulate(self.inside, axis=1)
        return self.counts & ~begun


def plan_trials(
    runs: Sequence[HealthyRun], window_length: int, seed: int, context_rows: int | None = None, budget: Budget | None = None
) -> Trials:
    """Put faults of all kinds into stretches of healthy runs, sensors in turn; deterministic by the seed.

    The first `context_rows` of each trial (None: a window) are never faulty nor judged. Give runs that begin so many rows
    before what is held back, so that none of it is lost. Runs too short are left out: with half of the runs short, all
    trials are shorter. A kind that finds no place in the data (lost correlation of a single feature) has no trials.
    """
    budget = budget or Budget()
    context = window_length if context_rows is None else context_rows
    shape = _Rows(context, _judged_rows([len(run.values) - context for run in runs], window_length, budget), window_length)
    planner = _Planner(runs, _drawn(runs, shape, budget, seed), shape, seed)
    each = min(budget.trials_per_kind, budget.judged_rows // (len(KINDS) * shape.judged)) if shape.judged else 0
    trials = [planner.trial(number, kind) for number in range(each) for kind in KINDS]
    return planner.stacked([trial for trial in trials if trial is not None])


def _judged_rows(available: Sequence[int], window_length: int, budget: Budget) -> int:
    """Return how many rows of each trial are judged; 0 if no run has enough.

    As many as half of the runs that have enough can give, but JUDGED_WINDOWS windows at most, and not so many that the
    budget is used up by less than 8 trials of each kind.
    """
    enough = [rows for rows in available if rows >= FEWEST_JUDGED_ROWS]
    if not enough:
        return 0
    most = max(min(JUDGED_WINDOWS * window_length, budget.judged_rows // (8 * len(KINDS))), FEWEST_JUDGED_ROWS)
    return min(most, int(np.quantile(enough, 0.5, method="lower")))


@dataclass(frozen=True, slots=True)
class _Rows:
    """How many rows of a trial only fill windows, how many are judged, and how many a window has."""

    context: int
    judged: int
    window_length: int


def _drawn(runs: Sequence[HealthyRun], shape: _Rows, budget: Budget, seed: int) -> Int64Array:
    """Return the positions of the runs that are used, in the order of their turns: those long enough, or some of them."""
    if not shape.judged:
        return np.empty(0, np.int64)
    usable = [position for position, run in enumerate(runs) if len(run.values) >= shape.context + shape.judged]
    return np.random.default_rng(seed).permutation(np.array(usable, dtype=np.int64))[: budget.runs]


@dataclass(frozen=True, slots=True)
class _Trial:
    injection: Injection  # rows are those of the run
    run: int
    first_row: int


@dataclass(frozen=True, slots=True)
class _Planner:
    runs: Sequence[HealthyRun]
    drawn: Int64Array  # positions of the runs that are used, in turn
    shape: _Rows
    seed: int

    def trial(self, number: int, kind: str) -> _Trial | None:
        """Place the `number`-th fault of a kind; None if none of the places looked at will do."""
        turn = number * len(KINDS) + KINDS.index(kind)
        generator = np.random.default_rng([self.seed, turn])
        for attempt in range(ATTEMPTS):
            position = int(self.drawn[(turn + attempt) % len(self.drawn)])
            run = self.runs[position]
            candidates = run.candidates(kind)
            if not len(candidates):
                continue
            first = int(generator.integers(len(run.values) - self.shape.context - self.shape.judged + 1))
            rows = self._rows(first + self.shape.context, kind, generator)
            count = int(generator.integers(1, min(run.most_features(), len(candidates)) + 1))
            features = tuple(sorted(generator.choice(candidates, count, replace=False).tolist()))
            injection = inject(run, kind, features, rows, generator)
            if injection is not None:
                return _Trial(injection, position, first)
        return None

    def _rows(self, first_judged: int, kind: str, generator: np.random.Generator) -> tuple[int, int]:
        """Draw the rows of a fault: about a window, 1 to 3 rows for a spike, after enough healthy rows."""
        most = max(int(LARGEST_SHARE * self.shape.judged), 1)
        window_length = self.shape.window_length
        low, high = (1, 3) if kind == SPIKE else (round(0.75 * window_length), round(1.25 * window_length))
        length = min(int(generator.integers(low, high + 1)), most)
        start = first_judged + int(generator.integers(most, self.shape.judged - length + 1))
        return start, start + length

    def stacked(self, trials: Sequence[_Trial]) -> Trials:
        """Put trials together as arrays, with rows counted from the start of each."""
        context, judged = self.shape.context, self.shape.judged
        rows = context + judged if trials else 0
        features = self.runs[0].values.shape[1] if self.runs else 0
        values = np.empty((len(trials), rows, features))
        inside = np.zeros((len(trials), rows), np.bool_)
        counts = np.zeros((len(trials), rows), np.bool_)
        faults = []
        for number, trial in enumerate(trials):
            truth, first = trial.injection.fault, trial.first_row
            start, end = truth.start - first, truth.end - first
            values[number] = trial.injection.apply(self.runs[trial.run].values[first : first + rows], first)
            inside[number, start:end] = True
            counts[number, context:end] = True
            counts[number, end + self.shape.window_length :] = True
            faults.append(InjectedFault(truth.kind, truth.features, start, end, truth.size))
        numbers = np.array([[trial.run, trial.first_row] for trial in trials], dtype=np.int64).reshape(len(trials), 2)
        stretches = sum((len(self.runs[run].values) - context) // judged for run in self.drawn.tolist())
        return Trials(values, inside, counts, tuple(faults), numbers[:, 0], numbers[:, 1], stretches)
