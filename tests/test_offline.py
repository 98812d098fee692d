"""Scoring a dataset offline: by the stream's own code, row by row."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.dataset import Dataset
from stream_detector.offline import score_dataset
from tests.harness import MODEL, SECOND_MS, START_MS, Plant, checksum_score


def dataset(sensors: int, rows: int) -> Dataset:
    """Return readings of sensors in turn, a second apart."""
    codes = np.arange(rows, dtype=np.int32) % sensors
    values = np.stack([np.arange(rows), np.arange(rows) % 7], axis=1).astype(np.float32)
    times_ms = START_MS + np.arange(rows, dtype=np.int64) * SECOND_MS
    names = tuple(f"s{number}" for number in range(sensors))
    return Dataset(MODEL.features, names, codes, times_ms, values, np.arange(rows, dtype=np.int64))


def test_each_row_is_scored_by_the_window_that_ends_with_it() -> None:
    (scored,) = score_dataset(Plant().detector(), dataset(2, 8))

    values = dataset(2, 8).values
    expected = [checksum_score(values[[row - 4, row - 2, row]].tolist()) for row in range(4, 8)]
    assert np.isnan(scored.score[:4]).all()  # warming: windows are of three readings
    assert scored.score[4:].tolist() == expected
    assert np.isnan(scored.threshold).tolist() == [True] * 4 + [False] * 4
    assert scored.is_anomaly.tolist() == (scored.score > scored.threshold).tolist()


def test_a_file_may_have_more_sensors_than_an_arena_has_at_first() -> None:
    scored = list(score_dataset(Plant(max_sensors=3000, max_gap_ms=10_000_000).detector(), dataset(3000, 9000)))

    assert [len(part.score) for part in scored] == [4096, 4096, 808]
    assert np.isnan(np.concatenate([part.score for part in scored])).tolist() == [True] * 6000 + [False] * 3000


def test_sensors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="3 sensors do not fit into an arena of 2"):
        next(score_dataset(Plant(max_sensors=2).detector(), dataset(3, 3)))


def test_a_prefix_is_scored_as_the_whole() -> None:
    whole, prefix = dataset(3, 60), dataset(3, 60).take(np.arange(37))

    (scored_whole,), (scored_prefix,) = score_dataset(Plant().detector(), whole), score_dataset(Plant().detector(), prefix)

    assert np.array_equal(scored_prefix.score, scored_whole.score[:37], equal_nan=True)
    assert np.array_equal(scored_prefix.threshold, scored_whole.threshold[:37], equal_nan=True)
    assert np.array_equal(scored_prefix.is_anomaly, scored_whole.is_anomaly[:37])
