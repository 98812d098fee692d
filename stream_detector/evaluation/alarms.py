"""Counts the events that alarms find, their delays, and the false alarms.

Without point adjustment: an anomalous row counts as found only if that row was alarmed. An event counts as found if one of
the rows of its first half was (finding.py). A false alarm is an incident, as the stream would publish it, without a single
anomalous row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream_detector.evaluation.baselines import Detection
from stream_detector.evaluation.finding import is_found
from stream_detector.evaluation.segments import find_segments
from stream_detector.readings import BoolArray, Int64Array
from stream_detector.timestamps import SECONDS_PER_DAY


@dataclass(frozen=True, slots=True)
class AlarmCounts:
    """Counts of alarms, which add up over sensors, and the figures computed from them.

    A figure is None where it is undefined: precision, recall, F1 and event recall without an anomalous row, delays without
    a found event, false-alarm figures without rows or days.
    """

    true_positives: int  # rows
    false_positives: int
    false_negatives: int
    true_negatives: int
    events: int
    incidents: int
    false_incidents: int
    delays_rows: tuple[int, ...]  # per found event, from its first row to its first alarm
    delays_seconds: tuple[float, ...]
    days: float  # of readings, summed over sensors
    events_alarmed_late: int = 0  # with their first alarm in their second half: not found

    def precision(self) -> float | None:
        """Return the share of alarmed rows that are anomalous; 0 without alarms."""
        return self._of_anomalous(self.true_positives, self.true_positives + self.false_positives)

    def recall(self) -> float | None:
        """Return the share of anomalous rows that are alarmed."""
        return self._of_anomalous(self.true_positives, self.true_positives + self.false_negatives)

    def f1(self) -> float | None:
        """Return the harmonic mean of precision and recall."""
        wrong = self.false_positives + self.false_negatives
        return self._of_anomalous(2 * self.true_positives, 2 * self.true_positives + wrong)

    def event_recall(self) -> float | None:
        """Return the share of events found."""
        return _ratio(len(self.delays_rows), self.events)

    def false_alarm_rate_percent(self) -> float | None:
        """Return the percentage of normal rows that are alarmed."""
        rate = _ratio(self.false_positives, self.false_positives + self.true_negatives)
        return None if rate is None else 100.0 * rate

    def false_alarms_per_sensor_day(self) -> float | None:
        """Return false incidents per sensor-day of readings."""
        return _ratio(self.false_incidents, self.days)

    def false_alarms_per_1000_rows(self) -> float | None:
        """Return false incidents per 1000 rows, counting anomalous rows too."""
        rows = self.true_positives + self.false_positives + self.false_negatives + self.true_negatives
        return _ratio(1000 * self.false_incidents, rows)

    def median_delay_rows(self) -> float | None:
        """Return the median delay of found events in rows."""
        return float(np.median(self.delays_rows)) if self.delays_rows else None

    def median_delay_seconds(self) -> float | None:
        """Return the median delay of found events in seconds."""
        return float(np.median(self.delays_seconds)) if self.delays_seconds else None

    def _of_anomalous(self, part: int, whole: int) -> float | None:
        if not self.true_positives + self.false_negatives:
            return None
        return part / whole if whole else 0.0


def count_alarms(labels: BoolArray, alarms: BoolArray, times_ms: Int64Array, incidents: Int64Array, days: float) -> AlarmCounts:
    """Compare the alarms [N] of one sensor, which form `incidents` [I, 2] (see find_incidents), with its labels [N]."""
    events = find_segments(labels)
    alarmed = np.flatnonzero(alarms)
    first = np.append(alarmed, len(alarms))[np.searchsorted(alarmed, events[:, 0])]  # first alarm at or after each start
    found = is_found(events[:, 0], events[:, 1], first)
    late = int((first < events[:, 1]).sum() - found.sum())
    first, starts = first[found], events[found, 0]
    anomalous_before = np.concatenate([[0], np.cumsum(labels)])
    is_false = anomalous_before[incidents[:, 1]] == anomalous_before[incidents[:, 0]]
    return AlarmCounts(
        true_positives=int((alarms & labels).sum()),
        false_positives=int((alarms & ~labels).sum()),
        false_negatives=int((~alarms & labels).sum()),
        true_negatives=int((~alarms & ~labels).sum()),
        events=len(events),
        incidents=len(incidents),
        false_incidents=int(is_false.sum()),
        delays_rows=tuple((first - starts).tolist()),
        delays_seconds=tuple(((times_ms[first] - times_ms[starts]) / 1000.0).tolist()),
        days=days,
        events_alarmed_late=late,
    )


def find_incidents(detection: Detection, times_ms: Int64Array, late: BoolArray, quiet_ms: int) -> Int64Array:
    """Return the incidents of one sensor's alarms [N] as [I, 2]: the row of the first alarm, and the row after the last.

    As in the stream, an incident lasts while rows hold it open. A scored row that does not closes it if the last that did is at
    least `quiet_ms` ago. Late rows are skipped. The time limit of the stream for an incident (`accept_ms`) is left out.
    """
    accepted = np.flatnonzero(~late)
    times_ms, alarms = times_ms[accepted], detection.alarms[accepted]
    holding = np.flatnonzero(alarms | detection.holding[accepted])
    if not alarms.any():
        return np.empty((0, 2), np.int64)
    earlier, later = holding[:-1], holding[1:]
    # If any row between two that hold closes the incident, the last scored one does. Adjacent ones have none between them.
    scored = np.where(np.isnan(detection.scores[accepted]), 0, np.arange(len(accepted)))
    last_scored = np.maximum(np.maximum.accumulate(scored)[later - 1], earlier)
    closes = times_ms[last_scored] - times_ms[earlier] >= max(quiet_ms, 1)
    alarmed = np.flatnonzero(alarms)
    spell = np.concatenate([[0], np.cumsum(closes)])[np.searchsorted(holding, alarmed)]
    is_first = np.diff(spell, prepend=-1) > 0
    is_last = np.diff(spell, append=spell[-1] + 1) > 0
    return np.stack([accepted[alarmed[is_first]], accepted[alarmed[is_last]] + 1], axis=1)


def watched_days(rows: int, interval_seconds: float) -> float:
    """Return the time that `rows` readings of a sensor cover, in days."""
    return rows * interval_seconds / SECONDS_PER_DAY


def pooled(counts: Sequence[AlarmCounts]) -> AlarmCounts:
    """Add up the counts of several sensors."""
    return AlarmCounts(
        true_positives=sum(one.true_positives for one in counts),
        false_positives=sum(one.false_positives for one in counts),
        false_negatives=sum(one.false_negatives for one in counts),
        true_negatives=sum(one.true_negatives for one in counts),
        events=sum(one.events for one in counts),
        incidents=sum(one.incidents for one in counts),
        false_incidents=sum(one.false_incidents for one in counts),
        delays_rows=tuple(delay for one in counts for delay in one.delays_rows),
        delays_seconds=tuple(delay for one in counts for delay in one.delays_seconds),
        days=sum(one.days for one in counts),
        events_alarmed_late=sum(one.events_alarmed_late for one in counts),
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
