"""Replaces the values of counters in a dataset by how fast they rise, as the windows of the stream hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stream_detector.readings import Float64Array
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
        found = fold_rises(state, dataset.values[order][:, columns].astype(np.float64), times_ms, rank, restarts)
        values[order[:, np.newaxis], columns] = found.per_hour
    return replace(dataset, values=values)
