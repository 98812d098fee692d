"""Runs a drill through the product's own decision, and counts the faults that are alarmed in time."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from stream_detector.detection.detected import Detected
from stream_detector.detection.detector import Detector
from stream_detector.detection.transition import CLOSED, OPENED
from stream_detector.evaluation.finding import is_found
from stream_detector.gate.drill import DRILL_KINDS, Drill
from stream_detector.readings import BoolArray, Float64Array, Int64Array, Readings

#: Readings of each trial in a batch. More of them save nothing, fewer cost calls.
BATCH_ROWS = 16
NEVER = -1
#: No sensor may be silent for longer.
LONGEST_SILENCE_S = 7 * 86_400
TOPIC = "drill"  # stands in the events of silences, which nobody reads


@dataclass(frozen=True, slots=True)
class DrillResult:
    """What the product says about the K trials of a drill. L rows."""

    drill: Drill
    alarms: Int64Array  # [K] row of the first incident that opened during the fault, NEVER without one
    excess: Float64Array  # [K, L] by how much the surprise exceeds its limit; NaN: not scored
    opened: Int64Array  # [K] incidents that opened at any row
    early: Int64Array  # [K] of them, those that opened before the fault: false alarms
    open_at_start: frozenset[int] = frozenset()  # trials in which such an incident is still open when the fault begins
    silent_seconds: dict[int, float] = field(default_factory=dict)  # by trial: from when readings stop until that is alarmed

    @property
    def found(self) -> BoolArray:
        """Which faults [K] are alarmed in their first half; a silence, if it is alarmed, for it lasts twice the limit."""
        in_time = (self.alarms != NEVER) & is_found(self.drill.starts, self.drill.ends, self.alarms)
        return np.asarray(in_time | np.isin(np.arange(len(self.drill)), list(self.silent_seconds)))

    @property
    def covered(self) -> BoolArray:
        """Which faults [K] are not found while a false alarm from before is open, so that nothing new is said of them."""
        return np.asarray(~self.found & np.isin(np.arange(len(self.drill)), list(self.open_at_start)))

    def found_by_score(self, lower_limit: float) -> BoolArray:
        """Return which faults [K] the score finds if its limit is lower by this, and which it did not mistake before."""
        rows = np.arange(self.excess.shape[1])
        starts, ends = self.drill.starts[:, np.newaxis], self.drill.ends[:, np.newaxis]
        early = is_found(starts, ends, np.broadcast_to(rows, self.excess.shape))
        during = np.where(early, self.excess, np.nan)
        before = np.where(rows < starts, self.excess, np.nan)
        return (_largest(during) > -lower_limit) & ~(_largest(before) > -lower_limit)

    def delays_seconds(self) -> Float64Array:
        """Return the time from the start of each fault to its alarm [K]; NaN for what was not found."""
        rows, trials = np.maximum(self.alarms, 0), np.arange(len(self.drill))
        delays = (self.drill.times_ms[trials, rows] - self.drill.times_ms[trials, self.drill.starts]) / 1000.0
        delays[list(self.silent_seconds)] = list(self.silent_seconds.values())
        return np.where(self.found, delays, np.nan)

    def by_kind(self) -> list[KindResult]:
        """Return the results of the kinds that have trials, in the order of DRILL_KINDS."""
        kinds, found, covered, delays = np.array(self.drill.kinds), self.found, self.covered, self.delays_seconds()
        results = []
        for kind in DRILL_KINDS:
            of_kind = kinds == kind.name
            if of_kind.any():
                known = delays[of_kind & found]
                results.append(
                    KindResult(
                        kind.name,
                        kind.text,
                        injected=int(of_kind.sum()),
                        found=int(found[of_kind].sum()),
                        median_delay_seconds=float(np.median(known)) if len(known) else None,
                        longest_delay_seconds=float(known.max()) if len(known) else None,
                        covered=int(covered[of_kind].sum()),
                    )
                )
        return results


@dataclass(frozen=True, slots=True)
class KindResult:
    """How many faults of a kind were injected and found, and the median and the longest delay of the found ones."""

    kind: str
    text: str
    injected: int
    found: int
    median_delay_seconds: float | None
    longest_delay_seconds: float | None = None
    covered: int = 0  # not found while a false alarm from before was open

    def as_json(self) -> dict[str, Any]:
        """Return the figures for the training report."""
        return asdict(self)


def run_drill(drill: Drill, detector: Detector) -> DrillResult:
    """Give a new detector the readings of all trials, as if each came from a partition of its own. Blocks."""
    count, rows = drill.arrives.shape
    excess = np.full((count, rows), np.nan)
    alarms, opened, early = np.full(count, NEVER), np.zeros(count, np.int64), np.zeros(count, np.int64)
    open_before: Counter[int] = Counter()
    detector.arena.make_room(count)
    for trial, sensor in enumerate(drill.sensors):
        detector.admit_new(trial, [sensor])
    for first in range(0, rows, BATCH_ROWS):
        trials, at = np.nonzero(drill.arrives[:, first : first + BATCH_ROWS])
        at += first
        detected = detector.detect(_readings(drill, trials, at))
        if detected.decisions is not None:
            accepted = detected.appended.reading
            excess[trials[accepted], at[accepted]] = 2.0 * (detected.decisions.scores - detected.decisions.thresholds)
        openings = [
            *_changes(detected, OPENED, trials, at),
            *_silences(drill, detector, range(first, min(first + BATCH_ROWS, rows))),
        ]
        for trial, row in sorted(openings, key=lambda one: one[1]):
            opened[trial] += 1
            early[trial] += row < drill.starts[trial]
            open_before[trial] += row < drill.starts[trial]
            if row >= drill.starts[trial] and alarms[trial] == NEVER:
                alarms[trial] = row
        open_before.subtract(trial for trial, row in _changes(detected, CLOSED, trials, at) if row < drill.starts[trial])
    still_open = frozenset(trial for trial, number in open_before.items() if number > 0)
    return DrillResult(drill, alarms, excess, opened, early, still_open, _silent_seconds(drill, detector, alarms))


def _changes(detected: Detected, status: str, trials: Int64Array, rows: Int64Array) -> list[tuple[int, int]]:
    """Return trial and row of the incidents of any type that opened, or closed, at a reading."""
    changes = [] if detected.decisions is None else detected.decisions.transitions
    changed = [int(detected.appended.reading[one.position]) for one in changes if one.status == status]
    changed += [change.reading for change in detected.rule_changes if change.status == status]
    return [(int(trials[reading]), int(rows[reading])) for reading in changed]


def _silent_seconds(drill: Drill, detector: Detector, alarms: Int64Array) -> dict[int, float]:
    """Return how long each silence lasts until it is alarmed: by a row, or by the sensor's limit, which may be later."""
    seconds = {}
    for trial in np.flatnonzero(~drill.arrives.all(axis=1)).tolist():
        times_ms, start = drill.times_ms[trial], int(drill.starts[trial])
        if alarms[trial] != NEVER:
            seconds[trial] = float(times_ms[alarms[trial]] - times_ms[start]) / 1000.0
            continue
        later = detector.silences.due_in_memory(trial, detector.silences.of(trial).clock.second + LONGEST_SILENCE_S)
        for one in later:
            seconds[trial] = max(0.0, float(one.silence.due_ms - times_ms[start]) / 1000.0)
    return seconds


def _silences(drill: Drill, detector: Detector, rows: range) -> list[tuple[int, int]]:
    """Return trial and row of the silences that are noticed in these rows, while readings of other sensors go on."""
    found = []
    for trial in np.flatnonzero(~drill.arrives[:, rows.start : rows.stop].all(axis=1)).tolist():
        times_ms = drill.times_ms[trial]
        for row in rows:
            if not drill.arrives[trial, row]:
                silent_s = (times_ms[row] - times_ms[drill.starts[trial] - 1]) // 1000
                until_s = detector.silences.of(trial).clock.second + int(silent_s)
                if detector.announce(trial, int(drill.starts[trial]), until_s, TOPIC):
                    found.append((trial, row))
    return found


def _readings(drill: Drill, trials: Int64Array, rows: Int64Array) -> Readings:
    return Readings(
        sensors=[drill.sensors[trial] for trial in trials.tolist()],
        partitions=trials.astype(np.int32),
        places=rows.astype(np.int64),
        times_ms=drill.times_ms[trials, rows],
        values=drill.values[trials, rows],
    )


def _largest(values: Float64Array) -> Float64Array:
    """Return the largest value of each row [K, L], ignoring NaN; -inf without any."""
    return np.asarray(np.where(np.isnan(values), -np.inf, values).max(axis=1, initial=-np.inf))
