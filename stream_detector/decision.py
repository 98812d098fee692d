"""From scores to incidents: the second pure fold over a sensor's readings.

A reading is anomalous when its log score exceeds the sensor's level by the margin that the alarm budget allows. Anomalous
readings that follow each other are one incident: opened, updated at most every so often, closed after a quiet spell, all
in the sensor's own event time. The level follows the sensor's normal scores slowly; it stands still while an incident is
open and never leaves a band around where it started, so an anomaly is not learned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stream_detector.calibration import Calibration, SensorLevel, log_score, raw_score
from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int64Array
from stream_detector.state import Records

NO_INCIDENT = -1
OPENED, UPDATED, CLOSED = "opened", "updated", "closed"


@dataclass(frozen=True, slots=True)
class DecisionRules:
    """What a decision depends on beside the state and the score."""

    margin: float  # log score above level from which a reading is anomalous
    pooled_level: float
    prior_count: float
    sensors: Mapping[str, SensorLevel]
    update_ms: int
    quiet_ms: int
    model_tag: int  # of the model whose scores the levels are of
    level_memory_count: float = 5_000.0  # the level forgets: at most so many readings weigh in it
    level_shift_limit: float = 0.7  # the level moves at most so far (a factor of 2 in score) from where it started
    level_step_limit: float = 1.0  # a single reading counts at most so far above or below the level
    rules_version: str = ""  # of what the settings say about decisions; events name it
    budget_per_sensor_day: float = math.nan  # false alarms accepted; events name it

    @classmethod
    def of(
        cls, calibration: Calibration, alarms_per_reading: float, update_ms: int, quiet_ms: int, model_tag: int
    ) -> DecisionRules:
        """Derive the rules from a model's calibration and a budget."""
        return cls(
            margin=calibration.margin(alarms_per_reading),
            pooled_level=calibration.pooled_level,
            prior_count=calibration.prior_count,
            sensors=calibration.sensors,
            update_ms=update_ms,
            quiet_ms=quiet_ms,
            model_tag=model_tag,
        )

    def is_ready(self, known: BoolArray, level_count: Float64Array) -> BoolArray:
        """Say which sensors' thresholds rest on readings of their own: in calibration, or as many since as the prior's."""
        return known | (level_count >= min(2.0 * self.prior_count, self.level_memory_count))

    def start_levels(self, header: Records, sensors: list[str]) -> BoolArray:
        """Set the level of sensors that have none from this model [N], in place; return which sensors it was calibrated on.

        The start is the sensor's calibrated level, shrunk towards the fleet's.
        """
        for position in np.flatnonzero(header["model"] != self.model_tag).tolist():
            own = self.sensors.get(sensors[position], SensorLevel(self.pooled_level, 0.0))
            weight = own.count + self.prior_count
            level = (own.mean * own.count + self.pooled_level * self.prior_count) / weight
            header["level_start"][position] = header["level_mean"][position] = level
            header["level_count"][position] = min(weight, self.level_memory_count)
            header["model"][position] = self.model_tag
        return np.array([sensor in self.sensors for sensor in sensors], np.bool_)


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of an incident, at an accepted reading."""

    position: int  # of the accepted reading
    status: str
    incident_offset: int
    opened_ms: int
    peak_score: float


@dataclass(frozen=True, slots=True)
class ScoredReadings:
    """Accepted readings [M] with their scores; within a group in log order."""

    groups: Int64Array  # [M] which header
    ranks: Int64Array  # [M] 0, 1, 2... within the group
    times_ms: Int64Array  # [M]
    offsets: Int64Array  # [M]
    scores: Float32Array  # [M] NaN: not scored
    wanted: BoolArray  # [M] the stride asks for a score
    scorable: BoolArray  # [M] the window is full


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was decided of M accepted readings."""

    thresholds: Float64Array  # [M] in units of the score
    anomalous: BoolArray  # [M]
    level_counts: Float64Array  # [M] readings behind the level as of the reading
    needed: BoolArray  # [M] readings whose score was, or would have been, used
    transitions: list[Transition]  # by position


def decide(header: Records, readings: ScoredReadings, rules: DecisionRules) -> Decisions:
    """Fold readings [M] into the headers [S] of their sensors, in place.

    A score is used where the stride asks for it or an incident is open, and the window is full. Scores elsewhere are
    ignored, so that more scores than needed change nothing. If a score was needed and is NaN, provide it and decide
    again from the old headers.
    """
    fold = _Fold(rules, len(readings.groups))
    order = np.argsort(readings.ranks, kind="stable")
    bounds = np.flatnonzero(np.diff(readings.ranks[order])) + 1
    for positions in np.split(order, bounds) if len(order) else ():
        fold.step(header, readings, positions)
    fold.transitions.sort(key=lambda transition: transition.position)
    return Decisions(raw_score(fold.log_thresholds), fold.anomalous, fold.level_counts, fold.needed, fold.transitions)


class _Fold:
    """The results of a fold in the making, and its step over one reading of each of G sensors."""

    def __init__(self, rules: DecisionRules, readings: int) -> None:
        self._rules = rules
        self.log_thresholds = np.empty(readings)
        self.level_counts = np.empty(readings)
        self.anomalous = np.zeros(readings, np.bool_)
        self.needed = np.zeros(readings, np.bool_)
        self.transitions: list[Transition] = []

    def step(self, header: Records, readings: ScoredReadings, positions: Int64Array) -> None:
        """Advance G sensors by one reading each: those at `positions` [G], of different groups."""
        sensors = readings.groups[positions]
        state = header[sensors]
        open_before = state["incident_offset"] != NO_INCIDENT
        needed = readings.scorable[positions] & (readings.wanted[positions] | open_before)
        score = np.where(needed, readings.scores[positions], np.float32(np.nan))
        logs = log_score(score)
        threshold = state["level_mean"] + self._rules.margin
        anomalous = logs > threshold  # False for NaN
        self.needed[positions] = needed
        self.log_thresholds[positions] = threshold
        self.level_counts[positions] = state["level_count"]
        self.anomalous[positions] = anomalous
        if anomalous.any() or open_before.any():
            self._incidents(state, readings, positions, score)
        self._follow(state, logs, ~np.isnan(logs) & ~anomalous & ~open_before)
        header[sensors] = state

    def _incidents(self, state: Records, readings: ScoredReadings, positions: Int64Array, score: Float32Array) -> None:
        """Close, open and update incidents."""
        time_ms, anomalous = readings.times_ms[positions], self.anomalous[positions]
        is_open = state["incident_offset"] != NO_INCIDENT
        closing = is_open & ~anomalous & (time_ms - state["last_anomalous_ms"] >= self._rules.quiet_ms)
        self._note(CLOSED, closing, state, positions)
        state["incident_offset"][closing] = NO_INCIDENT
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
        updating = anomalous & is_open & (time_ms - state["last_update_ms"] >= self._rules.update_ms)
        state["last_update_ms"][updating] = time_ms[updating]
        self._note(UPDATED, updating, state, positions)

    def _note(self, status: str, chosen: BoolArray, state: Records, positions: Int64Array) -> None:
        for at in np.flatnonzero(chosen).tolist():
            one = state[at]
            self.transitions.append(
                Transition(
                    position=int(positions[at]),
                    status=status,
                    incident_offset=int(one["incident_offset"]),
                    opened_ms=int(one["incident_time_ms"]),
                    peak_score=float(one["incident_peak"]),
                )
            )

    def _follow(self, state: Records, logs: Float64Array, normal: BoolArray) -> None:
        """Move the levels towards normal scores: a running mean of bounded memory, step and range."""
        rules = self._rules
        count = np.minimum(state["level_count"] + 1.0, rules.level_memory_count)
        step = np.clip(logs - state["level_mean"], -rules.level_step_limit, rules.level_step_limit)
        shift = state["level_mean"] + step / count - state["level_start"]
        moved = state["level_start"] + np.clip(shift, -rules.level_shift_limit, rules.level_shift_limit)
        state["level_mean"] = np.where(normal, moved, state["level_mean"])
        state["level_count"] = np.where(normal, count, state["level_count"])
