from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.model.samples import gather
from stream_detector.readings import Float32Array
from tests.fixtures_model import WINDOW_LENGTH, tiny_values


@pytest.fixture(scope="module")
def scorer(tiny_model_directory: Path) -> KerasScorer:
    return KerasScorer(tiny_model_directory, tile_rows=16)


@pytest.fixture(scope="module")
def windows() -> Float32Array:
    values = tiny_values(60, seed=9)
    ends = np.arange(WINDOW_LENGTH, len(values))
    return gather(values, ends, WINDOW_LENGTH)


def test_a_window_scores_the_same_bits_wherever_it_is_in_a_call(scorer: KerasScorer, windows: Float32Array) -> None:
    whole = scorer.score(windows)

    order = np.random.default_rng(1).permutation(len(windows))
    permuted = scorer.score(windows[order])
    one_by_one = np.concatenate([scorer.score(window[np.newaxis]) for window in windows])
    split = np.concatenate([scorer.score(windows[:7]), scorer.score(windows[7:])])

    assert permuted.tobytes() == whole[order].tobytes()
    assert one_by_one.tobytes() == whole.tobytes()
    assert split.tobytes() == whole.tobytes()


def test_explanations_do_not_depend_on_the_call_either(scorer: KerasScorer, windows: Float32Array) -> None:
    whole = scorer.explain(windows)

    alone = [scorer.explain(window[np.newaxis])[0] for window in windows]

    for one, other in zip(whole, alone, strict=True):
        for name in ("attention", "expected", "feature_share", "step_share", "imputed"):
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


def test_scores_of_healthy_windows_are_about_one_and_a_fault_scores_far_above(
    scorer: KerasScorer, windows: Float32Array
) -> None:
    healthy = scorer.score(windows)
    stuck = windows.copy()
    stuck[:, 2:, 1] += 4.0

    assert 0.3 < np.median(healthy) < 3.0
    assert scorer.score(stuck).min() > 5.0 * healthy.max()


def test_the_fault_is_blamed_on_its_feature_and_its_steps(scorer: KerasScorer, windows: Float32Array) -> None:
    fault = windows[:1].copy()
    fault[0, -2:, 1] += 4.0

    (explanation,) = scorer.explain(fault)

    assert explanation.feature_share[1] > 0.9
    assert explanation.step_share[-2:].sum() > 0.8
    assert explanation.feature_share.sum() == pytest.approx(1.0, abs=1e-5)
    assert explanation.step_share.sum() == pytest.approx(1.0, abs=1e-5)
    assert explanation.attention.sum() == pytest.approx(1.0, abs=1e-5)


def test_expected_is_in_the_features_own_units(scorer: KerasScorer, windows: Float32Array) -> None:
    expected = np.array([explanation.expected for explanation in scorer.explain(windows)])

    assert np.abs(expected[:, 0] - windows[:, -1, 0]).mean() < 3.0  # temperature is 60 +- 5
    assert np.abs(expected[:, 1] - windows[:, -1, 1]).mean() < 0.6  # pressure is 3 +- 1


def test_a_missing_value_is_no_error_however_it_is_filled(scorer: KerasScorer, windows: Float32Array) -> None:
    healthy = scorer.score(windows[:1])
    faulty, missing = windows[:1].copy(), windows[:1].copy()
    faulty[0, -1, 1] += 4.0
    missing[0, -2:, 1] = np.nan  # filled with the value before, which is not what the network expects there

    (explanation,) = scorer.explain(missing)

    assert scorer.score(faulty) > 5.0 * healthy
    assert scorer.score(missing) < 3.0 * healthy
    assert explanation.step_share.sum() == pytest.approx(1.0, abs=1e-5)


def test_an_imputed_newest_value_is_said(scorer: KerasScorer, windows: Float32Array) -> None:
    window = windows[:1].copy()
    window[0, -1, 1] = np.nan

    (explanation,) = scorer.explain(window)

    assert explanation.imputed.tolist() == [False, True]


def test_a_step_without_any_value_gets_no_attention(scorer: KerasScorer, windows: Float32Array) -> None:
    window = windows[:1].copy()
    window[0, 4] = np.nan

    (explanation,) = scorer.explain(window)

    assert explanation.attention[4] == 0.0
    assert explanation.attention.sum() == pytest.approx(1.0, abs=1e-5)
    assert explanation.step_share[4] == 0.0


def test_a_window_without_any_value_is_not_scored_and_its_neighbours_are(scorer: KerasScorer, windows: Float32Array) -> None:
    batch = windows[:3].copy()
    batch[1] = np.nan

    scores = scorer.score(batch)

    assert np.isnan(scores).tolist() == [False, True, False]


def test_scores_are_finite_for_the_largest_readings_there_are(scorer: KerasScorer, windows: Float32Array) -> None:
    batch = windows[:2].copy()
    batch[0] = np.finfo(np.float32).max
    batch[1] = -np.finfo(np.float32).max

    scores = scorer.score(batch)

    assert np.isfinite(scores).all()
    assert (scores > 100.0).all()


def test_no_windows_give_no_results(scorer: KerasScorer) -> None:
    nothing = np.empty((0, WINDOW_LENGTH, 2), np.float32)

    assert scorer.score(nothing).shape == (0,)
    assert scorer.explain(nothing) == []
