"""Whether a model that lost may run."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.errors import ModelError
from stream_detector.gate.baseline_comparison import BASELINE, MODEL, GateResult, compare_with_baseline
from stream_detector.gate.fault_kinds import DRIFT, SPIKE
from stream_detector.gate.promotion import MISSING_KEY, REPORT_KEY, VERDICT_KEY, promotion_warning
from tests.gate.hand_made import trials_of


def result_of(model: list[float], baseline: list[float]) -> GateResult:
    trials = trials_of((SPIKE, 3, 4), (SPIKE, 3, 4), (DRIFT, 3, 4), (DRIFT, 3, 4), rows=4)
    return compare_with_baseline(trials, {MODEL: np.array([model] * 4), BASELINE: np.array([baseline] * 4)})


WON = result_of([0, 0, 0, 9], [0, 9, 0, 1])
LOST = result_of([0, 9, 0, 1], [0, 0, 0, 9])
NO_RESULT = GateResult(None, None, None, {}, {}, {})


@pytest.mark.parametrize("refuse", [True, False])
def test_a_promoted_model_runs_without_a_word(refuse: bool) -> None:
    assert promotion_warning({REPORT_KEY: WON.as_json()}, refuse) is None


def test_a_model_that_lost_is_warned_of_in_one_line() -> None:
    warning = promotion_warning({REPORT_KEY: LOST.as_json()}, refuse=False)

    assert warning == (
        "the model finds injected faults worse than windowed PCA (mean AUC-PR 0.500 against 1.000); "
        "the model's report.json has the figures by kind of fault"
    )


def test_a_model_that_lost_is_refused_when_that_is_set() -> None:
    with pytest.raises(ModelError, match=r"0\.500 against 1\.000.*STREAM_DETECTOR_MODEL__REFUSE_UNPROMOTED is true") as refused:
        promotion_warning({REPORT_KEY: LOST.as_json()}, refuse=True)

    assert "\n" not in str(refused.value)


def test_a_model_that_fails_while_features_are_missing_is_warned_of_or_refused() -> None:
    report = {REPORT_KEY: WON.as_json(), VERDICT_KEY: {MISSING_KEY: {"failed": "is blind"}}}

    assert promotion_warning(report, refuse=False) == (
        "the model is blind; the model's report.json has the figures by kind of fault"
    )
    with pytest.raises(ModelError, match=r"the model is blind, and STREAM_DETECTOR_MODEL__REFUSE_UNPROMOTED is true"):
        promotion_warning(report, refuse=True)
    assert promotion_warning({**report, VERDICT_KEY: {MISSING_KEY: {"failed": None}}}, refuse=True) is None
    assert promotion_warning({**report, VERDICT_KEY: {MISSING_KEY: None}}, refuse=True) is None


@pytest.mark.parametrize("report", [{}, {REPORT_KEY: None}, {REPORT_KEY: NO_RESULT.as_json()}])
def test_a_model_without_a_result_is_warned_of_and_never_refused(report: dict[str, object]) -> None:
    warning = promotion_warning(report, refuse=True)

    assert warning is not None
    assert "not compared" in warning


def hardly_lost(standard_error: float | None) -> dict[str, object]:
    """A report of a model that lost by 0.5."""
    return {REPORT_KEY: {**LOST.as_json(), "standard_error": standard_error}}


@pytest.mark.parametrize("standard_error", [0.26, 1.0, None])
def test_a_loss_that_may_be_chance_is_a_warning_where_there_is_no_other_model(standard_error: float | None) -> None:
    warning = promotion_warning(hardly_lost(standard_error), refuse=True, but_by_chance=True)

    assert warning is not None
    assert "worse than windowed PCA (mean AUC-PR 0.500 against 1.000), which may be chance" in warning


@pytest.mark.parametrize(("standard_error", "by_chance"), [(0.24, True), (0.0, True), (1.0, False)])
def test_a_loss_beyond_chance_is_refused_and_any_loss_if_chance_does_not_count(standard_error: float, by_chance: bool) -> None:
    with pytest.raises(ModelError, match=r"0\.500 against 1\.000"):
        promotion_warning(hardly_lost(standard_error), refuse=True, but_by_chance=by_chance)
