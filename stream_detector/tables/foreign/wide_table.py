"""Makes the product's own form of a wide table: its time, sensor and numbers, without the values of bad quality."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import tzinfo
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stream_detector.errors import InputDataError
from stream_detector.readings import BoolArray
from stream_detector.tables.columns import SENSOR_COLUMN, TIME_COLUMN, Selection
from stream_detector.tables.foreign.decimal_marks import with_points
from stream_detector.tables.foreign.options import FileOptions, Wanted
from stream_detector.tables.foreign.quality import good, quality_of
from stream_detector.tables.foreign.roles import Roles
from stream_detector.tables.foreign.sources import Source
from stream_detector.tables.foreign.tags import split_tags
from stream_detector.tables.foreign.times import normal_times
from stream_detector.tables.foreign.understanding import Understood
from stream_detector.tables.table import Table, to_table

#: From this share of empty cells on, the tags of a wide table seem to report at times of their own.
_SPARSE_SHARE = 0.5


def time_of(source: Source, table: pa.Table, roles: Roles, understood: Understood, wanted: Wanted) -> pa.ChunkedArray:
    """Return the time of each row; a date and a time of day are joined. Raises InputDataError."""
    columns = [table.column(name) for name in roles.times]
    if len(columns) == 2:
        columns = [pc.binary_join_element_wise(*(pc.utf8_trim_whitespace(column.cast(pa.string())) for column in columns), " ")]
    times, how = normal_times(source.name, columns[0], wanted.options.time_format)
    understood.facts["time"] = f"column {' and '.join(roles.times)}, {how}"
    understood.facts["zone"] = zone_of(times, wanted.parsing.zone)
    return times


def zone_of(times: pa.ChunkedArray, zone: tzinfo | None) -> str:
    """Return how the zone of times is said, by the first one."""
    first = times[0].as_py() if pa.types.is_string(times.type) else None
    is_local = (
        not re.search(r"([Zz]|UTC|GMT|[+-]\d\d:?\d\d)$", first)
        if first
        else pa.types.is_timestamp(times.type) and not times.type.tz
    )
    if not is_local or (first and not re.search(r"[-T:]", first)):
        return "in the times themselves"
    return f"{zone}" if zone else "none in the file: taken as UTC; --time-zone Europe/Berlin names another"


def wide(source: Source, raw: pa.Table, roles: Roles, understood: Understood, wanted: Wanted) -> Table:
    """Return a wide table in the product's own form. Raises InputDataError."""
    options, ignore, features = wanted.options, wanted.ignore, wanted.features
    others = [name for name in raw.column_names if name not in (*roles.times, roles.sensor)]
    qualities = _qualities(raw, others, options, ignore)
    kept = _kept(source, [name for name in others if name not in qualities], wanted)
    numbers, mark = with_points(source.name, {name: raw.column(name) for name in kept}, options.decimal)
    understood.facts["decimal mark"] = mark
    columns = {TIME_COLUMN: time_of(source, raw, roles, understood, wanted)}
    if roles.sensor:
        columns[SENSOR_COLUMN] = raw.column(roles.sensor)
        understood.facts["sensors"] = f"column {roles.sensor}"
    for name, (of, is_good, how) in qualities.items():
        bad = sum(_apply(numbers, feature, is_good) for feature in of if feature in numbers)
        whose = "all features" if len(of) > 1 else ", ".join(of)
        understood.notes.append(f"quality: column {name} is of {whose} ({how}); {bad:,} values of bad quality are missing")
    table = pa.table(columns | numbers)
    unread = [name for name in raw.column_names if name not in kept and name not in (*roles.times, roles.sensor)]
    names = [*columns, *kept, *unread]
    advice = partial(Selection(ignore, features).advice_on_text, kept=table.column_names)
    done = to_table(source.name, table, names, wanted.parsing, advice)
    _hint_at_sparse(done, understood)
    return done


def _kept(source: Source, names: list[str], wanted: Wanted) -> list[str]:
    """Return the columns to read: by their names, or by the features in these. Raises InputDataError if none has a feature."""
    pattern, features, ignore = wanted.options.sensor_from, wanted.features, wanted.ignore
    left = [name for name in names if name not in ignore]
    if pattern is None:
        return [name for name in left if features is None or name in features]
    of = dict(zip(left, split_tags(left, pattern).features, strict=True))
    kept = [name for name, feature in of.items() if feature not in ignore and (features is None or feature in features)]
    if not kept:
        shown = ", ".join(left[:5]) + (", ..." if len(left) > 5 else "")
        looked = f" of {', '.join(features)}" if features else ""
        msg = f"{source.name}: by --sensor-from {pattern!r} no column is of a feature{looked} (columns: {shown})"
        raise InputDataError(msg)
    return kept


def _qualities(
    raw: pa.Table, others: list[str], options: FileOptions, ignore: Collection[str]
) -> dict[str, tuple[tuple[str, ...], BoolArray, str]]:
    """Return the quality columns: what they are of, where they say good, and how they were understood."""
    found = {}
    for name, of in quality_of(others, others).items():
        if of and name not in ignore and (understood := good(raw.column(name), options.good_quality)) is not None:
            found[name] = (of, *understood)
    return found


def _apply(numbers: dict[str, pa.ChunkedArray], feature: str, is_good: BoolArray) -> int:
    """Make a feature's values missing where they are not good, and return how many there were."""
    column = numbers[feature]
    has_value = column.is_valid() if not pa.types.is_string(column.type) else pc.not_equal(pc.fill_null(column, ""), "")
    count = int((has_value.to_numpy() & ~is_good).sum())
    numbers[feature] = pc.if_else(pa.array(is_good), column, pa.scalar(None, column.type))
    return count


def _hint_at_sparse(table: Table, understood: Understood) -> None:
    empty = np.mean([np.isnan(column).mean() for column in table.columns.values()]) if table.columns else 0.0
    if empty > _SPARSE_SHARE:
        understood.notes.append(
            f"{empty:.0%} of the cells are empty: if each column reports at times of its own, --every 10s joins them into rows"
        )
