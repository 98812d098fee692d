"""What the picture of a sensor says about its events and alarms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stream_detector.evaluation.alarms import IncidentTimes
from stream_detector.evaluation.baselines import Detection
from stream_detector.evaluation.expected_values import _off_most
from stream_detector.evaluation.found_events import told_ms
from stream_detector.evaluation.picture_marks import alarm_marks, event_marks, pauses
from stream_detector.evaluation.plots import plot_series
from stream_detector.evaluation.scorecard import LabelledSeries

ROWS = 60


def series() -> LabelledSeries:
    """Return three faults, of which the score finds one and the rule frozen one, and two false alarms of the score."""
    labels, score, frozen = np.zeros((3, ROWS), np.bool_)
    labels[[*range(5, 10), *range(20, 25), *range(40, 45)]] = True
    score[[6, 27, 55]] = True
    frozen[21:23] = True
    times_ms = 1000 * np.arange(ROWS, dtype=np.int64)
    alarms = score | frozen
    return LabelledSeries(
        sensor="pump-1",
        times_ms=times_ms,
        values=np.zeros((ROWS, 1)),
        labels=labels,
        is_late=np.zeros(ROWS, np.bool_),
        is_warming=np.zeros(ROWS, np.bool_),
        product=Detection(np.ones(ROWS), np.full(ROWS, 2.0), alarms, alarms),
        causes={"score": told_ms(times_ms, score), "frozen": told_ms(times_ms, frozen)},
    )


def test_each_event_says_by_what_it_was_found_or_that_it_was_missed() -> None:
    texts = [mark.text for mark in event_marks(series())]

    assert texts == ["found by the score", "found by the rule frozen", "missed"]


def test_each_alarm_says_what_it_is_of_and_whether_it_came_right_after_a_fault() -> None:
    texts = [mark.text for mark in alarm_marks(series(), IncidentTimes(1), 8)]

    assert texts == [
        "the score",
        "the rule frozen",
        "false, right after a fault: the score",
        "false, no fault: the score",
    ]


def test_lines_break_where_the_sensor_paused() -> None:
    paused = replace(series(), times_ms=1000 * (np.arange(ROWS) + 600 * (np.arange(ROWS) >= 30)))

    assert pauses(series()) == []
    assert pauses(paused) == [29_000]
    assert plot_series(paused, None, IncidentTimes(1), 8).startswith(b"\x89PNG")


def test_a_missed_fault_shows_the_features_that_are_off_most_against_their_usual_error() -> None:
    errors = np.tile([1.0, 10.0, 0.1], (20, 1))
    errors[15:, 2] = 1.0  # ten times its usual error, and still smaller than that of the others
    missed = np.zeros(20, np.int64)
    missed[15:] = 1

    assert _off_most(errors, missed)[0] == 2
    assert _off_most(errors, np.zeros(20, np.int64)) == []
