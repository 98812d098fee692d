"""Finds, by the names of the columns, which is the time, which the sensor, and whether a table is long."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stream_detector.errors import InputDataError
from stream_detector.tables.columns import SENSOR_COLUMN
from stream_detector.tables.foreign.options import FileOptions, LongColumns

_TIMES = [
    "timestamp",
    "time_stamp",
    "datetime",
    "date_time",
    "time",
    "ts",
    "_time",
    "zeitstempel",
    "zeitpunkt",
    "datumzeit",
    "datum_zeit",
    "datum_uhrzeit",
    "messzeit",
    "zeit",
    "datum",
    "date",
    "horodatage",
    "utc",
    "utc_time",
    "local_time",
    "server_timestamp",
    "source_timestamp",
    "sourcetimestamp",
]
_DATES, _CLOCKS = ("datum", "date", "day", "tag_datum"), ("uhrzeit", "zeit", "time", "time_of_day")
_TAGS = [
    "tag",
    "tagname",
    "tag_name",
    "tag_id",
    "point",
    "point_name",
    "pointname",
    "variable",
    "variable_name",
    "metric",
    "metric_name",
    "signal",
    "signal_name",
    "messstelle",
    "kanal",
    "channel",
    "item",
    "item_id",
    "itemid",
    "node_id",
    "nodeid",
    "_field",
    "series",
    "kks",
    "tag_path",
    "tagpath",
    "name",
]
_VALUES = ["value", "val", "wert", "messwert", "_value", "reading", "tag_value", "valeur"]
_QUALITIES = [
    "quality",
    "qualität",
    "qualitaet",
    "quality_code",
    "qualitycode",
    "opc_quality",
    "status",
    "status_code",
    "statuscode",
    "güte",
    "guete",
    "q",
    "validity",
]
_SENSORS = (
    SENSOR_COLUMN,
    "sensorid",
    "machine",
    "maschine",
    "machine_id",
    "asset",
    "asset_id",
    "anlage",
    "equipment",
    "equipment_id",
)
_TIME_LIKE = re.compile(r"\d{1,4}[./-]\w{1,9}[./-]\d{2,4}([ T,].*)?$|\d{4}-\d\d-\d\d([T ].*)?$")


@dataclass(frozen=True, slots=True)
class Roles:
    """Which columns are what; the others are features, or, in a long table, not read."""

    times: tuple[str, ...]  # one, or a date and a time of day
    sensor: str | None
    long: LongColumns | None = None


def find_roles(path: Path, names: Sequence[str], first_row: Sequence[str], options: FileOptions) -> Roles:
    """Return the roles of the columns of a file. Raises InputDataError if there is no time, or a named column is not there."""
    if options.long is not None:
        long = options.long
        _check(path, names, [long.time, long.tag, long.value, long.sensor, long.quality], "--long")
        return Roles((long.time,), long.sensor or None, long)
    _check(path, names, list(options.time_columns), "--time-column")
    _check(path, names, [options.sensor_column or ""], "--sensor-column")
    times = options.time_columns or _times(path, names, first_row)
    sensor = options.sensor_column or _by_alias([name for name in names if name not in times], _SENSORS)
    rest = [name for name in names if name not in (*times, sensor)]
    tag, value = _by_alias(rest, _TAGS), _by_alias(rest, _VALUES)
    if tag and value and len(rest) <= 8:
        quality = _by_alias([name for name in rest if name not in (tag, value)], _QUALITIES)
        return Roles(times, sensor, LongColumns(times[0], tag, value, sensor or "", quality or ""))
    return Roles(times, sensor)


def is_long(names: Sequence[str]) -> bool:
    """Return whether a table whose time is `timestamp` is long without doubt, by the names of its columns."""
    return _by_alias(names, _TAGS[:-1]) is not None and _by_alias(names, _VALUES) is not None and len(names) <= 6


def plain(name: str) -> str:
    """Return a name in small letters, without a unit in brackets, and with _ between words."""
    return re.sub(r"[\s.\-]+", "_", re.sub(r"\s*[\[(].*[\])]$", "", name).strip().casefold())


def _by_alias(names: Sequence[str], aliases: Sequence[str]) -> str | None:
    of_plain = {plain(name): name for name in reversed(names)}
    return next((of_plain[alias] for alias in aliases if alias in of_plain), None)


def _times(path: Path, names: Sequence[str], first_row: Sequence[str]) -> tuple[str, ...]:
    date, clock = _by_alias(names, _DATES), _by_alias(names, _CLOCKS)
    if date and clock:
        cell = dict(zip(names, first_row, strict=False)).get(clock, "")
        if re.fullmatch(r"\s*\d{1,2}:\d\d(:\d\d([.,]\d+)?)?(\s*[AaPp]\.?[Mm]\.?)?\s*", cell):
            return (date, clock)
    if found := _by_alias(names, _TIMES):
        return (found,)
    if looks := next((name for name, cell in zip(names, first_row, strict=False) if _TIME_LIKE.match(cell.strip())), None):
        return (looks,)
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    msg = f"{path}: no column looks like the time (found: {shown}); name it with --time-column"
    raise InputDataError(msg)


def _check(path: Path, names: Sequence[str], wanted: Sequence[str], option: str) -> None:
    absent = [name for name in wanted if name and name not in names]
    if absent:
        msg = f"{path}: no column {', '.join(absent)}, which {option} names (found: {', '.join(names)})"
        raise InputDataError(msg)
