"""A directory in which TensorFlow keeps what it compiled, so that the next start of the same model need not compile again.

ROOT/MACHINE/*.pb           what TensorFlow wrote, a file for each compiled shape
ROOT/MACHINE/sha256.json    the digests of these files, written once a model had started with them

The files are machine code. So the directory belongs to its user alone, and each processor and version of TensorFlow has its
own. TensorFlow ends with an error at a file that was cut short: a file whose digest is not on the list is removed first.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from stream_detector.files import replaced_file

_DIGESTS = "sha256.json"
_SUFFIX = ".pb"
#: More files than this are of models long gone: a model has three or four, each of some hundred kB.
MOST_FILES = 64
#: TensorFlow ends with an error if it cannot write what it compiled, so nothing is kept where there is less room.
LEAST_FREE_BYTES = 256 << 20
_LEFT_OVER_SECONDS = 3600.0


def prepare(root: Path, machine: str, now_s: float, least_free_bytes: int = LEAST_FREE_BYTES) -> Path:
    """Return the directory for this machine, made if need be; TensorFlow finds only files there that are whole.

    Raises OSError if it cannot be used: the message says why.
    """
    directory = root / hashlib.sha256(machine.encode()).hexdigest()[:16]
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_ownership(directory)
    if shutil.disk_usage(directory).free < least_free_bytes:
        msg = f"less than {least_free_bytes >> 20:,} MB are free"
        raise OSError(msg)
    known = _known_digests(directory)
    for path in directory.iterdir():
        is_program = path.suffix == _SUFFIX
        if known.get(path.name) != _digest(path) if is_program else _is_left_over(path, now_s):
            _remove(path)
    for path in _oldest_first(directory)[:-MOST_FILES]:
        _remove(path)
    return directory


def remember(directory: Path) -> None:
    """Note the digests of the files in a directory: a model has started with them. Raises OSError."""
    digests = {path.name: _digest(path) for path in _oldest_first(directory)}
    if digests != _known_digests(directory):
        with replaced_file(directory / _DIGESTS) as new:
            new.write_text(json.dumps(digests), encoding="utf-8")


def _check_ownership(directory: Path) -> None:
    found = directory.stat()
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o022:
        msg = "others can write there, and what is kept is machine code"
        raise PermissionError(msg)


def _is_left_over(path: Path, now_s: float) -> bool:
    """Return whether a file that is no program is one that a killed process began, and no other still writes."""
    try:
        return path.name != _DIGESTS and now_s - path.stat().st_mtime > _LEFT_OVER_SECONDS
    except OSError:
        return False


def _known_digests(directory: Path) -> Mapping[str, str]:
    try:
        known = json.loads((directory / _DIGESTS).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def _digest(path: Path) -> str:
    """Return the digest of a file; empty, which no list has, if it is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _oldest_first(directory: Path) -> list[Path]:
    return sorted(directory.glob(f"*{_SUFFIX}"), key=lambda path: (path.stat().st_mtime_ns, path.name))


def _remove(path: Path) -> None:
    """Remove a file that another process may have removed."""
    with suppress(OSError):
        path.unlink()
