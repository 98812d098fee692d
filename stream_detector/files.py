"""Replaces files and directories atomically, refuses outputs that would destroy something, reads only regular files.

Does not know what the files contain.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from stream_detector.errors import InputDataError, ModelError

#: Arguments of renameat2(2): paths are relative to the working directory; the two change places.
_HERE, _EXCHANGE = -100, 2


class UnsuitableFileError(Exception):
    """A path does not lead to a regular file inside the directory, or the file is too large; the text says which."""


def read_inside(directory: Path, name: str, maximum_bytes: int) -> bytes:
    """Return the content of a file in a directory. Raises OSError, or UnsuitableFileError before reading anything.

    A pipe would block the reader, a device may never end, and a link out of the directory may belong to another owner.
    """
    path = directory / name
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory)):
        msg = "is a link out of the directory"
        raise UnsuitableFileError(msg)
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        msg = "is not a regular file"
        raise UnsuitableFileError(msg)
    if status.st_size > maximum_bytes:
        msg = f"has {status.st_size} bytes, more than {maximum_bytes}"
        raise UnsuitableFileError(msg)
    with path.open("rb") as file:
        return file.read(status.st_size)


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to; that file replaces `path` when the block ends without an exception.

    Until then, a reader of `path` sees the old file, never half of the new one. After an exception the new file is removed
    and `path` is unchanged. An OSError in the block becomes an InputDataError that names `path`.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        msg = f"{path}: cannot be written: {_reason(error)}"
        raise InputDataError(msg) from None
    finally:
        with suppress(OSError):
            unfinished.unlink()


def write_texts(directory: Path, texts: Mapping[str, str]) -> None:
    """Write UTF-8 files into a directory, creating it if needed. Replaces existing files. Raises InputDataError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{directory}: cannot be created: {_reason(error)}"
        raise InputDataError(msg) from None
    for name, text in texts.items():
        with replaced_file(directory / name) as unfinished:
            unfinished.write_text(text, encoding="utf-8")


def check_output_file(output: Path, source: Path, model: Path | None) -> None:
    """Raise InputDataError if --output cannot be written, is the input file, or is inside the model's directory, if any."""
    if model is not None:
        _check_outside_model(output, model)
    check_new_file(output, source)


def check_new_file(output: Path, source: Path) -> None:
    """Raise InputDataError if --output cannot be written, or is the input file."""
    place = output.resolve()
    if place == source.resolve() or (output.exists() and source.exists() and output.samefile(source)):
        msg = f"--output {output}: is the input file, which would be lost; choose another name"
        raise InputDataError(msg)
    if output.is_dir():
        msg = f"--output {output}: is a directory; choose another name"
        raise InputDataError(msg)
    if not is_writable(output.parent):
        why = "no file can be created in" if output.parent.is_dir() else "there is no directory"
        msg = f"--output {output}: {why} {output.parent}"
        raise InputDataError(msg)


def check_output_directory(output: Path, model: Path | None) -> None:
    """Raise InputDataError if --output, which may be missing, cannot be a directory, or is inside the model's, if any."""
    if output.exists() and not output.is_dir():
        msg = f"--output {output}: is a file; the report is a directory"
        raise InputDataError(msg)
    if model is not None:
        _check_outside_model(output, model)
    existing = _first_existing(output.absolute(), *output.absolute().parents)
    if not is_writable(existing):
        msg = f"--output {output}: no file can be created in {existing}; choose another directory"
        raise InputDataError(msg)


def replace_directory(
    directory: Path, files: Mapping[str, bytes], is_replaceable: Callable[[Path], bool], previous: Path | None = None
) -> None:
    """Make `directory` hold exactly these files.

    The files are written and synced in a directory next to it, which then changes places with an existing one in one step, so
    a reader sees the old files or the new ones, also after a crash. Where the system has no such step, the old directory is
    renamed first, and for an instant there is none. An existing directory must be empty or replaceable; it becomes `previous`,
    which is replaced in turn, or is deleted if that is None. Raises ModelError.
    """
    target = directory.absolute()
    check_replaceable(target, is_replaceable)
    mark = uuid.uuid4().hex[:8]
    new, old = target.with_name(f".{target.name}.{mark}.new"), target.with_name(f".{target.name}.{mark}.old")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write_synced(new, files)
        _move_into_place(new, target, old)
        if previous is not None and is_replaceable(old):
            _keep(old, previous.absolute())
    except OSError as error:
        msg = f"{directory}: cannot be written: {error.strerror} (is its parent writable, and is it not a mount point?)"
        raise ModelError(msg) from None
    finally:
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def check_replaceable(directory: Path, is_replaceable: Callable[[Path], bool]) -> None:
    """Raise ModelError if something that must not be overwritten exists at the path."""
    if not os.path.lexists(directory):
        return
    if not directory.is_dir():
        msg = f"{directory}: is a file; choose another directory"
        raise ModelError(msg)
    if any(directory.iterdir()) and not is_replaceable(directory):
        msg = f"{directory}: holds something other than a model, which would be lost; choose another directory"
        raise ModelError(msg)


def check_writable(directory: Path) -> None:
    """Raise ModelError if it is certain that the directory cannot be replaced. It and its parents need not exist."""
    parent = _first_existing(*directory.absolute().parents)
    if not is_writable(parent):
        msg = f"{directory}: cannot be written: no file can be created in {parent}; choose another directory"
        raise ModelError(msg)


def is_writable(directory: Path) -> bool:
    """Return whether a file can be created in the directory. Creates a temporary one to find out."""
    try:
        with tempfile.TemporaryFile(dir=directory):
            return True
    except OSError:
        return False


def _check_outside_model(output: Path, model: Path) -> None:
    if output.resolve().is_relative_to(model.resolve()):
        msg = f"--output {output}: is in the model's directory, which holds only the model; choose another place"
        raise InputDataError(msg)


def _first_existing(*places: Path) -> Path:
    return next(place for place in places if os.path.exists(place))  # Path.exists raises where access is denied


def _reason(error: OSError) -> str:
    """Return why the file system refused, in one line. Arrow's errors may have no errno."""
    text = os.strerror(error.errno) if error.errno else str(error)
    return next(iter(text.splitlines()), "the file system refused it")


def _move_into_place(new: Path, target: Path, old: Path) -> None:
    """Put `new` in the place of `target`, and an existing `target` at `old`; all as before if that fails."""
    if target.exists() and _exchange(new, target):
        new.rename(old)
    else:
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


def _exchange(one: Path, other: Path) -> bool:
    """Let two directories change places in one step; return False where the system or the file system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):  # not Linux
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)


def _keep(old: Path, previous: Path) -> None:
    """Rename `old` to `previous`, in place of what is there."""
    older = old.with_suffix(".older")
    if previous.exists():
        previous.rename(older)
    old.rename(previous)
    shutil.rmtree(older, ignore_errors=True)


def _write_synced(directory: Path, files: Mapping[str, bytes]) -> None:
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
