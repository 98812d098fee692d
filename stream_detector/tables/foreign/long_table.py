"""Reads the values of long tables, and of wide tables whose columns report at their own times, as reports to join."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stream_detector.errors import InputDataError
from stream_detector.ingest.parsing import Parsing
from stream_detector.readings import BoolArray, Float64Array, Int32Array, Int64Array
from stream_detector.state.known_sensors import ONLY_SENSOR
from stream_detector.tables.foreign.decimal_marks import with_points
from stream_detector.tables.foreign.joining import Joined, Reports
from stream_detector.tables.foreign.options import Wanted
from stream_detector.tables.foreign.quality import good
from stream_detector.tables.foreign.roles import Roles
from stream_detector.tables.foreign.sources import Source
from stream_detector.tables.foreign.tags import split_tags
from stream_detector.tables.foreign.understanding import Understood
from stream_detector.tables.foreign.wide_table import time_of
from stream_detector.tables.lost_cells import Cells, LostCells
from stream_detector.tables.number_column import Column, read_numbers
from stream_detector.tables.table import Table
from stream_detector.tables.time_checks import in_utc
from stream_detector.tables.time_column import read_times
from stream_detector.values import NOT_A_NUMBER, Unusable, parse_text


@dataclass(frozen=True, slots=True)
class Values:
    """N values of a long table, by sensor and tag."""

    sensors: tuple[str, ...]
    tags: tuple[str, ...]
    sensor_codes: Int32Array  # [N]
    tag_codes: Int32Array  # [N]
    times_ms: Int64Array  # [N]
    values: Float64Array  # [N]
    lost: LostCells  # what stood where a value is missing
    notes: tuple[str, ...] = ()  # on the table that they are of
    is_wide: bool = False  # the table has a time for each of its rows
    keeps_empty: bool = False  # tags without a value count too


def long_values(source: Source, raw: pa.Table, roles: Roles, understood: Understood, wanted: Wanted) -> Values:
    """Return the values of a long table. Raises InputDataError."""
    columns, options, parsing = roles.long, wanted.options, wanted.parsing
    assert columns is not None
    understood.facts["shape"] = f"long: {columns.tag} names what {columns.value} holds"
    tags, tag_codes = _encoded(source, raw, columns.tag)
    sensors, sensor_codes = _encoded(source, raw, columns.sensor) if columns.sensor else ([], np.zeros(raw.num_rows, np.int32))
    times = read_times(source.name, time_of(source, raw, roles, understood, wanted))
    times_ms, notes = in_utc(times, sensor_codes * np.int32(len(tags)) + tag_codes, parsing, sensor_codes)
    understood.notes += notes
    text, mark = with_points(source.name, {columns.value: raw.column(columns.value)}, options.decimal)
    understood.facts["decimal mark"] = mark
    read, words, word_codes = _numbers(source, columns.value, text[columns.value], parsing)
    values, is_text = read.values, word_codes >= 0
    if columns.quality:
        is_good, how = _quality(source, raw.column(columns.quality), columns.quality, options.good_quality)
        understood.notes.append(_note_on_bad(columns.quality, how, int((~is_good & ~np.isnan(values)).sum())))
        values = np.where(is_good, values, np.nan)
    unread = [
        name
        for name in raw.column_names
        if name not in (*roles.times, columns.tag, columns.value, columns.sensor, columns.quality)
    ]
    if unread:
        understood.notes.append(f"not read: column {', '.join(unread)}")
    kept = _of_numbers(tags, tag_codes, values, is_text, understood)
    names = tuple(sensors or [ONLY_SENSOR])
    unusable = [*read.unusable, *_texts(words, np.where(kept, word_codes, -1))]
    lost = Cells(source.name, names, tags, sensor_codes, tag_codes).lost(unusable)
    return Values(names, tuple(tags), sensor_codes[kept], tag_codes[kept], times_ms[kept], values[kept], lost)


def _note_on_bad(column: str, how: str, count: int) -> str:
    return f"quality: column {column} ({how}); {count:,} values of bad quality are missing"


def _quality(source: Source, column: pa.ChunkedArray, name: str, good_codes: tuple[str, ...]) -> tuple[BoolArray, str]:
    found = good(column, good_codes)
    if found is None:
        msg = (
            f"{source.name}: column {name} does not look like a quality: say which values are good, as --good-quality "
            f"192,Good, or name the columns without it, with --long"
        )
        raise InputDataError(msg)
    return found


def values_of_wide(table: Table, pattern: str | None, *, keeps_empty: bool) -> Values:
    """Return the cells of a wide table that have a value. Raises InputDataError if machines have a column and a pattern."""
    features = table.features
    if pattern is not None and len(table.sensors) > 1:
        msg = (
            f"{table.path}: a column names the machines already ({', '.join(table.sensors[:3])}), so --sensor-from cannot: "
            "leave it out"
        )
        raise InputDataError(msg)
    rows = [np.flatnonzero(~np.isnan(table.columns[name])) for name in features]
    chosen = np.concatenate(rows) if rows else np.empty(0, np.int64)
    codes = np.repeat(np.arange(len(features), dtype=np.int32), [len(one) for one in rows])
    cells = [table.columns[name][one] for name, one in zip(features, rows, strict=True)]
    return Values(
        sensors=tuple(table.sensors or [ONLY_SENSOR]),
        tags=features,
        sensor_codes=table.codes[chosen],
        tag_codes=codes,
        times_ms=table.times_ms[chosen],
        values=np.concatenate(cells) if cells else np.empty(0),
        lost=table.lost,
        notes=table.notes,
        is_wide=True,
        keeps_empty=keeps_empty,
    )


def reports_of(parts: Sequence[Values], pattern: str | None, ignore: Collection[str], understood: Understood) -> Reports:
    """Put the values of several tables together, and split their tags into sensors and features. Raises InputDataError."""
    tags = tuple(dict.fromkeys(tag for part in parts for tag in _used_tags(part)))
    if not tags:
        msg = f"{understood.name}: no tag has a value"
        raise InputDataError(msg)
    split = split_tags(tags, pattern)
    if split.unmatched:
        shown = ", ".join(split.unmatched[:5]) + (", ..." if len(split.unmatched) > 5 else "")
        understood.notes.append(f"left out: {len(split.unmatched):,} tags that --sensor-from does not fit ({shown})")
    names: list[str] = []
    of_part: list[tuple[Int32Array, Int32Array]] = []
    features = tuple(dict.fromkeys(one for one in split.features if one is not None and one not in ignore))
    feature_code = {name: code for code, name in enumerate(features)}
    place = {tag: at for at, tag in enumerate(tags)}
    for part in parts:
        own = [place.get(tag, 0) for tag in part.tags]  # unused ones have no rows
        of_tag = np.array([feature_code.get(split.features[at] or "", -1) for at in own], np.int32)
        by_pattern = [split.sensors[at] or "" for at in own]
        of_row = part.sensors if pattern is None else tuple(dict.fromkeys(by_pattern))
        local = (
            part.sensor_codes
            if pattern is None
            else np.array([of_row.index(one) for one in by_pattern], np.int32)[part.tag_codes]
        )
        names += [name for name in of_row if name not in names]
        of_part.append((np.array([names.index(name) for name in of_row], np.int32)[local], of_tag[part.tag_codes]))
    feature_codes = np.concatenate([codes for _, codes in of_part])
    kept = feature_codes >= 0
    if not kept.any():
        msg = f"{understood.name}: no tag with values is left"
        raise InputDataError(msg)
    return Reports(
        tuple(names),
        features,
        np.concatenate([codes for codes, _ in of_part])[kept],
        feature_codes[kept],
        np.concatenate([part.times_ms for part in parts])[kept],
        np.concatenate([part.values for part in parts])[kept],
    )


def _used_tags(part: Values) -> Sequence[str]:
    if part.keeps_empty:
        return part.tags
    return [part.tags[code] for code in np.flatnonzero(np.bincount(part.tag_codes)).tolist()]


def table_of(joined: Joined, reports: Reports, like: Table) -> Table:
    """Return joined rows as a table; `like` is an empty one, of the same files."""
    used = np.unique(joined.codes)
    new = np.cumsum(np.isin(np.arange(len(reports.sensors)), used)) - 1
    return replace(
        like,
        features=reports.features,
        sensors=[reports.sensors[code] for code in used.tolist()],
        codes=new[joined.codes].astype(np.int32),
        times_ms=joined.times_ms,
        columns=joined.columns,
        names=("timestamp", "sensor_id", *reports.features),
    )


def _encoded(source: Source, raw: pa.Table, name: str) -> tuple[list[str], Int32Array]:
    """Return the distinct names in a column and the code of each row. Raises InputDataError for an empty cell."""
    texts = pc.utf8_trim_whitespace(raw.column(name).cast(pa.string()))
    empty = pc.fill_null(pc.equal(texts, ""), True).to_numpy()
    if empty.any():
        msg = f"{source.name}: data row {int(empty.argmax()) + 1} has no {name}: give it one, or delete the row"
        raise InputDataError(msg)
    encoded = texts.combine_chunks().dictionary_encode()
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int32, copy=False)


def _numbers(source: Source, name: str, column: pa.ChunkedArray, parsing: Parsing) -> tuple[Column, list[Unusable], Int64Array]:
    """Return the values [N], the texts that are neither numbers nor say missing, and which of them a row has [N] (-1: none)."""
    missing = parsing.missing.of_feature(name)
    if not pa.types.is_string(column.type):
        read = read_numbers(source.name, name, column, missing, lambda _: "numbers are needed")
        return read, [], np.full(len(column), -1, np.int64)
    encoded = column.combine_chunks().dictionary_encode()
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    words = [parse_text(word, missing.texts) for word in encoded.dictionary.to_pylist()]
    is_text = [isinstance(one, Unusable) and one.reason == NOT_A_NUMBER for one in words]
    codes = encoded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)
    word_codes = np.append(np.where(is_text, np.cumsum(is_text) - 1, -1), -1)[codes]
    plain = pc.if_else(pa.array(word_codes >= 0), pa.scalar(None, pa.string()), column)
    texts = [one for one in words if isinstance(one, Unusable) and one.reason == NOT_A_NUMBER]
    return read_numbers(source.name, name, plain, missing, lambda _: "numbers are needed"), texts, word_codes


def _texts(words: list[Unusable], codes: Int64Array) -> list[tuple[Unusable, Int64Array]]:
    """Return the rows of each text, where `codes` [N] are not negative."""
    rows = np.flatnonzero(codes >= 0)
    rows = rows[np.argsort(codes[rows], kind="stable")]
    parts = np.split(rows, np.flatnonzero(np.diff(codes[rows])) + 1) if len(rows) else []
    return [(words[int(codes[part[0]])], part) for part in parts]


def _of_numbers(
    tags: list[str],
    codes: Int32Array,
    values: Float64Array,
    is_text: BoolArray,
    understood: Understood,
) -> BoolArray:
    """Return which rows are of tags that hold numbers, and say which tags hold text instead."""
    texts = np.bincount(codes[is_text], minlength=len(tags))
    numbers = np.bincount(codes[~np.isnan(values)], minlength=len(tags))
    of_text = texts > numbers
    if of_text.any():
        shown = ", ".join(tags[code] for code in np.flatnonzero(of_text)[:5].tolist()) + (", ..." if of_text.sum() > 5 else "")
        understood.notes.append(f"left out: {int(of_text.sum()):,} tags that hold text and not numbers ({shown})")
    empty = (numbers == 0) & ~of_text
    if empty.any():
        shown = ", ".join(tags[code] for code in np.flatnonzero(empty)[:5].tolist()) + (", ..." if empty.sum() > 5 else "")
        understood.notes.append(f"left out: {int(empty.sum()):,} tags without any value ({shown})")
    return np.asarray(~(of_text | empty)[codes])
