"""What the picture of a sensor says about its events and alarms."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from matplotlib.figure import Figure

from stream_detector.evaluation.alarms import IncidentTimes
from stream_detector.evaluation.baselines import Detection
from stream_detector.evaluation.expected_values import Expected, _off_most
from stream_detector.evaluation.found_events import told_ms
from stream_detector.evaluation.picture_marks import alarm_marks, event_marks, pauses
from stream_detector.evaluation.plots import _draw_values, draw_series, plot_series
from stream_detector.evaluation.scorecard import LabelledSeries
from stream_detector.readings import Float64Array

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
    assert [(mark.kind, mark.text) for mark in event_marks(series())] == [
        ("found", "by score"),
        ("found", "by frozen"),
        ("missed", "missed"),
    ]


def test_an_event_that_is_alarmed_in_its_second_half_is_marked_as_too_late() -> None:
    late = np.zeros(ROWS, np.bool_)
    late[44] = True
    told = told_ms(series().times_ms, late)
    alarms = series().product.alarms | late
    changed = replace(
        series(), product=replace(series().product, alarms=alarms), causes={"score": np.minimum(told, series().causes["score"])}
    )

    assert [(mark.kind, mark.text) for mark in event_marks(changed)][-1] == ("late", "too late")


def test_each_alarm_says_what_it_is_of_and_whether_it_came_right_after_a_fault() -> None:
    texts = [mark.text for mark in alarm_marks(series(), IncidentTimes(1), 8)]

    assert texts == ["score", "frozen", "after a fault: score", "false: score"]


def test_an_alarm_of_the_score_lasts_until_its_incident_closes_and_one_of_a_rule_to_its_last_row() -> None:
    spans = [(mark.start_ms, mark.end_ms) for mark in alarm_marks(series(), IncidentTimes(3000), 8)]

    assert spans == [(6000, 9000), (21_000, 22_000), (27_000, 30_000), (55_000, 58_000)]


def test_an_alarm_ends_with_the_readings_and_lasts_while_rows_hold_it_open() -> None:
    holding = series().product.alarms.copy()
    holding[[56, 58]] = True
    held = replace(series(), product=replace(series().product, holding=holding))

    marks = alarm_marks(held, IncidentTimes(3000), 8)

    assert (marks[-1].start_ms, marks[-1].end_ms) == (55_000, 59_000)


def test_lines_break_where_the_sensor_paused() -> None:
    paused = replace(series(), times_ms=1000 * (np.arange(ROWS) + 600 * (np.arange(ROWS) >= 30)))

    assert pauses(series()) == []
    assert pauses(paused) == [29_000]
    assert plot_series(paused, None, IncidentTimes(1), 8).startswith(b"\x89PNG")


def panel(values: Float64Array) -> tuple[str, float]:
    """Draw the panel of one feature [N]; return what is said of it, and where it ends."""
    rows, none = np.arange(len(values)), np.zeros(len(values), np.bool_)
    one = replace(series(), times_ms=1000 * rows, values=values[:, None], labels=none, is_late=none)
    axes = Figure().subplots()
    said = _draw_values(axes, one, rows, Expected(rows[:1], np.zeros((1, 1), np.float32), (("rise", 0),)), 0)
    return said, axes.get_ylim()[1]


def test_far_values_do_not_flatten_a_panel_and_are_told() -> None:
    values = np.sin(np.arange(1000))
    values[500] = 1665.0

    said, top = panel(values)

    assert said == "; far values are cut off, up to 1665"
    assert top < 2.0


def test_a_spike_of_a_few_times_the_usual_range_is_drawn_whole() -> None:
    values = np.sin(np.arange(1000))
    values[500] = 9.0

    said, top = panel(values)

    assert said == ""
    assert top > 9.0


def test_a_missed_fault_shows_the_feature_that_is_off_most_there_in_deviations() -> None:
    errors = np.tile([0.1, 1.0, 0.1], (20, 1))
    errors[15:, 2] = 1.0  # as far as the noise of another makes usual
    missed = np.zeros(20, np.int64)
    missed[15:] = 1

    assert _off_most(errors, missed) == [2]
    assert _off_most(errors, np.zeros(20, np.int64)) == []


def test_context_and_what_is_missing_is_off_in_no_fault() -> None:
    errors = np.tile([0.1, 0.1, np.nan], (20, 1))
    errors[15:, 0], errors[15:, 1] = np.nan, 0.4
    missed = np.zeros(20, np.int64)
    missed[15:] = 1

    assert _off_most(errors, missed) == [1]


@pytest.mark.parametrize(
    ("zone", "label", "midnight_hour"), [("UTC", "time (UTC)", 0), ("Europe/Berlin", "time (Europe/Berlin)", 22)]
)
def test_the_axis_has_the_times_of_a_zone_and_names_it(zone: str, label: str, midnight_hour: int) -> None:
    started_ms = 1_780_250_400_000  # 2026-05-31T18:00:00Z
    rows = 12
    of_hours = replace(
        series(),
        times_ms=started_ms + 3_600_000 * np.arange(rows, dtype=np.int64),
        values=np.zeros((rows, 1)),
        labels=np.zeros(rows, np.bool_),
        is_late=np.zeros(rows, np.bool_),
        is_warming=np.zeros(rows, np.bool_),
        product=Detection(np.ones(rows), np.full(rows, 2.0), np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)),
        causes={},
    )

    figure = draw_series(of_hours, None, IncidentTimes(0), 1, None if zone == "UTC" else ZoneInfo(zone))

    figure.canvas.draw()
    axis = figure.axes[1].xaxis
    shown = {text.get_text(): at for text, at in zip(axis.get_ticklabels(), axis.get_majorticklocs(), strict=True)}
    assert figure.axes[-1].get_xlabel() == label
    # Where a day begins, its date stands instead of the time: at midnight of the zone.
    assert round(24 * shown["Jun-01"]) % 24 == midnight_hour
