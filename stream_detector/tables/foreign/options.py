"""What a user may say about a file that cannot be seen in it, or that is wrongly guessed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from stream_detector.ingest.parsing import USUAL_PARSING, Parsing

#: The decimal marks by their names on the command line.
DECIMAL_MARKS = {"point": ".", "comma": ","}


@dataclass(frozen=True, slots=True)
class LongColumns:
    """The columns of a long table, which has one value in each row."""

    time: str
    tag: str
    value: str
    sensor: str = ""
    quality: str = ""


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How files are read; None or empty: as the file looks."""

    time_columns: tuple[str, ...] = ()  # one, or a date and a time of day
    time_format: str | None = None
    decimal: str | None = None  # the mark itself, "." or ","
    delimiter: str | None = None
    encoding: str | None = None
    long: LongColumns | None = None
    sensor_column: str | None = None
    sensor_from: str | None = None  # how a tag splits into sensor and feature
    every_ms: int | None = None  # the interval of joined rows
    hold_ms: int | None = None  # for how long a value counts
    good_quality: tuple[str, ...] = ()  # codes and words that mean good; all others are bad

    def describes_files(self) -> bool:
        """Return whether anything is said about how a file is written, so that no file is read as the product's own."""
        return self != FileOptions()


AS_IT_LOOKS = FileOptions()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read of files, and how."""

    ignore: Collection[str] = ()  # columns and features that are left out
    features: Sequence[str] | None = None  # a model's; None: all
    parsing: Parsing = USUAL_PARSING
    options: FileOptions = AS_IT_LOOKS
