"""Scores and thresholds worked out by hand, and which readings get one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stream_detector.detection.calibration import Tails
from stream_detector.detection.decision import decide
from tests.detection.decision_cases import NAN, RULES, decided, headers, readings_of, readings_with, straight_tails, transitions


def test_the_surprise_is_the_weighted_mean_of_the_members_above_the_sensors_own_levels() -> None:
    """Member a is a surprise of 1 more for each 0.5 beyond 1 above its level, member b for each 2 beyond 2."""
    tails = Tails(np.array([[0.0, 1.0], [0.0, 2.0]]), np.array([1.0, 3.0]), np.array([0.5, 2.0]))
    rules = replace(
        RULES, tails=tails, weights=np.array([0.75, 0.25]), starts=np.array([[5.0, 50.0], [0.0, 0.0]]), start_counts=np.ones(2)
    )
    row = np.zeros(1, np.int32)
    readings = readings_with(np.array([[5.0, 50.0], [5.5, 51.5], [6.5, 56.0]], np.float32), [0, 10, 20])

    decisions = decide(headers(rules, row), row, readings, rules)

    # Both at their levels: 1 and 1. Then 1 + 2 * 0.5 and 1 + 2 * 0.75, then 3 + 0.5 / 0.5 and 3 + 4 / 2.
    assert decisions.surprises.tolist() == [[0.75, 0.25], [0.75 * 2.0, 0.25 * 2.5], [0.75 * 4.0, 0.25 * 5.0]]
    assert decisions.scores.tolist() == [1.0, (2.125 + 1) / 2, (4.25 + 1) / 2]
    assert decisions.anomalous.tolist() == [False, True, True]


def test_a_member_without_weight_has_no_part_in_the_surprise() -> None:
    rules = replace(RULES, tails=straight_tails(2), weights=np.array([1.0, 0.0]), starts=np.zeros((1, 2)))

    decisions = decided(headers(rules), readings_with(np.array([[0.5, 1e6]], np.float32), [0]), rules)

    assert decisions.surprises.tolist() == [[1.5, 0.0]]
    assert decisions.anomalous.tolist() == [False]


def test_only_a_score_above_the_threshold_is_anomalous() -> None:
    decisions = decided(headers(), readings_of([2.0, 2.0 + 5e-7], [0, 10]))

    assert decisions.thresholds.tolist() == [1.5, 1.5]  # the limit of 2 and the memory's 1
    assert decisions.anomalous.tolist() == [False, True]


#: A quarter of each new surprise is remembered.
REMEMBERING = replace(RULES, memory_share=0.25)


def test_score_and_threshold_are_means_with_the_running_mean_of_the_surprise() -> None:
    header = headers(REMEMBERING)

    decisions = decided(header, readings_of([5.0, 0.0, 2.0], [0, 10, 20]), REMEMBERING)

    # The memory is 1 + (5 - 1) / 4 = 2, then 2 - 2 / 4 = 1.5, then 1.5 + 0.5 / 4 = 1.625; the limit is 2.
    assert decisions.scores.tolist() == [3.5, 0.75, 1.8125]
    assert decisions.thresholds.tolist() == [2.0, 1.75, 1.8125]
    assert decisions.anomalous.tolist() == [True, False, False]
    assert header["memory"].tolist() == [1.625]


def test_a_reading_without_a_score_is_not_remembered() -> None:
    header = headers(REMEMBERING)

    decisions = decided(header, readings_of([NAN, 9.0, 5.0], [0, 10, 20], wanted=[True, False, True]), REMEMBERING)

    assert header["memory"].tolist() == [2.0]
    assert np.isnan(decisions.scores).tolist() == [True, True, False]
    assert decisions.anomalous.tolist() == [False, False, True]


# -- which errors are used


def test_errors_between_strides_are_not_used() -> None:
    decisions = decided(headers(), readings_of([3, 3], [0, 10], wanted=[False, True]))

    assert transitions(decisions) == [(1, "opened")]
    assert decisions.needed.tolist() == [False, True]


def test_every_error_is_used_while_an_incident_is_open() -> None:
    decisions = decided(headers(), readings_of([3, 3, 1, 1, 3], [0, 10, 20, 60, 70], wanted=[True] + [False] * 4))

    assert decisions.needed.tolist() == [True, True, True, True, False]  # closed at 60 ms
    assert transitions(decisions) == [(0, "opened"), (3, "closed")]


def test_errors_of_windows_that_are_not_full_are_not_used() -> None:
    header = headers()

    decisions = decided(header, readings_of([9, 9], [0, 10], scorable=[False, False]))

    assert transitions(decisions) == []
    assert header.tobytes() == headers().tobytes()


def test_no_readings_are_no_decisions() -> None:
    decisions = decided(headers(), readings_of([], []))

    assert (len(decisions.thresholds), decisions.transitions) == (0, [])
