"""Batches cut into tiles of several sizes, with functions made by hand, whose results may depend on the size."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.model.tensor_types import Tensor
from stream_detector.model.tiles import Compiled, Size, Tiles, Tiling, agreeing_sizes, cuts, sample_windows
from stream_detector.readings import Float32Array
from stream_detector.state.running_scale import Scales

STEPS, FEATURES = 4, 2
LARGEST = Tiles(STEPS, FEATURES, 256)
ONE_SIZE = Tiles(STEPS, FEATURES, most_rows=1)
ONE_BIT = np.float32(2.0**-23)  # from 1 to the next number
#: From rows, and the windows' filled values [rows, T, F] and what is present, to one number for each.
ByRows = Callable[[int, Tensor, Tensor], Float32Array]


def function_of(results: ByRows, called: list[int] | None = None) -> Compiled:
    """Return a function that returns these results and records each call's rows."""

    def function(filled: Tensor, present: Tensor, location: Tensor, deviation: Tensor) -> tuple[Tensor]:  # noqa: ARG001 - as compiled
        if called is not None:
            called.append(len(filled))
        return (tf.constant(results(len(filled), filled, present)),)

    return function


def first_values(rows: int, filled: Tensor, present: Tensor) -> Float32Array:  # noqa: ARG001 - as ByRows
    """Every size agrees."""
    return np.asarray(filled[:, 0, 0])


def rows_of(sizes: tuple[Size, ...]) -> list[int]:
    return [size.tiles.rows for size in sizes]


def numbered(count: int) -> tuple[Float32Array, Scales]:
    """Return windows whose first value is their number."""
    windows = np.zeros((count, STEPS, FEATURES), np.float32)
    windows[:, 0, 0] = np.arange(count)
    return windows, Scales(np.zeros((count, FEATURES), np.float32), np.ones((count, FEATURES), np.float32))


@pytest.mark.parametrize(
    ("count", "threads", "tiles"),
    [
        (0, 2, []),
        (1, 2, [(0, 1, 48)]),
        (96, 2, [(0, 48, 48), (48, 96, 48)]),
        (97, 2, [(0, 96, 96), (96, 97, 48)]),
        (192, 2, [(0, 96, 96), (96, 192, 96)]),
        (193, 2, [(0, 193, 240)]),
        (241, 2, [(0, 240, 240), (240, 241, 48)]),
        (300, 2, [(0, 240, 240), (240, 300, 96)]),
        (480, 2, [(0, 240, 240), (240, 480, 240)]),
        (500, 2, [(0, 240, 240), (240, 480, 240), (480, 500, 48)]),
        (48, 1, [(0, 48, 48)]),
        (100, 1, [(0, 100, 240)]),
        (250, 1, [(0, 240, 240), (240, 250, 48)]),
        (150, 4, [(0, 48, 48), (48, 96, 48), (96, 144, 48), (144, 150, 48)]),
    ],
)
def test_the_last_round_takes_the_smallest_size_that_what_is_left_fits_in(
    count: int, threads: int, tiles: list[tuple[int, int, int]]
) -> None:
    found = cuts(count, (48, 96, 240), threads)

    assert [(cut.windows.start, cut.windows.stop, cut.rows) for cut in found] == tiles


@given(
    count=st.integers(0, 5000),
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=4, unique=True).map(sorted),
    threads=st.integers(1, 8),
)
def test_every_window_is_cut_once_in_its_order_into_a_tile_that_holds_it(count: int, sizes: list[int], threads: int) -> None:
    found = cuts(count, sizes, threads)

    edges = [0, *(cut.windows.stop for cut in found)]
    assert [(cut.windows.start, cut.windows.stop) for cut in found] == list(pairwise(edges))
    assert edges[-1] == count
    assert all(0 < cut.windows.stop - cut.windows.start <= cut.rows for cut in found)
    assert {cut.rows for cut in found} <= set(sizes)


@given(
    count=st.integers(1, 5000),
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=4, unique=True).map(sorted),
    threads=st.integers(1, 8),
)
def test_there_are_no_more_rounds_than_with_the_largest_tiles_alone(count: int, sizes: list[int], threads: int) -> None:
    alone = cuts(count, sizes[-1:], threads)

    assert -(-len(cuts(count, sizes, threads)) // threads) == -(-len(alone) // threads)


@pytest.mark.parametrize(("most_rows", "rows"), [(1, [48]), (96, [48, 96]), (150, [48, 96, 144]), (256, [48, 96, 240])])
def test_every_size_is_called_before_there_is_a_window(most_rows: int, rows: list[int]) -> None:
    called: list[int] = []

    sizes = agreeing_sizes(Tiles(STEPS, FEATURES, most_rows), function_of(first_values, called))

    assert rows_of(sizes) == rows
    assert sorted(set(called)) == rows


def test_windows_are_scored_in_the_sizes_that_they_are_cut_into_and_come_back_in_order() -> None:
    called: list[int] = []
    sizes = agreeing_sizes(LARGEST, function_of(first_values, called))
    called.clear()

    with ThreadPoolExecutor(2) as pool:
        (found,) = Tiling(sizes, 2, pool.map).start(*numbered(600))()

    assert found.tolist() == list(range(600))
    assert sorted(called) == [48, 96, 240, 240]


def last_bits_differ(rows: int, chosen: Tensor) -> Float32Array:
    return np.asarray(1.0 + ONE_BIT * np.float32(rows) * np.asarray(chosen), np.float32)


def by_rows(rows: int, filled: Tensor, present: Tensor) -> Float32Array:  # noqa: ARG001 - as ByRows
    return last_bits_differ(rows, np.any(present, axis=(1, 2)))


def by_rows_where_all_is_missing(rows: int, filled: Tensor, present: Tensor) -> Float32Array:  # noqa: ARG001 - as ByRows
    return last_bits_differ(rows, np.logical_not(np.any(present, axis=(1, 2))))


def by_rows_where_a_row_is_missing(rows: int, filled: Tensor, present: Tensor) -> Float32Array:  # noqa: ARG001 - as ByRows
    observed = np.any(present, axis=2)
    return last_bits_differ(rows, np.any(observed, axis=1) != np.all(observed, axis=1))


@pytest.mark.parametrize("results", [by_rows, by_rows_where_all_is_missing, by_rows_where_a_row_is_missing])
def test_sizes_whose_last_bits_differ_are_not_used_and_the_log_says_so_once(
    results: ByRows, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        sizes = agreeing_sizes(LARGEST, function_of(results))

    assert rows_of(sizes) == [240]
    assert caplog.messages == [
        "tiles of 48 and 96 windows are not used: on this processor their results differ from those of 240 in the last bits"
    ]


def test_a_size_that_agrees_is_used_beside_one_that_does_not(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        sizes = agreeing_sizes(LARGEST, function_of(lambda rows, *given: by_rows(48 if rows == 48 else 0, *given)))

    assert rows_of(sizes) == [96, 240]
    assert [message.split(":")[0] for message in caplog.messages] == ["tiles of 48 windows are not used"]


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_results_are_the_same_bits_wherever_a_window_is_although_they_depend_on_the_tile(threads: int) -> None:
    sizes = agreeing_sizes(LARGEST, function_of(by_rows))
    tiling = Tiling(sizes, threads)
    windows, scales = numbered(500)
    (all_at_once,) = tiling.start(windows, scales)()

    for count in (1, 48, 96, 150, 240, 490):
        (found,) = tiling.start(windows[-count:], scales.take(slice(-count, None)))()
        assert found.tobytes() == all_at_once[-count:].tobytes()


def test_the_sample_is_always_the_same_windows() -> None:
    (windows, scales), (again, _) = sample_windows(240, STEPS, FEATURES), sample_windows(240, STEPS, FEATURES)

    assert windows.tobytes() == again.tobytes()
    assert len(np.unique(scales.location)) == len(np.unique(scales.deviation)) == 240 * FEATURES


@pytest.mark.parametrize(("asked", "rows"), [(1, 48), (48, 48), (95, 48), (96, 96), (256, 240)])
def test_tiles_have_multiples_of_48_rows_at_most_as_many_as_asked_for(asked: int, rows: int) -> None:
    assert Tiles(STEPS, FEATURES, asked).rows == rows


@pytest.mark.parametrize("count", [1, 47, 48, 49, 100])
def test_tiles_give_each_window_its_result_however_many_there_are(count: int) -> None:
    windows = np.arange(count * STEPS * FEATURES, dtype=np.float32).reshape(count, STEPS, FEATURES)
    windows[0, 0, 0] = np.nan
    scales = Scales(np.full((count, FEATURES), 5.0, np.float32), np.ones((count, FEATURES), np.float32))

    filled, present, location = ONE_SIZE.run(ONE_SIZE.compile(lambda *given: given[:3]), windows, scales)

    assert filled[0, 0].tolist() == [5.0, 1.0]
    assert np.where(present, filled, np.nan).tobytes() == windows.tobytes()
    assert location.tobytes() == scales.location.tobytes()


def test_a_function_is_traced_once_for_tiles_of_all_sizes() -> None:
    traced: list[int | None] = []

    def first(filled: Tensor, present: Tensor, location: Tensor, deviation: Tensor) -> tuple[Tensor]:  # noqa: ARG001 - as compiled
        traced.append(filled.shape[0])
        return (filled[:, 0, 0],)

    sizes = agreeing_sizes(LARGEST, LARGEST.compile(first))
    (found,) = Tiling(sizes).start(*numbered(400))()

    assert rows_of(sizes) == [48, 96, 240]
    assert found.tolist() == list(range(400))
    assert traced == [None]


def test_compiling_for_many_models_logs_no_warning_of_tensorflow_that_only_frightens() -> None:
    lines, log = io.StringIO(), tf.get_logger()
    handler = logging.StreamHandler(lines)
    log.addHandler(handler)
    try:
        for _ in range(8):
            ONE_SIZE.run(ONE_SIZE.compile(_presence), *sample_windows(1, STEPS, FEATURES))
        log.warning("another warning")
    finally:
        log.removeHandler(handler)

    assert lines.getvalue() == "another warning\n"


def _presence(filled: Tensor, present: Tensor, location: Tensor, deviation: Tensor) -> tuple[Tensor]:  # noqa: ARG001 - as compiled
    return (present,)
