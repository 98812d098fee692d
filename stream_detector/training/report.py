"""Builds the training report, for people: report.json of the model directory."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import stream_detector
from stream_detector.detection.budget_resolution import mean_interval_seconds
from stream_detector.gate.promotion import REPORT_KEY
from stream_detector.model.artifact import Artifact
from stream_detector.training.alarm_budgets import budget_table
from stream_detector.training.gate_run import GateRun
from stream_detector.training.network_fit import Losses
from stream_detector.training.preparation import Prepared


def training_report(
    prepared: Prepared,
    losses: Losses,
    artifact: Artifact,
    gate: GateRun,
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Return the report of a training; `seconds` holds the duration of each phase."""
    dataset, split = prepared.dataset, prepared.split
    best = int(np.argmin(losses.validation))
    context = [name for name, is_scored in zip(dataset.features, prepared.scored.tolist(), strict=True) if not is_scored]
    calibration = artifact.calibration
    interval_seconds = mean_interval_seconds(calibration.sensors, artifact.spec.sampling_interval_seconds)
    budgets = budget_table(calibration.readings, len(calibration.sensors), interval_seconds)
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
            "calibration_used": calibration.readings,
        },
        "losses": asdict(losses),
        "best": {
            "step": losses.steps[best],
            "training": losses.training[best],
            "validation": losses.validation[best],
            "validation_of_carrying": losses.validation_of_carrying,
        },
        "members": gate.selection.as_json(),
        "autoencoder": gate.autoencoder.as_json() if gate.autoencoder else None,
        REPORT_KEY: gate.result.as_json() | {"blame": gate.attribution.as_json()},
        "budgets": [asdict(row) for row in budgets],
        "phase_seconds": dict(seconds),
        "configuration": asdict(prepared.config) | {"missing_values": prepared.config.missing_values.to_json()},
        "versions": {
            "stream_detector": stream_detector.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
