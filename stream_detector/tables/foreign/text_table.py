"""Reads a file in a foreign form as an Arrow table: text files as columns of text, Parquet files with their types."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
from pyarrow import parquet

from stream_detector.errors import InputDataError
from stream_detector.tables.csv_errors import explain
from stream_detector.tables.foreign.form import DELIMITERS, ENCODING_NAMES, TextForm, text_form
from stream_detector.tables.foreign.options import FileOptions
from stream_detector.tables.foreign.sources import PARQUET, Source
from stream_detector.tables.foreign.understanding import Understood


def read_any(source: Source, options: FileOptions) -> tuple[pa.Table, Understood]:
    """Read all columns of a file, and start an account of how it is understood. Raises InputDataError."""
    understood = Understood(source.name)
    if source.head().startswith(PARQUET):
        understood.facts["format"] = "Parquet"
        return _read_parquet(source), understood
    form = text_form(source, options)
    packed = source.compression()
    understood.facts["format"] = "text" + (f" in {packed}" if packed else "")
    understood.facts["encoding"] = ENCODING_NAMES.get(form.encoding, form.encoding)
    understood.facts["delimiter"] = DELIMITERS.get(form.delimiter, repr(form.delimiter))
    table = _named(source, _read_text(source, form), form.names, understood)
    skipped = form.header_line - (form.header_line == 1 and len(form.names) > 1 and _is_sep(source, form))
    if skipped > 0:
        understood.notes.append(f"skipped: {skipped} lines before the one that names the columns")
    table = _without_empty_rows(table, understood)
    if not table.num_rows:
        msg = f"{source.name}: the file has a header but no rows"
        raise InputDataError(msg)
    return _without_units(table, understood), understood


def _is_sep(source: Source, form: TextForm) -> bool:
    return source.head().decode(form.encoding, errors="replace").lstrip('"\ufeff').startswith("sep=")


def _read_parquet(source: Source) -> pa.Table:
    try:
        with source.open() as stream:
            return parquet.read_table(pa.BufferReader(stream.read()) if source.compression() else source.path)
    except (pa.ArrowException, OSError) as error:
        msg = f"{source.name}: a damaged Parquet file: {str(error).splitlines()[0]}"
        raise InputDataError(msg) from None


def _read_text(source: Source, form: TextForm) -> pa.Table:
    widest = max([len(form.names), *(len(row) for row in form.first_rows if not row[-1].strip())])
    names = [str(position) for position in range(widest if widest == len(form.names) + 1 else len(form.names))]
    for use_threads in (True, False):  # only in one thread does an error name the row
        try:
            with source.open() as stream:
                return arrow_csv.read_csv(
                    stream,
                    read_options=arrow_csv.ReadOptions(
                        encoding="utf8" if form.encoding.startswith("utf-8") else form.encoding,
                        skip_rows=form.header_line + 1,
                        column_names=names,
                        use_threads=use_threads,
                    ),
                    parse_options=arrow_csv.ParseOptions(delimiter=form.delimiter),
                    convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
                )
        except (pa.ArrowInvalid, UnicodeError) as error:
            if "Empty CSV file" in str(error):
                break
            problem = explain(str(error), form.header_line)
    else:
        raise InputDataError(f"{source.name}: {problem}")
    msg = f"{source.name}: the file has a header but no rows"
    raise InputDataError(msg)


def _named(source: Source, table: pa.Table, names: tuple[str, ...], understood: Understood) -> pa.Table:
    """Give the columns their names; leave out those without one that are empty or count the rows."""
    kept: dict[str, pa.ChunkedArray] = {}
    for position, column in enumerate(table.columns):
        name = names[position].strip("\ufeff ") if position < len(names) else ""
        if name:
            kept[name] = column
        elif not _is_disposable(column):
            msg = f"{source.name}: column {position + 1} has no name: give it one in the line that names the columns"
            raise InputDataError(msg)
        elif position < len(names) and len(table) and column[0].as_py():
            understood.notes.append("left out: a column without a name, which counts the rows")
    repeated = [name for name, count in Counter(filter(None, names)).items() if count > 1]
    if repeated:
        msg = f"{source.name}: column {', '.join(repeated)} appears twice: rename one of them"
        raise InputDataError(msg)
    return pa.table(kept)


def _is_disposable(column: pa.ChunkedArray) -> bool:
    if not pc.any(pc.not_equal(column, "")).as_py():
        return True
    return bool(
        column.slice(0, 3).to_pylist() in ([str(row + start) for row in range(min(3, len(column)))] for start in (0, 1))
    )


def _without_empty_rows(table: pa.Table, understood: Understood) -> pa.Table:
    is_empty = None
    for column in table.columns:
        blank = pc.equal(pc.utf8_trim_whitespace(column), "")
        is_empty = blank if is_empty is None else pc.and_(is_empty, blank)
        if not pc.any(is_empty).as_py():
            return table
    count = pc.sum(is_empty).as_py()
    understood.notes.append(f"left out: {count:,} rows without any value")
    return table.filter(pc.invert(is_empty))


def _without_units(table: pa.Table, understood: Understood) -> pa.Table:
    """Leave out the first row if it holds units: no digit in any cell, while the rows below have some in most columns."""
    if table.num_rows < 2:
        return table
    first, second = ([column[row].as_py().strip() for column in table.columns] for row in (0, 1))
    has_digit = [any(character.isdigit() for character in cell) for cell in second]
    is_unit = not any(cell[:1].isdigit() or (any(map(str.isdigit, cell[1:])) and len(cell) > 5) for cell in first)
    texts = [cell for cell, digit in zip(first, has_digit, strict=True) if digit and cell]
    of_time = [cell for cell in (first[0],) if cell]
    if not is_unit or not sum(has_digit) or not texts or _are_values(texts, of_time):
        return table
    understood.notes.append(f"left out: the first row, which holds units ({', '.join(cell for cell in first if cell)[:120]})")
    return table.slice(1)


def _are_values(texts: list[str], of_time: list[str]) -> bool:
    """Return whether the first row's texts are words that a value may be, such as Bad or true, and not units."""
    from stream_detector.values import NOT_A_NUMBER, Unusable, parse_text

    parsed = [parse_text(text) for text in texts if text not in of_time]
    return bool(parsed) and not any(isinstance(one, Unusable) and one.reason == NOT_A_NUMBER for one in parsed)
