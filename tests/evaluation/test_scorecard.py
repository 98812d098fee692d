"""The scorecard of a sensor: which detectors it has, the window of VUS-PR, and what baselines are fitted to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_detector.evaluation.alarms import IncidentTimes
from stream_detector.evaluation.baselines import BASELINES, LEAST_TRAINING_ROWS
from stream_detector.evaluation.offline_scoring import ScoredRows
from stream_detector.evaluation.ranking import average_precision, vus_pr
from stream_detector.evaluation.scorecard import (
    FROM_START,
    FROM_TRAINING,
    PRODUCT,
    EvaluationConfig,
    LabelledSeries,
    make_scorecard,
    split_by_sensor,
)
from stream_detector.readings import BoolArray
from stream_detector.tables.dataset import Dataset

CONFIG = EvaluationConfig(quiet_ms=5_000, interval_seconds=7.0)
ROWS = 400


def table(sensors: int = 1, rows: int = ROWS) -> Dataset:
    """Return readings of sensors in turn, a second apart, whose first feature has a period of 20 rows."""
    codes = np.tile(np.arange(sensors, dtype=np.int32), rows)
    steps = np.repeat(np.arange(rows, dtype=np.int64), sensors)
    noise = np.random.default_rng(0).normal(0.0, 0.1, len(codes))
    values = np.column_stack([np.sin(2.0 * np.pi * steps / 20.0), noise]).astype(np.float32)
    names = tuple(f"s{number}" for number in range(sensors))
    return Dataset(("a", "b"), names, codes, 1_700_000_000_000 + 1000 * steps, values, np.arange(len(codes)))


def scored(rows: int, anomalous: BoolArray | None = None) -> ScoredRows:
    """Return alarms, and scores that rise with the row from -1000, without the first two."""
    score = np.arange(rows, dtype=np.float64) - 1000.0
    score[:2] = np.nan
    warming = np.isnan(score)
    alarms = np.zeros(rows, np.bool_) if anomalous is None else anomalous
    return ScoredRows(score, np.full(rows, 5.0), alarms, alarms, np.zeros(rows, np.bool_), warming)


def faulty(rows: int = ROWS, first: int = 300) -> BoolArray:
    labels = np.zeros(rows, np.bool_)
    labels[first : first + 20] = True
    return labels


def series(labels: BoolArray, data: Dataset | None = None) -> LabelledSeries:
    (one,) = split_by_sensor(data or table(), labels, scored(len(labels), labels))
    return one


def test_rows_are_split_by_sensor_in_their_order() -> None:
    data = table(sensors=3, rows=4)
    labels = np.arange(12) % 5 == 0

    first, second, _ = split_by_sensor(data, labels, scored(12))

    assert (first.sensor, second.sensor) == ("s0", "s1")
    assert first.labels.tolist() == labels[::3].tolist()
    assert second.product.scores.tolist() == pytest.approx([np.nan, -996.0, -993.0, -990.0], nan_ok=True)
    assert second.times_ms.tolist() == data.times_ms[1::3].tolist()
    assert first.is_warming.tolist() == [True, False, False, False]


def test_all_detectors_are_ranked_by_the_same_window_which_is_the_rhythm_of_the_first_feature() -> None:
    card = make_scorecard(series(faulty()), None, CONFIG)

    assert card.vus_window == 20
    assert list(card.scores) == [PRODUCT, *BASELINES]
    scores = np.arange(float(ROWS))
    scores[:2] = 2.0  # as the lowest; only the order matters
    ranking = card.scores[PRODUCT].ranking
    assert ranking is not None
    assert ranking.vus_pr == vus_pr(faulty(), scores, 20)
    assert ranking.auc_pr == average_precision(faulty(), scores)


def test_the_window_can_be_given() -> None:
    card = make_scorecard(series(faulty()), None, replace(CONFIG, vus_window=3))

    ranking = card.scores[PRODUCT].ranking
    assert card.vus_window == 3
    assert ranking is not None
    assert ranking.vus_pr == vus_pr(faulty(), np.maximum(np.arange(float(ROWS)), 2.0), 3)


@pytest.mark.parametrize("everywhere", [False, True])
def test_where_all_labels_are_the_same_nothing_is_ranked(everywhere: bool) -> None:
    card = make_scorecard(series(np.full(ROWS, everywhere)), table(), CONFIG)

    assert {score.ranking for score in card.scores.values()} == {None}


def test_days_are_by_the_sensors_own_interval() -> None:
    single = make_scorecard(series(faulty(1)[:1], table(rows=1)), None, CONFIG)

    assert make_scorecard(series(faulty()), None, CONFIG).scores[PRODUCT].alarms.days == pytest.approx(ROWS / 86_400)
    assert single.interval_seconds == 7.0


def test_the_times_of_an_incident_are_by_the_sensors_own_interval_unless_they_are_set() -> None:
    by_window = replace(CONFIG, quiet_ms=1, quiet_intervals=4.0, accept_ms=60_000, accept_intervals=8.0)

    assert by_window.times_of(1.0) == IncidentTimes(quiet_ms=4_000, accept_ms=60_000)
    assert by_window.times_of(600.0) == IncidentTimes(quiet_ms=2_400_000, accept_ms=4_800_000)
    assert CONFIG.times_of(600.0).quiet_ms == 5_000


def test_alarms_of_a_slow_sensor_are_one_incident_within_half_of_its_own_window() -> None:
    spread = np.zeros(ROWS, np.bool_)
    spread[[30, 33]] = True
    slow = replace(series(faulty()), times_ms=600_000 * np.arange(ROWS, dtype=np.int64))
    slow = replace(slow, product=replace(slow.product, alarms=spread))

    card = make_scorecard(slow, None, EvaluationConfig(quiet_ms=1, interval_seconds=1.0, quiet_intervals=4.0))

    assert card.scores[PRODUCT].alarms.incidents == 1


def test_baselines_are_fitted_to_training_of_the_sensor() -> None:
    training = replace(table(), values=np.full((ROWS, 2), 3.0, np.float32))

    card, own = make_scorecard(series(faulty()), training, CONFIG), make_scorecard(series(faulty()), None, CONFIG)

    assert (card.baselines_from, own.baselines_from) == (FROM_TRAINING, FROM_START)
    assert card.scores["robust z-score"] != own.scores["robust z-score"]


@pytest.mark.parametrize(("first", "source"), [(LEAST_TRAINING_ROWS, FROM_START), (LEAST_TRAINING_ROWS - 1, None), (0, None)])
def test_else_to_the_rows_before_the_first_label_if_there_are_enough(first: int, source: str | None) -> None:
    card = make_scorecard(series(faulty(first=first)), None, CONFIG)

    assert card.baselines_from == source
    assert len(card.scores) == (1 + len(BASELINES) if source else 1)


@pytest.mark.parametrize("first", [390, ROWS])  # the latter: no label at all
def test_no_more_than_the_first_half_is_fitted_to(first: int) -> None:
    data = table()
    data.values[ROWS // 2 :] += 1000.0

    card = make_scorecard(series(faulty(first=first), data), None, CONFIG)

    healthy = min(first, ROWS) - ROWS // 2
    assert card.scores["robust z-score"].alarms.false_positives >= healthy  # the baseline learned none of them


def test_a_sensor_that_is_not_in_the_training_gives_its_own_rows() -> None:
    data = table(sensors=2)
    training = data.take(data.codes == 0)

    first, second = (
        make_scorecard(one, replace(training, sensors=("s0",)), CONFIG)
        for one in split_by_sensor(data, np.tile(faulty(), 2), scored(2 * ROWS))
    )

    assert (first.baselines_from, second.baselines_from) == (FROM_TRAINING, FROM_START)


def test_the_seed_changes_random_scores_only() -> None:
    one, other = (make_scorecard(series(faulty()), None, replace(CONFIG, seed=seed)).scores for seed in (0, 1))

    assert [name for name in one if one[name] != other[name]] == ["random"]
