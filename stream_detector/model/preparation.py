"""What a training starts from: data split by time, scaled, and found fit to learn from. TensorFlow is not needed yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from stream_detector.dataset import Dataset, sampling_interval_seconds
from stream_detector.errors import InputDataError
from stream_detector.model.artifact import NetworkSpec
from stream_detector.model.samples import Split, split_by_time
from stream_detector.model.scaling import Scaler, fit_scaler
from stream_detector.readings import BoolArray, Float32Array

#: A decoder to be chosen by the data.
AUTO = "auto"
SCORED_FEATURES_FOR_SEQUENCE = 4


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """What can be chosen about a training."""

    name: str = "attention-autoencoder"
    window_length: int = 32
    network: NetworkSpec = field(default_factory=NetworkSpec)  # its decoder may be AUTO
    seed: int = 0
    steps: int | None = None  # gradient steps; None: four passes over the sampled windows, within 250 and 1000
    batch_size: int = 128
    first_learning_rate: float = 3e-3
    last_learning_rate: float = 1.5e-4
    clip_norm: float = 1.0
    hidden_share: float | None = None  # steps hidden from the input in training; None: 0, and 0.25 for decoder "sequence"
    round_steps: int = 25  # steps between two looks at the validation loss
    patience: int = 8  # rounds without a better validation loss before stopping
    max_windows: int = 32_000  # distinct windows in the fit
    max_validation_windows: int = 1_024
    max_calibration_windows: int = 60_000
    max_gap_intervals: float = 10.0  # a longer silence ends a window
    context_features: tuple[str, ...] | None = None  # never scored; None: those that hold only 0 and 1


@dataclass(frozen=True, slots=True)
class Prepared:
    """Data that can be trained on, and what was derived from its fit part."""

    dataset: Dataset
    config: TrainingConfig
    interval_seconds: float
    split: Split
    scaler: Scaler
    scored: BoolArray  # [F]


def prepare(dataset: Dataset, config: TrainingConfig) -> Prepared:
    """Prepare a cleaned dataset; raise InputDataError when there is too little data, or none that varies."""
    interval_seconds = sampling_interval_seconds(dataset)
    split = split_by_time(dataset, config.window_length, config.max_gap_intervals * interval_seconds)
    fit_values = dataset.values[split.fit_rows]
    scored = scored_features(dataset.features, fit_values, config.context_features)
    _check_varies(dataset.features, fit_values, scored)
    config = replace(config, network=replace(config.network, decoder=choose_decoder(config.network, scored)))
    return Prepared(dataset, config, interval_seconds, split, fit_scaler(fit_values), scored)


def choose_decoder(network: NetworkSpec, scored: BoolArray) -> str:
    """Return the decoder, where "auto" was asked for by the number of scored features.

    From SCORED_FEATURES_FOR_SEQUENCE on it is "sequence": with half as many values per step it cannot copy, it keeps
    ramps and oscillations that one vector per window loses, and errs where features no longer fit together. With fewer
    it could copy, so it is "context". A bottleneck is only had by "sequence".
    """
    if network.decoder != AUTO:
        return network.decoder
    several = network.bottleneck is not None or int(scored.sum()) >= SCORED_FEATURES_FOR_SEQUENCE
    return "sequence" if several else "context"


def scored_features(features: Sequence[str], fit_values: Float32Array, context: Sequence[str] | None) -> BoolArray:
    """Say which features are scored [F]: all but the context features.

    With None those are the features that hold only 0 and 1 in the fit part (commands, flags), unless there are no others.
    """
    if context is None:
        binary = np.all((fit_values == 0.0) | (fit_values == 1.0) | np.isnan(fit_values), axis=0)
        return np.ones(len(features), np.bool_) if binary.all() else np.asarray(~binary)
    unknown = [name for name in context if name not in features]
    if unknown or len(set(context)) == len(features):
        what = f"{', '.join(unknown)} is no feature" if unknown else "no feature is left to be scored"
        msg = f"context columns: {what} (features: {', '.join(features)})"
        raise InputDataError(msg)
    return np.array([name not in context for name in features])


def _check_varies(features: Sequence[str], values: Float32Array, scored: BoolArray) -> None:
    """Raise InputDataError for a feature without any value, or when no scored feature varies."""
    empty = np.asarray(np.isnan(values).all(axis=0))
    if empty.any():
        names = ", ".join(name for name, is_empty in zip(features, empty.tolist(), strict=True) if is_empty)
        msg = f"column {names} has no value in the first 70 % of the readings; name it in --ignore-columns to leave it out"
        raise InputDataError(msg)
    if not (np.nanmax(values, axis=0) > np.nanmin(values, axis=0))[scored].any():
        msg = "the data is constant: no column varies in the first 70 % of the readings, so nothing can be learned"
        raise InputDataError(msg)
