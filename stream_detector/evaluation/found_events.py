"""Finds the labelled events of one sensor in its alarms: in time, too late, or not at all.

An event is a run of anomalous rows, or a silence: a labelled time without a reading, in which only an alarm that the sensor is
silent can find it. The sensor's first reading after a silence stands for it; its last reading, if it never spoke again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stream_detector.evaluation.finding import is_found
from stream_detector.evaluation.segments import find_segments
from stream_detector.readings import BoolArray, Int64Array

#: The time at which a row without an alarm tells one.
NEVER = int(np.iinfo(np.int64).max)
#: What finds an event: the score, or the rules together. Besides these, each rule by its type.
BY_SCORE, BY_RULES = "score", "rules"


@dataclass(frozen=True, slots=True)
class Truth:
    """The labelled events of the N rows of one sensor."""

    labels: BoolArray  # [N] anomalous rows
    silences: Int64Array  # [S, 3] start and end in ms, the end excluded, and the row that stands for the silence

    def marked(self) -> BoolArray:
        """Return the rows [N] of events: those that are anomalous, and those that stand for a silence."""
        marked = self.labels.copy()
        marked[self.silences[:, 2]] = True
        return marked


@dataclass(frozen=True, slots=True)
class FoundEvents:
    """What became of E events: the runs of anomalous rows in their order, then the silences."""

    rows: Int64Array  # [E, 2] first row, and the row after the last
    spans_ms: Int64Array  # [E, 2] start, and the last moment that is known to belong to it
    begins_ms: Int64Array  # [E] what is told from here on is of it: just after the last reading before a run, or its start
    is_found: BoolArray  # [E] by an alarm in its first half
    is_late: BoolArray  # [E] by an alarm in its second half only
    delay_rows: Int64Array  # [E] from the first row to the first alarm, 0 for a silence; undefined if not found
    delay_ms: Int64Array  # [E]


def truth_of(labels: BoolArray, silences_ms: Int64Array, times_ms: Int64Array, is_late: BoolArray) -> Truth:
    """Find the rows that stand for the silences [S, 2] of a sensor with at least one row that is not late."""
    accepted = np.flatnonzero(~is_late)
    times = times_ms[accepted]
    after = np.searchsorted(times, silences_ms[:, 1])
    return Truth(labels, np.column_stack([silences_ms, accepted[np.minimum(after, len(accepted) - 1)]]))


def told_ms(times_ms: Int64Array, alarms: BoolArray, silent_ms: Int64Array | None = None) -> Int64Array:
    """Return when each row [N] tells an alarm; NEVER: it does not. `silent_ms` [N] is when a silence beside it was told."""
    told = np.where(alarms, times_ms, NEVER)
    return told if silent_ms is None else np.minimum(told, silent_ms)


def find_events(truth: Truth, times_ms: Int64Array, told: Int64Array) -> FoundEvents:
    """Compare the alarms of one sensor, told at `told` [N] (see told_ms), with its events."""
    runs, alarmed = find_segments(truth.labels), np.flatnonzero(told < NEVER)
    first = np.append(alarmed, len(told))[np.searchsorted(alarmed, runs[:, 0])]  # first alarm at or after each start
    found = is_found(runs[:, 0], runs[:, 1], first)
    moments, times = np.append(told, NEVER), np.append(times_ms, NEVER)
    starts, ends, rows = truth.silences.T
    # An alarm on the last reading before a silence tells of it only if it came later than that reading.
    is_about = (told[rows] < NEVER) & ((told[rows] > times_ms[rows]) | (times_ms[rows] >= starts))
    moment = np.maximum(told[rows], starts)
    found_silent = is_about & is_found(starts, ends, moment)
    of_silences = np.column_stack([rows, rows + 1])
    return FoundEvents(
        rows=np.concatenate([runs, of_silences]),
        spans_ms=np.concatenate([np.column_stack([times_ms[runs[:, 0]], times_ms[runs[:, 1] - 1]]), truth.silences[:, :2]]),
        begins_ms=np.concatenate([times_ms[np.maximum(runs[:, 0] - 1, 0)] + 1, starts]),
        is_found=np.concatenate([found, found_silent]),
        is_late=np.concatenate([(first < runs[:, 1]) & ~found, is_about & ~found_silent]),
        delay_rows=np.concatenate([first - runs[:, 0], np.zeros(len(rows), np.int64)]),
        delay_ms=np.concatenate([np.maximum(moments[first] - times[runs[:, 0]], 0), moment - starts]),
    )


def found_by(truth: Truth, times_ms: Int64Array, causes: Mapping[str, Int64Array]) -> dict[str, BoolArray]:
    """Return for each cause of alarms, told at [N], which of the E events it would have found without the others."""
    return {name: find_events(truth, times_ms, told).is_found for name, told in causes.items()}
