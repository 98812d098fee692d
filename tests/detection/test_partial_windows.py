"""Windows with few rows: their errors count as training found, they open incidents, and end none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_detector.detection.decision import decide
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.detection.partial_windows import PartialLevels, PartialTable, is_scorable
from stream_detector.detection.scored_readings import Decisions
from stream_detector.state.known_sensors import UNKNOWN
from tests.detection.decision_cases import RULES, headers, readings_of, transitions

KNOWN = np.zeros(1, np.int32)
#: Windows hold four rows. When only two are there, errors are larger by 1 and vary twice as much; a single row tells nothing.
TABLE = PartialTable(np.array([[0.0], [1.0], [0.0], [0.0]]), np.array([[0.0], [0.5], [1.0], [1.0]]))
PARTIAL = replace(RULES, partial=TABLE, starts=np.zeros((2, 1)), start_counts=np.array([4.0, 4.0]))


def decided(surprises: list[float], times_ms: list[int], rows: list[int], rules: DecisionRules = PARTIAL) -> Decisions:
    """Decide on readings of a known sensor whose windows have so many rows."""
    readings = replace(readings_of(surprises, times_ms), rows=np.array(rows, np.int64))
    return decide(headers(rules, KNOWN), KNOWN, readings, rules)


def test_shift_and_share_are_linear_in_the_logarithm_of_the_rows_between_those_measured() -> None:
    levels = PartialLevels(np.array([1, 4, 16]), np.array([[2.0], [1.0], [0.0]]), np.array([[0.0], [0.5], [1.0]]))

    table = levels.by_rows()

    assert len(table.shift) == 16
    assert table.shift[[0, 1, 3, 7, 15], 0] == pytest.approx([2.0, 1.5, 1.0, 0.5, 0.0])
    assert table.share[[0, 1, 3, 7, 15], 0] == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0])


def test_an_error_counts_by_the_shift_and_share_of_its_rows() -> None:
    corrected = TABLE.correct(np.array([[5.0], [5.0], [5.0], [5.0]]), np.array([1, 2, 3, 4]))

    assert corrected[:, 0].tolist() == [0.0, 2.0, 5.0, 5.0]


def test_only_sensors_that_the_model_knows_are_scored_before_their_window_is_full() -> None:
    rows, of_sensors = np.array([1, 3, 4, 1, 4]), np.array([UNKNOWN, UNKNOWN, UNKNOWN, 0, 0], np.int32)

    assert is_scorable(rows, 4, of_sensors, TABLE).tolist() == [False, False, True, True, True]
    assert is_scorable(rows, 4, of_sensors, None).tolist() == [False, False, True, False, True]


def test_a_partial_window_is_judged_by_the_limit_of_full_ones() -> None:
    """The limit is a surprise of 2. With two rows a surprise of s counts as 1 + (s - 2) / 2."""
    decisions = decided([9, 3.9, 4.1, 2.1], [0, 10, 20, 30], [1, 2, 2, 4])

    assert decisions.scores.tolist() == pytest.approx([1.0, (1.95 + 1) / 2, (2.05 + 1) / 2, (2.1 + 1) / 2])
    assert decisions.anomalous.tolist() == [False, False, True, True]
    assert transitions(decisions) == [(2, "opened")]


def test_a_partial_window_does_not_end_an_incident() -> None:
    """With few rows a fault may not show: quiet ends the incident once the window is full."""
    decisions = decided([3, 1, 1, 1], [0, 60, 120, 180], [4, 2, 3, 4])

    assert transitions(decisions) == [(0, "opened"), (3, "closed")]


def test_an_incident_is_not_accepted_in_a_partial_window() -> None:
    decisions = decided([3, 9, 3, 3], [0, 400, 410, 420], [4, 2, 3, 4], replace(PARTIAL, accept_ms=300))

    assert [one.position for one in decisions.transitions if one.is_accepted] == [3]


def test_levels_do_not_learn_from_partial_windows() -> None:
    rules = replace(PARTIAL, level_shift_limit=1.0)
    of_rows = {}
    for rows in (2, 4):
        header = headers(rules, KNOWN)
        decide(header, KNOWN, replace(readings_of([1.5], [0]), rows=np.array([rows])), rules)
        of_rows[rows] = float(header["shift"][0, 0]), float(header["level_count"][0])

    assert of_rows[2] == (0.0, 4.0)
    assert of_rows[4][0] > 0
