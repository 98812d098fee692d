from __future__ import annotations

import numpy as np

from stream_detector.evaluation.offline_scoring import ScoredRows
from stream_detector.evaluation.scorecard import EvaluationConfig
from stream_detector.tables.dataset import Dataset
from tests.judge.cases import START_MS, WARM_ROWS, Case, Event, SensorCase, rows_to_score
from tests.judge.measures import measure
from tests.judge.product import Outcome

MINUTES = 40


def one_sensor() -> Case:
    """Return a sensor whose rows 10 to 19 and 30 to 33 are anomalous."""
    labels = np.zeros(MINUTES, np.bool_)
    labels[10:20] = labels[30:34] = True
    times_ms = START_MS + 60_000 * np.arange(WARM_ROWS + MINUTES)
    values = np.random.default_rng(0).normal(size=(len(times_ms), 1))
    injected = (Event("shift", 2.0, int(times_ms[WARM_ROWS + 10])),)
    train, test = slice(None, WARM_ROWS), slice(WARM_ROWS, None)
    sensor = SensorCase("s", times_ms[train], values[train], times_ms[test], values[test], labels, 60.0, injected=injected)
    return Case(("f0",), (sensor,))


def scored(case: Case, alarmed: list[int]) -> Outcome:
    """Return an outcome that alarms these test rows, at each budget, and one row before the test."""
    rows = rows_to_score(case)
    alarms = np.zeros(len(rows.times_ms), np.bool_)
    alarms[[50, *(WARM_ROWS + row for row in alarmed)]] = True
    none = np.zeros(len(alarms), np.bool_)
    outcome = ScoredRows(alarms.astype(np.float64), np.full(len(alarms), 0.5), alarms, alarms, none, none)
    dataset = Dataset(("f0",), ("s",), rows.codes.astype(np.int32), rows.times_ms, rows.values, np.arange(len(alarms)))
    config = EvaluationConfig(quiet_ms=120_000, interval_seconds=60.0)
    return Outcome(dataset, {"default": outcome, "1": outcome}, {"default": 0.1, "1": 1.0}, config, ())


def test_what_is_found_missed_and_alarmed_falsely() -> None:
    case = one_sensor()
    (figures,) = measure(case, scored(case, [2, 3, 12, 33]))
    alarms = figures["alarms"]["default"]

    assert (figures["rows"], figures["normal_rows"]) == (40, 26)
    assert figures["events"] == [{"kind": "shift", "size": 2.0}, {"kind": "", "size": None}]
    assert alarms["found"] == [True, False]  # the second is alarmed in its second half
    assert (alarms["late"], alarms["delay_rows"], alarms["delay_seconds"]) == (1, [2], [120.0])
    assert alarms["before"] == 0
    assert (alarms["incidents"], alarms["false_incidents"], alarms["normal_rows_alarmed"]) == (3, 1, 2)
    assert alarms["normal_days"] == 26 / 1440
    assert (alarms["weeks"], alarms["weeks_kept"], alarms["worst_week"]) == (1, 1, 1)
    assert figures["alarms"]["1"]["budget_per_day"] == 1.0


def test_simple_detectors_are_ranked_and_their_alarms_counted() -> None:
    case = one_sensor()
    (figures,) = measure(case, scored(case, list(range(10, 20)) + list(range(30, 34))))

    assert list(figures["ranking"]) == ["product", "windowed PCA", "robust z-score", "random"]
    assert figures["ranking"]["product"]["auc_pr"] == 1.0
    assert list(figures["alarms"]) == ["default", "1", "windowed PCA", "robust z-score"]


def test_an_event_in_which_the_alarm_was_on_before_is_counted() -> None:
    (figures,) = measure(one_sensor(), scored(one_sensor(), [8, 9, 10, 11, 31]))

    alarms = figures["alarms"]["default"]
    assert (alarms["found"], alarms["before"]) == ([True, True], 1)
