"""Write a directory of files whole or not at all, and read files of it that are what they should be.

Knows nothing of what the files hold.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from stream_detector.errors import ModelError


class UnsuitableFileError(Exception):
    """What is in a file's place is not a file of this directory, or too large; the text says which."""


def read_inside(directory: Path, name: str, maximum_bytes: int) -> bytes:
    """Read a file of a directory. Raises OSError, or UnsuitableFileError before anything of it is read.

    A pipe would make a reader wait, a device never end, and a link out of the directory is of some other owner.
    """
    path = directory / name
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory)):
        msg = "is a link out of the directory"
        raise UnsuitableFileError(msg)
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        msg = "is no file"
        raise UnsuitableFileError(msg)
    if status.st_size > maximum_bytes:
        msg = f"has {status.st_size} bytes, more than {maximum_bytes}"
        raise UnsuitableFileError(msg)
    with path.open("rb") as file:
        return file.read(status.st_size)


def replace_directory(directory: Path, files: Mapping[str, bytes], is_replaceable: Callable[[Path], bool]) -> None:
    """Make `directory` hold exactly these files.

    They are written and synced beside it and moved into place; an existing directory is moved aside first and deleted
    last, so a reader sees the old files, or the new ones, or for an instant none, and never a mixture. An existing
    directory must be empty or replaceable. Raises ModelError.
    """
    target = directory.absolute()
    check_replaceable(target, is_replaceable)
    mark = uuid.uuid4().hex[:8]
    new, old = target.with_name(f".{target.name}.{mark}.new"), target.with_name(f".{target.name}.{mark}.old")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(new, files)
        _move_into_place(new, target, old)
    except OSError as error:
        msg = f"{directory}: cannot be written: {error.strerror} (is its parent writable, and it no mount point itself?)"
        raise ModelError(msg) from None
    finally:
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def check_replaceable(directory: Path, is_replaceable: Callable[[Path], bool]) -> None:
    """Raise ModelError if something is there that must not be overwritten."""
    if not os.path.lexists(directory):
        return
    if not directory.is_dir():
        msg = f"{directory}: there is a file of this name; choose another directory"
        raise ModelError(msg)
    if any(directory.iterdir()) and not is_replaceable(directory):
        msg = f"{directory}: holds something that is not a model, and would be lost; choose another directory"
        raise ModelError(msg)


def check_writable(directory: Path) -> None:
    """Raise ModelError unless the directory can be written, as far as can be known; its parents may be missing."""
    parent = next(place for place in directory.absolute().parents if os.path.exists(place))
    if not is_writable(parent):
        msg = f"{directory}: cannot be written: no file can be made in {parent}; choose another directory"
        raise ModelError(msg)


def is_writable(directory: Path) -> bool:
    """Try whether a file can be made in the directory; nothing is left behind."""
    try:
        with tempfile.TemporaryFile(dir=directory):
            return True
    except OSError:
        return False


def _move_into_place(new: Path, target: Path, old: Path) -> None:
    """Rename `new` to `target`; what was there becomes `old`, or is put back if the renaming fails."""
    existed = target.exists()
    if existed:
        target.rename(old)
    try:
        new.rename(target)
    except OSError:
        if existed:
            old.rename(target)
        raise
    _sync_directory(target.parent)


def _write(directory: Path, files: Mapping[str, bytes]) -> None:
    directory.mkdir()
    for name, content in files.items():
        with (directory / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    _sync_directory(directory)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
