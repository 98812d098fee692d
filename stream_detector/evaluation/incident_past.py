"""Says of an incident in a scored file what was and for how long, from the file's rows.

An event tells of a moment. Once all is over, a reader wants the whole: for how long a value did not change, and when the last
anomalous reading was.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

import numpy as np

from stream_detector.detection.rules.changes import RuleChange
from stream_detector.detection.transition import ANOMALY, FROZEN, MISSING_FEATURE, QUIET, SILENT
from stream_detector.evaluation.offline_scoring import ScoredRows
from stream_detector.evaluation.segments import find_segments
from stream_detector.readings import BoolArray, Int64Array
from stream_detector.tables.dataset import Dataset
from stream_detector.timestamps import duration, shown_time

#: Features whose runs are at least this share of the longest run are told together, with the shortest of theirs.
_ALIKE = 0.8
#: How sentences on a moment, as the rules say them, become sentences on the past.
_IN_PAST = (
    (r"\bgo(es)? back and forth: (\d+) times", r"went back and forth: at least \2 times"),
    (r"\b(has|have) not changed for", "did not change for"),
    (r"\bno value has changed for", "no value changed for"),
    (r"\b(has|have) given no value for", "gave no value for"),
    (r"\b(is|are)\b(?= (-?\d|below|above))", "was"),
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where an incident lies in the file, and what it is about."""

    sensor_id: str
    type: str
    opened_row: int
    closed_row: int | None  # None: open at the end
    features: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class _Run:
    name: str
    readings: int
    seconds: float
    ended: bool  # before the incident closed


@dataclass(frozen=True, slots=True)
class FileRows:
    """The rows of a scored file, as its incidents are told by them."""

    dataset: Dataset
    scored: ScoredRows
    counters: Collection[str] = ()
    zone: tzinfo | None = None  # in which times are shown; None: UTC
    _rows: dict[str, Int64Array] = field(default_factory=dict)
    _calms: dict[tuple[str, str, int], int] = field(default_factory=dict)

    def what(self, one: Stretch) -> str:
        """Say what a rule found, and for how long in all; empty if the rows do not tell."""
        if one.type == SILENT:
            return self._silence(one)
        if one.type not in (FROZEN, MISSING_FEATURE):
            return ""
        runs = [run for name in self.dataset.features if name in one.features for run in self._run(one, name)]
        runs = [run for run in runs if run.ended] or runs
        did = "did not change" if one.type == FROZEN else "gave no value"
        return "; ".join(
            f"{_listed([run.name for run in alike])} {did} for {duration(alike[-1].seconds)} ({alike[-1].readings:,} readings)"
            for alike in _alike(sorted(runs, key=lambda run: -run.readings))
        )

    def last_anomalous_ms(self, one: Stretch) -> int | None:
        """Return the time of the last reading that the score or the rule found; None where that means nothing."""
        rows = self._of(one.sensor_id)
        first, last = self._span(one, rows)
        if one.type != ANOMALY:
            place = last - self._calm(one)
            return int(self.dataset.times_ms[rows[place]]) if first <= place < last else None
        anomalous = np.flatnonzero(self.scored.is_anomaly[rows[first : last + 1]])
        return int(self.dataset.times_ms[rows[first + anomalous[-1]]]) if len(anomalous) else None

    def _calm(self, one: Stretch) -> int:
        """Return to how many readings a rule did not apply before its incident closed; 0: it did not close so."""
        if not self._calms:
            self._calms.update({_key(change): change.calm for change in self.scored.changes if change.reason == QUIET})
        return self._calms.get((one.type, one.sensor_id, one.opened_row), 0)

    def _silence(self, one: Stretch) -> str:
        times_ms = self.dataset.times_ms
        if one.closed_row is None or one.closed_row >= len(times_ms):
            return f"it sent no reading after {shown_time(int(times_ms[one.opened_row]), self.zone)}"
        return f"it sent no reading for {duration((times_ms[one.closed_row] - times_ms[one.opened_row]) / 1000.0)}"

    def _run(self, one: Stretch, name: str) -> list[_Run]:
        """Return the feature's longest run of one value, or without a value, that the incident meets; none without one.

        It lasts from its first reading until the one after its last.
        """
        rows = self._of(one.sensor_id)
        values = self.dataset.values[rows, self.dataset.features.index(name)]
        is_missing = np.isnan(values)
        places = np.arange(len(rows)) if one.type == MISSING_FEATURE else np.flatnonzero(~is_missing)
        if one.type == MISSING_FEATURE:
            lead, flags = 0, is_missing
        else:  # the rules see float32, but the rises of counters in double precision
            present = values[places]
            lead, flags = 1, _repeats(present if name in self.counters else present.astype(np.float32))
        first, last = self._span(one, rows)
        found = [(start, stop) for start, stop in find_segments(flags).tolist() if places[stop - 1] >= first]
        found = [(start, stop) for start, stop in found if places[start] <= last]
        if not found:
            return []
        start, stop = max(found, key=lambda run: run[1] - run[0])
        ended = stop < len(places) and bool(places[stop] <= last)
        times_ms = self.dataset.times_ms[rows]
        milliseconds = times_ms[min(places[stop - 1] + 1, len(rows) - 1)] - times_ms[places[start - lead]]
        return [_Run(name, stop - start + lead, float(milliseconds) / 1000.0, ended)]

    def _span(self, one: Stretch, rows: Int64Array) -> tuple[int, int]:
        """Return which of the sensor's rows open and close the incident, as indices of `rows`."""
        last = len(rows) - 1 if one.closed_row is None else int(np.searchsorted(rows, one.closed_row, side="right")) - 1
        return int(np.searchsorted(rows, one.opened_row)), last

    def _of(self, sensor_id: str) -> Int64Array:
        """Return the accepted rows of a sensor."""
        if sensor_id not in self._rows:
            is_own = self.dataset.codes == self.dataset.sensors.index(sensor_id)
            self._rows[sensor_id] = np.flatnonzero(is_own & ~self.scored.is_late)
        return self._rows[sensor_id]


def in_past(sentence: str) -> str:
    """Put what a rule said of a moment into the past."""
    for pattern, replacement in _IN_PAST:
        sentence = re.sub(pattern, replacement, sentence)
    return sentence


def _key(change: RuleChange) -> tuple[str, str, int]:
    return change.type, change.sensor_id, change.incident_offset


def _repeats(values: np.ndarray[tuple[int], np.dtype[np.floating]]) -> BoolArray:
    return np.append(np.zeros(min(1, len(values)), np.bool_), values[1:] == values[:-1])


def _alike(runs: Sequence[_Run]) -> list[list[_Run]]:
    """Group runs, longest first, with those that are about as long."""
    groups: list[list[_Run]] = []
    for run in runs:
        if groups and run.readings >= _ALIKE * groups[-1][0].readings:
            groups[-1].append(run)
        else:
            groups.append([run])
    return groups


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
