"""Finds the rows of labelled events, and the events that have none: silences, and events between two readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from stream_detector.readings import BoolArray, Int64Array
from stream_detector.tables.dataset import Dataset
from stream_detector.timestamps import iso_time

#: A pause of more than so many usual intervals between two readings is a silence.
_SILENCE_INTERVALS = 2.0
#: So many events are named in a note.
_NAMED = 5


def rows_of_events(
    events: Mapping[str, Sequence[tuple[int, int]]], dataset: Dataset
) -> tuple[BoolArray, dict[str, Int64Array], tuple[str, ...]]:
    """Return the anomalous rows [N], the silences of each sensor as [S, 2] start and end in ms, and remarks for the report.

    `events` has the start and end of each event in ms, by sensor; the end is excluded. An event without a reading is a silence
    if its sensor paused around it for longer than it usually does. Else it lies between two readings, and the later one is
    anomalous. An event before the sensor's first reading, or after the last of the whole input, is left out.
    """
    labels = np.zeros(len(dataset), np.bool_)
    rows_of = {sensor: np.flatnonzero(dataset.codes == code) for code, sensor in enumerate(dataset.sensors)}
    last_ms = int(dataset.times_ms.max(initial=0))
    unknown = sum(len(of_sensor) for sensor, of_sensor in events.items() if sensor not in rows_of)
    silences: dict[str, Int64Array] = {}
    between: list[str] = []
    outside: list[str] = []
    for sensor, rows in rows_of.items():
        silent = []
        times_ms = dataset.times_ms[rows]
        for start, end in sorted(set(events.get(sensor, ()))):
            inside = (times_ms >= start) & (times_ms < end)
            labels[rows[inside]] = True
            if inside.any():
                continue
            if start > last_ms or not (times_ms < start).any():
                outside.append(_named(sensor, start, end))
            elif _is_silence(times_ms, start, end):
                silent.append((start, end))
            else:
                labels[rows[(times_ms >= end).argmax()]] = True
                between.append(_named(sensor, start, end))
        if silent:
            silences[sensor] = _joined(silent)
    return labels, silences, tuple(_notes(unknown, silences, between, outside))


def _is_silence(times_ms: Int64Array, start: int, end: int) -> bool:
    """Return whether a sensor paused for longer than usual around an event without a reading."""
    after = times_ms[times_ms >= end]
    steps = np.diff(times_ms)
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    return not len(after) or float(after[0] - times_ms[times_ms < start].max()) > _SILENCE_INTERVALS * usual


def _joined(spans: Sequence[tuple[int, int]]) -> Int64Array:
    """Join spans, which are sorted, that overlap: [S, 2]."""
    joined = [list(spans[0])]
    for start, end in spans[1:]:
        if start < joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return np.array(joined, np.int64)


def _notes(unknown: int, silences: Mapping[str, Int64Array], between: Sequence[str], outside: Sequence[str]) -> list[str]:
    silent = [_named(sensor, start, end) for sensor, spans in silences.items() for start, end in spans.tolist()]
    told = (
        (unknown, "{} of sensors that are not in the input: left out", ()),
        (len(silent), "{} without a reading: the sensor was silent, and the rule `silent` can find it", silent),
        (len(between), "{} between two readings: the later one is taken for anomalous", between),
        (len(outside), "{} before the sensor's first reading or after the end of the input: left out", outside),
    )
    return [text.format(_counted(count)) + (f" ({_some(names)})" if names else "") for count, text, names in told if count]


def _named(sensor: str, start: int, end: int) -> str:
    return f"{sensor} {iso_time(start)} to {iso_time(end)}".replace(".000Z", "Z")


def _some(names: Sequence[str]) -> str:
    more = f", and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _counted(count: int) -> str:
    return "1 event" if count == 1 else f"{count:,} events"
