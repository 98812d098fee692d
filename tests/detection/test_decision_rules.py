"""Which sensors are ready, and how the rules follow from a calibration."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from stream_detector.detection.calibration import Calibration
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.state.known_sensors import UNKNOWN, SensorTable
from tests.detection.decision_cases import RULES, straight_tails


def test_a_sensor_is_ready_when_the_model_knows_it_or_when_enough_readings_were_seen() -> None:
    rows, counts = np.array([0, UNKNOWN, UNKNOWN, UNKNOWN], np.int32), np.array([4.0, 7.0, 8.0, 8.0])
    learned = np.array([False, True, True, False])
    ready = [True, False, True, False]  # known; too few readings behind the level; enough; its scale is still learned

    assert replace(RULES, ready_count=8.0).is_ready(rows, counts, learned).tolist() == ready
    assert replace(RULES, ready_count=99.0, level_memory_count=8.0).is_ready(rows, counts, learned).tolist() == ready


def test_rules_take_margin_tails_and_levels_from_the_calibration() -> None:
    calibration = Calibration(
        members=("a", "b"),
        weights=np.array([0.25, 0.75]),
        tails=straight_tails(2),
        pooled_level=np.array([-2.0, 2.0]),
        typical=1.5,
        tail_start=1.0,
        tail_rate=0.01,
        tail_scale=0.5,
        tail_shape=0.0,
        readings=1000,
        sensors=SensorTable(
            {"s": 0}, np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32), np.zeros((1, 2)), np.array([3.0])
        ),
        prior_count=9.0,
    )

    rules = DecisionRules.of(calibration, 0.001, update_ms=10, quiet_ms=20, accept_ms=30, model_tag=3)

    assert rules.margin == pytest.approx(1.0 + 0.5 * math.log(10))
    assert rules.typical == 1.5
    assert rules.weights.tolist() == [0.25, 0.75]
    assert rules.tails is calibration.tails
    assert rules.starts.tolist() == [[-1.5, 1.5], [-2.0, 2.0]]  # nothing of its own 3 readings, to 9 of the fleet's
    assert rules.start_counts.tolist() == [2000.0, 9.0]
    assert (rules.update_ms, rules.quiet_ms, rules.accept_ms, rules.model_tag) == (10, 20, 30, 3)
