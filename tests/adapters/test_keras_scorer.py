"""The tiny trained model as a scorer: what the stream relies on, window by window."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.detection.scorer import WindowErrors
from stream_detector.model.artifact import Artifact
from stream_detector.model_store.validation import AUTOENCODER
from stream_detector.readings import Float32Array, Float64Array
from stream_detector.state.running_scale import Scales
from stream_detector.training.data_split import gather
from tests.fixtures_model import FEATURES, WINDOW_LENGTH, tiny_values

NAN = np.float32(np.nan)


@pytest.fixture(scope="module")
def scorer(tiny_artifact: Artifact) -> KerasScorer:
    return KerasScorer(tiny_artifact, tile_rows=16)


@pytest.fixture(scope="module")
def windows() -> Float32Array:
    values = tiny_values(60, seed=9)
    return gather(values, np.arange(WINDOW_LENGTH, len(values)), WINDOW_LENGTH)


def scales_of(scorer: KerasScorer, count: int) -> Scales:
    """Return the scale of the first sensor that the model knows, for so many windows."""
    table = scorer.calibration.sensors
    return Scales(np.repeat(table.location[:1], count, axis=0), np.repeat(table.deviation[:1], count, axis=0))


def errors(scorer: KerasScorer, windows: Float32Array) -> Float32Array:
    return scorer.errors(windows, scales_of(scorer, len(windows)))


def explain(scorer: KerasScorer, windows: Float32Array) -> list[WindowErrors]:
    return scorer.explain(windows, scales_of(scorer, len(windows)))


def surprise(scorer: KerasScorer, windows: Float32Array) -> Float64Array:
    """Return the surprise [N] of windows, above the level of the first sensor that the model knows."""
    calibration = scorer.calibration
    above_level = errors(scorer, windows).astype(np.float64) - calibration.start_levels()[0]
    return np.asarray(calibration.tails.surprise(above_level) @ calibration.weights)


def test_a_windows_errors_are_the_same_bits_wherever_it_is_in_a_call(scorer: KerasScorer, windows: Float32Array) -> None:
    whole = errors(scorer, windows)

    order = np.random.default_rng(1).permutation(len(windows))
    permuted = errors(scorer, windows[order])
    one_by_one = np.concatenate([errors(scorer, window[np.newaxis]) for window in windows])
    split = np.concatenate([errors(scorer, windows[:7]), errors(scorer, windows[7:])])

    assert whole.shape == (len(windows), len(scorer.spec.members))
    assert permuted.tobytes() == whole[order].tobytes()
    assert one_by_one.tobytes() == whole.tobytes()
    assert split.tobytes() == whole.tobytes()


def test_threads_change_no_bit(tiny_artifact: Artifact, scorer: KerasScorer, windows: Float32Array) -> None:
    many = np.concatenate([windows] * 4)

    assert errors(KerasScorer(tiny_artifact, tile_rows=16, threads=3), many).tobytes() == errors(scorer, many).tobytes()


def test_a_windows_errors_are_the_same_bits_in_tiles_of_every_size(tiny_artifact: Artifact, windows: Float32Array) -> None:
    several = KerasScorer(tiny_artifact, threads=2)
    many = windows[np.random.default_rng(3).integers(len(windows), size=500)]
    largest = errors(several, many[:480])  # two tiles of 240

    # Two threads take up to 96 windows in tiles of 48, up to 192 in tiles of 96, and what 500 have beyond 480 in one of 48.
    for count in (10, 100, 190, 480, 500):
        assert errors(several, many[:count])[:480].tobytes() == largest[:count].tobytes()
        assert errors(several, many[:count][::-1])[::-1][:480].tobytes() == largest[:count].tobytes()


def test_calls_under_way_at_the_same_time_do_not_mix(
    tiny_artifact: Artifact, scorer: KerasScorer, windows: Float32Array
) -> None:
    threaded = KerasScorer(tiny_artifact, tile_rows=16, threads=2)
    forwards, backwards = np.concatenate([windows] * 4), np.concatenate([windows[::-1]] * 4)

    first = threaded.start(forwards, scales_of(threaded, len(forwards)))
    second = threaded.start(backwards, scales_of(threaded, len(backwards)))
    explained = explain(threaded, windows[:3])

    assert second().tobytes() == errors(scorer, backwards).tobytes()
    assert first().tobytes() == errors(scorer, forwards).tobytes()
    assert [one.attention.tobytes() for one in explained] == [one.attention.tobytes() for one in explain(scorer, windows[:3])]


def test_explanations_do_not_depend_on_the_call_either(scorer: KerasScorer, windows: Float32Array) -> None:
    whole = explain(scorer, windows)

    alone = [explain(scorer, window[np.newaxis])[0] for window in windows]

    for one, other in zip(whole, alone, strict=True):
        for field in fields(WindowErrors):
            assert getattr(one, field.name).tobytes() == getattr(other, field.name).tobytes()


@pytest.mark.parametrize("fault", [40.0, NAN, np.float32(3e38)])
def test_a_fault_in_one_sensor_moves_no_others_errors(scorer: KerasScorer, windows: Float32Array, fault: np.float32) -> None:
    batch, faulty = windows[:3], windows[:3].copy()
    faulty[1] = fault

    before, after = errors(scorer, batch), errors(scorer, faulty)

    assert after[[0, 2]].tobytes() == before[[0, 2]].tobytes()
    assert after[1].tobytes() != before[1].tobytes()


def test_sensors_of_other_units_that_behave_alike_have_equal_errors_by_all_linear_members(
    scorer: KerasScorer, windows: Float32Array
) -> None:
    linear = [position for position, name in enumerate(scorer.spec.members) if name != AUTOENCODER]  # it knows the scale
    scales = scales_of(scorer, len(windows))
    factor, offset = np.array([1.8, 1000.0], np.float32), np.array([32.0, -7.0], np.float32)
    in_other_units = Scales(scales.location * factor + offset, scales.deviation * factor)
    doubled = Scales(scales.location * 2.0, scales.deviation * 2.0)

    ours = scorer.errors(windows, scales)[:, linear]

    assert scorer.errors(windows * factor + offset, in_other_units)[:, linear] == pytest.approx(ours, abs=0.05)
    # Twice as much is not rounded.
    assert scorer.errors(windows * np.float32(2.0), doubled)[:, linear].tobytes() == ours.tobytes()


def test_healthy_windows_are_not_surprising_and_faults_are(scorer: KerasScorer, windows: Float32Array) -> None:
    faulty = windows.copy()
    faulty[:, 2:, 1] += 4.0

    assert np.median(surprise(scorer, windows)) < 2.0
    assert surprise(scorer, faulty).min() > 5.0 + surprise(scorer, windows).max()


def test_explanations_have_the_shapes_of_members_steps_and_features_and_shares_sum_to_one(
    scorer: KerasScorer, windows: Float32Array
) -> None:
    members, features = len(scorer.spec.members), len(FEATURES)
    holes = windows.copy()
    holes[np.random.default_rng(0).random(holes.shape) < 0.3] = NAN
    holes[np.isnan(holes[:, -1]).all(axis=1), -1, 0] = 60.0

    for found in [*explain(scorer, windows), *explain(scorer, holes)]:
        assert found.attention.shape == ((WINDOW_LENGTH,) if "autoencoder" in scorer.spec.members else (0,))
        assert found.expected.shape == (WINDOW_LENGTH, features)
        assert found.feature_share.shape == (members, features)
        assert found.step_share.shape == (members, WINDOW_LENGTH)
        assert found.imputed.shape == (features,)
        assert np.isfinite(found.expected).all()
        attention = found.attention[np.newaxis] if len(found.attention) else found.step_share
        for shares in (attention, found.feature_share, found.step_share):
            assert (shares >= 0).all()
            assert shares.sum(axis=1) == pytest.approx(np.ones(len(shares)), abs=1e-5)


def test_a_fault_is_blamed_on_its_feature_and_its_step_by_members_that_know_neither(
    scorer: KerasScorer, windows: Float32Array
) -> None:
    forecasting = [number for number, name in enumerate(scorer.spec.members) if name.startswith(("forecast", AUTOENCODER))]
    fault = windows[:1].copy()
    fault[0, -1, 1] += 4.0

    (found,) = explain(scorer, fault)

    assert (found.feature_share[forecasting, 1] > 0.8).all()
    assert (found.step_share[forecasting, -1] > 0.8).all()


def test_expected_is_in_the_features_own_units(scorer: KerasScorer, windows: Float32Array) -> None:
    expected = np.array([found.expected[-1] for found in explain(scorer, windows)])

    assert np.abs(expected - windows[:, -1]).mean(axis=0) == pytest.approx([0.0, 0.0], abs=0.5)
    assert expected[:, 0].mean() == pytest.approx(60.0, abs=2.0)
    assert expected[:, 1].mean() == pytest.approx(3.0, abs=0.5)


def test_a_missing_value_is_no_error_however_it_is_filled(scorer: KerasScorer, windows: Float32Array) -> None:
    faulty, missing = windows[:1].copy(), windows[:1].copy()
    faulty[0, -1, 1] += 4.0
    missing[0, -1, 1] = NAN

    (found,) = explain(scorer, missing)

    assert surprise(scorer, faulty)[0] > 2.0 * surprise(scorer, missing)[0]
    assert found.imputed.tolist() == [False, True]


def test_a_window_without_any_value_has_no_error_and_its_neighbours_have(scorer: KerasScorer, windows: Float32Array) -> None:
    batch = windows[:3].copy()
    batch[1] = NAN

    found = errors(scorer, batch)

    assert np.isnan(found).all(axis=1).tolist() == [False, True, False]
    assert np.isfinite(found[[0, 2]]).all()


def test_a_single_value_is_enough_for_every_member_to_say_something(scorer: KerasScorer, windows: Float32Array) -> None:
    window = np.full_like(windows[:1], NAN)
    window[0, -1, 0] = 60.0

    assert np.isfinite(errors(scorer, window)).all()


def test_errors_are_finite_for_the_largest_readings_there_are(scorer: KerasScorer, windows: Float32Array) -> None:
    batch = windows[:2].copy()
    batch[0] = np.finfo(np.float32).max
    batch[1, -1] = -np.finfo(np.float32).max

    assert np.isfinite(errors(scorer, batch)).all()
    assert (surprise(scorer, batch) > 5.0).all()
    assert all(found.step_share.sum(axis=1) == pytest.approx(1.0, abs=1e-5) for found in explain(scorer, batch))


def test_no_windows_give_no_results(scorer: KerasScorer) -> None:
    nothing = np.empty((0, WINDOW_LENGTH, 2), np.float32)

    assert errors(scorer, nothing).shape == (0, len(scorer.spec.members))
    assert explain(scorer, nothing) == []
