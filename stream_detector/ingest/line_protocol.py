"""Reads the line protocol of InfluxDB.

    measurement,tag=value,tag=value field=1.5,field=2i,field="text",field=t 1800000000000000000

Syntax: docs/influxdb.md. A value of a record may have several lines, empty ones and comments.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.shapes import explain_record

#: A backslash keeps the special meaning from the character after it; before any other it stands for itself.
_MEASUREMENT = re.compile(r"(?:[^\\, \n]|\\.)+")
_NAME = re.compile(r"(?:[^\\,= \n]|\\.)+")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_TOKEN = re.compile(r"[^, \n]+")
_INTEGER = re.compile(r"([+-]?[0-9]{1,20})[iu]")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_SPACES = re.compile(r" *")
_STAMP = re.compile(r" *(-?[0-9]{1,19})?[ \r]*(?:\n|\Z)")
_SKIPPED = re.compile(r"[ \t\r]*(?:#[^\n]*)?(?:\n|\Z)")
_TRUTHS = {"t": True, "T": True, "true": True, "True": True, "TRUE": True}
_TRUTHS |= {"f": False, "F": False, "false": False, "False": False, "FALSE": False}
_SHOWN = 40


class Line(NamedTuple):
    """A point: its measurement, its tags, the values of its fields, and its time in whatever unit; None: it has none."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, float | bool | str]
    stamp: int | None


def read_lines(value: bytes) -> list[Line]:
    """Return the points in a record's value. Raises RejectionError that names the line and what is wrong with it."""
    try:
        text = value.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RejectionError("wrong_format", f"not the line protocol of InfluxDB: {error.reason}") from None
    lines, at = list[Line](), 0
    while at < len(text):
        if skipped := _SKIPPED.match(text, at):
            at = skipped.end()
            continue
        reader = _Reader(text, at)
        try:
            lines.append(reader.line())
        except _SyntaxError as error:
            number = text.count("\n", 0, at) + 1
            found = repr(text[reader.at : reader.at + _SHOWN])
            is_what = "" if lines else f"; {explain_record(value)}"
            detail = f"not the line protocol of InfluxDB: line {number}: {error}, found {found}{is_what}"
            raise RejectionError("wrong_format", detail) from None
        at = reader.at
    return lines


class _SyntaxError(Exception):
    """A line is none; the text says what is missing in it."""


class _Reader:
    """Reads one line from a position on."""

    def __init__(self, text: str, at: int) -> None:
        self._text = text
        self.at = at

    def line(self) -> Line:
        """Return the line, and go behind it."""
        self.at = self._end(_SPACES)
        measurement = _plain(self._take(_MEASUREMENT, "a measurement").group(), ", ")
        tags = {}
        while self._skip(","):
            name = self._name("a tag")
            tags[name] = _plain(self._take(_NAME, "the value of a tag").group(), ",= ")
        if not self._skip(" "):
            msg = "there is no field"
            raise _SyntaxError(msg)
        self.at = self._end(_SPACES)
        fields: dict[str, float | bool | str] = {}
        is_more = True
        while is_more:
            name = self._name("a field")
            fields[name] = self._value()
            is_more = self._skip(",")
        stamp = self._take(_STAMP, "a time or the end of the line").group(1)
        return Line(measurement, tags, fields, None if stamp is None else int(stamp))

    def _name(self, what: str) -> str:
        """Return a name, and go behind the equals sign after it."""
        name = _plain(self._take(_NAME, what).group(), ",= ")
        if not self._skip("="):
            msg = f"there is no = after {name[:_SHOWN]!r}"
            raise _SyntaxError(msg)
        return name

    def _value(self) -> float | bool | str:
        if self._text.startswith('"', self.at):
            return _plain(self._take(_TEXT, "the end of a text").group(1), '"\\')
        before = self.at
        token = self._take(_TOKEN, "the value of a field").group().rstrip("\r")
        self.at = before + len(token)
        if token in _TRUTHS:
            return _TRUTHS[token]
        if found := _INTEGER.fullmatch(token):
            return int(found.group(1))
        if _NUMBER.fullmatch(token):
            return float(token)
        self.at = before
        msg = "a field is a number, a text in quotation marks, or true or false"
        raise _SyntaxError(msg)

    def _take(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        found = pattern.match(self._text, self.at)
        if found is None:
            msg = f"expected {what}"
            raise _SyntaxError(msg)
        self.at = found.end()
        return found

    def _end(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self._text, self.at)
        return found.end() if found else self.at

    def _skip(self, character: str) -> bool:
        is_there = self._text.startswith(character, self.at)
        self.at += is_there
        return is_there


def _plain(text: str, escaped: str) -> str:
    """Return a text without the backslashes before the characters that need them."""
    return re.sub(rf"\\([{re.escape(escaped)}])", r"\1", text) if "\\" in text else text
