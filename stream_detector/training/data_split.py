"""Splits windows into a fit part, a validation part and a calibration part. Identifies a window by its last row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.detection.budget_resolution import FIT_SHARE
from stream_detector.errors import InputDataError
from stream_detector.readings import BoolArray, Float32Array, Float64Array, FloatArray, Int32Array, Int64Array
from stream_detector.state.lost_readings import timed
from stream_detector.tables.dataset import Dataset, sampling_interval_seconds
from stream_detector.tables.sampling import restarts_of, window_ends
from stream_detector.timestamps import SECONDS_PER_DAY, duration

VALIDATION_SHARE = 0.1
#: Windows in a run: enough to show the level of a sensor's errors, and how they cluster.
RUN_WINDOWS = 200
#: Plants follow the day, so less than a day has not shown every normal state.
ENOUGH_SECONDS = SECONDS_PER_DAY
#: The held-back 30 % of this many windows have five: one to fill, four to meet faults in and to learn the usual errors from.
ENOUGH_WINDOWS = 16
#: Lower limit of the windows to fit, and of those to calibrate.
FEWEST_WINDOWS = 16


@dataclass(frozen=True, slots=True)
class Split:
    """Rows of a cleaned dataset; each sensor is split at 70 % of its readings.

    Calibration windows end after the split; the first of them begin before it. No member is fitted to their newest row.
    """

    fit_rows: BoolArray  # [N]
    fit: Int64Array  # ends of windows
    validation: Int64Array  # the last tenth of each sensor's windows in the fit part; not in `fit`
    calibration: Int64Array
    codes: Int32Array  # [N] the dataset's

    def calibration_ends(self, most: int, seed: int) -> Int64Array:
        """Return at most `most` ends, ordered: the latest unbroken run of each of some sensors, drawn at random.

        Runs are kept unbroken because neighbouring scores form clusters.
        """
        ends = self.calibration
        if len(ends) <= most:
            return ends
        codes, counts = np.unique(self.codes[ends], return_counts=True)
        share = max(most // len(codes), min(most, RUN_WINDOWS))
        rng = np.random.default_rng(seed)
        chosen = np.isin(codes, rng.permutation(codes)[: most // share])
        return np.concatenate(
            [run[-share:] for run, kept in zip(np.split(ends, np.cumsum(counts)[:-1]), chosen, strict=True) if kept]
        )

    def level_ends(self, runs: Int64Array, most: int) -> Int64Array:
        """Return at most `most` ends, ordered: up to RUN_WINDOWS of each sensor that has no `runs`, spread evenly."""
        others = self.calibration[~np.isin(self.codes[self.calibration], self.codes[runs])]
        if not len(others):
            return others
        _, first, counts = np.unique(self.codes[others], return_index=True, return_counts=True)
        share = min(RUN_WINDOWS, max(1, most // len(counts)))
        chosen = [np.linspace(begin, begin + count - 1, min(share, count)) for begin, count in zip(first, counts, strict=True)]
        return others[np.concatenate(chosen[:most]).astype(np.int64)]


def split_by_time(dataset: Dataset, window_length: int, gap_limits_ms: Float64Array) -> Split:
    """Split each sensor of a cleaned dataset by time, with windows without gaps over its limit [S].

    Raises InputDataError if there is too little data.
    """
    ends = window_ends(dataset, window_length, gap_limits_ms)
    starts = np.searchsorted(dataset.codes, np.arange(len(dataset.sensors)))
    counts = np.diff(np.concatenate([starts, [len(dataset)]]))
    boundaries = starts + np.floor(FIT_SHARE * counts).astype(np.int64)
    in_fit = np.arange(len(dataset)) < boundaries[dataset.codes]
    fit = ends[in_fit[ends]]
    calibration = ends[~in_fit[ends]]
    if len(fit) < FEWEST_WINDOWS or len(calibration) < FEWEST_WINDOWS:
        needed = int(np.ceil(max((window_length + FEWEST_WINDOWS) / FIT_SHARE, FEWEST_WINDOWS / (1.0 - FIT_SHARE))))
        interval_seconds = sampling_interval_seconds(dataset)
        msg = (
            f"too little data: {len(dataset)} readings of {len(dataset.sensors)} sensors give {len(fit)} windows of "
            f"{window_length} readings to fit and {len(calibration)} to calibrate. The least is {needed} readings of a sensor "
            f"({duration(needed * interval_seconds)}) without gaps over {np.median(gap_limits_ms) / 1000.0:g} s; for a model "
            f"that is worth running, give {duration(enough_seconds(window_length, interval_seconds))} or more. A shorter "
            "--window-length needs fewer"
        )
        raise InputDataError(msg)
    late = _is_last_tenth(dataset.codes[fit])
    return Split(in_fit, fit[~late], fit[late], calibration, dataset.codes)


def starts_of(dataset: Dataset, gap_limits_ms: Float64Array) -> tuple[Int64Array, Int64Array]:
    """Return the starts [S] of a cleaned dataset, and how many readings there are from each to the next.

    They are the readings after a gap, or after some that the user left out, such as those of a machine that stands still. A
    sensor's first reading is none: nobody knows what was before.
    """
    restarts = np.concatenate([[True], restarts_of(dataset, gap_limits_ms)])
    firsts = np.flatnonzero(restarts)
    counts = np.diff(np.append(firsts, len(dataset)))
    follows = np.concatenate([[False], np.diff(dataset.codes) == 0])[firsts]
    return firsts[follows], counts[follows]


def enough_seconds(window_length: int, interval_seconds: float) -> float:
    """Return the span from which a history is called enough: a day, or more where readings are rare."""
    return max(ENOUGH_SECONDS, ENOUGH_WINDOWS * window_length * interval_seconds)


def gather(values: FloatArray, ends: Int64Array, window_length: int) -> Float32Array:
    """Return the windows [W, T, F] of values [N, F] that end at these rows."""
    windows = values[ends[:, np.newaxis] + np.arange(1 - window_length, 1)]
    return np.asarray(windows, np.float32)


def timed_windows(dataset: Dataset, ends: Int64Array, window_length: int) -> Float32Array:
    """Return the windows [W, T, F] that end at these rows as the stream scores them: with a row of NaN for a lost reading."""
    times_ms = dataset.times_ms[ends[:, np.newaxis] + np.arange(1 - window_length, 1)]
    return timed(gather(dataset.values, ends, window_length), times_ms)


def _is_last_tenth(codes: Int32Array) -> BoolArray:
    """Mark the last tenth of each run of equal codes: at least one of a run of two or more, and none of a run of one."""
    _, first, counts = np.unique(codes, return_index=True, return_counts=True)
    rank = np.arange(len(codes)) - np.repeat(first, counts)
    kept = np.repeat(counts - np.maximum(np.ceil(VALIDATION_SHARE * counts), counts > 1).astype(np.int64), counts)
    return np.asarray(rank >= np.maximum(kept, 1))
