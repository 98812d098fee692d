"""The options that say how files are written and which of their rows are used: `convert`, `train` and `score` share them."""

from __future__ import annotations

import argparse
import codecs
import re
from collections.abc import Mapping
from dataclasses import replace

from stream_detector.errors import SettingsError
from stream_detector.state.condition import Condition
from stream_detector.tables.foreign.options import DECIMAL_MARKS, FileOptions, LongColumns
from stream_detector.tables.row_choice import Span

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)?")
_UNIT_MS = {"ms": 1, "s": 1000, None: 1000, "min": 60_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "bar": "|", r"\t": "\t"}


def add_file_options(parser: argparse._ActionsContainer) -> None:
    """Declare the options on the form of files."""
    parser.add_argument("--time-column", type=_names, default=(), metavar="A[,B]", help="the time, or a date and a time of day")
    parser.add_argument(
        "--time-format",
        metavar="FORMAT",
        help="of the times, as '%%d.%%m.%%Y %%H:%%M:%%S'; or s, ms, us, ns, excel for numbers",
    )
    parser.add_argument("--decimal", choices=tuple(DECIMAL_MARKS), help="the decimal mark (default: as the numbers show)")
    parser.add_argument("--delimiter", type=_delimiter, metavar="CHARACTER", help="comma, semicolon, tab, pipe or a character")
    parser.add_argument("--encoding", type=_encoding, metavar="NAME", help="of text files (default: as their bytes show)")
    parser.add_argument(
        "--long",
        type=_long,
        metavar="TIME,TAG,VALUE[,SENSOR][,QUALITY]",
        help="the columns of a table with a value in each row",
    )
    parser.add_argument("--sensor-column", metavar="NAME", help="the column that names the machines (default: sensor_id)")
    parser.add_argument(
        "--sensor-from",
        metavar="PATTERN",
        help="how a tag's name splits, as '{sensor}.{feature}', or a regular expression with these groups",
    )
    parser.add_argument("--every", type=_milliseconds, metavar="TIME", help="join tags into rows at this interval, such as 10s")
    parser.add_argument("--hold", type=_milliseconds, metavar="TIME", help="how long a tag's last value counts, such as 5min")
    parser.add_argument(
        "--good-quality", type=_names, default=(), metavar="A,B", help="codes and words of good values; others are bad"
    )


def file_options(arguments: argparse.Namespace) -> FileOptions:
    """Return what the options say. Raises SettingsError for options that contradict each other."""
    if arguments.long and (arguments.time_column or arguments.sensor_column):
        msg = "--long names the columns of the time and the sensor already: leave out --time-column and --sensor-column"
        raise SettingsError(msg)
    if arguments.hold and arguments.every and arguments.hold < arguments.every:
        msg = "--hold is shorter than --every, so rows would lack values that were just sent: name at least the interval"
        raise SettingsError(msg)
    return FileOptions(
        time_columns=arguments.time_column,
        time_format=arguments.time_format,
        decimal=DECIMAL_MARKS[arguments.decimal] if arguments.decimal else None,
        delimiter=arguments.delimiter,
        encoding=arguments.encoding,
        long=arguments.long,
        sensor_column=arguments.sensor_column,
        sensor_from=arguments.sensor_from,
        every_ms=arguments.every,
        hold_ms=arguments.hold,
        good_quality=arguments.good_quality,
    )


def typed_again(options: FileOptions, rows: Mapping[str, str] | None = None) -> list[str]:
    """Return the options as a user types them, for another command on the same files.

    `rows` are options that were chosen for rows of tags: they take the place of the interval and the hold.
    """
    options = replace(options, every_ms=None, hold_ms=None) if rows else options
    marks = {mark: name for name, mark in DECIMAL_MARKS.items()}
    long = options.long
    given = (
        ("--time-column", ",".join(options.time_columns)),
        ("--time-format", options.time_format),
        ("--decimal", marks[options.decimal] if options.decimal else None),
        ("--delimiter", options.delimiter),
        ("--encoding", options.encoding),
        ("--long", ",".join((long.time, long.tag, long.value, long.sensor, long.quality)).rstrip(",") if long else None),
        ("--sensor-column", options.sensor_column),
        ("--sensor-from", options.sensor_from),
        ("--every", f"{options.every_ms}ms" if options.every_ms else None),
        ("--hold", f"{options.hold_ms}ms" if options.hold_ms else None),
        ("--good-quality", ",".join(options.good_quality)),
        *(rows or {}).items(),
    )
    return [text for name, value in given if value for text in (name, value)]


def add_row_options(parser: argparse._ActionsContainer) -> None:
    """Declare --exclude and --only-while."""
    add_exclude_option(parser)
    parser.add_argument(
        "--only-while",
        type=condition,
        metavar="CONDITION",
        help="use only readings in this state, as 'running == 1 and speed > 100'; `name` for names with blanks",
    )


def add_state_option(parser: argparse._ActionsContainer) -> None:
    """Declare --only-while for commands that judge with a model."""
    parser.add_argument(
        "--only-while",
        type=condition,
        metavar="CONDITION",
        help="judge only readings in this state of features of the model (default: that of the training)",
    )


def add_exclude_option(parser: argparse._ActionsContainer) -> None:
    """Declare --exclude."""
    parser.add_argument(
        "--exclude", type=_span, action="append", default=[], metavar="FROM/TO", help="leave these times out; may be repeated"
    )


def condition(text: str) -> Condition:
    """Parse a condition on features."""
    try:
        return Condition.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _span(text: str) -> Span:
    try:
        return Span.parse(text)
    except ValueError as error:
        msg = f"{error}: write two times with / between, as 2026-11-23T07:00:00Z/2026-11-23T19:00:00Z; one may be left out"
        raise argparse.ArgumentTypeError(msg) from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _long(text: str) -> LongColumns:
    parts = [part.strip() for part in text.split(",")]
    if not 3 <= len(parts) <= 5 or not all(parts[:3]):
        msg = f"{text!r} is not TIME,TAG,VALUE[,SENSOR][,QUALITY]: without a sensor, TIME,TAG,VALUE,,QUALITY"
        raise argparse.ArgumentTypeError(msg)
    return LongColumns(*parts)


def _milliseconds(text: str) -> int:
    match = _DURATION.fullmatch(text.strip())
    milliseconds = round(float(match[1]) * _UNIT_MS[match[2]]) if match else 0
    if not 1 <= milliseconds <= 366 * 86_400_000:
        msg = f"{text!r} is not a time such as 500ms, 10s, 5min, 1h or 1d"
        raise argparse.ArgumentTypeError(msg)
    return milliseconds


def _delimiter(text: str) -> str:
    character = _DELIMITERS.get(text, text)
    if len(character) != 1 or character in "\r\n\"'" or character.isalnum():
        msg = f"{text!r} is not comma, semicolon, tab, pipe or another single character"
        raise argparse.ArgumentTypeError(msg)
    return character


def _encoding(text: str) -> str:
    try:
        return codecs.lookup(text).name
    except LookupError:
        msg = f"{text!r} is no known encoding, such as utf-8, utf-16, cp1252 or latin-1"
        raise argparse.ArgumentTypeError(msg) from None
