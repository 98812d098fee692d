"""How log errors are corrected for gone features."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stream_detector.model.missing_levels import MissingLevels
from stream_detector.readings import Float32Array

NAN = math.nan
STEPS = 16
#: Two members, three features: the first member reads all rows, the second the newest eighth.
LEVELS = MissingLevels(
    single=np.array([[[0.5, 1.0, 0.0], [2.0, 0.0, 0.0]], [[math.log(2.0), 0.0, 0.0], [0.0, -1.0, 0.0]]], np.float32),
    pair=np.zeros((2, 2, 3, 3), np.float32),
    centre=np.array([-1.0, 0.0], np.float32),
    rows_read=np.array([STEPS, 2]),
)


def windows(missing: dict[int, slice]) -> Float32Array:
    found = np.zeros((1, STEPS, 3), np.float32)
    for feature, rows in missing.items():
        found[0, rows, feature] = NAN
    return found


def corrected(first: float, second: float, missing: dict[int, slice], levels: MissingLevels = LEVELS) -> list[float]:
    found: list[float] = levels.correct(np.array([[first, second]], np.float32), windows(missing))[0].tolist()
    return found


def test_a_window_without_gone_features_is_unchanged() -> None:
    assert corrected(3.0, 4.0, {}) == [3.0, 4.0]
    assert corrected(3.0, 4.0, {0: slice(5, 7)}) == [3.0, 4.0]


def test_the_shift_is_subtracted_and_the_spread_divides_what_is_beyond_the_centre() -> None:
    # (3 - 0.5 + 1) / 2 - 1 and 4 - 2
    assert corrected(3.0, 4.0, {0: slice(None)}) == pytest.approx([0.75, 2.0])


def test_a_spread_below_one_does_not_widen() -> None:
    assert corrected(3.0, 4.0, {1: slice(None)}) == pytest.approx([2.0, 4.0])


def test_features_add_up_with_what_their_pair_adds() -> None:
    pair = np.zeros((2, 2, 3, 3), np.float32)
    pair[0, 0, 0, 1] = pair[0, 0, 1, 0] = -0.25
    pair[1, 0, 0, 1] = pair[1, 0, 1, 0] = -math.log(2.0)
    levels = MissingLevels(LEVELS.single, pair, LEVELS.centre, LEVELS.rows_read)

    assert corrected(3.0, 4.0, {0: slice(None), 1: slice(None)}, levels) == pytest.approx([1.75, 2.0])


def test_a_feature_counts_with_the_share_of_the_rows_that_a_member_reads() -> None:
    # Back for the newest four rows: 12 of 16 for the first member, none for the second.
    half = corrected(3.0, 4.0, {1: slice(0, 12)})

    assert half == pytest.approx([2.25, 4.0])


def test_a_feature_that_has_just_died_counts_as_gone() -> None:
    assert corrected(3.0, 4.0, {1: slice(13, None)}) == pytest.approx([2.0, 4.0])


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_of_a_window_that_is_not_full_only_the_rows_that_are_there_count(rows: int) -> None:
    assert corrected(3.0, 4.0, {0: slice(0, STEPS - rows), 1: slice(None), 2: slice(0, STEPS - rows)}) == pytest.approx(
        [2.0, 4.0]
    )


def test_a_log_error_that_is_not_known_stays_unknown() -> None:
    assert np.isnan(corrected(NAN, NAN, {0: slice(None)})).all()


def test_the_correction_is_the_same_bits_whatever_else_is_in_the_call() -> None:
    random = np.random.default_rng(2)
    some = random.normal(size=(40, STEPS, 3)).astype(np.float32)
    for number, gone in enumerate(random.random((40, 3)) < 0.5):
        some[number, number % 12 :, gone] = NAN
    log_errors = random.normal(size=(40, 2)).astype(np.float32)

    together = LEVELS.correct(log_errors, some)
    alone = np.concatenate([LEVELS.correct(log_errors[[at]], some[[at]]) for at in range(40)])

    assert alone.tobytes() == together.tobytes()


def test_some_of_the_members_keep_theirs() -> None:
    second = LEVELS.take(np.array([False, True]))

    assert second.correct(np.array([[4.0]], np.float32), windows({0: slice(None)})).tolist() == [[2.0]]
