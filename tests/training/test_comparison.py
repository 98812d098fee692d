"""Which of two models is worse, from their figures on the same readings and faults."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stream_detector.training.comparison import Comparison, Rating

FAULTS = 100


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
