"""A trained model as data: what training returns, model_store/ writes and reads, and members.restore_members runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stream_detector.detection.calibration import Calibration
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.model.error_normalization import ErrorNormalization
from stream_detector.model.linear_members import LinearMember
from stream_detector.model.missing_features import RowMoments
from stream_detector.model.missing_levels import MissingLevels
from stream_detector.model.static_covariates import Fleet
from stream_detector.readings import Float32Array


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """The arguments of network.build_network that a model directory keeps."""

    units: int = 64
    dropout: float = 0.0
    decoder: str = "both"
    bottleneck: int | None = None
    attention_units: int | None = 32
    uniform_attention: bool = False
    attention_offsets: bool = True  # False: of a model from before there were any


@dataclass(frozen=True, slots=True)
class Artifact:
    """A complete trained model."""

    spec: ModelSpec
    network: NetworkSpec
    weights: Mapping[str, Float32Array]  # of the network, by the path of the Keras variable
    linear: tuple[LinearMember, ...]  # the scored linear members
    fleet: Fleet
    normalization: ErrorNormalization
    row_moments: RowMoments  # from which missing features are filled
    missing_levels: MissingLevels
    calibration: Calibration
    healthy: HealthyData
    report: Mapping[str, Any]  # JSON-like: the training report, for people
