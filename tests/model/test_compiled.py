"""Errors and explanations of members made by hand: one expects zeros over two rows, one no change of the newest."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest

from stream_detector.detection.scorer import WindowErrors
from stream_detector.model.artifact import NetworkSpec
from stream_detector.model.compiled import as_window_errors, compile_explanations, compile_feature_errors, compile_log_errors
from stream_detector.model.error_normalization import ErrorNormalization
from stream_detector.model.linear_members import CHANGE, PCA, LinearMember, LinearSpec
from stream_detector.model.masked_autoencoder import MaskedAutoencoder
from stream_detector.model.members import Members
from stream_detector.model.network import build_network, hidden_rows
from stream_detector.model.static_covariates import Fleet
from stream_detector.model.tiles import Tiles
from stream_detector.model.xla_forward import forward
from stream_detector.readings import Float32Array
from stream_detector.state.running_scale import Scales

NAN = math.nan
STEPS, FEATURES = 4, 2
TILES = Tiles(STEPS, FEATURES, most_rows=1)
#: Of both members and both features.
NORMALIZATION = ErrorNormalization(np.array([[1.0, 4.0], [2.0, 1.0]], np.float32), np.ones(FEATURES, np.bool_))


def expecting_zeros(kind: str, rows: int) -> LinearMember:
    size = rows * FEATURES
    zeros = np.zeros(size, np.float32)
    return LinearMember(LinearSpec(kind, rows, rows), zeros, (np.zeros((size, size), np.float32),), zeros)


@pytest.fixture(scope="module")
def members() -> Members:
    network = build_network(STEPS, FEATURES, NetworkSpec(units=2))
    fleet = Fleet(*[np.ones(FEATURES, np.float32)] * 3)
    autoencoder = MaskedAutoencoder(partial(forward, network), fleet, np.ones(FEATURES, np.bool_), hidden_rows(STEPS))
    linear = (expecting_zeros(PCA, 2), expecting_zeros(CHANGE, 1))
    return Members(linear, autoencoder, ("pca-2", "change-1"), STEPS)


def windows_of(*windows: list[tuple[float, float]]) -> Float32Array:
    """Return windows whose values are these after scaling: asinh is undone."""
    scaled = np.array(windows, np.float64)
    return (5.0 * np.sinh(scaled / 5.0)).astype(np.float32)


def unit(count: int) -> Scales:
    return Scales(np.zeros((count, FEATURES), np.float32), np.ones((count, FEATURES), np.float32))


def feature_errors(members: Members, windows: Float32Array) -> tuple[Float32Array, Float32Array]:
    errors, seen = TILES.run(compile_feature_errors(members, TILES), windows, unit(len(windows)))
    return errors, seen


def explained(members: Members, windows: Float32Array, scales: Scales | None = None) -> list[WindowErrors]:
    compiled = compile_explanations(members, TILES, NORMALIZATION)
    return as_window_errors(TILES.run(compiled, windows, scales or unit(len(windows))))


def test_a_members_error_of_a_feature_is_the_mean_square_over_its_rows(members: Members) -> None:
    errors, seen = feature_errors(members, windows_of([(9.0, 9.0), (9.0, 9.0), (1.0, 0.0), (3.0, 2.0)]))

    # squares of the newest two rows: 1, 9 and 0, 4; of the newest change: 2 and 2
    assert errors == pytest.approx(np.array([[[5.0, 2.0], [4.0, 4.0]]]), rel=1e-5)
    assert seen.all()


def test_a_missing_value_is_no_error_and_does_not_dilute_that_of_the_others(members: Members) -> None:
    errors, seen = feature_errors(members, windows_of([(9.0, 9.0), (9.0, 9.0), (NAN, 1.0), (1.0, NAN)]))

    assert errors[0, 0] == pytest.approx([1.0, 0.0], rel=1e-5)
    assert seen[0].tolist() == [
        [True, False],
        [False, False],
    ]  # no change is known without both values, nothing of a feature without its newest


def test_log_errors_are_of_the_largest_ratios(members: Members) -> None:
    compiled = compile_log_errors(members, TILES, NORMALIZATION)

    (logs,) = TILES.run(compiled, windows_of([(0.0, 0.0), (0.0, 0.0), (1.0, 0.0), (3.0, 2.0)]), unit(1))

    # e / b: 5 / 1 and 2 / 4; 4 / 2 and 4 / 1
    assert logs == pytest.approx(np.array([[math.log(5.0), math.log(4.0)]]), abs=1e-5)


def test_a_row_without_any_value_counts_as_usual(members: Members) -> None:
    compiled = compile_log_errors(members, TILES, NORMALIZATION)

    (logs,) = TILES.run(compiled, windows_of([(0.0, 0.0), (0.0, 0.0), (NAN, NAN), (3.0, 2.0)]), unit(1))

    # The first member: one of two rows with 9 / 1 and 4 / 4, the other as usual, so 5 and 1. The second sees no change.
    assert logs == pytest.approx(np.array([[math.log(5.0), 0.0]]), abs=1e-5)


def test_rows_before_the_first_value_do_not_count(members: Members) -> None:
    compiled = compile_log_errors(members, TILES, NORMALIZATION)

    (logs,) = TILES.run(compiled, windows_of([(NAN, NAN)] * 3 + [(3.0, 2.0)]), unit(1))

    # The first member: 9 / 1 and 4 / 4, of the one row that is there. The second sees no change.
    assert logs == pytest.approx(np.array([[math.log(9.0), 0.0]]), abs=1e-5)


def test_shares_are_of_the_squares_that_make_the_error(members: Members) -> None:
    (found,) = explained(members, windows_of([(0.0, 0.0), (0.0, 0.0), (1.0, 0.0), (3.0, 2.0)]))

    # The largest quarter of two features is one: the first for pca-2 (1 and 9 of 10), the second for change-1.
    assert found.feature_share == pytest.approx(np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert found.step_share == pytest.approx(np.array([[0.0, 0.0, 0.1, 0.9], [0.0, 0.0, 0.0, 1.0]]), rel=1e-5)


def test_a_window_without_any_error_shares_equally(members: Members) -> None:
    (found,) = explained(members, windows_of([(0.0, 0.0)] * STEPS))

    assert found.feature_share.tolist() == [[0.5, 0.5]] * 2
    assert found.step_share.tolist() == [[0.25] * 4] * 2


def test_rows_that_are_not_there_have_no_share(members: Members) -> None:
    calm, wild = explained(members, windows_of(*[[(NAN, NAN)] * 2 + [newest] * 2 for newest in ((0.0, 0.0), (3.0, 2.0))]))

    assert calm.step_share.tolist() == [[0.0, 0.0, 0.5, 0.5]] * 2
    assert wild.step_share[:, :2].tolist() == [[0.0, 0.0]] * 2


def test_expected_is_what_the_members_that_speak_of_a_row_expect_in_the_features_units(members: Members) -> None:
    scales = Scales(np.array([[10.0, -1.0]], np.float32), np.array([[2.0, 3.0]], np.float32))
    window = np.array([[[11.0, 4.0], [12.0, 5.0], [13.0, 6.0], [14.0, 7.0]]], np.float32)

    (found,) = explained(members, window, scales)

    # pca-2 expects 0, which is the location, of the newest two rows; a member of changes expects no values.
    assert found.expected == pytest.approx(np.array([[11.0, 4.0], [12.0, 5.0], [10.0, -1.0], [10.0, -1.0]]), rel=1e-5)


def test_imputed_are_the_newest_values_that_are_missing(members: Members) -> None:
    first, second = explained(members, windows_of([(0.0, NAN)] * 3 + [(1.0, 1.0)], [(0.0, 0.0)] * 3 + [(NAN, 1.0)]))

    assert (first.imputed.tolist(), second.imputed.tolist()) == ([False, False], [True, False])
