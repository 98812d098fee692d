"""Events without a reading: silences, and events between two readings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream_detector.evaluation.found_events import NEVER, find_events, told_ms, truth_of
from stream_detector.evaluation.labels import labels_of_events
from stream_detector.evaluation.offline_scoring import join, score_dataset
from stream_detector.evaluation.scorecard import PRODUCT, EvaluationConfig, SensorScore, make_scorecard, split_by_sensor
from stream_detector.readings import BoolArray, Int64Array
from stream_detector.tables.dataset import Dataset
from tests.pipeline.replica_config import MODEL, SECOND_MS, START_MS, ReplicaConfig

ROWS, FIRST, LAST = 400, 200, 320  # the sensor s0 has no reading from the second FIRST until before the second LAST


def fleet(*, returns: bool) -> Dataset:
    """Return readings of two sensors in turn, one a second; s0 is silent for a while, or for good."""
    codes = np.arange(2 * ROWS, dtype=np.int32) % 2
    seconds = np.arange(2 * ROWS, dtype=np.int64) // 2
    values = np.random.default_rng(0).normal(size=(2 * ROWS, len(MODEL.features))).astype(np.float32)
    heard = (codes == 1) | (seconds < FIRST) | ((seconds >= LAST) & returns)
    times_ms = START_MS + seconds[heard] * SECOND_MS
    return Dataset(MODEL.features, ("s0", "s1"), codes[heard], times_ms, values[heard], np.arange(int(heard.sum())))


def score_of(data: Dataset, labels: BoolArray, silences: dict[str, Int64Array] | None = None) -> dict[str, SensorScore]:
    """Return the scores of s0 by a plant whose score never alarms."""
    scored = join(list(score_dataset(ReplicaConfig(known=("s0", "s1"), margin=50.0, silent_s=20).detector(), data)))
    one, _ = split_by_sensor(data, labels, scored, silences)
    assert one.sensor == "s0"
    return dict(make_scorecard(one, None, EvaluationConfig(5_000, 1.0)).scores)


def events(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "events.csv"
    path.write_text(f"sensor_id,start,end\n{text}\n")
    return path


def second(number: float) -> int:
    return int(START_MS + number * SECOND_MS)


@pytest.mark.parametrize("returns", [True, False])
def test_a_labelled_silence_is_found_by_the_alarm_that_the_sensor_is_silent(returns: bool, tmp_path: Path) -> None:
    data = fleet(returns=returns)
    truth = labels_of_events(events(tmp_path, f"s0,{second(FIRST)},{second(LAST)}"), data)

    scores = score_of(data, truth.labels, dict(truth.silences))

    found = scores[PRODUCT].alarms
    assert not truth.labels.any()
    assert (found.events, len(found.delays_rows), found.incidents, found.false_incidents) == (1, 1, 1, 0)
    assert found.events_alarmed_before == 0
    assert (found.found_by["silent"], found.found_by["score"], found.found_by["rules"]) == (1, 0, 1)
    assert found.false_positives == 0
    assert 0.0 < found.delays_seconds[0] < (LAST - FIRST) / 2
    assert {len(one.alarms.delays_rows) for name, one in scores.items() if name != PRODUCT} <= {0}
    assert "1 event without a reading: the sensor was silent, and the rule `silent` can find it (s0 20" in truth.notes[0]


def test_a_silence_that_nobody_labelled_is_a_false_alarm() -> None:
    data = fleet(returns=True)

    found = score_of(data, np.zeros(len(data), np.bool_))[PRODUCT].alarms

    assert (found.events, found.incidents, found.false_incidents) == (0, 1, 1)


@pytest.mark.parametrize("at", [FIRST - 1, LAST])
def test_a_label_on_the_reading_before_or_after_a_silence_makes_its_alarm_true(at: int) -> None:
    data = fleet(returns=True)

    found = score_of(data, (data.times_ms == second(at)) & (data.codes == 0))[PRODUCT].alarms

    assert (found.events, len(found.delays_rows), found.false_incidents) == (1, 1, 0)
    assert found.events_alarmed_before == 0


@pytest.mark.parametrize(("begins", "before"), [(FIRST + 10, 0), (FIRST + 40, 1)])
def test_a_silence_told_after_its_label_began_was_not_on_before_though_its_last_reading_was(
    begins: int, before: int, tmp_path: Path
) -> None:
    """It is told 20 seconds after the last reading: ten seconds after the first label begins, and before the second."""
    data = fleet(returns=True)
    truth = labels_of_events(events(tmp_path, f"s0,{second(begins)},{second(LAST)}"), data)

    found = score_of(data, truth.labels, dict(truth.silences))[PRODUCT].alarms

    assert (found.events, len(found.delays_rows), found.events_alarmed_before) == (1, 1, before)
    assert (found.delays_seconds[0] > 0) == (not before)


def test_a_silence_before_the_first_reading_of_a_label_was_not_on_before_it(tmp_path: Path) -> None:
    data = fleet(returns=True)
    truth = labels_of_events(events(tmp_path, f"s0,{second(FIRST + 10)},{second(LAST + 30)}"), data)

    found = score_of(data, truth.labels, dict(truth.silences))[PRODUCT].alarms

    assert data.times_ms[truth.labels][0] == second(LAST)
    assert (found.events, len(found.delays_rows), found.events_alarmed_before) == (1, 1, 0)


def test_a_silence_told_when_it_is_half_over_is_late() -> None:
    times_ms = np.array([0, 1000, 9000, 10_000])
    truth = truth_of(np.zeros(4, np.bool_), np.array([[1500, 9000]]), times_ms, np.zeros(4, np.bool_))
    silent = np.full(4, NEVER)

    outcomes = []
    for moment in (1000, 4000, 6000, 9000):
        silent[[1, 2]] = moment
        found = find_events(truth, times_ms, told_ms(times_ms, np.zeros(4, np.bool_), silent))
        outcomes.append((bool(found.is_found[0]), bool(found.is_late[0]), int(found.delay_ms[0])))

    assert truth.silences.tolist() == [[1500, 9000, 2]]
    assert outcomes == [(True, False, 0), (True, False, 2500), (False, True, 4500), (False, True, 7500)]


def test_an_alarm_on_the_last_reading_does_not_find_a_silence_after_it() -> None:
    times_ms = np.array([0, 1000])
    truth = truth_of(np.zeros(2, np.bool_), np.array([[1500, 9000]]), times_ms, np.zeros(2, np.bool_))

    found = find_events(truth, times_ms, told_ms(times_ms, np.ones(2, np.bool_)))

    assert (found.is_found.tolist(), found.is_late.tolist()) == ([False], [False])


def test_an_event_between_two_readings_is_shown_by_the_later_one(tmp_path: Path) -> None:
    data = fleet(returns=True)

    truth = labels_of_events(events(tmp_path, f"s0,{second(50.2)},{second(50.7)}"), data)

    assert data.times_ms[truth.labels].tolist() == [second(51)]
    assert truth.silences == {}
    assert truth.notes[0].startswith("1 event between two readings: the later one is taken for anomalous (s0 ")


def test_silences_that_overlap_are_one_and_events_outside_the_input_are_left_out(tmp_path: Path) -> None:
    data = fleet(returns=True)
    spans = [(210, 240), (230, 260), (270, 280), (9000, 9100)]
    lines = "\n".join(f"s0,{second(start)},{second(end)}" for start, end in spans)

    truth = labels_of_events(events(tmp_path, f"{lines}\ns1,{START_MS - 9000},{START_MS - 8000}"), data)

    assert (truth.silences["s0"] - START_MS).tolist() == [[210_000, 260_000], [270_000, 280_000]]
    assert truth.notes[1].startswith("2 events before the sensor's first reading or after the end of the input: left out (s0 ")
