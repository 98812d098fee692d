"""The contract of Scorer, on the checksum scorer of the pipeline's tests and on a tiny trained model."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pytest

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.detection.scorer import Scorer, WindowErrors
from stream_detector.readings import Float32Array
from stream_detector.state.running_scale import Scales
from tests.fakes.scorer import ChecksumScorer
from tests.pipeline.replica_config import MODEL

COUNT = 40


@dataclass(frozen=True, slots=True)
class Scoring:
    """A scorer, its members, and windows [N, T, F] of plausible values, each with its sensor's scale."""

    scorer: Scorer
    members: int
    windows: Float32Array
    scales: Scales

    def errors(self, places: slice | list[int] = slice(None)) -> Float32Array:
        """Score some of the windows."""
        return self.scorer.start(self.windows[places], self.scales_of(places))()

    def explain(self, places: slice | list[int] = slice(None)) -> list[WindowErrors]:
        return self.scorer.explain(self.windows[places], self.scales_of(places))

    def scales_of(self, places: slice | list[int]) -> Scales:
        return Scales(self.scales.location[places], self.scales.deviation[places])


@pytest.fixture(params=["checksum", "keras"])
def scoring(request: pytest.FixtureRequest) -> Scoring:
    if request.param == "checksum":
        scorer: Scorer = ChecksumScorer()
        steps, features, members = MODEL.window_length, len(MODEL.features), len(MODEL.members)
    else:
        keras = KerasScorer(request.getfixturevalue("tiny_artifact"), tile_rows=16)
        steps, features, members = keras.spec.window_length, len(keras.spec.features), len(keras.spec.members)
        scorer = keras
    random = np.random.default_rng(5)
    location = random.normal(50.0, 5.0, (COUNT, features)).astype(np.float32)
    deviation = random.uniform(0.5, 2.0, (COUNT, features)).astype(np.float32)
    noise = random.normal(0.0, 1.0, (COUNT, steps, features)).astype(np.float32)
    windows = location[:, np.newaxis] + deviation[:, np.newaxis] * noise
    windows[random.random(windows.shape) < 0.1] = np.nan
    windows[7] = np.nan
    return Scoring(scorer, members, windows, Scales(location, deviation))


def test_every_member_has_an_error_for_every_window_whose_newest_row_has_a_value(scoring: Scoring) -> None:
    errors = scoring.errors()
    is_missing = np.asarray(np.isnan(scoring.windows[:, -1]).all(axis=1))

    assert errors.shape == (COUNT, scoring.members)
    assert is_missing[7]
    assert not is_missing.all()
    assert np.isnan(errors[is_missing]).all()
    assert np.isfinite(errors[~is_missing]).all()


def test_a_windows_errors_are_the_same_bits_whatever_else_is_in_the_call(scoring: Scoring) -> None:
    together = scoring.errors()

    backwards = scoring.errors(slice(None, None, -1))[::-1]
    alone = np.concatenate([scoring.errors([place]) for place in range(COUNT)])

    assert backwards.tobytes() == together.tobytes()
    assert alone.tobytes() == together.tobytes()


def test_errors_are_on_the_sensors_own_scale(scoring: Scoring) -> None:
    wider = Scales(scoring.scales.location, scoring.scales.deviation * np.float32(3.0))
    errors, are_finite = scoring.errors(), np.isfinite(scoring.errors())

    is_other = (scoring.scorer.start(scoring.windows, wider)() != errors) & are_finite

    assert is_other.any(axis=0).all()


def test_calls_under_way_at_the_same_time_do_not_mix(scoring: Scoring) -> None:
    first = scoring.scorer.start(scoring.windows[:10], scoring.scales_of(slice(10)))
    second = scoring.scorer.start(scoring.windows[10:], scoring.scales_of(slice(10, None)))

    assert np.concatenate([second(), first()]).tobytes() == np.roll(scoring.errors(), -10, axis=0).tobytes()


def test_the_arrays_are_left_as_they_were(scoring: Scoring) -> None:
    before = scoring.windows.tobytes(), scoring.scales.location.tobytes(), scoring.scales.deviation.tobytes()

    scoring.errors()
    scoring.explain()

    assert (scoring.windows.tobytes(), scoring.scales.location.tobytes(), scoring.scales.deviation.tobytes()) == before


def test_explanations_have_the_shapes_of_members_steps_and_features_and_shares_sum_to_one(scoring: Scoring) -> None:
    _, steps, features = scoring.windows.shape

    explained = scoring.explain()

    assert len(explained) == COUNT
    for window, found in zip(scoring.windows, explained, strict=True):
        assert found.attention.shape in {(steps,), (0,)}  # none if the network is no member
        assert found.expected.shape == (steps, features)
        assert found.feature_share.shape == (scoring.members, features)
        assert found.step_share.shape == (scoring.members, steps)
        assert found.imputed.tolist() == np.isnan(window[-1]).tolist()
        if not np.isnan(window[-1]).all():
            assert np.isfinite(found.expected).all()
            attention = found.attention[np.newaxis] if len(found.attention) else found.step_share
            for shares in (attention, found.feature_share, found.step_share):
                assert (shares >= 0).all()
                assert shares.sum(axis=1) == pytest.approx(np.ones(len(shares)), abs=1e-5)


def test_an_explanation_does_not_depend_on_what_else_is_in_the_call(scoring: Scoring) -> None:
    together = scoring.explain()

    alone = [scoring.explain([place])[0] for place in range(COUNT)]

    for one, other in zip(together, alone, strict=True):
        for field in fields(WindowErrors):
            assert getattr(one, field.name).tobytes() == getattr(other, field.name).tobytes()


def test_no_windows_have_no_errors_and_no_explanations(scoring: Scoring) -> None:
    assert scoring.errors(slice(0)).shape == (0, scoring.members)
    assert scoring.explain(slice(0)) == []
