from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np

from stream_detector.assembly import TrainedScorer
from stream_detector.readings import Float32Array
from stream_detector.state.running_scale import Scales
from stream_detector.tables.dataset import read_dataset
from tests.judge.cases import Case, SensorCase, rows_to_train
from tests.judge.product import RememberingScorer, write_csv


class CountingScorer:
    """Says how many windows were scored before, and what the location of each is."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        self.batches.append(len(windows))
        return lambda: scales.location[:, :1]


def scales(*locations: float) -> Scales:
    column = np.array(locations, np.float32)[:, np.newaxis]
    return Scales(column, np.ones_like(column))


def windows(*newest: float) -> Float32Array:
    return np.array([[[0.0], [value]] for value in newest], np.float32)


def remembering() -> tuple[RememberingScorer, CountingScorer]:
    scorer = CountingScorer()
    return RememberingScorer(cast("TrainedScorer", scorer)), scorer


def test_equal_batches_are_scored_once() -> None:
    scorer, real = remembering()
    for _ in range(3):
        scorer.rewind()
        assert scorer.start(windows(1, 2), scales(5, 6))().tolist() == [[5], [6]]
        assert scorer.start(windows(np.nan), scales(7))().tolist() == [[7]]

    assert real.batches == [2, 1]


def test_a_window_on_another_scale_is_scored_again_alone_and_does_not_stay() -> None:
    scorer, real = remembering()
    scorer.start(windows(1, 2, 3), scales(5, 6, 7))
    scorer.rewind()

    assert scorer.start(windows(1, 2, 3), scales(5, 9, 7))().tolist() == [[5], [9], [7]]
    scorer.rewind()
    assert scorer.start(windows(1, 2, 3), scales(5, 6, 7))().tolist() == [[5], [6], [7]]
    assert real.batches == [3, 1]


def test_other_windows_are_scored_again() -> None:
    scorer, real = remembering()
    scorer.start(windows(1), scales(5))
    scorer.rewind()
    scorer.start(windows(2), scales(5))

    assert real.batches == [1, 1]


def test_what_else_a_scorer_has_is_the_real_ones() -> None:
    scorer, real = remembering()

    assert scorer.batches is real.batches


def test_readings_are_written_in_the_order_of_time_and_missing_values_are_empty(tmp_path: Path) -> None:
    times_ms, none = np.array([1_600_000_000_000, 1_600_000_060_000]), np.zeros(0)
    sensors = [
        SensorCase(name, times_ms, np.array([[1.0, np.nan], [2.0, level]]), none.astype(np.int64), none, none > 0, 60.0)
        for name, level in (("a", 0.1), ("b", 0.2))
    ]
    case = Case(("f0", "f1"), tuple(sensors))
    write_csv(tmp_path / "train.csv", case, rows_to_train(case))
    read = read_dataset([tmp_path / "train.csv"])

    assert [read.sensors[code] for code in read.codes] == ["a", "b", "a", "b"]
    assert read.times_ms.tolist() == np.repeat(times_ms, 2).tolist()
    np.testing.assert_array_equal(read.values[:, 1], [np.nan, np.nan, 0.1, 0.2])
