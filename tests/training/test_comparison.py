"""Which of two models is worse, from their figures on the same readings and faults."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from stream_detector.model.artifact import Artifact
from stream_detector.training.comparison import Comparison, Rating
from stream_detector.training.extent import Extent, extent_of_model
from stream_detector.training.own_figures import OwnFigures, own_figures

FAULTS = 100


GOOD = OwnFigures(found=100, faults=156, budget=0.1, ranking=0.87)
#: As a training on a history of which 30 % of the cells were multiplied by 1, 3 or -1.
SPOILT = OwnFigures(found=80, faults=156, budget=0.1, ranking=0.55)


def rating(found: int = 60, false_alarms: int = 0, ranking: float = 0.9, *, promoted: bool | None = True) -> Rating:
    """Return a rating that finds the first faults, and ranks all of them equally well but for a little noise."""
    noise = np.resize([0.01, -0.01], FAULTS)
    return Rating(np.arange(FAULTS) < found, ranking + noise, false_alarms, promoted)


def why(there: Rating, new: Rating) -> str | None:
    return Comparison(0.1, 10.0, there, new).why_worse()


def test_equal_models_and_better_ones_are_not_worse() -> None:
    assert why(rating(), rating()) is None
    assert why(rating(), rating(found=90, ranking=0.95)) is None


def test_a_model_that_finds_fewer_faults_is_worse_unless_it_may_be_chance() -> None:
    assert why(rating(60), rating(50)) == "finds fewer faults (50 of 100 against 60)"
    assert why(rating(60), rating(57)) is None  # 3 more is less than twice the root of 3


def test_a_model_that_alarms_too_often_is_worse_and_one_there_that_did_is_no_measure() -> None:
    assert why(rating(), rating(found=90, false_alarms=9)) == "raises more false alarms (9 against 0)"
    assert why(rating(), rating(false_alarms=2)) is None
    assert why(rating(found=90, false_alarms=9), rating(found=40)) is None


def test_where_the_model_there_alarms_too_often_the_new_one_must_be_as_strong_by_its_own_training_as_that_one_was() -> None:
    noisy, new = replace(rating(62, false_alarms=14), own=GOOD), rating(80)

    assert why(noisy, replace(new, own=SPOILT)) == (
        "is weaker by its own training than the model there was by its own (it finds 80 of 156 faults there, that one 100 of "
        "156)"
    )
    assert why(noisy, replace(new, own=GOOD)) is None
    assert why(noisy, replace(new, own=replace(GOOD, found=93))) is None  # a difference of .045
    assert why(noisy, replace(new, own=OwnFigures())) is None
    assert why(replace(noisy, false_alarms=0), replace(new, own=SPOILT)) is None  # a quiet one is measured on the same data


DAYS, HOURS, TRIAL = (Extent(span, int(span) // 60, 60.0, 64) for span in (259_200.0, 36_960.0, 64_800.0))


def test_a_history_that_is_too_short_is_worse_than_a_longer_one_whatever_its_model_finds() -> None:
    there, new = replace(rating(60), extent=DAYS), rating(90, ranking=0.95)

    assert why(there, replace(new, extent=HOURS)) == (
        "is trained on too little history: 10.3 h (enough is 24 h; the model there has 3 days)"
    )
    assert why(replace(there, extent=HOURS), replace(new, extent=replace(HOURS, span_seconds=20_000.0))) is not None
    assert why(replace(there, extent=HOURS), replace(new, extent=replace(HOURS, span_seconds=36_000.0))) is None
    assert why(replace(there, extent=HOURS), replace(new, extent=DAYS)) is None
    assert why(replace(there, extent=None), replace(new, extent=HOURS)) is None


def test_a_history_for_a_trial_is_worse_than_one_for_a_plant_unless_the_plant_has_changed() -> None:
    there, new = replace(rating(60), extent=DAYS), replace(rating(90, ranking=0.95), extent=TRIAL)
    noisy = replace(there, false_alarms=14)

    assert "is trained on history for a trial only: 18 h" in (why(there, new) or "")
    assert why(noisy, new) is None
    assert why(noisy, replace(new, extent=HOURS)) is not None
    assert why(replace(there, extent=TRIAL), new) is None


def test_the_history_of_a_model_is_read_from_its_report_and_of_an_older_one_from_its_data(tiny_artifact: Artifact) -> None:
    data = {"first_time_ms": 0, "last_time_ms": 3_599_000, "readings": 7_200, "sensors": 2}
    verdict = {"history": {"span_seconds": 3_000.0, "readings": 3_000}}
    reports: list[dict[str, Any]] = [{"data": data, "verdict": verdict}, {"data": data}, {"data": {}, "verdict": None}, {}]
    found = [extent_of_model(replace(tiny_artifact, report=report)) for report in reports]

    assert [one and (one.span_seconds, one.readings) for one in found] == [(3_000.0, 3_000), (3_600.0, 3_600), None, None]


def test_training_figures_at_other_budgets_are_compared_by_the_ranking_only() -> None:
    other_budget = replace(SPOILT, budget=10.0)

    assert other_budget.why_weaker_than(GOOD) == "it tells faulty from healthy readings by 0.550 there, that one by 0.870"
    assert replace(other_budget, ranking=0.8).why_weaker_than(GOOD) is None


def test_a_model_there_that_is_in_alarm_all_the_time_alarms_too_often_though_its_incidents_are_few() -> None:
    always = replace(rating(10, false_alarms=1), own=GOOD, alarmed_share=0.9)

    assert Comparison(0.1, 10.0, always, rating(5)).there_alarms_too_often()
    assert why(always, replace(rating(80), own=SPOILT)) is not None
    assert why(always, replace(rating(5), own=GOOD)) is None
    assert not Comparison(0.1, 10.0, always, replace(rating(5), alarmed_share=0.3)).there_alarms_too_often()


def test_the_figures_of_a_training_are_read_from_its_report_and_a_strange_one_has_none() -> None:
    kinds = [{"found": 3, "injected": 12}, {"found": 9, "injected": 12}]
    verdict = {"alarmed": kinds, "budget_per_sensor_day": 0.1}

    assert own_figures({"verdict": verdict, "gate": {"overall": {"model": {"auc_pr": 0.8}}}}) == OwnFigures(12, 24, 0.1, 0.8)
    for strange in ({}, {"verdict": None}, {"verdict": {"alarmed": [3]}}, {"gate": "x"}, {"verdict": {"alarmed": kinds}}):
        assert own_figures(strange) == OwnFigures()


def test_a_model_that_ranks_faults_worse_is_worse_though_neither_finds_any() -> None:
    assert why(rating(0), rating(0, ranking=0.8)) == "tells faulty from healthy readings worse (0.800 against 0.900)"
    assert why(rating(0), rating(0, ranking=0.89)) is None


def test_a_model_that_lost_to_windowed_pca_does_not_replace_one_that_won() -> None:
    lost = rating(promoted=False)

    assert "loses to windowed PCA" in (why(rating(), lost) or "")
    assert why(lost, lost) is None
    assert why(rating(promoted=None), lost) is None


def test_without_faults_a_model_cannot_show_that_it_is_as_good() -> None:
    none = Rating(np.zeros(0, np.bool_), np.zeros(0), 0, None)

    assert "could not be compared" in (why(none, none) or "")


def test_the_report_has_the_figures_of_both_and_why() -> None:
    unranked = replace(rating(50), ranking=np.full(FAULTS, np.nan))

    told = Comparison(0.1, 10.0, rating(60), unranked).as_json()

    assert (told["there"]["found"], told["new"]["found"], told["new"]["faults"]) == (60, 50, 100)
    assert told["new"]["mean_average_precision"] is None
    assert told["worse"] == "finds fewer faults (50 of 100 against 60)"
