"""Converts a trained model to the contents of files, and back. Needs no TensorFlow.

    spec.json            names, features, members, window length, sampling interval, architecture,
                         words and numbers that mean missing, counters
    weights.safetensors  the network's weights, by the path of the variable; the linear members' matrices
    scoring.json         usual errors, context features, the fleet's typical scale
    calibration.json     how rare an error is (calibration_files.py)
    sensors.safetensors  each sensor's scale, levels, pace and healthy data (calibration_files.py)
    report.json          the training report, for people

No file holds code, and reading them deserialises nothing that could run any.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_detector.detection.model_spec import ModelSpec
from stream_detector.model.artifact import Artifact, NetworkSpec
from stream_detector.model.error_normalization import ErrorNormalization
from stream_detector.model.linear_members import LinearMember, LinearSpec
from stream_detector.model.missing_features import RowMoments
from stream_detector.model.missing_levels import MissingLevels
from stream_detector.model.static_covariates import Fleet
from stream_detector.model_store.arrays import read_arrays, write_arrays
from stream_detector.model_store.calibration_files import (
    as_float32,
    calibration_to_json,
    healthy_arrays,
    parse_calibration,
    parse_healthy,
    parse_sensors,
    sensor_arrays,
)
from stream_detector.model_store.validation import (
    check_calibration,
    check_healthy,
    check_linear,
    check_missing,
    check_network,
    check_scoring,
    check_spec,
)
from stream_detector.readings import Float32Array
from stream_detector.state.idle import OnlyWhile
from stream_detector.values import MissingValues

SCHEMA_VERSION = 7
#: The earlier versions that are read too. Version 6 has neither offsets of attention nor the usual attention of the sensors.
ALSO_READ = (6,)
SPEC, WEIGHTS, SCORING, CALIBRATION, SENSORS, REPORT = (
    "spec.json",
    "weights.safetensors",
    "scoring.json",
    "calibration.json",
    "sensors.safetensors",
    "report.json",
)
#: The files that determine the scores; the version is a digest of these and of the spec.
DECISIVE = (WEIGHTS, SCORING, CALIBRATION, SENSORS)
#: Exceptions that parsing raises for content that is not a model's.
PARSE_ERRORS = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
#: What the network of a model of version 6 is like.
_BEFORE_OFFSETS = {"attention_offsets": False}
_LINEAR = "linear/"  # prefix of the names of the linear members' arrays
_MISSING = "missing/"  # of those about missing features


def with_version(artifact: Artifact) -> Artifact:
    """Return the artifact with the version derived from its content."""
    digest = hashlib.sha256(json.dumps(_decisive_spec(artifact), sort_keys=True).encode())
    for name, content in pack(artifact).items():
        if name in DECISIVE:
            digest.update(name.encode() + hashlib.sha256(content).digest())
    return replace(artifact, spec=replace(artifact.spec, version=digest.hexdigest()[:12]))


def pack(artifact: Artifact) -> dict[str, bytes]:
    """Return the files' contents, without the picture and the manifest. Equal artifacts give equal bytes."""
    scoring = {
        "features": artifact.spec.features,
        "fleet": {name: getattr(artifact.fleet, name).tolist() for name in Fleet.__slots__},
        "usual_errors": artifact.normalization.usual_errors.tolist(),
        "scored": artifact.normalization.scored.tolist(),
    }
    spec = {
        "schema_version": SCHEMA_VERSION,
        "name": artifact.spec.name,
        "version": artifact.spec.version,
        **_decisive_spec(artifact),
    }
    return {
        SPEC: as_json(spec),
        WEIGHTS: write_arrays({**artifact.weights, **_linear_arrays(artifact.linear), **_missing_arrays(artifact)}),
        SCORING: as_json(scoring),
        CALIBRATION: as_json(calibration_to_json(artifact.calibration)),
        SENSORS: write_arrays(sensor_arrays(artifact.calibration.sensors) | healthy_arrays(artifact.healthy)),
        REPORT: as_json(artifact.report),
    }


def unpack(files: Mapping[str, bytes]) -> Artifact:
    """Return the artifact; raise one of PARSE_ERRORS for content that is not a model's or is inconsistent."""
    spec_data, scoring = json.loads(files[SPEC]), json.loads(files[SCORING])
    arrays, of_sensors = read_arrays(files[WEIGHTS]), read_arrays(files[SENSORS])
    report = _parse_report(files[REPORT])
    artifact = Artifact(
        spec=_with_state_of_report(_parse_spec(spec_data), report),
        network=NetworkSpec(**{**_BEFORE_OFFSETS, **spec_data["network"]}),
        weights={name: array for name, array in arrays.items() if not name.startswith((_LINEAR, _MISSING))},
        linear=_parse_linear(spec_data["linear"], arrays),
        fleet=Fleet(**{name: np.array(values, np.float32) for name, values in scoring["fleet"].items()}),
        normalization=ErrorNormalization(np.array(scoring["usual_errors"], np.float32), np.array(scoring["scored"], np.bool_)),
        row_moments=_parse_row_moments(arrays),
        missing_levels=_parse_missing_levels(arrays),
        calibration=parse_calibration(json.loads(files[CALIBRATION]), parse_sensors(of_sensors)),
        healthy=parse_healthy(of_sensors),
        report=report,
    )
    check_spec(artifact.spec)
    check_network(artifact.network, artifact.weights)
    check_linear(artifact.linear, artifact.spec)
    check_scoring(artifact.normalization, artifact.fleet, artifact.spec)
    check_missing(artifact.row_moments, artifact.missing_levels, artifact.spec)
    check_calibration(artifact.calibration, artifact.spec)
    check_healthy(artifact.healthy, len(artifact.calibration.sensors), len(artifact.spec.features))
    return artifact


def as_json(data: object) -> bytes:
    """Return data as the content of a JSON file."""
    return (json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _decisive_spec(artifact: Artifact) -> dict[str, Any]:
    return {
        "features": list(artifact.spec.features),
        "members": list(artifact.spec.members),
        "window_length": artifact.spec.window_length,
        "sampling_interval_seconds": artifact.spec.sampling_interval_seconds,
        "network": asdict(artifact.network),
        "linear": [asdict(member.spec) for member in artifact.linear],
        "missing_values": artifact.spec.missing_values.to_json(),
        "counters": list(artifact.spec.counters),
        **({"only_while": artifact.spec.only_while} if artifact.spec.only_while else {}),
    }


def _parse_spec(data: Mapping[str, Any]) -> ModelSpec:
    return ModelSpec(
        name=str(data["name"]),
        version=str(data["version"]),
        features=tuple(str(name) for name in data["features"]),
        window_length=int(data["window_length"]),
        sampling_interval_seconds=float(data["sampling_interval_seconds"]),
        members=tuple(str(name) for name in data["members"]),
        missing_values=MissingValues.of(data["missing_values"]),
        counters=tuple(str(name) for name in data["counters"]),
        only_while=str(data.get("only_while", "")),
    )


def _linear_arrays(linear: Sequence[LinearMember]) -> dict[str, Float32Array]:
    arrays: dict[str, Float32Array] = {}
    for member in linear:
        prefix = f"{_LINEAR}{member.spec.name}/"
        arrays |= {f"{prefix}input_mean": member.input_mean, f"{prefix}output_mean": member.output_mean}
        arrays |= {f"{prefix}{position}": matrix for position, matrix in enumerate(member.matrices)}
    return arrays


def _with_state_of_report(spec: ModelSpec, report: Mapping[str, Any]) -> ModelSpec:
    """Return the spec with the condition that earlier models have in their report only, if their features can tell it."""
    if spec.only_while or not isinstance(text := report.get("only_while"), str):
        return spec
    try:
        OnlyWhile.parse(text, spec.features, spec.counters)
    except ValueError:
        return spec
    return replace(spec, only_while=text)


def _parse_linear(specs: Sequence[Mapping[str, Any]], arrays: Mapping[str, Float32Array]) -> tuple[LinearMember, ...]:
    members = []
    for fields in specs:
        spec = LinearSpec(str(fields["kind"]), int(fields["rows_read"]), int(fields["rows_predicted"]))
        prefix = f"{_LINEAR}{spec.name}/"
        count = sum(name.startswith(prefix) for name in arrays) - 2
        matrices = tuple(as_float32(arrays[f"{prefix}{position}"]) for position in range(count))
        input_mean, output_mean = (as_float32(arrays[f"{prefix}{name}"]) for name in ("input_mean", "output_mean"))
        members.append(LinearMember(spec, input_mean, matrices, output_mean))
    return tuple(members)


def _missing_arrays(artifact: Artifact) -> dict[str, NDArray[Any]]:
    moments, levels = artifact.row_moments, artifact.missing_levels
    return {
        f"{_MISSING}covariance": moments.covariance,
        f"{_MISSING}lagged": moments.lagged,
        f"{_MISSING}single": levels.single,
        f"{_MISSING}pair": levels.pair,
        f"{_MISSING}centre": levels.centre,
        f"{_MISSING}rows_read": levels.rows_read,
    }


def _parse_row_moments(arrays: Mapping[str, NDArray[Any]]) -> RowMoments:
    covariance, lagged = (arrays[f"{_MISSING}{name}"].astype(np.float64) for name in ("covariance", "lagged"))
    return RowMoments(covariance, lagged)


def _parse_missing_levels(arrays: Mapping[str, NDArray[Any]]) -> MissingLevels:
    single, pair, centre = (as_float32(arrays[f"{_MISSING}{name}"]) for name in ("single", "pair", "centre"))
    return MissingLevels(single, pair, centre, arrays[f"{_MISSING}rows_read"].astype(np.int64))


def _parse_report(content: bytes) -> Mapping[str, Any]:
    report = json.loads(content)
    if not isinstance(report, dict):
        msg = "the report is not a JSON object"
        raise TypeError(msg)
    return report
