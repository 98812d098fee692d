"""Reads and writes a model directory: the files of serialization.py, a picture, and the checksums of all of them.

manifest.json      SHA-256 of every other file; read first
training.png       the losses, and the network's prediction of a window's masked rows

Anyone who can write to the directory controls what counts as an anomaly: the checks are no protection from that. They catch
damage and mistakes in copying or mounting, and keep a foreign directory from blocking the process or filling its memory.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from stream_detector.errors import ModelError
from stream_detector.files import UnsuitableFileError, read_inside, replace_directory
from stream_detector.model.artifact import Artifact
from stream_detector.model_store.serialization import (
    ALSO_READ,
    CALIBRATION,
    PARSE_ERRORS,
    REPORT,
    SCHEMA_VERSION,
    SCORING,
    SENSORS,
    SPEC,
    WEIGHTS,
    as_json,
    pack,
    unpack,
)

MANIFEST, PICTURE = "manifest.json", "training.png"
FILES = (SPEC, WEIGHTS, SCORING, CALIBRATION, SENSORS, REPORT, PICTURE)
KIND = "stream-detector model"
#: Upper limits of a file; no model comes near them. JSON takes many times its size in memory.
MAXIMUM_JSON_BYTES, MAXIMUM_BYTES = 8 * 1024 * 1024, 1024 * 1024 * 1024
_RECOVERY = "copy the directory again, or train the model again"


def save_artifact(artifact: Artifact, directory: Path, picture: bytes, previous: Path | None = None) -> None:
    """Write the directory completely or not at all; replace an existing model, which becomes `previous` unless that is None.

    Raises ModelError if the directory holds anything else or cannot be written, or if the model could not be read again.
    """
    files = {**pack(artifact), PICTURE: picture}
    try:
        unpack(files)
    except PARSE_ERRORS as error:
        msg = f"model {directory}: not written, because it could not be read again ({error}); please report this"
        raise ModelError(msg) from None
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = {"kind": KIND, "schema_version": SCHEMA_VERSION, "files": digests}
    replace_directory(directory, {**files, MANIFEST: as_json(manifest)}, is_replaceable=is_model, previous=previous)


def is_model(directory: Path) -> bool:
    """Return whether a directory looks like a model of any schema version."""
    try:
        manifest = json.loads(read_inside(directory, MANIFEST, MAXIMUM_JSON_BYTES))
    except (OSError, UnsuitableFileError, ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and manifest.get("kind") == KIND


def is_absent(directory: Path) -> bool:
    """Return whether there is no model, nor anything else that may be a broken one: no directory, or an empty one.

    Raises ModelError if that cannot be found out.
    """
    try:
        return next(directory.iterdir(), None) is None
    except FileNotFoundError:
        return not directory.is_symlink()
    except OSError as error:
        msg = f"model {directory}: cannot be read ({error.strerror}); {_RECOVERY}"
        raise ModelError(msg) from None


def load_artifact(directory: Path) -> Artifact:
    """Read and check a model directory. Raises ModelError, whose message tells the user what to do."""
    files = _read_checked(directory)
    try:
        return unpack(files)
    except PARSE_ERRORS as error:
        msg = f"model {directory}: its files are inconsistent ({error}); train the model again"
        raise ModelError(msg) from None


def _read_checked(directory: Path) -> dict[str, bytes]:
    """Read all files and compare them with the manifest, before anything in them is interpreted."""
    digests = _read_manifest(directory)
    contents: dict[str, bytes] = {}
    for name in FILES:
        contents[name] = _read(directory, name)
        if hashlib.sha256(contents[name]).hexdigest() != digests.get(name):
            msg = f"model {directory}: {name} has changed since it was written (checksum mismatch); {_RECOVERY}"
            raise ModelError(msg)
    return contents


def _read_manifest(directory: Path) -> dict[str, str]:
    """Return the checksum of each file; raise ModelError unless this is a model of a schema version that is read."""
    if not directory.is_dir():
        msg = f"model {directory}: there is no such directory; {_train_into(directory)}"
        raise ModelError(msg)
    try:
        manifest = json.loads(_read(directory, MANIFEST))
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND or not isinstance(manifest.get("files"), dict):
        msg = f"model {directory}: {MANIFEST} is damaged or not of a model; {_RECOVERY}"
        raise ModelError(msg)
    if manifest.get("schema_version") not in (SCHEMA_VERSION, *ALSO_READ):
        found = manifest.get("schema_version")
        msg = (
            f"model {directory}: has schema version {found}, this program reads {SCHEMA_VERSION}; "
            "train the model again with this program"
        )
        raise ModelError(msg)
    return dict(manifest["files"])


def _read(directory: Path, name: str) -> bytes:
    try:
        return read_inside(directory, name, MAXIMUM_JSON_BYTES if name.endswith(".json") else MAXIMUM_BYTES)
    except UnsuitableFileError as error:
        msg = f"model {directory}: {name} {error}; {_RECOVERY}"
        raise ModelError(msg) from None
    except OSError as error:
        if name == MANIFEST and isinstance(error, FileNotFoundError):
            msg = f"model {directory}: not a model directory ({MANIFEST} is missing); {_train_into(directory)}"
            raise ModelError(msg) from None
        msg = f"model {directory}: {name} cannot be read ({error.strerror}); {_RECOVERY}"
        raise ModelError(msg) from None


def _train_into(directory: Path) -> str:
    return f"train one with `stream-detector train --output {directory}`"
