"""Reads files of any form as one dataset: those in the product's own form as ever, the others by how they look."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stream_detector.errors import InputDataError
from stream_detector.ingest.parsing import USUAL_PARSING, Parsing
from stream_detector.tables.columns import TIME_COLUMN
from stream_detector.tables.dataset import Dataset, dataset_of
from stream_detector.tables.foreign.form import DELIMITERS, ENCODING_NAMES, text_form
from stream_detector.tables.foreign.joining import join
from stream_detector.tables.foreign.long_table import Values, long_values, reports_of, table_of, values_of_wide
from stream_detector.tables.foreign.options import AS_IT_LOOKS, FileOptions, Wanted
from stream_detector.tables.foreign.quality import quality_of
from stream_detector.tables.foreign.roles import find_roles, is_long
from stream_detector.tables.foreign.sources import PARQUET, Source, find_sources
from stream_detector.tables.foreign.text_table import read_any
from stream_detector.tables.foreign.understanding import Understood, shared_lines
from stream_detector.tables.foreign.wide_table import wide
from stream_detector.tables.lost_cells import together
from stream_detector.tables.table import Table, read_table


@dataclass(frozen=True, slots=True)
class ReadFiles:
    """A dataset, and how its files were understood."""

    dataset: Dataset
    files: tuple[Understood, ...]
    joined: Understood | None  # of rows that were made of tags; None: the rows are the files'

    def lines(self) -> list[str]:
        """Return short sentences on the files that are not in the product's own form, and on rows that were made of tags."""
        foreign = [one for one in self.files if not one.is_own]
        lines = shared_lines(foreign) + [note for one in foreign for note in one.notes]
        if self.joined is not None:
            lines += [f"{about}: {what}" for about, what in self.joined.facts.items()] + self.joined.notes
        return lines


def read_files(
    paths: Sequence[Path],
    features: Sequence[str] | None = None,
    ignore: Collection[str] = (),
    parsing: Parsing = USUAL_PARSING,
    options: FileOptions = AS_IT_LOOKS,
    *,
    beside: Sequence[str] = (),
) -> ReadFiles:
    """Read files, folders and archives as one dataset, as `read_dataset` does for files in the product's own form.

    A long table, and any table if an interval is named, gives rows by sensor and time; other tables keep their rows. Columns
    of `beside` that are there follow the `features`. Raises InputDataError, which names the file and, where possible, row and
    column.
    """
    wanted = Wanted(ignore, features if features is None else (*features, *beside), parsing, options)
    tables, values, understood = _read_each(find_sources(paths), wanted)
    joined = None
    if values:
        table, joined = _join(values, wanted, understood)
        tables = [table]
    if features is not None:
        features = (*features, *_present(tables, beside))
        tables = [_selected(tables[0], features)] if joined else tables
    dataset = dataset_of(tables, paths, features, () if joined else ignore)
    return ReadFiles(dataset, tuple(understood), joined)


def _read_one(source: Source, wanted: Wanted) -> tuple[Table | Values, Understood]:
    """Read one file in the product's own form if it looks like that, otherwise, or if that fails, by how it looks."""
    own_error = None
    about = _own_form(source, wanted.options)
    if about is not None:
        try:
            return read_table(source.path, wanted.ignore, wanted.features, wanted.parsing), about
        except InputDataError as error:
            own_error = error
    try:
        return _read_foreign(source, wanted)
    except InputDataError as error:
        raise (error if own_error is None or _names_a_cure(error) else own_error) from None


def _read_each(sources: Iterable[Source], wanted: Wanted) -> tuple[list[Table], list[Values], list[Understood]]:
    """Read files as tables, or as values to be joined into rows: all of them as the same. Raises InputDataError."""
    tables: list[Table] = []
    values: list[Values] = []
    understood: list[Understood] = []
    options = wanted.options
    for source in sources:
        part, about = _read_one(source, wanted)
        understood.append(about)
        if not isinstance(part, Table):
            values.append(part)
        elif options.every_ms or options.hold_ms or options.sensor_from:
            values.append(values_of_wide(part, options.sensor_from, keeps_empty=wanted.features is not None))
        else:
            tables.append(part)
    if values and tables:
        where = tables[0].path
        msg = f"{where} has a column for each feature, other files a row for each value: read them apart, or name --every"
        raise InputDataError(msg)
    return tables, values, understood


def _present(tables: Sequence[Table], names: Sequence[str]) -> list[str]:
    """Return the columns that all tables have. Raises InputDataError for one that only some of them have."""
    found = []
    for name in names:
        without = [table.path for table in tables if name not in table.columns]
        if without and len(without) < len(tables):
            msg = f"{without[0]}: no column {name}, which other files have"
            raise InputDataError(msg)
        found += [] if without else [name]
    return found


def _names_a_cure(error: InputDataError) -> bool:
    """Return whether an error says which option decides; otherwise that of the product's own form tells more."""
    return any(option in str(error) for option in ("--decimal", "--time-format", "--good-quality", "--time-column"))


def _own_form(source: Source, options: FileOptions) -> Understood | None:
    """Return an account of a file that looks like one in the product's own form; None if it does not."""
    if options.describes_files() and options != FileOptions(every_ms=options.every_ms, hold_ms=options.hold_ms):
        return None
    if source.member is not None or source.compression() == "zstd":
        return None
    understood = Understood(source.name, is_own=True)
    if source.head().startswith(PARQUET):
        from pyarrow import parquet

        try:
            names = parquet.read_schema(source.path).names
        except (OSError, ValueError):
            names = [TIME_COLUMN]
        understood.facts["format"] = "Parquet"
        has_own_names = TIME_COLUMN in names and not is_long(names) and not quality_of(names, names)
        return understood if has_own_names else None
    form = text_form(source, AS_IT_LOOKS)
    names = list(form.names)
    is_own = (
        form.encoding in ("utf-8", "utf-8-sig") and form.delimiter != "|" and form.header_line == 0 and TIME_COLUMN in names
    )
    if not is_own or is_long(names) or quality_of(names, names) or (form.delimiter != "," and form.has_decimal_commas()):
        return None
    if source.compression() == "gzip" and source.path.suffix != ".gz":
        return None
    understood.facts |= {
        "format": "text" + (" in gzip" if source.compression() else ""),
        "encoding": ENCODING_NAMES[form.encoding],
        "delimiter": DELIMITERS[form.delimiter],
        "time": "column timestamp, ISO 8601 or numbers since 1970",
    }
    return understood


def _read_foreign(source: Source, wanted: Wanted) -> tuple[Table | Values, Understood]:
    raw, understood = read_any(source, wanted.options)
    first_row = [str(column[0].as_py()) for column in raw.columns]
    roles = find_roles(source.name, raw.column_names, first_row, wanted.options)
    if roles.long is not None:
        return long_values(source, raw, roles, understood, wanted), understood
    splits = wanted.options.sensor_from and (wanted.options.every_ms or wanted.options.hold_ms)
    of_columns = replace(wanted, features=None) if splits else wanted  # what it has are tags yet, not features
    return wide(source, raw, roles, understood, of_columns), understood


def _join(values: list[Values], wanted: Wanted, files: list[Understood]) -> tuple[Table, Understood]:
    name = files[0].name if len(files) == 1 else Path("the files")
    about = Understood(name)
    reports = reports_of(values, wanted.options.sensor_from, wanted.ignore, about)
    are_rows = all(part.is_wide for part in values)
    joined = join(reports, wanted.options.every_ms, wanted.options.hold_ms, are_rows=are_rows)
    about.facts.update(joined.facts)
    about.options.update(joined.options)
    about.notes.extend(joined.notes)
    about.facts["machines"] = _machines(values, wanted.options)
    lost, notes = together(part.lost for part in values), tuple(note for part in values for note in part.notes)
    empty = Table(name, (), [], np.empty(0, np.int32), np.empty(0, np.int64), {}, lost, notes, (), ())
    return table_of(joined, reports, empty), about


def _machines(values: list[Values], options: FileOptions) -> str:
    if options.sensor_from:
        return f"by {options.sensor_from} in the tags' names"
    if any(len(part.sensors) > 1 for part in values):
        return "by a column of the file"
    return "one, for nothing says otherwise; --sensor-from '{sensor}.{feature}' splits the tags' names"


def _selected(table: Table, features: Sequence[str]) -> Table:
    """Return the table with the features of a model only; the others count as unread."""
    return replace(
        table,
        features=tuple(name for name in table.features if name in features),
        unread=tuple(name for name in table.features if name not in features),
    )
