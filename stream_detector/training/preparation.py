"""Prepares data for training: splits it by time, scales it, and checks that there is enough. Needs no TensorFlow."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stream_detector.detection.budget_resolution import MOST_FITTED
from stream_detector.errors import InputDataError
from stream_detector.model.artifact import NetworkSpec
from stream_detector.model.input_scaling import fill, mean_and_deviation, scale
from stream_detector.model.missing_features import Imputation, fit_row_moments
from stream_detector.model.static_covariates import Fleet, fit_fleet
from stream_detector.readings import BoolArray, Float32Array, Float64Array, FloatArray, Int32Array, Int64Array
from stream_detector.state.running_scale import Scales
from stream_detector.tables.dataset import Dataset, sampling_interval_seconds
from stream_detector.tables.rises import with_rises
from stream_detector.tables.sampling import Paces, sensor_paces
from stream_detector.training.data_split import Split, gather, split_by_time, timed_windows
from stream_detector.values import NO_MISSING_VALUES, MissingValues

SHORTEST_WINDOW = 2
#: Rows from which a missing value is filled when the moments of rows are measured.
FILLING_ROWS = 16


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """The options of a training."""

    name: str = "attention-autoencoder"
    window_length: int = 64
    network: NetworkSpec = field(default_factory=NetworkSpec)
    seed: int = 0
    coupled_features: bool = False  # a linear member predicts each feature from the others
    free_attention: bool = False  # attention learns to predict only, and not how far the expectation moves without a step
    from_scratch: bool = False  # the network starts from random weights, also where the package has some that fit it
    steps: int | None = None  # gradient steps; None: four passes over the sampled windows, from 250 to 1000, or fewer
    batch_size: int = 128
    first_learning_rate: float = 3e-3
    last_learning_rate: float = 1.5e-4
    clip_norm: float = 1.0
    round_steps: int = 25  # steps between two validations
    patience: int = 4  # rounds without a better validation loss before stopping
    max_windows: int = 32_000  # distinct windows in the fit
    max_linear_windows: int = 8_000  # for fitting the linear members
    max_validation_windows: int = 1_024
    max_calibration_windows: int = MOST_FITTED
    max_level_windows: int = 1_000_000  # of the other sensors, for their levels
    max_gap_intervals: float = 10.0  # of the sensor; a longer gap, beyond its usual pauses, ends a window
    context_features: tuple[str, ...] | None = None  # never scored; None: those that hold only 0 and 1, and
    also_context: tuple[str, ...] = ()
    missing_values: MissingValues = NO_MISSING_VALUES  # that the data were read with; the model reads the stream with them
    counters: tuple[str, ...] = ()  # features whose windows hold how fast they rise
    only_while: str = ""  # the condition on features that all readings of the data meet; empty: none


@dataclass(frozen=True, slots=True)
class SensorScales:
    """Each sensor's own scale, from its fit part. S sensors, F features."""

    location: Float32Array  # [S, F]
    deviation: Float32Array  # [S, F] > 0
    fleet: Fleet  # its deviation replaces that of a feature that does not vary

    def of(self, codes: Int64Array | Int32Array) -> Scales:
        """Return the scales of windows by the codes of their sensors [N]."""
        return Scales(self.location[codes], self.deviation[codes])


@dataclass(frozen=True, slots=True)
class Prepared:
    """Data to train on, and the scales and choices derived from their fit part."""

    dataset: Dataset
    config: TrainingConfig
    interval_seconds: float  # median over the readings of all sensors
    paces: Paces
    split: Split
    scales: SensorScales
    scored: BoolArray  # [F]
    imputation: Imputation

    @property
    def gap_limits_ms(self) -> Float64Array:
        """The longest pause within a window of each sensor [S]."""
        return self.paces.gap_limits_ms(self.config.max_gap_intervals)

    def covariates(self, ends: Int64Array) -> Float32Array:
        """Return the static covariates [N, 2F] of the sensors of the windows that end at these rows."""
        scales = self.scales.of(self.dataset.codes[ends])
        return np.asarray(self.scales.fleet.covariates(scales.location, scales.deviation), np.float32)

    def scaled_windows(self, ends: Int64Array, lost: BoolArray | None = None) -> tuple[Float32Array, BoolArray]:
        """Return the windows [N, T, F] that end at these rows, filled and scaled, and which values were present.

        The features `lost` [N, F] count as missing in the whole window.
        """
        scales = self.scales.of(self.dataset.codes[ends])
        windows = timed_windows(self.dataset, ends, self.config.window_length)
        if lost is not None:
            windows = np.where(lost[:, np.newaxis], np.float32(np.nan), windows)
        filled, present = self.imputation.fill(windows, scales)
        return np.asarray(scale(filled, scales.location, scales.deviation), np.float32), present


def prepare(dataset: Dataset, config: TrainingConfig) -> Prepared:
    """Prepare a cleaned dataset; raise InputDataError if it, or the configured window, holds too little to learn from."""
    if config.window_length < SHORTEST_WINDOW:
        msg = f"a window of {config.window_length} reading leaves nothing to predict it from; choose {SHORTEST_WINDOW} or more"
        raise InputDataError(msg)
    interval_seconds, paces = sampling_interval_seconds(dataset), sensor_paces(dataset)
    gap_limits_ms = paces.gap_limits_ms(config.max_gap_intervals)
    dataset = with_rises(dataset, config.counters, gap_limits_ms)
    split = split_by_time(dataset, config.window_length, gap_limits_ms)
    fit_values = dataset.values[split.fit_rows]
    scored = scored_features(dataset.features, fit_values, config.context_features, config.also_context)
    _check_present(dataset.features, fit_values)
    scales = fit_scales(dataset, split.fit_rows)
    imputation = _fit_imputation(dataset, config, split, scales)
    return Prepared(dataset, config, interval_seconds, paces, split, scales, scored, imputation)


def _fit_imputation(dataset: Dataset, config: TrainingConfig, split: Split, scales: SensorScales) -> Imputation:
    """Fit how missing features are filled, on pairs of neighbouring rows of the fit part with short gaps filled."""
    rng = np.random.default_rng(config.seed)
    ends = split.fit
    if len(ends) > config.max_windows:
        ends = np.sort(rng.choice(ends, config.max_windows, replace=False))
    of_windows = scales.of(dataset.codes[ends])
    filled, _ = fill(gather(dataset.values, ends, min(config.window_length, FILLING_ROWS)), of_windows.location)
    return Imputation(fit_row_moments(scale(filled, of_windows.location, of_windows.deviation)))


def fit_scales(dataset: Dataset, fit_rows: BoolArray) -> SensorScales:
    """Fit each sensor's scale on its fit part of a cleaned dataset.

    A feature that does not vary in a sensor gets the median deviation of the sensors in which it does, or 1.
    """
    values, codes = dataset.values[fit_rows], dataset.codes[fit_rows]
    bounds = np.searchsorted(codes, np.arange(len(dataset.sensors) + 1))
    fitted = [mean_and_deviation(values[first:last]) for first, last in itertools.pairwise(bounds.tolist())]
    location = np.stack([mean for mean, _ in fitted])
    deviation = np.stack([of_sensor for _, of_sensor in fitted])
    varying = np.where(deviation > 0, deviation, np.float32(np.nan))
    fallback = np.ones(deviation.shape[1], np.float32)
    known = (deviation > 0).any(axis=0)
    fallback[known] = np.nanmedian(varying[:, known].astype(np.float64), axis=0)
    return SensorScales(location, np.where(deviation > 0, deviation, fallback), fit_fleet(location, fallback))


def scored_features(
    features: Sequence[str], fit_values: FloatArray, context: Sequence[str] | None, also_context: Sequence[str] = ()
) -> BoolArray:
    """Return which features are scored [F]: all but the context features.

    If `context` is None, those are the features that hold only 0 and 1 in the fit part (commands, flags), and those of
    `also_context`, unless that is all of them.
    Raises InputDataError for an unknown name, or if no feature is left.
    """
    if context is None:
        binary = np.all((fit_values == 0.0) | (fit_values == 1.0) | np.isnan(fit_values), axis=0)
        unscored = binary | np.isin(features, also_context)
        return np.ones(len(features), np.bool_) if unscored.all() else np.asarray(~unscored)
    unknown = [name for name in context if name not in features]
    if unknown or len(set(context)) == len(features):
        what = f"{', '.join(unknown)} is not a feature" if unknown else "no feature is left to be scored"
        msg = f"context columns: {what} (features: {', '.join(features)})"
        raise InputDataError(msg)
    return np.array([name not in context for name in features])


def _check_present(features: Sequence[str], values: FloatArray) -> None:
    """Raise InputDataError for a feature without any value."""
    empty = np.asarray(np.isnan(values).all(axis=0))
    if empty.any():
        names = ", ".join(name for name, is_empty in zip(features, empty.tolist(), strict=True) if is_empty)
        msg = f"column {names} has no value in the first 70 % of the readings; name it in --ignore-columns to leave it out"
        raise InputDataError(msg)
