"""Replaces the values of counters in a dataset by how fast they rise, as the windows of the stream hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from stream_detector.readings import BoolArray, Float64Array, Int32Array, Int64Array
from stream_detector.state.counters import COUNTER, clear_counters, fold_rises
from stream_detector.tables.dataset import Dataset


def with_rises(dataset: Dataset, counters: Sequence[str], gap_limits_ms: Float64Array) -> Dataset:
    """Return the dataset in single precision, and these features as rises per hour. A gap over its sensor's limit [S] has none.

    The readings of a sensor must be in order of time: one that is not newer than the one before it has no rise either.
    """
    values = dataset.values.astype(np.float32)
    if counters and len(dataset):
        columns = [dataset.features.index(name) for name in counters]
        order = np.argsort(dataset.codes, kind="stable")
        codes, times_ms = dataset.codes[order], dataset.times_ms[order]
        is_first = np.diff(codes, prepend=-1) != 0
        steps_ms = np.diff(times_ms, prepend=times_ms[0])
        position = np.arange(len(codes))
        rank = position - np.maximum.accumulate(np.where(is_first, position, 0))
        restarts = ~is_first & ((steps_ms > gap_limits_ms[codes]) | (steps_ms <= 0))
        state = np.zeros((int(is_first.sum()), len(columns)), COUNTER)
        clear_counters(state)
        interval_ms = _usual_steps(steps_ms, is_first, codes)[codes]
        of_counters = dataset.values[order][:, columns].astype(np.float64)
        found = fold_rises(state, of_counters, times_ms, rank, restarts, interval_ms=interval_ms)
        values[order[:, np.newaxis], columns] = found.per_hour
    return replace(dataset, values=values)


def _usual_steps(steps_ms: Int64Array, is_first: BoolArray, codes: Int32Array) -> Float64Array:
    """Return the median step of each sensor [S] by the steps before its readings [N], which are grouped; 0 without any."""
    usual = np.zeros(int(codes.max()) + 1)
    ends = np.append(np.flatnonzero(is_first), len(codes))
    for start, stop in pairwise(ends.tolist()):
        if stop - start > 1:
            usual[codes[start]] = np.median(steps_ms[start + 1 : stop])
    return usual
