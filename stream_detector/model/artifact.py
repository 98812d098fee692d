"""A trained model as data, and the directory it is kept in.

    manifest.json      SHA-256 of every other file; read first
    spec.json          names, features, window length, sampling interval, architecture
    weights.npz        the network's weights, by the path of the variable
    scoring.json       scaler, usual errors, context features
    calibration.json   what score is rare
    report.json        how the training went
    training.png       the loss, and a reconstruction

Nothing in it is code, and nothing is deserialised that could run any. TensorFlow is not needed to read it.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from stream_detector.calibration import Calibration, SensorLevel
from stream_detector.errors import ModelError
from stream_detector.model.directory import replace_directory
from stream_detector.model.scaling import Scaler
from stream_detector.model.whitening import Whitening
from stream_detector.readings import Float32Array
from stream_detector.spec import ModelSpec

SCHEMA_VERSION = 1
MANIFEST, SPEC, WEIGHTS, SCORING, CALIBRATION = (
    "manifest.json",
    "spec.json",
    "weights.npz",
    "scoring.json",
    "calibration.json",
)
REPORT, PICTURE = "report.json", "training.png"
#: What decides results; the version is derived from these.
DECISIVE = (WEIGHTS, SCORING, CALIBRATION)
KIND = "stream-detector model"


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """The arguments of build_autoencoder that a model directory keeps."""

    units: int = 64
    dropout: float = 0.2
    decoder: str = "context"
    bottleneck: int | None = None
    attention_units: int | None = None
    uniform_attention: bool = False


@dataclass(frozen=True, slots=True)
class Artifact:
    """A trained model, complete."""

    spec: ModelSpec
    network: NetworkSpec
    weights: Mapping[str, Float32Array]  # by the path of the variable
    scaler: Scaler
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
    files = _read_checked(directory, (SPEC, WEIGHTS, SCORING, CALIBRATION, REPORT))
    try:
        return _parse(files)
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(_unreadable(directory, error)) from None


def load_metadata(directory: Path) -> Metadata:
    """Read and check what is known of a model without its network; raise ModelError that says what to do."""
    files = _read_checked(directory, (SPEC, CALIBRATION, REPORT))
    try:
        spec, _ = _parse_spec(files[SPEC])
        return Metadata(spec, _parse_calibration(files[CALIBRATION]), json.loads(files[REPORT]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(_unreadable(directory, error)) from None


def _read_checked(directory: Path, needed: tuple[str, ...]) -> dict[str, bytes]:
    """Read the files needed, and check all files against the manifest, before anything in them is interpreted."""
    manifest = _read_manifest(directory)
    contents: dict[str, bytes] = {}
    for name in (SPEC, WEIGHTS, SCORING, CALIBRATION, REPORT, PICTURE):
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
    weights = io.BytesIO()
    np.savez(weights, **artifact.weights)  # type: ignore[arg-type]  # the names of arrays, not options
    scoring = {
        "features": artifact.spec.features,
        "mean": artifact.scaler.mean.tolist(),
        "deviation": artifact.scaler.deviation.tolist(),
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
        WEIGHTS: weights.getvalue(),
        SCORING: _json(scoring),
        CALIBRATION: _json(_calibration_to_json(artifact.calibration)),
        REPORT: _json(artifact.report),
    }


def _decisive_spec(artifact: Artifact) -> dict[str, Any]:
    return {
        "features": list(artifact.spec.features),
        "window_length": artifact.spec.window_length,
        "sampling_interval_seconds": artifact.spec.sampling_interval_seconds,
        "network": asdict(artifact.network),
    }


def _parse(files: Mapping[str, bytes]) -> Artifact:
    spec, network = _parse_spec(files[SPEC])
    scoring = json.loads(files[SCORING])
    with np.load(io.BytesIO(files[WEIGHTS]), allow_pickle=False) as archive:
        weights = {name: archive[name] for name in archive.files}
    per_feature = {
        name: np.array(scoring[name], np.float32).reshape(len(spec.features)) for name in ("mean", "deviation", "usual_error")
    }
    scored = np.array(scoring["scored"], np.bool_).reshape(len(spec.features))
    return Artifact(
        spec=spec,
        network=network,
        weights=weights,
        scaler=Scaler(per_feature["mean"], per_feature["deviation"]),
        whitening=Whitening(per_feature["usual_error"], scored),
        calibration=_parse_calibration(files[CALIBRATION]),
        report=json.loads(files[REPORT]),
    )


def _parse_spec(content: bytes) -> tuple[ModelSpec, NetworkSpec]:
    data = json.loads(content)
    spec = ModelSpec(
        name=str(data["name"]),
        version=str(data["version"]),
        features=tuple(str(name) for name in data["features"]),
        window_length=int(data["window_length"]),
        sampling_interval_seconds=float(data["sampling_interval_seconds"]),
    )
    return spec, NetworkSpec(**data["network"])


def _calibration_to_json(calibration: Calibration) -> dict[str, Any]:
    """Return the calibration with a sensor's level as [mean, count]."""
    fields = {name: getattr(calibration, name) for name in Calibration.__slots__ if name != "sensors"}
    levels = {sensor: [level.mean, level.count] for sensor, level in calibration.sensors.items()}
    return {**fields, "sensors": levels}


def _parse_calibration(content: bytes) -> Calibration:
    data = json.loads(content)
    levels = {sensor: SensorLevel(mean, count) for sensor, (mean, count) in data.pop("sensors").items()}
    return Calibration(**data, sensors=levels)


def _json(data: object) -> bytes:
    return (json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
