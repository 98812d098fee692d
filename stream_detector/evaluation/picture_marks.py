"""Says in words what became of each labelled event and of each alarm of one sensor, for its picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.evaluation.alarms import IncidentTimes, find_incidents, is_false, opened_after
from stream_detector.evaluation.found_events import BY_SCORE, NEVER, find_events, found_by
from stream_detector.evaluation.scorecard import LabelledSeries
from stream_detector.readings import BoolArray, Int64Array

#: The kinds of marks.
FOUND, LATE, MISSED, TRUE, FALSE = "found", "late", "missed", "true", "false"


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of time, and what to say about it."""

    start_ms: int
    end_ms: int
    kind: str
    text: str


def event_marks(series: LabelledSeries) -> list[Mark]:
    """Return a mark for each labelled event: by what it was found, or that it was missed or found too late."""
    truth = series.truth()
    found = find_events(truth, series.times_ms, series.told())
    by = found_by(truth, series.times_ms, series.causes)
    marks = []
    for at, (start, end) in enumerate(found.spans_ms.tolist()):
        if found.is_found[at]:
            causes = [name for name, is_found in by.items() if is_found[at]]
            marks.append(Mark(start, end, FOUND, f"by {', '.join(causes)}" if causes else "found"))
        elif found.is_late[at]:
            marks.append(Mark(start, end, LATE, "too late"))
        else:
            marks.append(Mark(start, end, MISSED, "missed"))
    return marks


def alarm_marks(series: LabelledSeries, times: IncidentTimes, window_length: int) -> list[Mark]:
    """Return a mark for each incident, from when it opens until it closes: of what it is, and whether it is false."""
    incidents, told = find_incidents(series.product, series.times_ms, series.is_late, times), series.told()
    marked = series.truth().marked()
    false, after = is_false(marked, incidents), opened_after(marked, incidents, window_length)
    starts = [int(told[first]) if told[first] < NEVER else int(series.times_ms[first]) for first, _ in incidents.tolist()]
    marks = []
    for at, (first, stop) in enumerate(incidents.tolist()):
        text = ", ".join(name for name, alarms in series.causes.items() if (alarms[first:stop] < NEVER).any()) or "alarm"
        if false[at]:
            text = f"{'after a fault' if after[at] else 'false'}: {text}"
        latest = starts[at + 1] if at + 1 < len(starts) else int(series.times_ms[~series.is_late][-1])
        end = min(_closes_ms(series, first, stop, times), latest)
        marks.append(Mark(starts[at], max(starts[at], end), FALSE if false[at] else TRUE, text))
    return marks


def _closes_ms(series: LabelledSeries, first: int, stop: int, times: IncidentTimes) -> int:
    """Return when an incident [first, stop) closes: a rule's at its last row, the score's when it was quiet for long enough."""
    rows = np.arange(len(series.labels))
    of_rule = np.zeros(len(rows), np.bool_)
    for name, told in series.causes.items():
        if name != BY_SCORE:
            of_rule |= told < NEVER
    of_score = series.causes[BY_SCORE] < NEVER if BY_SCORE in series.causes else series.product.alarms & ~of_rule
    inside = (rows >= first) & (rows < stop) & ~series.is_late
    ends = [int(series.times_ms[rows[inside & of_rule].max(initial=first)])]
    if (inside & of_score).any():
        last = int(rows[inside & of_score].max())
        opened_ms, quiet_ms = int(series.times_ms[first]), max(times.quiet_ms, 1)
        held = _held_until(series.times_ms, last, of_score | (series.product.holding & ~series.is_late & ~of_rule), quiet_ms)
        ends.append(min(held + quiet_ms, opened_ms + min(2 * times.accept_ms, NEVER - opened_ms)))
    return max(ends)


def _held_until(times_ms: Int64Array, last: int, holding: BoolArray, quiet_ms: int) -> int:
    """Return the time of the last row that holds an incident open, from its last alarm on."""
    held = times_ms[last:][holding[last:]]
    breaks = np.flatnonzero(np.diff(held) >= quiet_ms)
    return int(held[breaks[0]]) if len(breaks) else int(held[-1])


def pauses(series: LabelledSeries) -> list[int]:
    """Return the times in ms of the readings after which the sensor paused for much longer than usual."""
    times_ms = series.times_ms[~series.is_late]
    steps = np.diff(times_ms)
    usual = float(np.median(steps)) if len(steps) else 0.0
    return [int(time) for time in times_ms[:-1][steps > 3.0 * usual]]
