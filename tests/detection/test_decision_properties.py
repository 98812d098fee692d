"""Properties of decisions on any readings, and that no cut into batches changes them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.detection.calibration import Tails
from stream_detector.detection.decision import decide
from stream_detector.detection.departure import Beyond
from stream_detector.detection.governor import Governor
from stream_detector.detection.scored_readings import ScoredReadings
from stream_detector.state.known_sensors import UNKNOWN
from tests.detection.decision_cases import NAN, RULES, headers

#: Three members, three sensors: two that the model knows, and one that it does not.
ROWS = np.array([0, 1, UNKNOWN], np.int32)
ANY = replace(
    RULES,
    tails=Tails(
        np.array([[-1.0, 0.0, 1.0], [-2.0, 0.1, 0.7], [-0.3, 0.2, 0.3]]), np.array([0.0, 0.7, 2.3]), np.array([0.3, 0.7, 1.1])
    ),
    weights=np.array([0.5, 0.3, 0.2]),
    starts=np.array([[0.1, -0.1, 0.0], [0.3, 0.2, 0.1], [0.0, 0.0, 0.0]]),
    start_counts=np.array([6.0, 5.0, 4.0]),
    accept_ms=100,
    level_shift_limit=0.25,
    provisional_shift_limit=0.5,
    start_rise_limit=0.7,
    level_memory_count=8.0,
    memory_share=0.25,
    rate=0.05,
    governor=Governor(spare=1.0),
    sustained_margin=0.01,
    sustained_cap=1.0,
)


@dataclass(frozen=True, slots=True)
class SensorReading:
    sensor: int
    errors: tuple[float, float, float]
    step_ms: int
    beyond: float  # surprise of the range
    wanted: bool
    scorable: bool
    settling: bool


_error = st.sampled_from([-3.0, -0.5, 0.0, 0.1, 0.6, 1.3, 4.0])
_readings = st.lists(
    st.builds(
        SensorReading,
        sensor=st.integers(0, 2),
        errors=st.one_of(st.just((NAN, NAN, NAN)), *[st.tuples(_error, _error, _error)] * 6),
        step_ms=st.sampled_from([1, 10, 30, 60, 120]),
        beyond=st.sampled_from([0.0, 0.0, 0.0, 0.5, 20.0]),
        wanted=st.sampled_from([True, True, False]),
        scorable=st.sampled_from([True, True, True, False]),
        settling=st.booleans(),
    ),
    max_size=50,
)


def grouped(readings: list[SensorReading], first: int, stop: int) -> ScoredReadings:
    """Return readings of three sensors as `append` groups them: by sensor, then in log order."""
    order = sorted(range(first, stop), key=lambda place: (readings[place].sensor, place))
    times_ms = np.cumsum([reading.step_ms for reading in readings], dtype=np.int64)
    ranks = [sum(readings[earlier].sensor == readings[place].sensor for earlier in range(first, place)) for place in order]
    return ScoredReadings(
        groups=np.array([readings[place].sensor for place in order], np.int64),
        ranks=np.array(ranks, np.int64),
        times_ms=times_ms[order],
        places=np.array(order, np.int64),
        errors=np.array([readings[place].errors for place in order], np.float32).reshape(len(order), 3),
        wanted=np.array([readings[place].wanted for place in order], np.bool_),
        scorable=np.array([readings[place].scorable for place in order], np.bool_),
        interval_ms=np.zeros(len(order), np.float32),
        jump_ms=np.zeros(len(order), np.int64),
        beyond=Beyond(np.array([readings[place].beyond for place in order]), np.zeros(len(order), np.int64)),
        settling=np.array([readings[place].settling for place in order], np.bool_),
    )


def outcomes(readings: list[SensorReading], bounds: list[int]) -> tuple[bytes, list[tuple[object, ...]], dict[int, bytes]]:
    """Return the final headers, the incidents' changes, and the bits of what was decided, by offset."""
    header = headers(ANY, ROWS)
    events = []
    found: dict[int, bytes] = {}
    for first, stop in itertools.pairwise(bounds):
        batch = grouped(readings, first, stop)
        result = decide(header, ROWS, batch, ANY)
        for event in result.transitions:
            offset = int(batch.places[event.position])
            events.append((offset, event.status, event.incident_offset, event.opened_ms, event.peak_score, event.is_accepted))
        singles = (result.scores, result.thresholds, result.anomalous, result.level_counts, result.needed)
        columns = np.column_stack([*singles, result.surprises])
        found |= {int(offset): row.tobytes() for offset, row in zip(batch.places, columns, strict=True)}
    return header.tobytes(), sorted(events), found


@settings(deadline=None)
@given(readings=_readings, data=st.data())
def test_any_cut_into_batches_decides_the_same(readings: list[SensorReading], data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(readings)), max_size=6).map(sorted))

    assert outcomes(readings, [0, *cuts, len(readings)]) == outcomes(readings, list(range(len(readings) + 1)))


@settings(deadline=None)
@given(readings=_readings)
def test_incidents_of_a_sensor_open_before_they_are_updated_or_closed_and_never_overlap(readings: list[SensorReading]) -> None:
    _, events, _ = outcomes(readings, [0, len(readings)])

    for sensor in range(3):
        is_open = False
        for offset, status, incident_offset, *_, is_accepted in events:
            if readings[int(str(offset))].sensor != sensor:
                continue
            assert is_open == (status != "opened")
            assert (incident_offset == offset) == (status == "opened")
            assert status == "closed" or not is_accepted
            is_open = status != "closed"


@settings(deadline=None)
@given(readings=_readings)
def test_a_reading_is_anomalous_if_and_only_if_its_score_is_above_its_threshold(readings: list[SensorReading]) -> None:
    """And then its surprise exceeds what is typical by the margin."""
    decisions = decide(headers(ANY, ROWS), ROWS, grouped(readings, 0, len(readings)), ANY)

    scored = ~np.isnan(decisions.scores)
    assert decisions.anomalous.tolist() == (decisions.scores > decisions.thresholds).tolist()
    assert not decisions.anomalous[~scored].any()
    assert decisions.beyond is not None
    surprise = decisions.surprises.sum(axis=1) + decisions.beyond.surprise
    limit = ANY.typical + ANY.margin * decisions.factors
    assert (surprise[decisions.anomalous] > limit[decisions.anomalous]).all()
    assert (decisions.surprises[scored] >= 0.0).all()


@settings(deadline=None)
@given(readings=_readings)
def test_the_memory_is_the_running_mean_of_a_sensors_surprises(readings: list[SensorReading]) -> None:
    header, batch = headers(ANY, ROWS), grouped(readings, 0, len(readings))

    assert batch.beyond is not None
    surprises = decide(header, ROWS, batch, ANY).surprises.sum(axis=1) + batch.beyond.surprise

    for sensor in range(3):
        mine = surprises[(batch.groups == sensor) & ~np.isnan(surprises)]
        ages = np.arange(len(mine), 0, -1) - 1
        expected = 0.75 ** len(mine) * 1.0 + (0.25 * 0.75**ages * mine).sum()
        assert header["memory"][sensor] == pytest.approx(expected)


@settings(deadline=None)
@given(readings=_readings)
def test_levels_never_leave_their_band_and_nothing_negative_is_accepted(readings: list[SensorReading]) -> None:
    header = headers(ANY, ROWS)

    decide(header, ROWS, grouped(readings, 0, len(readings)), ANY)

    assert (np.abs(header["shift"]).max(axis=1) <= np.array([0.25, 0.25, 0.7], np.float32)).all()
    assert (header["accepted"] >= 0.0).all()
    assert (header["level_count"] <= 8.0).all()
