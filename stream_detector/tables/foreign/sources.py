"""Finds the files to read: folders and archives are searched, and compression is detected from the content."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from stream_detector.errors import InputDataError

_GZIP, _ZSTD, _ZIP, PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"PAR1"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
#: Endings of the files that are read in a folder.
_ENDINGS = frozenset((".csv", ".txt", ".tsv", ".dat", ".asc", ".parquet", ".pq", ".gz", ".zst", ".zip"))
_HEAD_BYTES = 65_536
#: An archive that grows beyond this cannot be held in memory with what is made of it.
_MOST_MEMBER_BYTES = 4 * 2**30


@dataclass(frozen=True, slots=True)
class Source:
    """A file, or a member of a zip archive."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> Path:
        """What messages call it."""
        return self.path if self.member is None else self.path / self.member

    def compression(self) -> str:
        """Return `gzip`, `zstd`, `zip` or nothing."""
        if self.member is not None:
            return "zip"
        with self.path.open("rb") as file:
            head = file.read(4)
        return "gzip" if head.startswith(_GZIP) else "zstd" if head == _ZSTD else ""

    @contextmanager
    def open(self) -> Iterator[Any]:
        """Yield a binary stream of the decompressed content. Raises InputDataError if it cannot be read or decompressed."""
        try:
            if self.member is not None:
                yield io.BytesIO(self._member_bytes(self.member))
                return
            with pa.input_stream(self.path, compression=self.compression() or None) as stream:
                yield stream
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
            msg = f"{self.name}: cannot be read: {reason}"
            raise InputDataError(msg) from None

    def head(self) -> bytes:
        """Return the first bytes of the decompressed content. Raises InputDataError, also for an empty file."""
        with self.open() as stream:
            head = bytes(stream.read(_HEAD_BYTES))
        if not head:
            msg = f"{self.name}: the file is empty"
            raise InputDataError(msg)
        return head

    def _member_bytes(self, member: str) -> bytes:
        with zipfile.ZipFile(self.path) as archive:
            size = archive.getinfo(member).file_size
            if size > _MOST_MEMBER_BYTES:
                msg = f"{self.name}: has {size:,} bytes decompressed: unpack the archive and read the file itself"
                raise InputDataError(msg)
            return archive.read(member)


def find_sources(paths: Sequence[Path]) -> list[Source]:
    """Return the files, those in folders and archives by their names' order. Raises InputDataError."""
    sources: list[Source] = []
    for path in paths:
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix.lower() in _ENDINGS)
            if not found:
                msg = f"{path}: the folder has no file that ends in {', '.join(sorted(_ENDINGS))}"
                raise InputDataError(msg)
            sources += [source for file in found for source in _of_file(file)]
        else:
            sources += _of_file(path)
    return sources


def _of_file(path: Path) -> list[Source]:
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise InputDataError(msg) from None
    if head == _OLD_EXCEL:
        raise InputDataError(f"{path}: {_EXCEL}")
    return _members(path) if head == _ZIP else [Source(path)]


_EXCEL = "an Excel workbook: save the sheet as CSV UTF-8, and read that"


def _members(path: Path) -> list[Source]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(info.filename for info in archive.infolist() if not info.is_dir())
    except zipfile.BadZipFile as error:
        msg = f"{path}: a damaged zip archive: {error}"
        raise InputDataError(msg) from None
    if "xl/workbook.xml" in names:
        raise InputDataError(f"{path}: {_EXCEL}")
    members = [name for name in names if Path(name).suffix.lower() in _ENDINGS - {".zip", ".gz", ".zst"}]
    if not members:
        found = ", ".join(names[:5])
        msg = f"{path}: the archive has no file that ends in .csv, .txt, .tsv, .dat, .asc or .parquet (found: {found})"
        raise InputDataError(msg)
    return [Source(path, member) for member in members]
