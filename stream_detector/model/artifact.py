"""A trained model as data, and the directory it is kept in.

    manifest.json      SHA-256 of every other file; read first
    spec.json          names, features, members, window length, sampling interval, architecture
    weights.npz        the network's weights, by the path of the variable; the linear members' matrices
    scoring.json       usual errors, context features, what scale is typical
    calibration.json   what error is rare
    sensors.npz        each sensor's scale and usual errors
    report.json        how the training went
    training.png       the loss, and a reconstruction

Nothing in it is code, and nothing is deserialised that could run any. TensorFlow is not needed to read it.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_detector.calibration import Calibration, Tails
from stream_detector.errors import ModelError
from stream_detector.model.consistency import check_calibration, check_linear, check_scoring, check_spec
from stream_detector.model.directory import replace_directory
from stream_detector.model.linear import LinearMember, Shape
from stream_detector.model.traits import Fleet
from stream_detector.model.whitening import Whitening
from stream_detector.readings import Float32Array
from stream_detector.sensor_table import SensorTable
from stream_detector.spec import ModelSpec

SCHEMA_VERSION = 2
MANIFEST, SPEC, WEIGHTS, SCORING, CALIBRATION, SENSORS = (
    "manifest.json",
    "spec.json",
    "weights.npz",
    "scoring.json",
    "calibration.json",
    "sensors.npz",
)
REPORT, PICTURE = "report.json", "training.png"
#: What decides results; the version is derived from these.
DECISIVE = (WEIGHTS, SCORING, CALIBRATION, SENSORS)
KIND = "stream-detector model"
_LINEAR = "linear/"  # before the names of the linear members' arrays
#: What parsing raises for content that is not a model's.
_MISFITS = (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """The arguments of masked.build_network that a model directory keeps."""

    units: int = 64
    dropout: float = 0.0
    decoder: str = "both"
    bottleneck: int | None = None
    attention_units: int | None = 32
    uniform_attention: bool = False


@dataclass(frozen=True, slots=True)
class Artifact:
    """A trained model, complete."""

    spec: ModelSpec
    network: NetworkSpec
    weights: Mapping[str, Float32Array]  # by the path of the variable
    linear: tuple[LinearMember, ...]  # those that are scored
    fleet: Fleet
    whitening: Whitening
    calibration: Calibration
    report: Mapping[str, Any]  # JSON: what a person wants to know of the training


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known of a model without its network."""

    spec: ModelSpec
    calibration: Calibration
    report: Mapping[str, Any]


def with_version(artifact: Artifact) -> Artifact:
    """Return the artifact with the version that its content gives it."""
    digest = hashlib.sha256(json.dumps(_decisive_spec(artifact), sort_keys=True).encode())
    for name, content in _files(artifact).items():
        if name in DECISIVE:
            digest.update(name.encode() + hashlib.sha256(content).digest())
    return replace(artifact, spec=replace(artifact.spec, version=digest.hexdigest()[:12]))


def save_artifact(artifact: Artifact, directory: Path, picture: bytes) -> None:
    """Write the directory whole or not at all; a model that is there is replaced.

    Raises ModelError if something else is there, or it cannot be written.
    """
    files = {**_files(artifact), PICTURE: picture}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = {"kind": KIND, "schema_version": SCHEMA_VERSION, "files": digests}
    replace_directory(directory, {**files, MANIFEST: _json(manifest)}, is_replaceable=is_model)


def is_model(directory: Path) -> bool:
    """Say whether a directory looks like a model of any schema version."""
    try:
        manifest = json.loads((directory / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("kind") == KIND


def load_artifact(directory: Path) -> Artifact:
    """Read and check a model directory; raise ModelError that says what to do."""
    files = _read_checked(directory, (SPEC, WEIGHTS, SCORING, CALIBRATION, SENSORS, REPORT))
    try:
        return _parse(files)
    except _MISFITS as error:
        raise ModelError(_unreadable(directory, error)) from None


def load_metadata(directory: Path) -> Metadata:
    """Read and check what is known of a model without its network; raise ModelError that says what to do."""
    files = _read_checked(directory, (SPEC, CALIBRATION, SENSORS, REPORT))
    try:
        spec, _ = _parse_spec(files[SPEC])
        return Metadata(spec, _parse_calibration(files, spec), json.loads(files[REPORT]))
    except _MISFITS as error:
        raise ModelError(_unreadable(directory, error)) from None


def _read_checked(directory: Path, needed: tuple[str, ...]) -> dict[str, bytes]:
    """Read the files needed, and check all files against the manifest, before anything in them is interpreted."""
    manifest = _read_manifest(directory)
    contents: dict[str, bytes] = {}
    for name in (SPEC, WEIGHTS, SCORING, CALIBRATION, SENSORS, REPORT, PICTURE):
        try:
            content = (directory / name).read_bytes()
        except OSError as error:
            msg = f"model {directory}: {name} cannot be read ({error.strerror}); copy the whole directory again, or train anew"
            raise ModelError(msg) from None
        if hashlib.sha256(content).hexdigest() != manifest.get(name):
            msg = f"model {directory}: {name} is not as it was written (checksum); copy the directory again, or train anew"
            raise ModelError(msg)
        if name in needed:
            contents[name] = content
    return contents


def _read_manifest(directory: Path) -> dict[str, str]:
    """Return the checksum of each file; raise ModelError unless this is a model of this schema version."""
    train = f"train one with `stream-detector train --output {directory}`"
    if not directory.is_dir():
        msg = f"model {directory}: there is no such directory; {train}"
        raise ModelError(msg)
    try:
        manifest = json.loads((directory / MANIFEST).read_bytes())
    except FileNotFoundError:
        msg = f"model {directory}: not a model directory ({MANIFEST} is missing); {train}"
        raise ModelError(msg) from None
    except OSError as error:
        msg = f"model {directory}: {MANIFEST} cannot be read ({error.strerror})"
        raise ModelError(msg) from None
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND or not isinstance(manifest.get("files"), dict):
        msg = f"model {directory}: {MANIFEST} is damaged or not of a model; copy the directory again, or train anew"
        raise ModelError(msg)
    if manifest.get("schema_version") != SCHEMA_VERSION:
        found = manifest.get("schema_version")
        msg = f"model {directory}: written as schema version {found}, this program reads {SCHEMA_VERSION}; train the model anew"
        raise ModelError(msg)
    return dict(manifest["files"])


def _unreadable(directory: Path, error: Exception) -> str:
    return f"model {directory}: its content does not fit together ({error}); train the model anew"


def _files(artifact: Artifact) -> dict[str, bytes]:
    """Return the files' contents, without the picture and the manifest. Equal artifacts give equal bytes."""
    calibration = artifact.calibration
    scoring = {
        "features": artifact.spec.features,
        "fleet": {name: getattr(artifact.fleet, name).tolist() for name in Fleet.__slots__},
        "usual_error": artifact.whitening.baseline.tolist(),
        "scored": artifact.whitening.scored.tolist(),
    }
    spec = {
        "schema_version": SCHEMA_VERSION,
        "name": artifact.spec.name,
        "version": artifact.spec.version,
        **_decisive_spec(artifact),
    }
    return {
        SPEC: _json(spec),
        WEIGHTS: _arrays({**artifact.weights, **_linear_arrays(artifact.linear)}),
        SCORING: _json(scoring),
        CALIBRATION: _json(_calibration_to_json(calibration)),
        SENSORS: _arrays(_sensor_arrays(calibration.sensors)),
        REPORT: _json(artifact.report),
    }


def _decisive_spec(artifact: Artifact) -> dict[str, Any]:
    return {
        "features": list(artifact.spec.features),
        "members": list(artifact.spec.members),
        "window_length": artifact.spec.window_length,
        "sampling_interval_seconds": artifact.spec.sampling_interval_seconds,
        "network": asdict(artifact.network),
        "linear": [asdict(member.shape) for member in artifact.linear],
    }


def _linear_arrays(linear: Sequence[LinearMember]) -> dict[str, Float32Array]:
    arrays: dict[str, Float32Array] = {}
    for member in linear:
        place = f"{_LINEAR}{member.shape.name}/"
        arrays |= {f"{place}input_mean": member.input_mean, f"{place}output_mean": member.output_mean}
        arrays |= {f"{place}{number}": matrix for number, matrix in enumerate(member.matrices)}
    return arrays


def _parse_linear(shapes: Sequence[Mapping[str, Any]], arrays: Mapping[str, Float32Array]) -> tuple[LinearMember, ...]:
    members = []
    for fields in shapes:
        shape = Shape(str(fields["kind"]), int(fields["reads"]), int(fields["says"]))
        place = f"{_LINEAR}{shape.name}/"
        count = sum(name.startswith(place) for name in arrays) - 2
        matrices = tuple(_single(arrays[f"{place}{number}"]) for number in range(count))
        input_mean, output_mean = (_single(arrays[f"{place}{name}"]) for name in ("input_mean", "output_mean"))
        members.append(LinearMember(shape, input_mean, matrices, output_mean))
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
    arrays = _read_arrays(content)
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


def _arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]  # the names of arrays, not options
    return content.getvalue()


def _read_arrays(content: bytes) -> dict[str, NDArray[Any]]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _single(array: NDArray[Any]) -> Float32Array:
    return array.astype(np.float32)


def _parse(files: Mapping[str, bytes]) -> Artifact:
    spec, decisive = _parse_spec(files[SPEC])
    scoring = json.loads(files[SCORING])
    arrays = _read_arrays(files[WEIGHTS])
    whitening = Whitening(np.array(scoring["usual_error"], np.float32), np.array(scoring["scored"], np.bool_))
    linear = _parse_linear(decisive["linear"], arrays)
    fleet = Fleet(**{name: np.array(values, np.float32) for name, values in scoring["fleet"].items()})
    check_linear(linear, spec)
    check_scoring(whitening, fleet, spec)
    return Artifact(
        spec=spec,
        network=NetworkSpec(**decisive["network"]),
        weights={name: array for name, array in arrays.items() if not name.startswith(_LINEAR)},
        linear=linear,
        fleet=fleet,
        whitening=whitening,
        calibration=_parse_calibration(files, spec),
        report=json.loads(files[REPORT]),
    )


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


def _json(data: object) -> bytes:
    return (json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
