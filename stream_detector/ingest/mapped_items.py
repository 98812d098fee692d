"""The forms of a mapped reading whose values each come with their name: a list of them, or one in a record."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.heads import Head, nothing_at, nothing_found
from stream_detector.ingest.record_shape import RawReading
from stream_detector.ingest.sources import Levels, as_text, compile_source, first_name, leads_nowhere, plain_name
from stream_detector.readings import Record

Form = Callable[[Levels, Record], Sequence[RawReading | RejectionError]]

#: The feature of a record with one value and no name.
ONLY_FEATURE = "value"
#: The reading itself, as a path.
ITSELF = "."
#: So many names of values are remembered.
_MOST_TAGS = 65_536
#: Says what is there instead of a value (values.NOTHING_AT); longer text would be none that means missing.
_LONGEST_ABSENT = 300
_NOTHING: Mapping[str | None, Any] = {}

#: Sensor and time of the items of a reading that have none of their own, once one of them asked.
_Shared = list[Any]
#: Finds sensor, time, feature and value of an item, given the levels around it. None: it is no part of a list.
_Item = tuple[str, "str | float | None", str, object]
_ItemReader = Callable[[object, Levels, Record, _Shared | None], _Item]


def item_reader(head: Head, feature: str, value: str, tag_pattern: str) -> _ItemReader:
    """Compile the paths of an item. Raises ValueError if one is wrong."""
    name_of = compile_source(feature) if feature else None
    value_of = compile_source(value)
    split = _splitter(tag_pattern) if tag_pattern else None
    judge, quality_of, stamp_of, stamp_types, prefix = head.judge, head.quality, head.stamp, head.stamp_types, head.prefix
    # What a plain name finds in the item itself needs no call; where a path is more, no name finds anything.
    own_feature, own_value, own_time, own_quality = map(plain_name, (feature, value, head.time_path, head.quality_path))
    # An item without these has the sensor and the time of its reading.
    first_of_sensor, first_of_time = first_name(head.sensor_path), first_name(head.time_path)

    def read(item: object, around: Levels, record: Record, shared: _Shared | None) -> _Item:
        own: Mapping[str | None, Any] = item if isinstance(item, dict) else _NOTHING
        name, number, time, sensor = own.get(own_feature), own.get(own_value), own.get(own_time), None
        if not isinstance(name, str):
            name = as_text(name_of((item, *around), record)) if name_of else ONLY_FEATURE
            if name is None:
                raise nothing_found("values_missing", "the feature's name", feature, "FEATURE", (item, *around))
        if split is not None:
            sensor, name = split(name)
        if sensor is None:
            if shared is None or first_of_sensor is None or first_of_sensor in own:
                sensor = head.sensor((item, *around), record)
            elif (sensor := shared[0]) is None:
                sensor = shared[0] = head.sensor(around, record)
        if number is None:
            number = value_of((item, *around), record)
            if number is None and shared is None and leads_nowhere(value, (item, *around)):
                number = f"Bad: {nothing_at(value, 'VALUE', (item, *around))}"[:_LONGEST_ABSENT]
        if quality_of:
            quality = own.get(own_quality)
            number = judge(number, quality_of((item, *around), record) if quality is None else quality)
        if stamp_of and (time is None or type(time) not in stamp_types):
            if shared is None or first_of_time is None or first_of_time in own:
                time = stamp_of((item, *around), record)
            elif (time := shared[1]) is None:
                time = shared[1] = stamp_of(around, record)
        return sensor, time, prefix((item, *around), record) + name if prefix else name, number

    return read


def _splitter(pattern: str) -> Callable[[str], tuple[str | None, str]]:
    """Return what splits the name of a value into sensor, None if the pattern does not have it, and feature."""
    compiled = re.compile(pattern)
    groups = compiled.groupindex

    @lru_cache(maxsize=_MOST_TAGS)
    def split(name: str) -> tuple[str | None, str]:
        found = compiled.fullmatch(name)
        if found is None:
            raise RejectionError("sensor_missing", f"{name[:100]!r} does not fit STREAM_DETECTOR_INPUT__TAG_PATTERN")
        return found["sensor"] if "sensor" in groups else None, found["feature"] if "feature" in groups else name

    return split


def single_form(item: _ItemReader) -> Form:
    """Return the form of one value in a record."""

    def read(levels: Levels, record: Record) -> list[RawReading | RejectionError]:
        sensor, stamp, name, value = item(levels[0], levels[1:], record, None)
        return [RawReading(sensor, stamp, {name: value})]

    return read


def items_form(item: _ItemReader, path: str) -> Form:
    """Return the form of a list of values. Raises ValueError if its path is wrong."""
    get = None if path == ITSELF else compile_source(path)

    def read(levels: Levels, record: Record) -> list[RawReading | RejectionError]:
        items = levels[0] if get is None else get(levels, record)
        if isinstance(items, dict):
            items = [items]
        if not isinstance(items, list):
            raise nothing_found("values_missing", "a list of values", path, "ITEMS", levels)
        joined: dict[tuple[str, str | float | None], dict[str, object]] = {}
        errors: list[RejectionError] = []
        shared: _Shared = [None, None]
        last_sensor, last_stamp, values = "", None, dict[str, object]()
        for one in items:
            try:
                sensor, stamp, name, value = item(one, levels, record, shared)
            except RejectionError as error:
                errors.append(error)
                continue
            if not joined or sensor != last_sensor or stamp != last_stamp:
                last_sensor, last_stamp = sensor, stamp
                values = joined.setdefault((sensor, stamp), {})
            values[name] = value
        if len(joined) == 1 and not errors:  # nearly always
            return [RawReading(last_sensor, last_stamp, values)]
        readings = [RawReading(sensor, stamp, values) for (sensor, stamp), values in joined.items()]
        return [*readings, *errors]

    return read
