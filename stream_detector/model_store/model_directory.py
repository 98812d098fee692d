"""The directory that a model is kept in: the files of serialization.py, a picture, and the checksums of all.

manifest.json      SHA-256 of every other file; read first
training.png       the loss, and what the network expects of a window's hidden rows
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from stream_detector.errors import ModelError
from stream_detector.files import UnsuitableFileError, read_inside, replace_directory
from stream_detector.model.artifact import Artifact, Metadata
from stream_detector.model_store.serialization import (
    CALIBRATION,
    MISFITS,
    REPORT,
    SCHEMA_VERSION,
    SCORING,
    SENSORS,
    SPEC,
    WEIGHTS,
    as_json,
    pack,
    unpack,
    unpack_metadata,
)

MANIFEST, PICTURE = "manifest.json", "training.png"
KIND = "stream-detector model"
#: No model has larger files; one that claims to is not read. JSON takes many times its size in memory.
MAXIMUM_JSON_BYTES, MAXIMUM_BYTES = 8 * 1024 * 1024, 1024 * 1024 * 1024


def save_artifact(artifact: Artifact, directory: Path, picture: bytes) -> None:
    """Write the directory whole or not at all; a model that is there is replaced.

    Raises ModelError if something else is there, or it cannot be written.
    """
    files = {**pack(artifact), PICTURE: picture}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = {"kind": KIND, "schema_version": SCHEMA_VERSION, "files": digests}
    replace_directory(directory, {**files, MANIFEST: as_json(manifest)}, is_replaceable=is_model)


def is_model(directory: Path) -> bool:
    """Say whether a directory looks like a model of any schema version."""
    try:
        manifest = json.loads(read_inside(directory, MANIFEST, MAXIMUM_JSON_BYTES))
    except (OSError, UnsuitableFileError, ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and manifest.get("kind") == KIND


def load_artifact(directory: Path) -> Artifact:
    """Read and check a model directory; raise ModelError that says what to do."""
    files = _read_checked(directory, (SPEC, WEIGHTS, SCORING, CALIBRATION, SENSORS, REPORT))
    try:
        return unpack(files)
    except MISFITS as error:
        raise ModelError(_unreadable(directory, error)) from None


def load_metadata(directory: Path) -> Metadata:
    """Read and check what is known of a model without its network; raise ModelError that says what to do."""
    files = _read_checked(directory, (SPEC, CALIBRATION, SENSORS, REPORT))
    try:
        return unpack_metadata(files)
    except MISFITS as error:
        raise ModelError(_unreadable(directory, error)) from None


def _read_checked(directory: Path, needed: tuple[str, ...]) -> dict[str, bytes]:
    """Read the files needed, and check all files against the manifest, before anything in them is interpreted."""
    manifest = _read_manifest(directory)
    contents: dict[str, bytes] = {}
    for name in (SPEC, WEIGHTS, SCORING, CALIBRATION, SENSORS, REPORT, PICTURE):
        try:
            content = read_inside(directory, name, MAXIMUM_JSON_BYTES if name.endswith(".json") else MAXIMUM_BYTES)
        except UnsuitableFileError as error:
            msg = f"model {directory}: {name} {error}; copy the whole directory again, or train anew"
            raise ModelError(msg) from None
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
        manifest = json.loads(read_inside(directory, MANIFEST, MAXIMUM_JSON_BYTES))
    except FileNotFoundError:
        msg = f"model {directory}: not a model directory ({MANIFEST} is missing); {train}"
        raise ModelError(msg) from None
    except OSError as error:
        msg = f"model {directory}: {MANIFEST} cannot be read ({error.strerror})"
        raise ModelError(msg) from None
    except UnsuitableFileError as error:
        msg = f"model {directory}: {MANIFEST} {error}; copy the whole directory again, or train anew"
        raise ModelError(msg) from None
    except (ValueError, RecursionError):
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
