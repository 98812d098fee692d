"""Detects how a text file is written: encoding, delimiter, and the line that names the columns."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from dataclasses import dataclass

from stream_detector.errors import InputDataError
from stream_detector.tables.foreign.options import FileOptions
from stream_detector.tables.foreign.sources import Source

DELIMITERS = {";": "semicolon", ",": "comma", "\t": "tab", "|": "vertical bar"}
_CHUNK = 1 << 20
_MOST_LINES, _MOST_PREAMBLE = 200, 40
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
ENCODING_NAMES = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 with a byte order mark",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "cp1252": "Windows-1252",
}
#: Of the bytes of a text in UTF-16, so many are zero at least, in Latin letters.
_LEAST_ZEROS = 0.2
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True, slots=True)
class TextForm:
    """How a text file is written."""

    encoding: str
    delimiter: str
    header_line: int  # counted from 0
    names: tuple[str, ...]
    first_rows: tuple[tuple[str, ...], ...]  # cells of the first rows under the header

    def has_decimal_commas(self) -> bool:
        """Return whether a cell of the first rows looks like a number with a decimal comma."""
        return any(_DECIMAL_COMMA.fullmatch(cell.strip()) for row in self.first_rows for cell in row)


def text_form(source: Source, options: FileOptions) -> TextForm:
    """Look at a file's beginning, and at all of it for its encoding. Raises InputDataError."""
    head = source.head()
    encoding = options.encoding or _encoding(source, head)
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeError as error:
        msg = f"{source.name}: is not text in {encoding} ({error}); leave out --encoding, or name another"
        raise InputDataError(msg) from None
    lines = text.splitlines()[:_MOST_LINES]
    lines = lines[:-1] if len(lines) > 1 and len(head) >= 65_536 and len(lines) < _MOST_LINES else lines
    if not any(line.strip() for line in lines):
        msg = f"{source.name}: the file has no text"
        raise InputDataError(msg)
    delimiter = options.delimiter or _delimiter(lines)
    header = _header_line(lines, delimiter)
    rows = list(csv.reader([line for line in lines[header:] if line.strip()], delimiter=delimiter))
    names = tuple(name.strip() for name in rows[0])
    return TextForm(encoding, delimiter, header, names, tuple(tuple(row) for row in rows[1:]))


def _encoding(source: Source, head: bytes) -> str:
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    if b"\0" in head:
        return _utf16_without_mark(source, head)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with source.open() as stream:
            while chunk := stream.read(_CHUNK):
                decoder.decode(bytes(chunk))
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _utf16_without_mark(source: Source, head: bytes) -> str:
    even, odd = head[0:4096:2].count(0), head[1:4096:2].count(0)
    for name, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if others == 0 and zeros > _LEAST_ZEROS * min(len(head), 4096):
            text = head[: min(len(head), 4096) & ~1].decode(name, errors="replace")
            if "\n" in text and not any(character < " " and character not in "\t\r\n" for character in text):
                return name
    msg = f"{source.name}: neither a table in text nor Parquet (it holds binary data)"
    raise InputDataError(msg)


def _delimiter(lines: list[str]) -> str:
    """Return the delimiter that splits the lines into the same number of cells most consistently."""
    if match := re.fullmatch(r"sep=(.)", lines[0].strip('"\ufeff ')):
        return match[1]
    best, best_key = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        counts = Counter(len(row) for row in csv.reader(filter(str.strip, lines), delimiter=delimiter))
        cells, often = max(counts.items(), key=lambda item: (item[1] * (item[0] > 1), item[0]))
        if cells > 1 and (often / counts.total(), cells) > best_key and (delimiter != "," or best_key[0] < 0.9):
            best, best_key = delimiter, (often / counts.total(), cells)
    return best


def _header_line(lines: list[str], delimiter: str) -> int:
    """Return the first line that has as many cells as most lines have; lines before it are a title or remarks."""
    counts = [len(next(csv.reader([line], delimiter=delimiter), [])) for line in lines]
    filled = [count for count, line in zip(counts, lines, strict=True) if line.strip()]
    often = Counter(filled)
    usual = max(often, key=lambda count: (count > 1, often[count]))  # the first of equal ones
    first = next((at for at, count in enumerate(counts) if lines[at].strip()), 0)
    wide = next((at for at, count in enumerate(counts[:_MOST_PREAMBLE]) if count == usual and lines[at].strip()), first)
    return wide if usual > 1 else first
