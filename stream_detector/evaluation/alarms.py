"""Counts the events that alarms find, their delays, and the false alarms.

Without point adjustment: an anomalous row counts as found only if that row was alarmed. An event counts as found if it was
alarmed in its first half (found_events.py). A false alarm is an incident, as the stream would publish it, without a single row
of an event. An alarm that tells of a silence is about no row: it counts for events and incidents, not for rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stream_detector.evaluation.baselines import Detection
from stream_detector.evaluation.found_events import NEVER, FoundEvents, Truth, find_events
from stream_detector.readings import BoolArray, Int64Array
from stream_detector.timestamps import SECONDS_PER_DAY


@dataclass(frozen=True, slots=True)
class IncidentTimes:
    """When incidents close, in milliseconds."""

    quiet_ms: int  # without a row that holds it open
    accept_ms: int = NEVER  # after it opened, as the new normal


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
    found_by: Mapping[str, int] = field(default_factory=dict)  # events that each cause of alarms finds without the others
    events_alarmed_before: int = 0  # found, by an incident that had opened before, on a row of no event
    false_after_events: int = 0  # false incidents that opened right after an event, while the window still held it

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


def count_alarms(truth: Truth, times_ms: Int64Array, told: Int64Array, incidents: Int64Array, days: float) -> AlarmCounts:
    """Compare the alarms of one sensor, told at `told` [N] (see told_ms), with its events.

    `incidents` [I, 2] are those that the alarms form (see find_incidents).
    """
    labels, marked, found = truth.labels, truth.marked(), find_events(truth, times_ms, told)
    before = alarmed_before(marked, incidents, found, told)
    alarms = told < NEVER
    of_rows = told == times_ms
    return AlarmCounts(
        true_positives=int((alarms & labels).sum()),
        false_positives=int((of_rows & ~marked).sum()),
        false_negatives=int((~alarms & labels).sum()),
        true_negatives=int((~labels).sum() - (of_rows & ~marked).sum()),
        events=len(found.is_found),
        incidents=len(incidents),
        false_incidents=int(is_false(marked, incidents).sum()),
        delays_rows=tuple(found.delay_rows[found.is_found].tolist()),
        delays_seconds=tuple((found.delay_ms[found.is_found] / 1000.0).tolist()),
        days=days,
        events_alarmed_late=int(found.is_late.sum()),
        events_alarmed_before=int((before & found.is_found).sum()),
    )


def is_false(marked: BoolArray, incidents: Int64Array) -> BoolArray:
    """Return which incidents [I, 2] have no row of an event; `marked` [N] are the rows of events."""
    before = np.concatenate([[0], np.cumsum(marked)])
    return np.asarray(before[incidents[:, 1]] == before[incidents[:, 0]])


def alarmed_before(marked: BoolArray, incidents: Int64Array, events: FoundEvents, told: Int64Array) -> BoolArray:
    """Return in which of the E events one of the incidents [I, 2] was open that had been told before, on a row of no event.

    Such an alarm tells nobody that something new is wrong. `marked` [N] are the rows of events. An incident of a silence opens
    on the last reading before it, and is told later: it is of an event that had begun by then, or begins with the next reading.
    """
    rows = events.rows[:, 0]
    if not len(incidents):
        return np.zeros(len(rows), np.bool_)
    newest = np.searchsorted(incidents[:, 0], rows) - 1  # the last one that opened before the row
    opened, end = incidents[np.maximum(newest, 0)].T
    return np.asarray((newest >= 0) & (end > rows) & ~marked[opened] & (told[opened] < events.begins_ms))


def opened_after(marked: BoolArray, incidents: Int64Array, window_length: int) -> BoolArray:
    """Return which incidents [I, 2] opened after an event whose last row was in the window of T rows at their first alarm."""
    rows = np.arange(len(marked))
    last = np.maximum.accumulate(np.where(marked, rows, -1 - window_length))
    return np.asarray(incidents[:, 0] - last[incidents[:, 0]] < window_length)


def find_incidents(detection: Detection, times_ms: Int64Array, late: BoolArray, limits: IncidentTimes) -> Int64Array:
    """Return the incidents of one sensor's alarms [N] as [I, 2]: the row of the first alarm, and the row after the last.

    As in the stream, an incident lasts while rows hold it open. A scored row that does not closes it if the last that did is at
    least `quiet_ms` ago, and one without a score after `accept_ms`. An alarm after `accept_ms` also closes it, as the new
    normal, or any row that holds it after twice that time. Late rows are skipped.
    """
    accepted = np.flatnonzero(~late)
    times_ms, alarms = times_ms[accepted], detection.alarms[accepted]
    holding = np.flatnonzero(alarms | detection.holding[accepted])
    if not alarms.any():
        return np.empty((0, 2), np.int64)
    earlier, later = holding[:-1], holding[1:]
    closes = np.zeros(len(later), np.bool_)
    is_scored = ~np.isnan(detection.scores[accepted])
    for chosen, after_ms in ((is_scored, limits.quiet_ms), (~is_scored, limits.accept_ms)):
        # If any chosen row between two that hold closes the incident, the last one does. Adjacent ones have none between them.
        rows = np.maximum.accumulate(np.where(chosen, np.arange(len(accepted)), 0))
        closes |= times_ms[np.maximum(rows[later - 1], earlier)] - times_ms[earlier] >= max(after_ms, 1)
    found = []
    for spell in np.split(holding, np.flatnonzero(closes) + 1):
        found += _incidents_of(spell, alarms[spell], times_ms[spell], limits.accept_ms)
    return np.asarray(accepted[np.array(found)] + np.array([0, 1]))


def _incidents_of(rows: Int64Array, alarms: BoolArray, times_ms: Int64Array, accept_ms: int) -> list[tuple[int, int]]:
    """Return the first and the last alarm of each incident of a spell, of rows [K] that hold one open."""
    found, left = [], np.flatnonzero(alarms)
    while len(left):
        open_ms = times_ms - times_ms[left[0]]
        accepting = (alarms & (open_ms >= accept_ms)) | (open_ms >= 2 * accept_ms)
        end = int(accepting.argmax()) if accepting.any() else len(rows) - 1
        found.append((int(rows[left[0]]), int(rows[left[left <= end][-1]])))
        left = left[left > end]
    return found


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
        events_alarmed_before=sum(one.events_alarmed_before for one in counts),
        found_by={name: sum(one.found_by.get(name, 0) for one in counts) for one in counts for name in one.found_by},
        false_after_events=sum(one.false_after_events for one in counts),
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
