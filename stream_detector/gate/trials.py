"""Plans trials: short series of held-back readings with one injected fault each, equally many of each kind.

A trial is a stretch of one sensor's healthy readings. Its first rows only fill the detectors' windows. The rest is judged:
healthy rows, the fault, then the remaining healthy rows. For the length of a window after the fault a detector still has the
fault in its window and is neither right nor wrong, so those rows are not judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream_detector.gate.fault_injection import HealthyRun, InjectedFault, Injection, inject
from stream_detector.gate.fault_kinds import KINDS, SPIKE
from stream_detector.readings import BoolArray, Float64Array, Int64Array

#: Judged rows of a trial, in windows; the fault takes about one of them.
JUDGED_WINDOWS = 3
#: Upper limit of a fault's share of the judged rows; at least as many healthy rows come before it.
LARGEST_SHARE = 1 / 3
#: Lower limit of the judged rows; fewer measure too little.
FEWEST_JUDGED_ROWS = 16
#: Places to try for a fault before giving up its trial.
ATTEMPTS = 24


@dataclass(frozen=True, slots=True)
class TrialLimits:
    """Upper limits of what trials cost."""

    judged_rows: int = 20_000  # of all trials together: windows to score
    trials_per_kind: int = 20
    runs: int = 16  # drawn at random if there are more; each needs its own baseline


@dataclass(frozen=True, slots=True)
class Trials:
    """K trials of L rows and F features. K may be 0; then L is 0."""

    values: Float64Array  # [K, L, F] in the features' units; NaN = missing
    is_faulty: BoolArray  # [K, L] rows of the fault
    is_judged: BoolArray  # [K, L] rows that count
    faults: tuple[InjectedFault, ...]  # [K] their rows are those of the trial
    runs: Int64Array  # [K] position of the run that the trial is a stretch of
    stretches: int  # that fit side by side in the runs used; more trials than that share readings

    def __len__(self) -> int:
        return len(self.faults)

    def of_kind(self, kind: str) -> Int64Array:
        """Return the positions of the trials with a kind of fault."""
        return np.flatnonzero([fault.kind == kind for fault in self.faults])

    def kinds(self) -> tuple[str, ...]:
        """Return the kinds that have trials."""
        present = {fault.kind for fault in self.faults}
        return tuple(kind for kind in KINDS if kind in present)

    def healthy_before(self) -> BoolArray:
        """Return which rows [K, L] are judged and before the fault."""
        fault_has_started = np.logical_or.accumulate(self.is_faulty, axis=1)
        return self.is_judged & ~fault_has_started


def plan_trials(
    runs: Sequence[HealthyRun],
    window_length: int,
    seed: int,
    context_rows: int | None = None,
    limits: TrialLimits | None = None,
) -> Trials:
    """Inject faults of all kinds into stretches of healthy runs, taking sensors in turn; equal seeds give equal trials.

    The first `context_rows` of each trial (None: a window) are neither faulty nor judged, so let each run begin that many rows
    before the held-back data. Runs that are too short are left out; if half of the runs are short, all trials become shorter.
    A kind that fits nowhere in the data (lost correlation of a single feature) has no trials.
    """
    limits = limits or TrialLimits()
    context = window_length if context_rows is None else context_rows
    shape = _Rows(context, _judged_rows([len(run.values) - context for run in runs], window_length, limits), window_length)
    planner = _Planner(runs, _drawn(runs, shape, limits, seed), shape, seed)
    trials_per_kind = min(limits.trials_per_kind, limits.judged_rows // (len(KINDS) * shape.judged)) if shape.judged else 0
    trials = [planner.trial(number, kind) for number in range(trials_per_kind) for kind in KINDS]
    return planner.stack([trial for trial in trials if trial is not None])


def _judged_rows(available: Sequence[int], window_length: int, limits: TrialLimits) -> int:
    """Return how many rows of each trial are judged; 0 if no run has enough.

    At least half of the runs with enough rows can supply this many. It is at most JUDGED_WINDOWS windows, and small enough for
    the limits to allow 8 trials of each kind.
    """
    enough = [rows for rows in available if rows >= FEWEST_JUDGED_ROWS]
    if not enough:
        return 0
    most = max(min(JUDGED_WINDOWS * window_length, limits.judged_rows // (8 * len(KINDS))), FEWEST_JUDGED_ROWS)
    return min(most, int(np.quantile(enough, 0.5, method="lower")))


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a trial: `context` rows only fill windows, `judged` rows follow, and a window has `window_length`."""

    context: int
    judged: int
    window_length: int


def _drawn(runs: Sequence[HealthyRun], shape: _Rows, limits: TrialLimits, seed: int) -> Int64Array:
    """Return the positions of the runs to use, in the order of their turns: all that are long enough, or a sample of them."""
    if not shape.judged:
        return np.empty(0, np.int64)
    usable = [position for position, run in enumerate(runs) if len(run.values) >= shape.context + shape.judged]
    return np.random.default_rng(seed).permutation(np.array(usable, dtype=np.int64))[: limits.runs]


@dataclass(frozen=True, slots=True)
class _Trial:
    injection: Injection  # rows are those of the run
    run: int
    first_row: int


@dataclass(frozen=True, slots=True)
class _Planner:
    runs: Sequence[HealthyRun]
    drawn: Int64Array  # positions of the runs to use, in turn
    shape: _Rows
    seed: int

    def trial(self, number: int, kind: str) -> _Trial | None:
        """Place the `number`-th fault of a kind; return None if none of ATTEMPTS places is suitable."""
        turn = number * len(KINDS) + KINDS.index(kind)
        generator = np.random.default_rng([self.seed, turn])
        for attempt in range(ATTEMPTS):
            position = int(self.drawn[(turn + attempt) % len(self.drawn)])
            run = self.runs[position]
            candidates = run.candidates(kind)
            if not len(candidates):
                continue
            first = int(generator.integers(len(run.values) - self.shape.context - self.shape.judged + 1))
            rows = self._fault_rows(first + self.shape.context, kind, generator)
            count = int(generator.integers(1, min(run.most_features(), len(candidates)) + 1))
            features = tuple(sorted(generator.choice(candidates, count, replace=False).tolist()))
            injection = inject(run, kind, features, rows, generator)
            if injection is not None:
                return _Trial(injection, position, first)
        return None

    def _fault_rows(self, first_judged: int, kind: str, generator: np.random.Generator) -> tuple[int, int]:
        """Draw start and end of a fault: about a window, 1 to 3 rows for a spike, after enough healthy rows."""
        most = max(int(LARGEST_SHARE * self.shape.judged), 1)
        window_length = self.shape.window_length
        low, high = (1, 3) if kind == SPIKE else (round(0.75 * window_length), round(1.25 * window_length))
        length = min(int(generator.integers(low, high + 1)), most)
        start = first_judged + int(generator.integers(most, self.shape.judged - length + 1))
        return start, start + length

    def stack(self, trials: Sequence[_Trial]) -> Trials:
        """Stack trials into arrays, with rows counted from the start of each."""
        context, judged = self.shape.context, self.shape.judged
        rows = context + judged if trials else 0
        features = self.runs[0].values.shape[1] if self.runs else 0
        values = np.empty((len(trials), rows, features))
        is_faulty = np.zeros((len(trials), rows), np.bool_)
        is_judged = np.zeros((len(trials), rows), np.bool_)
        faults = []
        for number, trial in enumerate(trials):
            fault, first = trial.injection.fault, trial.first_row
            start, end = fault.start - first, fault.end - first
            values[number] = trial.injection.apply(self.runs[trial.run].values[first : first + rows], first)
            is_faulty[number, start:end] = True
            is_judged[number, context:end] = True
            is_judged[number, end + self.shape.window_length :] = True
            faults.append(InjectedFault(fault.kind, fault.features, start, end, fault.size))
        run_of_trial = np.array([trial.run for trial in trials], np.int64)
        stretches = sum((len(self.runs[run].values) - context) // judged for run in self.drawn.tolist())
        return Trials(values, is_faulty, is_judged, tuple(faults), run_of_trial, stretches)
