"""Says in words what became of each labelled event and of each alarm of one sensor, for its picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.evaluation.alarms import IncidentTimes, find_incidents, is_false, opened_after
from stream_detector.evaluation.found_events import BY_SCORE, NEVER, find_events, found_by
from stream_detector.evaluation.scorecard import LabelledSeries

#: The kinds of marks.
FOUND, MISSED, TRUE, FALSE = "found", "missed", "true", "false"


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of time, and what to say about it."""

    start_ms: int
    end_ms: int
    kind: str
    text: str


def event_marks(series: LabelledSeries) -> list[Mark]:
    """Return a mark for each labelled event: by what it was found, or that it was missed."""
    truth = series.truth()
    found = find_events(truth, series.times_ms, series.told())
    by = found_by(truth, series.times_ms, series.causes)
    marks = []
    for at, (start, end) in enumerate(found.spans_ms.tolist()):
        causes = [_named(name) for name, is_found in by.items() if is_found[at]]
        if found.is_found[at]:
            marks.append(Mark(start, end, FOUND, f"found by {' and '.join(causes) or 'an alarm'}"))
        else:
            marks.append(Mark(start, end, MISSED, "missed: alarmed too late" if found.is_late[at] else "missed"))
    return marks


def alarm_marks(series: LabelledSeries, times: IncidentTimes, window_length: int) -> list[Mark]:
    """Return a mark for each incident: of what it is, and whether it is false."""
    incidents, told = find_incidents(series.product, series.times_ms, series.is_late, times), series.told()
    marked = series.truth().marked()
    false, after = is_false(marked, incidents), opened_after(marked, incidents, window_length)
    marks = []
    for at, (first, stop) in enumerate(incidents.tolist()):
        causes = [_named(name) for name, alarms in series.causes.items() if (alarms[first:stop] < NEVER).any()]
        text = " and ".join(causes) or "alarm"
        if false[at]:
            text = f"false, {'right after a fault' if after[at] else 'no fault'}: {text}"
        start = int(told[first]) if told[first] < NEVER else int(series.times_ms[first])
        marks.append(Mark(start, max(start, int(series.times_ms[stop - 1])), FALSE if false[at] else TRUE, text))
    return marks


def pauses(series: LabelledSeries) -> list[int]:
    """Return the times in ms of the readings after which the sensor paused for much longer than usual."""
    times_ms = series.times_ms[~series.is_late]
    steps = np.diff(times_ms)
    usual = float(np.median(steps)) if len(steps) else 0.0
    return [int(time) for time in times_ms[:-1][steps > 3.0 * usual]]


def _named(cause: str) -> str:
    return "the score" if cause == BY_SCORE else f"the rule {cause}"
