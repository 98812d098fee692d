"""From a cleaned dataset to a trained model: split by time, fit, measure usual errors, calibrate."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import stream_detector
from stream_detector.dataset import Dataset, sampling_interval_seconds
from stream_detector.errors import InputDataError
from stream_detector.model.artifact import Artifact, with_version
from stream_detector.model.autoencoder import build_autoencoder
from stream_detector.model.calibrate import fit_calibration
from stream_detector.model.fitting import CALIBRATING, Losses, Progress, TrainingConfig, fit
from stream_detector.model.samples import Split, gather, split_by_time
from stream_detector.model.scaling import fit_scaler
from stream_detector.model.scoring import Tiles, feature_errors
from stream_detector.model.whitening import fit_whitening
from stream_detector.readings import BoolArray, Float32Array, Int64Array
from stream_detector.spec import ModelSpec

#: Windows per forward pass in calibration.
TILE_ROWS = 256


@dataclass(frozen=True, slots=True)
class Example:
    """A window of the calibration part of typical score, and its reconstruction, in the features' units."""

    window: Float32Array  # [T, F]
    reconstruction: Float32Array  # [T, F]


@dataclass(frozen=True, slots=True)
class Training:
    """The outcome of a training."""

    artifact: Artifact
    losses: Losses
    example: Example


def train(dataset: Dataset, config: TrainingConfig, progress: Progress) -> Training:
    """Train on a cleaned dataset. Equal data, configuration and versions give an equal model on one kind of machine.

    Raises InputDataError when there is too little data, or none that varies.
    """
    interval_seconds = sampling_interval_seconds(dataset)
    split = split_by_time(dataset, config.window_length, config.max_gap_intervals * interval_seconds)
    fit_values = dataset.values[split.fit_rows]
    scaler = fit_scaler(fit_values)
    scored = scored_features(dataset.features, fit_values, config.context_features)
    _check_varies(dataset.features, fit_values, scored)

    network = build_autoencoder(config.window_length, len(dataset.features), seed=config.seed, **asdict(config.network))
    losses = fit(network, dataset.values, split, scaler, config, progress=progress)

    tiles = Tiles(scaler, config.window_length, len(dataset.features), TILE_ROWS)
    ends = split.calibration_ends(config.max_calibration_windows, config.seed)
    errors, seen = _errors(network, tiles, dataset.values, ends, progress)
    whitening = fit_whitening(errors, seen, scored)
    scores = whitening.score(errors, seen)
    calibration = fit_calibration(_by_sensor(dataset, ends, scores), quiet_readings=max(1, config.window_length // 2))
    artifact = Artifact(
        spec=ModelSpec(config.name, "", dataset.features, config.window_length, interval_seconds),
        network=config.network,
        weights={variable.path: np.asarray(variable.numpy()) for variable in network.weights},
        scaler=scaler,
        whitening=whitening,
        calibration=calibration,
        report={},
    )
    artifact = replace(artifact, report=_report(dataset, config, split, losses, artifact))
    return Training(
        with_version(artifact),
        losses,
        _example(network, artifact, dataset.values, ends, scores),
    )


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


def _errors(
    network: keras.Model, tiles: Tiles, values: Float32Array, ends: Int64Array, progress: Progress
) -> tuple[Float32Array, BoolArray]:
    """Return the calibration windows' errors [W, F] and which features they have [W, F]."""
    compiled = feature_errors(network, tiles)
    parts = []
    for start in range(0, len(ends), 16 * tiles.rows):
        parts.append(tiles.run(compiled, gather(values, ends[start : start + 16 * tiles.rows], tiles.window_length)))
        progress(CALIBRATING, min(start + 16 * tiles.rows, len(ends)), len(ends), None)
    errors, seen = (np.concatenate(outputs) for outputs in zip(*parts, strict=True))
    return errors, seen


def _by_sensor(dataset: Dataset, ends: Int64Array, scores: Float32Array) -> dict[str, Float32Array]:
    """Return the scores of each sensor, in the order of time."""
    codes = dataset.codes[ends]
    bounds = np.flatnonzero(np.diff(codes)) + 1
    names = [dataset.sensors[code] for code in codes[np.concatenate([[0], bounds])].tolist()]
    return dict(zip(names, np.split(scores, bounds), strict=True))


def _example(network: keras.Model, artifact: Artifact, values: Float32Array, ends: Int64Array, scores: Float32Array) -> Example:
    """Return the calibration window of median score."""
    order = np.argsort(scores)  # NaN last
    typical = order[int(np.count_nonzero(~np.isnan(scores))) // 2]
    window = gather(values, ends[typical : typical + 1], artifact.spec.window_length)
    scaler = artifact.scaler
    filled, present = scaler.fill(window)
    scaled = network([scaler.scale(filled), present.astype(np.float32)], training=False)
    return Example(window[0], scaler.unscale(scaled.numpy())[0])


def _report(dataset: Dataset, config: TrainingConfig, split: Split, losses: Losses, artifact: Artifact) -> dict[str, Any]:
    """Return what a person wants to know of the training, as JSON."""
    best = int(np.argmin(losses.validation))
    context = [
        name for name, is_scored in zip(dataset.features, artifact.whitening.scored.tolist(), strict=True) if not is_scored
    ]
    return {
        "data": {
            "readings": len(dataset),
            "sensors": len(dataset.sensors),
            "features": list(dataset.features),
            "context_features": context,
            "missing_share": float(np.isnan(dataset.values).mean()),
            "first_time_ms": int(dataset.times_ms.min()),
            "last_time_ms": int(dataset.times_ms.max()),
        },
        "windows": {
            "fit": len(split.fit),
            "validation": len(split.validation),
            "calibration": len(split.calibration),
            "calibration_used": artifact.calibration.readings,
        },
        "losses": asdict(losses),
        "best": {
            "step": losses.steps[best],
            "training": losses.training[best],
            "validation": losses.validation[best],
            "validation_of_zero": losses.validation_of_zero,
        },
        "configuration": asdict(config),
        "versions": {
            "stream_detector": stream_detector.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
