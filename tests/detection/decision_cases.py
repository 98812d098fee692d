"""Readings of one sensor with given errors, and rules by which decisions can be worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from stream_detector.detection.calibration import Tails
from stream_detector.detection.decision import decide, reset_for_model
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.detection.scored_readings import Decisions, ScoredReadings
from stream_detector.readings import Float32Array, Int32Array
from stream_detector.state.known_sensors import UNKNOWN
from stream_detector.state.record_layout import Records, new_records

NAN = math.nan


def straight_tails(members: int) -> Tails:
    """Return tails by which an error is a surprise of 1 at its level, 1 more for each 1 above it, and 0 from 1 below it."""
    return Tails(np.array([[-1.0, 0.0]] * members), np.array([0.0, 1.0]), np.ones(members))


#: One member with its level at 0, which does not move. A surprise above 2 is anomalous. The memory stays at the typical 1,
#: so a score is the mean of the surprise and 1.
RULES = DecisionRules(
    margin=1.0,
    typical=1.0,
    tails=straight_tails(1),
    weights=np.ones(1),
    starts=np.zeros((1, 1)),
    start_counts=np.array([4.0]),
    update_ms=100,
    quiet_ms=50,
    accept_ms=100_000,
    model_tag=7,
    level_shift_limit=0.0,
    provisional_shift_limit=0.0,
    start_rise_limit=0.0,
    memory_share=0.0,
)


def unknown(sensors: int) -> Int32Array:
    """Return the rows of sensors that the model does not know."""
    return np.full(sensors, UNKNOWN, np.int32)


def headers(rules: DecisionRules = RULES, table_rows: Int32Array | None = None) -> Records:
    """Return the headers of sensors that were never seen; by default of one that the model does not know."""
    rows = unknown(1) if table_rows is None else table_rows
    header = new_records(len(rows), 2, 1, len(rules.weights))["header"].copy()
    reset_for_model(header, rows, rules)
    return header


def readings_of(
    surprises: list[float],
    times_ms: list[int],
    *,
    first_offset: int = 0,
    wanted: list[bool] | None = None,
    scorable: list[bool] | None = None,
) -> ScoredReadings:
    """Return readings of one sensor whose one error has these surprises while its level is 0."""
    readings = readings_with(np.array(surprises, np.float32).reshape(-1, 1) - 1, times_ms, first_offset)
    return replace(
        readings,
        wanted=readings.wanted if wanted is None else np.array(wanted),
        scorable=readings.scorable if scorable is None else np.array(scorable),
    )


def readings_with(errors: Float32Array, times_ms: list[int], first_offset: int = 0) -> ScoredReadings:
    """Return readings of one sensor with these errors [N, M]."""
    count = len(errors)
    return ScoredReadings(
        groups=np.zeros(count, np.int64),
        ranks=np.arange(count),
        times_ms=np.array(times_ms, np.int64),
        places=np.arange(first_offset, first_offset + count),
        errors=errors,
        wanted=np.ones(count, np.bool_),
        scorable=np.ones(count, np.bool_),
        interval_ms=np.zeros(count, np.float32),
        jump_ms=np.zeros(count, np.int64),
    )


def decided(header: Records, readings: ScoredReadings, rules: DecisionRules = RULES) -> Decisions:
    """Decide on readings of one sensor that the model does not know."""
    return decide(header, unknown(1), readings, rules)


def transitions(decisions: Decisions) -> list[tuple[int, str]]:
    return [(transition.position, transition.status) for transition in decisions.transitions]
