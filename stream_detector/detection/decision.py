"""From errors to incidents: the last pure fold over a sensor's readings.

The members' log errors become surprises, above levels of the sensor's own, and their mean the surprise of the reading
(calibration.py). A reading is anomalous when that exceeds what is typical by the margin that the alarm budget allows.
Anomalous readings that follow each other are one incident: opened, updated at most every so often, closed after a quiet
spell, all in the sensor's own event time.

What is published is not the surprise alone but its mean with a slow memory of it: a severity that a single reading cannot
make, by which readings are ranked better. The published threshold is the mean of the limit with the same memory, so a score
exceeds its threshold if and only if the surprise exceeds its limit.

The levels follow normal errors slowly. They stand still while an incident is open and never leave a band around where they
started, so an anomaly is not learned. An incident that lasts longer than `accept_ms` is taken for a new normal state: it is
closed as accepted, and the limit raised by what the memory holds, until the surprise falls again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array
from stream_detector.state.known_sensors import UNKNOWN
from stream_detector.state.record_layout import NO_INCIDENT, Records

OPENED, UPDATED, CLOSED = "opened", "updated", "closed"


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of an incident, at an accepted reading."""

    position: int  # of the accepted reading
    status: str
    incident_offset: int
    opened_ms: int
    peak_score: float
    is_accepted: bool  # closed because it is taken for a new normal state


@dataclass(frozen=True, slots=True)
class ScoredReadings:
    """Accepted readings [N] with their log errors by M members; within a group in log order."""

    groups: Int64Array  # [N] which header
    ranks: Int64Array  # [N] 0, 1, 2... within the group
    times_ms: Int64Array  # [N]
    offsets: Int64Array  # [N]
    errors: Float32Array  # [N, M] NaN: not scored
    wanted: BoolArray  # [N] the stride asks for a score
    scorable: BoolArray  # [N] the window is full


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was decided of N accepted readings."""

    scores: Float64Array  # [N] NaN: not scored
    thresholds: Float64Array  # [N] on the scale of the score
    anomalous: BoolArray  # [N]
    surprises: Float64Array  # [N, M] of the members, by weight: they sum to the surprise of the reading
    level_counts: Float64Array  # [N] readings behind the levels as of the reading
    needed: BoolArray  # [N] readings whose errors were, or would have been, used
    transitions: list[Transition]  # by position


def reset_for_model(header: Records, table_rows: Int32Array, rules: DecisionRules) -> None:
    """Reset levels and memory in the headers [N] that hold those of another model, in place; an open incident stays open."""
    other = header["model"] != rules.model_tag
    count = np.minimum(rules.start_counts[table_rows[other]], rules.level_memory_count)
    for name, value in (
        ("model", rules.model_tag),
        ("level_count", count),
        ("memory", rules.typical),
        ("accepted", 0.0),
        ("shift", 0.0),
    ):
        header[name][other] = value


def decide(header: Records, table_rows: Int32Array, readings: ScoredReadings, rules: DecisionRules) -> Decisions:
    """Fold readings [N] into the headers [G] of their sensors, in place; `table_rows` [G] as in the table of sensors.

    Errors are used where the stride asks for them or an incident is open, and the window is full. Errors elsewhere are
    ignored, so that more of them than needed change nothing. If they were needed and are NaN, provide them and decide again
    from the old headers.
    """
    fold = _Fold(rules, readings)
    order = np.argsort(readings.ranks, kind="stable")
    bounds = np.flatnonzero(np.diff(readings.ranks[order])) + 1
    for positions in np.split(order, bounds) if len(order) else ():
        fold.step(header, table_rows, positions)
    found = fold.decisions
    found.transitions.sort(key=lambda transition: transition.position)
    return found


class _Fold:
    """The results of a fold in the making, and its step over one reading of each of G sensors."""

    def __init__(self, rules: DecisionRules, readings: ScoredReadings) -> None:
        count, members = readings.errors.shape
        self._rules = rules
        self._readings = readings
        self.decisions = Decisions(
            scores=np.full(count, np.nan),
            thresholds=np.empty(count),
            anomalous=np.zeros(count, np.bool_),
            surprises=np.full((count, members), np.nan),
            level_counts=np.empty(count),
            needed=np.zeros(count, np.bool_),
            transitions=[],
        )

    def step(self, header: Records, table_rows: Int32Array, positions: Int64Array) -> None:
        """Advance G sensors by one reading each: those at `positions` [G], of different groups."""
        rules, readings, found = self._rules, self._readings, self.decisions
        sensors = readings.groups[positions]
        state, rows = header[sensors], table_rows[sensors]
        open_before = state["incident_offset"] != NO_INCIDENT
        needed = readings.scorable[positions] & (readings.wanted[positions] | open_before)
        errors = np.where(needed[:, np.newaxis], readings.errors[positions], np.float32(np.nan)).astype(np.float64)
        above_level = errors - rules.starts[rows] - state["shift"]
        surprises = rules.tails.surprise(above_level) * rules.weights
        surprise = surprises.sum(axis=1)
        scored = ~np.isnan(surprise)
        limit = rules.typical + rules.margin + state["accepted"]
        memory = state["memory"] + rules.memory_share * np.where(scored, surprise - state["memory"], 0.0)
        state["memory"] = memory
        found.scores[positions] = score = (surprise + memory) / 2.0
        found.thresholds[positions] = threshold = (limit + memory) / 2.0
        found.anomalous[positions] = anomalous = score > threshold  # False for NaN; surprise > limit, but for rounding
        found.surprises[positions] = surprises
        found.level_counts[positions] = state["level_count"]
        found.needed[positions] = needed
        if anomalous.any() or open_before.any():
            self._incidents(state, positions, score)
        normal = scored & ~anomalous & ~open_before
        self._follow(state, rows, above_level, normal)
        state["accepted"] = np.where(normal, np.clip(memory - rules.typical, 0.0, state["accepted"]), state["accepted"])
        header[sensors] = state

    def _incidents(self, state: Records, positions: Int64Array, score: Float64Array) -> None:
        """Close, open and update incidents."""
        rules, readings = self._rules, self._readings
        time_ms, anomalous = readings.times_ms[positions], self.decisions.anomalous[positions]
        is_open = state["incident_offset"] != NO_INCIDENT
        closing = is_open & ~anomalous & (time_ms - state["last_anomalous_ms"] >= rules.quiet_ms)
        self._note(CLOSED, closing, state, positions)
        _forget_incident(state, closing)
        opening = anomalous & ~is_open
        for name, values in (
            ("incident_offset", readings.offsets[positions]),
            ("incident_time_ms", time_ms),
            ("incident_peak", score),
            ("last_update_ms", time_ms),
        ):
            state[name][opening] = values[opening]
        state["last_anomalous_ms"][anomalous] = time_ms[anomalous]
        state["incident_peak"] = np.where(anomalous, np.fmax(state["incident_peak"], score), state["incident_peak"])
        self._note(OPENED, opening, state, positions)
        accepting = anomalous & is_open & (time_ms - state["incident_time_ms"] >= rules.accept_ms)
        self._note(CLOSED, accepting, state, positions, is_accepted=True)
        _forget_incident(state, accepting)
        state["accepted"] = np.where(accepting, np.fmax(state["memory"] - rules.typical, 0.0), state["accepted"])
        updating = anomalous & is_open & ~accepting & (time_ms - state["last_update_ms"] >= rules.update_ms)
        state["last_update_ms"][updating] = time_ms[updating]
        self._note(UPDATED, updating, state, positions)

    def _note(
        self, status: str, chosen: BoolArray, state: Records, positions: Int64Array, *, is_accepted: bool = False
    ) -> None:
        for at in np.flatnonzero(chosen).tolist():
            one = state[at]
            self.decisions.transitions.append(
                Transition(
                    position=int(positions[at]),
                    status=status,
                    incident_offset=int(one["incident_offset"]),
                    opened_ms=int(one["incident_time_ms"]),
                    peak_score=float(one["incident_peak"]),
                    is_accepted=is_accepted,
                )
            )

    def _follow(self, state: Records, table_rows: Int32Array, above_level: Float64Array, normal: BoolArray) -> None:
        """Move the levels towards normal errors: a running mean of bounded memory, step and range."""
        rules = self._rules
        count = np.minimum(state["level_count"] + 1.0, rules.level_memory_count)
        step = np.clip(above_level, -rules.level_step_limit, rules.level_step_limit)
        farthest = np.where(table_rows == UNKNOWN, rules.provisional_shift_limit, rules.level_shift_limit)[:, np.newaxis]
        moved = np.clip(state["shift"] + step / count[:, np.newaxis], -farthest, farthest)
        state["shift"] = np.where(normal[:, np.newaxis], moved, state["shift"])
        state["level_count"] = np.where(normal, count, state["level_count"])


def _forget_incident(state: Records, which: BoolArray) -> None:
    """Leave nothing of these incidents [N] in the state, in place: what is stored of a sensor without one is less."""
    state["incident_offset"][which] = NO_INCIDENT
    for name in ("incident_time_ms", "incident_peak", "last_anomalous_ms", "last_update_ms"):
        state[name][which] = 0
