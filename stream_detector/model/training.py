"""From prepared data to a trained model: fit the network, measure usual errors, calibrate."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import stream_detector
from stream_detector.dataset import Dataset
from stream_detector.model.artifact import Artifact, with_version
from stream_detector.model.autoencoder import build_autoencoder
from stream_detector.model.calibrate import fit_calibration
from stream_detector.model.fitting import CALIBRATING, Losses, Progress, fit
from stream_detector.model.preparation import Prepared
from stream_detector.model.samples import gather
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


def train(prepared: Prepared, progress: Progress) -> Training:
    """Train. Equal data, configuration and versions give an equal model on one kind of machine."""
    dataset, config = prepared.dataset, prepared.config
    network = build_autoencoder(config.window_length, len(dataset.features), seed=config.seed, **asdict(config.network))
    losses = fit(network, prepared, progress)

    tiles = Tiles(prepared.scaler, config.window_length, len(dataset.features), TILE_ROWS)
    ends = prepared.split.calibration_ends(config.max_calibration_windows, config.seed)
    errors, seen = _errors(network, tiles, dataset.values, ends, progress)
    whitening = fit_whitening(errors, seen, prepared.scored)
    scores = whitening.score(errors, seen)
    calibration = fit_calibration(_by_sensor(dataset, ends, scores), quiet_readings=max(1, config.window_length // 2))
    artifact = Artifact(
        spec=ModelSpec(config.name, "", dataset.features, config.window_length, prepared.interval_seconds),
        network=config.network,
        weights={variable.path: np.asarray(variable.numpy()) for variable in network.weights},
        scaler=prepared.scaler,
        whitening=whitening,
        calibration=calibration,
        report={},
    )
    artifact = replace(artifact, report=_report(prepared, losses, artifact))
    return Training(with_version(artifact), losses, _example(network, artifact, dataset.values, ends, scores))


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


def _report(prepared: Prepared, losses: Losses, artifact: Artifact) -> dict[str, Any]:
    """Return what a person wants to know of the training, as JSON."""
    dataset, split = prepared.dataset, prepared.split
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
        "configuration": asdict(prepared.config),
        "versions": {
            "stream_detector": stream_detector.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
