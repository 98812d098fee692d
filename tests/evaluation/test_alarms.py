"""Alarm counts by hand and against the reference implementation; incidents against those of the stream."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.detection.transition import OPENED
from stream_detector.evaluation.alarms import (
    AlarmCounts,
    IncidentTimes,
    count_alarms,
    find_incidents,
    opened_after,
    pooled,
    watched_days,
)
from stream_detector.evaluation.baselines import Detection
from stream_detector.evaluation.found_events import Truth, told_ms
from stream_detector.readings import BoolArray, Readings
from tests.evaluation.test_offline_scoring import mixed
from tests.examples import examples
from tests.pipeline.replica_config import SECOND_MS, ReplicaConfig

LABELS = "000111100000011000000001110000"
ALARMS = "010001011000000001010000110010"
MINUTE_MS = 60_000


def flags(text: str) -> BoolArray:
    return np.array([character == "1" for character in text])


def detection(alarms: str, holding: str = "", scored: str = "") -> Detection:
    """Return a detection with these alarms and, if given, these rows that hold an incident and that are scored."""
    of_alarms = flags(alarms)
    scores = np.where(flags(scored or "1" * len(alarms)), 1.0, np.nan)
    return Detection(scores, np.full(len(alarms), 2.0), of_alarms, flags(holding or alarms))


def counts(labels: str, alarms: str, quiet_ms: int = 1) -> AlarmCounts:
    """Count the alarms of a sensor with a reading per minute."""
    times_ms = MINUTE_MS * np.arange(len(labels), dtype=np.int64)
    incidents = find_incidents(detection(alarms), times_ms, np.zeros(len(labels), np.bool_), IncidentTimes(quiet_ms))
    truth = Truth(flags(labels), np.empty((0, 3), np.int64))
    return count_alarms(truth, times_ms, told_ms(times_ms, flags(alarms)), incidents, watched_days(len(labels), 60.0))


@pytest.mark.parametrize(
    ("quiet_minutes", "incidents", "false", "per_day"),
    # The reference joins alarms that are at most 0, 1, 2 and 5 rows apart: they are quiet for a minute less than this.
    [(1, 7, 5, 240.0), (2, 5, 3, 144.0), (3, 4, 2, 96.0), (6, 2, 0, 0.0)],
)
def test_agrees_with_the_reference(quiet_minutes: int, incidents: int, false: int, per_day: float) -> None:
    found = counts(LABELS, ALARMS, quiet_minutes * MINUTE_MS)

    assert (found.incidents, found.false_incidents) == (incidents, false)
    assert found.false_alarms_per_sensor_day() == pytest.approx(per_day)
    assert found.false_alarms_per_1000_rows() == pytest.approx(false / 30 * 1000)
    assert found.f1() == found.precision() == found.recall() == pytest.approx(1 / 3)
    assert found.false_alarm_rate_percent() == pytest.approx(28.571428571428573)
    assert found.event_recall() == pytest.approx(2 / 3)
    assert found.median_delay_rows() == 1.5


def test_counts_by_hand() -> None:
    #             event  event
    found = counts("01110110", "00100000")

    assert (found.true_positives, found.false_positives, found.false_negatives, found.true_negatives) == (1, 0, 4, 3)
    assert (found.events, found.delays_rows, found.delays_seconds) == (2, (1,), (60.0,))
    assert found.precision() == 1.0
    assert found.recall() == pytest.approx(1 / 5)  # no point adjustment: a found event does not count all its rows
    assert found.f1() == pytest.approx(2 / 6)
    assert found.days == pytest.approx(8 / 1440)


@pytest.mark.parametrize(
    ("alarms", "delays", "late"),
    [
        ("0001100000", (0,), 0),  # on since before the event
        ("0000010000", (1,), 0),
        ("0000001000", (2,), 0),  # halfway through it
        ("0000000100", (), 1),
        ("0000000010", (), 0),  # after it
    ],
)
def test_an_event_is_found_in_its_first_half(alarms: str, delays: tuple[int, ...], late: int) -> None:
    found = counts("0000111100", alarms)

    assert (found.events, found.delays_rows, found.events_alarmed_late) == (1, delays, late)


def test_an_event_of_one_row_is_found_in_that_row() -> None:
    assert counts("0100", "0100").delays_rows == (0,)


def test_an_alarm_before_an_event_or_after_it_does_not_find_it() -> None:
    found = counts("0011000", "0100100")

    assert found.event_recall() == 0.0
    assert found.false_incidents == 2
    assert found.median_delay_rows() is None
    assert found.precision() == found.f1() == 0.0


def test_an_incident_that_begins_before_an_event_and_reaches_into_it_is_not_false_and_finds_it_at_once() -> None:
    found = counts("0011000", "0111000")

    assert (found.incidents, found.false_incidents) == (1, 0)
    assert found.delays_rows == (0,)
    assert found.false_alarm_rate_percent() == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("labels", "alarms", "before"),
    [
        ("0011000", "0111000", 1),  # on since a healthy row
        ("0011000", "0011000", 0),
        ("1100110", "1111110", 0),  # on since the event before
        ("0011011", "0111111", 2),
        ("0011000", "0100000", 0),  # not found
        ("0000111111", "1110000000", 0),
    ],
)
def test_an_event_in_which_an_alarm_has_been_on_for_no_reason_is_counted(labels: str, alarms: str, before: int) -> None:
    found = counts(labels, alarms)

    assert found.events_alarmed_before == before
    assert pooled([found, found]).events_alarmed_before == 2 * before


def test_without_anomalous_rows_there_are_false_alarm_figures_only() -> None:
    found = counts("0000", "0100")

    assert (found.precision(), found.recall(), found.f1(), found.event_recall()) == (None, None, None, None)
    assert found.median_delay_seconds() is None
    assert found.false_alarm_rate_percent() == 25.0
    assert found.false_alarms_per_1000_rows() == 250.0


def test_without_alarms_nothing_is_found_and_nothing_is_false() -> None:
    found = counts("0110", "0000")

    assert (found.precision(), found.recall(), found.f1(), found.event_recall()) == (0.0, 0.0, 0.0, 0.0)
    assert (found.incidents, found.false_alarms_per_1000_rows()) == (0, 0.0)


def test_sensors_are_added_up() -> None:
    together = pooled([counts("0110", "0100"), counts("0000", "0001"), counts("0011", "0001")])

    assert together.recall() == pytest.approx(2 / 4)
    assert together.precision() == pytest.approx(2 / 3)
    assert together.delays_rows == (0, 1)
    assert together.false_alarms_per_sensor_day() == pytest.approx(1 / (12 / 1440))


def test_two_alarms_with_nothing_in_between_are_one_incident_however_long_that_took() -> None:
    times_ms = np.array([0, 1000, 900_000, 901_000])
    late = np.zeros(4, np.bool_)

    assert find_incidents(detection("0110"), times_ms, late, IncidentTimes(2000)).tolist() == [[1, 3]]
    # the stream drops the late reading in between
    assert find_incidents(detection("1010"), np.array([0, -5, 9000, 9001]), flags("0100"), IncidentTimes(2000)).tolist() == [
        [0, 3]
    ]


@pytest.mark.parametrize(
    ("holding", "scored", "incidents"),
    [
        ("1000000001", "1111111111", [[0, 1], [9, 10]]),
        ("1100110011", "1111111111", [[0, 10]]),  # never below a quarter of the margin for three rows
        ("1110000001", "1111111111", [[0, 1], [9, 10]]),
        ("1000000001", "1000000001", [[0, 10]]),  # nothing says that it is over
        ("1000000001", "1100000001", [[0, 10]]),  # one row after the alarm is too early to close it
        ("1000000001", "1000010001", [[0, 1], [9, 10]]),
    ],
)
def test_an_incident_lasts_while_rows_hold_it_and_until_a_scored_row_closes_it(
    holding: str, scored: str, incidents: list[list[int]]
) -> None:
    found = find_incidents(
        detection("1000000001", holding, scored), 1000 * np.arange(10), np.zeros(10, np.bool_), IncidentTimes(3000)
    )

    assert found.tolist() == incidents


@pytest.mark.parametrize(
    ("alarms", "holding", "incidents"),
    [
        ("1000000100", "1111111111", [[0, 8]]),  # an alarm after five seconds accepts it
        ("1001000001", "1111111111", [[0, 10]]),
        ("1001000000", "1111111111", [[0, 4]]),  # not accepted yet: twice as long without an alarm
        ("1101000000001", "1111111111111", [[0, 4], [12, 13]]),
        ("1111111111111", "1111111111111", [[0, 6], [6, 12], [12, 13]]),
    ],
)
def test_an_incident_that_lasts_is_accepted(alarms: str, holding: str, incidents: list[list[int]]) -> None:
    times_ms, late = 1000 * np.arange(len(alarms)), np.zeros(len(alarms), np.bool_)
    found = find_incidents(detection(alarms, holding), times_ms, late, IncidentTimes(quiet_ms=3000, accept_ms=5000))

    assert found.tolist() == incidents


def test_rows_that_hold_without_an_alarm_are_no_incident() -> None:
    assert not len(find_incidents(detection("0000", "0110"), np.arange(4), np.zeros(4, np.bool_), IncidentTimes(1)))
    assert find_incidents(detection("0100", "1110"), np.arange(4), np.zeros(4, np.bool_), IncidentTimes(1)).tolist() == [[1, 2]]


@given(
    seed=st.integers(0, 1000),
    quiet_seconds=st.integers(1, 90),
    accept_seconds=st.sampled_from([2, 10, 3600]),
    stride=st.sampled_from([1, 3]),
)
@settings(deadline=None, max_examples=examples(40))
def test_incidents_are_those_of_the_stream(seed: int, quiet_seconds: int, accept_seconds: int, stride: int) -> None:
    plant = ReplicaConfig(quiet_ms=quiet_seconds * SECOND_MS, accept_ms=accept_seconds * SECOND_MS, stride=stride)
    table = mixed(sensors=3, rows=400, seed=seed)
    detector = plant.detector()
    detector.admit_new(0, table.sensors)
    sensors = [table.sensors[code] for code in table.codes]
    rows = np.arange(len(table))
    detected = detector.detect(Readings(sensors, np.zeros(len(rows), np.int32), rows, table.times_ms, table.values))
    assert detected.decisions is not None
    opened = sorted(one.incident_offset for one in detected.decisions.transitions if one.status == OPENED)
    alarms, holding = np.zeros((2, len(rows)), np.bool_)
    scores, late = np.full(len(rows), np.nan), np.ones(len(rows), np.bool_)
    alarms[detected.appended.reading] = detected.decisions.anomalous
    holding[detected.appended.reading] = detected.decisions.holding
    scores[detected.appended.reading] = detected.decisions.scores
    late[detected.appended.reading] = False

    found = []
    for code in range(len(table.sensors)):
        own = np.flatnonzero(table.codes == code)
        outcome = Detection(scores[own], scores[own], alarms[own], holding[own])
        incidents = find_incidents(outcome, table.times_ms[own], late[own], IncidentTimes(plant.quiet_ms, plant.accept_ms))
        found.extend(own[incidents[:, 0]].tolist())

    assert len(opened) > 3
    assert sorted(found) == opened


def test_an_incident_that_opens_while_the_window_still_holds_an_event_is_right_after_it() -> None:
    #                 event
    marked = flags("0001100000000")
    incidents = np.array([[0, 1], [4, 6], [5, 7], [7, 8], [8, 9]])

    # A window of four rows that ends at row 7 begins with row 4, the event's last.
    assert opened_after(marked, incidents, 4).tolist() == [False, True, True, True, False]
