"""A trained model as the contents of files, and back. TensorFlow is not needed.

    spec.json          names, features, members, window length, sampling interval, architecture
    weights.npz        the network's weights, by the path of the variable; the linear members' matrices
    scoring.json       usual errors, context features, what scale is typical
    calibration.json   what error is rare
    sensors.npz        each sensor's scale and usual errors
    report.json        how the training went

Nothing in them is code, and nothing is deserialised that could run any.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_detector.detection.calibration import Calibration, Tails
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.model.artifact import Artifact, Metadata, NetworkSpec
from stream_detector.model.error_normalization import ErrorNormalization
from stream_detector.model.linear_members import LinearMember, LinearSpec
from stream_detector.model.static_covariates import Fleet
from stream_detector.model_store.npz import read_arrays, write_arrays
from stream_detector.model_store.validation import check_calibration, check_linear, check_network, check_scoring, check_spec
from stream_detector.readings import Float32Array
from stream_detector.state.known_sensors import SensorTable

SCHEMA_VERSION = 2
SPEC, WEIGHTS, SCORING, CALIBRATION, SENSORS = (
    "spec.json",
    "weights.npz",
    "scoring.json",
    "calibration.json",
    "sensors.npz",
)
REPORT = "report.json"
#: What decides results; the version is derived from these.
DECISIVE = (WEIGHTS, SCORING, CALIBRATION, SENSORS)
_LINEAR = "linear/"  # before the names of the linear members' arrays
#: What parsing raises for content that is not a model's.
MISFITS = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


def with_version(artifact: Artifact) -> Artifact:
    """Return the artifact with the version that its content gives it."""
    digest = hashlib.sha256(json.dumps(_decisive_spec(artifact), sort_keys=True).encode())
    for name, content in pack(artifact).items():
        if name in DECISIVE:
            digest.update(name.encode() + hashlib.sha256(content).digest())
    return replace(artifact, spec=replace(artifact.spec, version=digest.hexdigest()[:12]))


def pack(artifact: Artifact) -> dict[str, bytes]:
    """Return the files' contents, without the picture and the manifest. Equal artifacts give equal bytes."""
    calibration = artifact.calibration
    scoring = {
        "features": artifact.spec.features,
        "fleet": {name: getattr(artifact.fleet, name).tolist() for name in Fleet.__slots__},
        "usual_error": artifact.normalization.usual_errors.tolist(),
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
        WEIGHTS: write_arrays({**artifact.weights, **_linear_arrays(artifact.linear)}),
        SCORING: as_json(scoring),
        CALIBRATION: as_json(_calibration_to_json(calibration)),
        SENSORS: write_arrays(_sensor_arrays(calibration.sensors)),
        REPORT: as_json(artifact.report),
    }


def _decisive_spec(artifact: Artifact) -> dict[str, Any]:
    return {
        "features": list(artifact.spec.features),
        "members": list(artifact.spec.members),
        "window_length": artifact.spec.window_length,
        "sampling_interval_seconds": artifact.spec.sampling_interval_seconds,
        "network": asdict(artifact.network),
        "linear": [asdict(member.spec) for member in artifact.linear],
    }


def _linear_arrays(linear: Sequence[LinearMember]) -> dict[str, Float32Array]:
    arrays: dict[str, Float32Array] = {}
    for member in linear:
        place = f"{_LINEAR}{member.spec.name}/"
        arrays |= {f"{place}input_mean": member.input_mean, f"{place}output_mean": member.output_mean}
        arrays |= {f"{place}{number}": matrix for number, matrix in enumerate(member.matrices)}
    return arrays


def _parse_linear(specs: Sequence[Mapping[str, Any]], arrays: Mapping[str, Float32Array]) -> tuple[LinearMember, ...]:
    members = []
    for fields in specs:
        spec = LinearSpec(str(fields["kind"]), int(fields["reads"]), int(fields["says"]))
        place = f"{_LINEAR}{spec.name}/"
        count = sum(name.startswith(place) for name in arrays) - 2
        matrices = tuple(_single(arrays[f"{place}{number}"]) for number in range(count))
        input_mean, output_mean = (_single(arrays[f"{place}{name}"]) for name in ("input_mean", "output_mean"))
        members.append(LinearMember(spec, input_mean, matrices, output_mean))
    return tuple(members)


def _sensor_arrays(table: SensorTable) -> dict[str, NDArray[Any]]:
    """Return the table as arrays; names are bytes, since arrays of text need four times as much."""
    names = [name.encode() for name, _ in sorted(table.rows.items(), key=lambda item: item[1])]
    return {
        "names": np.frombuffer(b"".join(names), np.uint8),
        "name_lengths": np.array([len(name) for name in names], np.int64),
        "location": table.location,
        "deviation": table.deviation,
        "levels": table.levels,
        "counts": table.counts,
    }


def _parse_sensors(content: bytes) -> SensorTable:
    """Return the table; raise ValueError for names that are not in order."""
    arrays = read_arrays(content)
    lengths, names = arrays["name_lengths"], arrays["names"].tobytes()
    ends = np.cumsum(lengths).tolist()
    rows = {names[first:last].decode(): row for row, (first, last) in enumerate(pairwise([0, *ends]))}
    if (lengths < 0).any() or lengths.sum() != len(names) or len(rows) != len(lengths):
        msg = "sensors: names of other lengths, or twice the same"
        raise ValueError(msg)
    return SensorTable(
        rows=rows,
        location=_single(arrays["location"]),
        deviation=_single(arrays["deviation"]),
        levels=arrays["levels"].astype(np.float64),
        counts=arrays["counts"].astype(np.float64),
    )


def _single(array: NDArray[Any]) -> Float32Array:
    return array.astype(np.float32)


def unpack(files: Mapping[str, bytes]) -> Artifact:
    """Return the artifact; raise one of MISFITS for content that is not a model's, or does not fit together."""
    spec, decisive = _parse_spec(files[SPEC])
    scoring = json.loads(files[SCORING])
    arrays = read_arrays(files[WEIGHTS])
    network = NetworkSpec(**decisive["network"])
    weights = {name: array for name, array in arrays.items() if not name.startswith(_LINEAR)}
    normalization = ErrorNormalization(np.array(scoring["usual_error"], np.float32), np.array(scoring["scored"], np.bool_))
    linear = _parse_linear(decisive["linear"], arrays)
    fleet = Fleet(**{name: np.array(values, np.float32) for name, values in scoring["fleet"].items()})
    check_network(network, weights)
    check_linear(linear, spec)
    check_scoring(normalization, fleet, spec)
    return Artifact(
        spec=spec,
        network=network,
        weights=weights,
        linear=linear,
        fleet=fleet,
        normalization=normalization,
        calibration=_parse_calibration(files, spec),
        report=_parse_report(files[REPORT]),
    )


def unpack_metadata(files: Mapping[str, bytes]) -> Metadata:
    """Return what SPEC, CALIBRATION, SENSORS and REPORT say; raises as `unpack`."""
    spec, _ = _parse_spec(files[SPEC])
    return Metadata(spec, _parse_calibration(files, spec), _parse_report(files[REPORT]))


def _parse_report(content: bytes) -> Mapping[str, Any]:
    report = json.loads(content)
    if not isinstance(report, dict):
        msg = "the report is no object"
        raise TypeError(msg)
    return report


def _parse_spec(content: bytes) -> tuple[ModelSpec, Mapping[str, Any]]:
    """Return the contract, and all that decides."""
    data = json.loads(content)
    spec = ModelSpec(
        name=str(data["name"]),
        version=str(data["version"]),
        features=tuple(str(name) for name in data["features"]),
        window_length=int(data["window_length"]),
        sampling_interval_seconds=float(data["sampling_interval_seconds"]),
        members=tuple(str(name) for name in data["members"]),
    )
    check_spec(spec)
    return spec, data


def _calibration_to_json(calibration: Calibration) -> dict[str, Any]:
    """Return the calibration without the sensors, which have a file of their own."""
    content = {name: getattr(calibration, name) for name in Calibration.__slots__ if name not in ("sensors", "tails")}
    tails = {name: getattr(calibration.tails, name).tolist() for name in Tails.__slots__}
    arrays = {"weights": calibration.weights.tolist(), "pooled_level": calibration.pooled_level.tolist()}
    return {**content, **arrays, "members": list(calibration.members), "tails": tails}


def _parse_calibration(files: Mapping[str, bytes], spec: ModelSpec) -> Calibration:
    data = json.loads(files[CALIBRATION])
    data["tails"] = Tails(**{name: np.array(values, np.float64) for name, values in data["tails"].items()})
    data |= {name: np.array(data[name], np.float64) for name in ("weights", "pooled_level")}
    data["members"] = tuple(data["members"])
    calibration = Calibration(**data, sensors=_parse_sensors(files[SENSORS]))
    check_calibration(calibration, spec)
    return calibration


def as_json(data: object) -> bytes:
    """Return data as a JSON file."""
    return (json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
