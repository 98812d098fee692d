"""Folds the readings to which a rule applies into the rule's incidents of their sensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stream_detector.amounts import COUNTER_DIGITS, DIGITS, rounded
from stream_detector.detection.events import EventFeature
from stream_detector.detection.rules.batch import RuleBatch
from stream_detector.detection.rules.changes import Closing, RuleChange, closed_by_idle, closed_by_silence
from stream_detector.detection.rules.latch import Before, Latched, latch, update_due
from stream_detector.detection.transition import CLOSED, OPENED, QUIET, UPDATED
from stream_detector.readings import BoolArray, Int64Array
from stream_detector.state.record_layout import KEPT_TYPES, MAXIMUM_RUN, NO_INCIDENT, Records


@dataclass(frozen=True, slots=True)
class Pace:
    """How many calm readings close an incident, and how often an open one is updated."""

    quiet_readings: int
    update_ms: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule at the accepted readings of a batch."""

    type: str
    features: tuple[str, ...]  # [F] names
    applies: BoolArray  # [M, F] features that the rule finds faulty
    readings: Callable[[int, int], int]  # for how many readings in a row, at a reading and feature; 0 if that means nothing
    describe: Callable[[int, list[int]], str]  # a sentence about a reading and the features [..] involved
    ended: Callable[[int, list[int], int], str]  # the same where it did not apply to so many readings, the last one included
    least_quiet: int = 1  # calm readings that close an incident, at least
    most_quiet: int = MAXIMUM_RUN  # and at most
    reason: str = QUIET  # of closing
    is_about_features: bool = True
    changes: BoolArray | None = None  # [M] at these readings an open incident is updated, whether or not that is due
    judges_idle: bool = False  # it also judges readings outside of the state in which the model learned

    @property
    def bit(self) -> np.uint8:
        """The bit that marks the features involved."""
        return np.uint8(1 << KEPT_TYPES.index(self.type))


def fold_incidents(state: Records, batch: RuleBatch, finding: Finding, pace: Pace) -> list[RuleChange]:
    """Open, update and close a rule's incidents in the sensors' state [S], in place; return the changes.

    Costs little where nothing is wrong.
    """
    incident = state["incidents"][finding.type]
    was_open = incident["offset"] != NO_INCIDENT
    idle = np.zeros(len(batch.values), np.bool_) if finding.judges_idle else batch.is_idle
    applies = finding.applies & ~idle[:, np.newaxis] if idle.any() else finding.applies
    if not was_open.any() and not applies.any():
        return []
    concerned = was_open | np.logical_or.reduceat(applies.any(axis=1), batch.first)
    positions, sensors = np.flatnonzero(concerned[batch.group]), np.flatnonzero(concerned)
    first = np.flatnonzero(batch.appended.rank[positions] == 0)
    involved = (state["involved"][sensors] & finding.bit) > 0
    before = Before(was_open[concerned], incident["calm"][sensors].astype(np.int64), involved)
    begun = np.union1d(_returned(batch, positions), np.flatnonzero(idle[positions]))
    spans, before_spans = _spans(first, before, begun)
    quiet_readings = min(max(pace.quiet_readings, finding.least_quiet), finding.most_quiet)
    latched = latch(applies[positions], spans, before_spans, quiet_readings)
    lengths = np.diff(np.append(first, len(positions)))
    incidents = _Incidents.of(batch, positions, latched, np.repeat(incident[sensors], lengths))
    earlier = _Earlier(first, incident[sensors])
    closed_by_silence = _closed_by_silence(batch, finding, incidents, earlier)
    closed_by_idle = _closed_by_idle(batch, finding, incidents, earlier)
    _write(state, finding, sensors, incidents, np.append(first[1:], len(positions)) - 1)
    return closed_by_silence + closed_by_idle + _changes(batch, finding, incidents, pace)


def _returned(batch: RuleBatch, positions: Int64Array) -> Int64Array:
    """Return which of the readings at these positions end a silence of their sensor, as indices of `positions`."""
    return positions[:0] if batch.returns is None else np.flatnonzero(batch.returns.is_return[positions])


def _spans(first: Int64Array, before: Before, begun: Int64Array) -> tuple[Int64Array, Before]:
    """Let the incidents start over at these readings, which end a silence or are idle.

    Return where spans begin, and what is so before each.
    """
    if not len(begun):
        return first, before
    spans = np.union1d(first, begun)
    sensor = np.searchsorted(first, spans, side="right") - 1
    continues = ~np.isin(spans, begun)
    calm = np.where(continues, before.calm[sensor], 0)
    return spans, Before(before.is_open[sensor] & continues, calm, before.involved[sensor] & continues[:, None])


@dataclass(frozen=True, slots=True)
class _Incidents:
    """The newest incident as of each of K readings."""

    positions: Int64Array  # [K] of the accepted readings
    latched: Latched
    places: Int64Array  # [K] of the reading that opened it
    times_ms: Int64Array  # [K]

    @classmethod
    def of(cls, batch: RuleBatch, positions: Int64Array, latched: Latched, before: Records) -> _Incidents:
        """Return the incidents; `before` [K] is the state of each reading's sensor before the batch."""
        is_new = latched.opening >= latched.start
        at = positions[np.maximum(latched.opening, 0)]
        return cls(
            positions=positions,
            latched=latched,
            places=np.where(is_new, batch.readings.places[batch.appended.reading[at]], before["offset"]),
            times_ms=np.where(is_new, batch.appended.times_ms[at], before["time_ms"]),
        )


@dataclass(frozen=True, slots=True)
class _Earlier:
    """The incidents of G sensors before their readings."""

    first: Int64Array  # [G] the sensor's first one among K readings
    state: Records  # [G]


def _write(state: Records, finding: Finding, sensors: Int64Array, incidents: _Incidents, last: Int64Array) -> None:
    """Write the incidents as of each sensor's last reading [G]; clear those of sensors without one."""
    incident, involved, latched = state["incidents"][finding.type], state["involved"], incidents.latched
    is_open = latched.is_open[last]
    incident["offset"][sensors] = np.where(is_open, incidents.places[last], NO_INCIDENT)
    incident["time_ms"][sensors] = np.where(is_open, incidents.times_ms[last], 0)
    incident["calm"][sensors] = np.where(is_open, np.minimum(latched.calm[last], MAXIMUM_RUN), 0)
    members, others = latched.involved[last] & is_open[:, None], involved[sensors] & ~finding.bit
    involved[sensors] = np.where(members, others | finding.bit, others)


def _closed_by_silence(batch: RuleBatch, finding: Finding, incidents: _Incidents, earlier: _Earlier) -> list[RuleChange]:
    """Describe the incidents that a silence closed, unless that was announced."""
    changes = []
    for at in _returned(batch, incidents.positions).tolist():
        position, closing = int(incidents.positions[at]), _closing(batch, finding, incidents, at, earlier)
        assert batch.returns is not None
        if closing is not None and not batch.returns.is_announced[position]:
            changes.append(closed_by_silence(closing, batch.returns.silence(position)))
    return changes


def _closed_by_idle(batch: RuleBatch, finding: Finding, incidents: _Incidents, earlier: _Earlier) -> list[RuleChange]:
    """Describe the incidents that were open when a machine became idle, unless a silence closed them."""
    changes: list[RuleChange] = []
    if finding.judges_idle:
        return changes
    idle = np.flatnonzero(batch.is_idle[incidents.positions])
    for at in np.setdiff1d(idle, _returned(batch, incidents.positions)).tolist():
        if (closing := _closing(batch, finding, incidents, at, earlier)) is not None:
            offset = int(batch.readings.places[closing.reading])
            changes.append(closed_by_idle(closing, offset, int(batch.appended.times_ms[incidents.positions[at]])))
    return changes


def _closing(batch: RuleBatch, finding: Finding, incidents: _Incidents, at: int, earlier: _Earlier) -> Closing | None:
    """Return the incident that was open before one of the K readings; None if none was."""
    first, before = earlier.first, earlier.state
    position, sensor = int(incidents.positions[at]), int(np.searchsorted(first, at, side="right")) - 1
    is_first = at == int(first[sensor])
    is_open = before["offset"][sensor] != NO_INCIDENT if is_first else incidents.latched.is_open[at - 1]
    if not is_open:
        return None
    reading = int(batch.appended.reading[position])
    return Closing(
        type=finding.type,
        sensor_id=batch.readings.sensors[reading],
        partition=int(batch.readings.partitions[reading]),
        incident_offset=int(before["offset"][sensor] if is_first else incidents.places[at - 1]),
        opened_ms=int(before["time_ms"][sensor] if is_first else incidents.times_ms[at - 1]),
        reading=reading,
    )


def _changes(batch: RuleBatch, finding: Finding, incidents: _Incidents, pace: Pace) -> list[RuleChange]:
    """Describe the changes of incidents, in order."""
    latched, opened_ms = incidents.latched, incidents.times_ms
    open_ms = batch.appended.times_ms[incidents.positions] - opened_ms
    is_due = update_due(open_ms, batch.previous_ms[incidents.positions] - opened_ms, pace.update_ms)
    if finding.changes is not None:
        is_due = is_due | finding.changes[incidents.positions]
    updated = latched.is_open & ~latched.opened & (is_due | latched.grows)
    changed = np.flatnonzero(latched.opened | latched.closed | updated).tolist()
    statuses = np.where(latched.opened, OPENED, np.where(latched.closed, CLOSED, UPDATED))
    return [_change(batch, finding, incidents, at, str(statuses[at])) for at in changed]


def _change(batch: RuleBatch, finding: Finding, incidents: _Incidents, at: int, status: str) -> RuleChange:
    """Describe the change at one of the K readings."""
    appended, readings, position = batch.appended, batch.readings, int(incidents.positions[at])
    reading, time_ms, opened_ms = int(appended.reading[position]), int(appended.times_ms[position]), int(incidents.times_ms[at])
    involved = np.flatnonzero(incidents.latched.involved[at]).tolist()
    return RuleChange(
        type=finding.type,
        status=status,
        sensor_id=readings.sensors[reading],
        reading=reading,
        partition=int(readings.partitions[reading]),
        offset=int(readings.places[reading]),
        time_ms=time_ms,
        incident_offset=int(incidents.places[at]),
        opened_ms=opened_ms,
        what=_what(finding, position, involved, int(incidents.latched.calm[at])),
        features=tuple([_feature(batch, finding, position, one) for one in involved if finding.is_about_features]),
        reason=finding.reason if status == CLOSED else "",
        sensor_state=batch.sensor_state(position),
        start_ms=batch.start_ms(position),
        length=int(appended.filled[position]),
        calm=int(incidents.latched.calm[at]),
    )


def _what(finding: Finding, position: int, involved: list[int], calm: int) -> str:
    """Say what is wrong at a reading, or since when it is well: the rule did not apply to the last `calm` readings."""
    return finding.ended(position, involved, calm) if calm else finding.describe(position, involved)


def _feature(batch: RuleBatch, finding: Finding, position: int, feature: int) -> EventFeature:
    value, digits = float(batch.values[position, feature]), DIGITS
    if feature in batch.appended.counters:  # its own value, not the rise that the window holds
        value, digits = float(batch.readings.values[batch.appended.reading[position], feature]), COUNTER_DIGITS
    run = finding.readings(position, feature)
    return EventFeature(name=finding.features[feature], value=rounded(value, digits), readings=run)
