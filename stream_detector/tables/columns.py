"""Checks the column names of a file, chooses the columns to read, and advises on those that hold text."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from stream_detector.errors import InputDataError

SENSOR_COLUMN = "sensor_id"
TIME_COLUMN = "timestamp"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which columns of a file are read in addition to the time."""

    ignore: Collection[str] = ()  # not read
    features: Collection[str] | None = None  # None: all; else only these, where present, and the sensor

    def choose(self, names: list[str]) -> list[str]:
        """Return the names of the columns to read, in the file's order."""
        wanted = names if self.features is None else (*self.features, SENSOR_COLUMN)
        return [name for name in names if name == TIME_COLUMN or (name in wanted and name not in self.ignore)]

    def advice_on_text(self, column: str, kept: list[str]) -> str:
        """Return advice on a text column, given the names of all columns that are read."""
        if self.features is not None:
            return (
                "numbers are needed there; an empty cell is a missing value, and so are the words in the setting "
                "STREAM_DETECTOR_INPUT__MISSING_VALUES"
            )
        others = [name for name in kept if name not in (TIME_COLUMN, SENSOR_COLUMN, column)]
        advice = [
            f"if it names the machines, read it with --sensor-column {quote(column)}" if SENSOR_COLUMN not in kept else "",
            f"if it says which feature {others[0]} holds (long format), give each feature a column" if len(others) == 1 else "",
            "if it is not a feature, exclude it with --ignore-columns",
            "if it is a state, such as RUN and STOP, write 1 and 0",
            "if it means that a value is missing, name it in --missing-values",
        ]
        return "; ".join(filter(None, advice))


def check_names(path: Path, names: list[str]) -> None:
    """Raise InputDataError unless the column names are unique and non-empty and one of them is the time."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated or "" in names:
        what = f"column {', '.join(repeated)} appears twice" if any(repeated) else "a column has no name"
        msg = f"{path}: {what}"
        raise InputDataError(msg)
    if TIME_COLUMN not in names:
        found = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        msg = (
            f"{path}: no column {TIME_COLUMN!r} (found: {found}); the first line must name the columns: {TIME_COLUMN}, "
            f"{SENSOR_COLUMN} (optional for a single sensor), and one for each feature"
        )
        raise InputDataError(msg)
