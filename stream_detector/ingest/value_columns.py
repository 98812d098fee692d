"""Makes columns of the values of many readings, and keeps account of the values that could not be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import NoneType
from typing import Any

import numpy as np

from stream_detector.ingest.document import RejectionError
from stream_detector.readings import BoolArray, Float64Array, Lost, Record
from stream_detector.values import (
    FLOAT32_MAXIMUM,
    NOT_FINITE,
    NOTHING_AT,
    SAYS_MISSING,
    WRONG_TYPE,
    MissingValues,
    Unusable,
    is_code,
    parse_value,
)

_PLAIN = {float, NoneType}
_NUMBERS = {float, NoneType, int}
_MOST_NAMED = 5
#: Whole numbers up to this are exact as doubles.
_EXACT = 1 << 53


@dataclass(slots=True)
class Columns:
    """Values [N, F], NaN where missing, and what stood where a value could not be used, by row."""

    values: Float64Array
    unusable: dict[int, dict[str, Unusable]] = field(default_factory=dict)

    def add(self, row: int, feature: str, unusable: Unusable) -> None:
        """Note that a feature of a row has no usable value."""
        self.unusable.setdefault(row, {})[feature] = unusable

    def note_nulls(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Note the features of rows that have nothing but null or NaN: of a message, that is no value."""
        for row in np.flatnonzero(np.isnan(self.values).all(axis=1)).tolist():
            if row not in self.unusable:
                for feature in rows[row]:
                    self.add(row, feature, Unusable(SAYS_MISSING, "null"))

    def rejections(self) -> dict[int, RejectionError]:
        """Return the rows that have no value left, each with the reason."""
        rows = np.array(sorted(self.unusable), np.int64)
        empty = rows[np.isnan(self.values[rows]).all(axis=1)].tolist()
        return {row: _rejection(self.unusable[row]) for row in empty}

    def lost(self, records: Sequence[Record], sensors: Sequence[str], is_kept: BoolArray) -> dict[int, Counter[Lost]]:
        """Return the unusable values of the rows that are kept, by partition."""
        lost: dict[int, Counter[Lost]] = {}
        for row, features in self.unusable.items():
            if is_kept[row]:
                counter = lost.setdefault(records[row].partition, Counter())
                for name, one in features.items():
                    counter[Lost(sensors[row], name, one.reason, one.found)] += 1
        return lost


def value_columns(rows: Sequence[Mapping[str, Any]], features: Sequence[str], missing: Sequence[MissingValues]) -> Columns:
    """Parse the rows' values of these features; `missing` has what else means missing, by feature."""
    columns = Columns(np.empty((len(rows), len(features))))
    for position, (name, also_missing) in enumerate(zip(features, missing, strict=True)):
        column = [row.get(name) for row in rows]
        if not _PLAIN.issuperset(map(type, column)) and not _are_exact(column):
            _parse_others(column, name, columns, also_missing)
        values = np.array(column, np.float64)  # None -> NaN
        for row in np.flatnonzero(np.abs(values) > FLOAT32_MAXIMUM).tolist():
            columns.add(row, name, Unusable(NOT_FINITE, f"{values[row]:g}"))
            values[row] = np.nan
        if also_missing.numbers:
            for row in np.flatnonzero(is_code(values, also_missing)).tolist():
                columns.add(row, name, Unusable(SAYS_MISSING, f"{values[row]:g}"))
                values[row] = np.nan
        columns.values[:, position] = values
    return columns


def _are_exact(column: Sequence[object]) -> bool:
    """Return whether there are only numbers and None, whole numbers among them, and each whole number is exact as a double."""
    if not _NUMBERS.issuperset(map(type, column)):
        return False
    whole = [value for value in column if type(value) is int]
    return min(whole) > -_EXACT and max(whole) < _EXACT


def _parse_others(column: list[Any], name: str, columns: Columns, missing: MissingValues) -> None:
    """Replace all that is neither a float nor None by the number that it stands for, or by None, in place."""
    texts: dict[str, float | Unusable] = {}
    for row, value in enumerate(column):
        if type(value) is int and -_EXACT < value < _EXACT:
            column[row] = float(value)
        elif type(value) not in _PLAIN:
            parsed = texts.get(value) if isinstance(value, str) else None
            if parsed is None:
                parsed = parse_value(value, missing.texts)
                if isinstance(value, str):
                    texts[value] = parsed
            if isinstance(parsed, Unusable):
                columns.add(row, name, parsed)
            column[row] = None if isinstance(parsed, Unusable) else parsed


def _rejection(features: Mapping[str, Unusable]) -> RejectionError:
    """Return why a reading of these features, and no others, is none."""
    for name, one in features.items():
        if one.found.startswith(NOTHING_AT):
            return RejectionError(
                "values_missing", f"the value of {name[:40]!r} is not there: {one.found.removeprefix('Bad: ')}"
            )
    worst = next((one for one in features.values() if one.reason != SAYS_MISSING), None)
    named = ", ".join(f"{name[:40]!r} is {one.found}" for name, one in list(features.items())[:_MOST_NAMED])
    more = f" and {len(features) - _MOST_NAMED} others" if len(features) > _MOST_NAMED else ""
    if worst is None:
        return RejectionError("no_value", f"no feature has a value: {named}{more}")
    needed = "a number" if worst.reason == WRONG_TYPE else "a finite number" if worst.reason == NOT_FINITE else "a number"
    return RejectionError(worst.reason, f"no feature has {needed}: {named}{more}")
