"""Converts a feature's column, of whatever type, to numbers by the one parser of values, or refuses it with advice."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stream_detector.errors import InputDataError
from stream_detector.readings import Float64Array, Int32Array, Int64Array
from stream_detector.values import (
    FLOAT32_MAXIMUM,
    NOT_A_NUMBER,
    NOT_FINITE,
    SAYS_MISSING,
    MissingValues,
    Unusable,
    is_code,
    parse_text,
)

_NUMBER_WITH_COMMA = re.compile(r"[+-]?[\d.,'\s]*\d,\d[\d.,'\s]*([eE][+-]?\d+)?")
_NUMBER_WITH_UNIT = re.compile(r"[+-]?\d+([.,]\d+)?\s*(?![eE][+-]?\d)[^\W\d][^\d]{0,9}|[+-]?\d+([.,]\d+)?\s*[%°][^\d]{0,9}")
#: Numbers that Arrow and our parser read alike, and that a 32-bit number can hold.
_PLAIN_NUMBER = r"^-?[0-9]{1,30}(\.[0-9]{1,30})?$"
_COMMA_ADVICE = "write numbers with a decimal point, not a comma, and without thousands separators"
_UNIT_ADVICE = "write numbers without their unit"
_UNITS_ADVICE = "the rows below have numbers there: if this is a row of units, delete it"


@dataclass(frozen=True, slots=True)
class Column:
    """A feature's values [N] in file order, NaN where missing, and the rows of what stood there but was no value."""

    values: Float64Array  # each within the range of float32
    unusable: tuple[tuple[Unusable, Int64Array], ...]


def read_numbers(
    path: Path, name: str, column: pa.ChunkedArray, missing: MissingValues, on_text: Callable[[str], str]
) -> Column:
    """Return a feature's column. `missing` is the feature's own; `on_text` advises on a column that holds text.

    Raises InputDataError for a column that is not of numbers, mostly of other text, or whose commas may separate thousands.
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        numbers, unusable = _from_text(path, name, column.cast(pa.string()), missing, on_text)
    elif _is_numeric(kind):
        numbers = column.cast(pa.float64(), safe=False).to_numpy()
        unusable = []
    elif pa.types.is_boolean(kind):
        numbers, unusable = column.cast(pa.int8()).cast(pa.float64()).to_numpy(), []
    else:
        msg = f"{path}: column {name} holds {kind}, not numbers ({on_text(name)})"
        raise InputDataError(msg)
    values: Float64Array = np.array(numbers, np.float64)
    infinite = np.flatnonzero(np.abs(values) > FLOAT32_MAXIMUM)
    if len(infinite):
        unusable.append((Unusable(NOT_FINITE, f"{numbers[infinite[0]]:g}"), infinite))
    values[infinite] = np.nan
    codes = np.flatnonzero(is_code(values, missing))
    unusable += [(Unusable(SAYS_MISSING, f"{code:g}"), codes[values[codes] == code]) for code in np.unique(values[codes])]
    values[codes] = np.nan
    return Column(values, tuple(unusable))


def _is_numeric(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind))


def _from_text(
    path: Path, name: str, texts: pa.ChunkedArray, missing: MissingValues, on_text: Callable[[str], str]
) -> tuple[Float64Array, list[tuple[Unusable, Int64Array]]]:
    """Parse each distinct text once. Return the numbers [N], and the rows of what is no number."""
    encoded = texts.combine_chunks().dictionary_encode()
    codes: Int32Array = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    of_text, unusable = _parsed(encoded.dictionary, missing)
    numbers = of_text[codes]
    strange = np.isin(codes, [code for code, one in unusable.items() if one.reason == NOT_A_NUMBER])
    if strange.any() and (found := _doubt(texts, np.flatnonzero(strange), numbers, lambda: on_text(name))):
        row, advice = found
        msg = f"{path}: data row {row + 1}, column {name}: {texts[row].as_py().strip()[:40]!r} is not a number ({advice})"
        raise InputDataError(msg)
    return numbers, [(one, np.flatnonzero(codes == code)) for code, one in unusable.items()]


def _parsed(texts: pa.StringArray, missing: MissingValues) -> tuple[Float64Array, dict[int, Unusable]]:
    """Return the number of each distinct text and NaN behind the last, and those that are no number."""
    is_plain = pc.fill_null(pc.match_substring_regex(texts, _PLAIN_NUMBER), False)
    numbers = np.append(
        pc.if_else(is_plain, texts, pa.scalar(None, pa.string())).cast(pa.float64()).to_numpy(zero_copy_only=False), np.nan
    )
    unusable = {}
    for code in np.flatnonzero(~is_plain.to_numpy(zero_copy_only=False)).tolist():
        one = parse_text(texts[code].as_py(), missing.texts)
        if isinstance(one, Unusable):
            unusable[code] = one
        else:
            numbers[code] = one
    return numbers, unusable


def _doubt(
    texts: pa.ChunkedArray, rows: Int64Array, numbers: Float64Array, on_text: Callable[[], str]
) -> tuple[int, str] | None:
    """Return a row and advice on it if the text in these rows, which is no number, cannot be single bad values."""
    first = int(rows[0])
    for row in _distinct(texts, rows):
        if _NUMBER_WITH_COMMA.fullmatch(texts[row].as_py().strip()):
            return row, _COMMA_ADVICE
    if len(rows) > (~np.isnan(numbers)).sum():
        has_unit = _NUMBER_WITH_UNIT.fullmatch(texts[first].as_py().strip())
        return first, _UNIT_ADVICE if has_unit else on_text()
    return (first, _UNITS_ADVICE) if len(rows) == 1 and first == 0 else None


def _distinct(texts: pa.ChunkedArray, rows: Int64Array) -> list[int]:
    """Return the first row of each distinct text in these rows."""
    chosen = texts.take(pa.array(rows)).to_pylist()
    return [int(rows[at]) for at in {text: at for at, text in reversed(list(enumerate(chosen)))}.values()]
