"""The forms in which a mapped reading has its values; mapping.py explains them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.quality import Quality, bad_value
from stream_detector.ingest.record_shape import RawReading
from stream_detector.ingest.shapes import describe_document
from stream_detector.ingest.sources import Levels, Source, as_text, compile_source
from stream_detector.ingest.stamps import StampFormat
from stream_detector.readings import Record

Form = Callable[[Levels, Record], Sequence[RawReading | RejectionError]]

#: The feature of a record with one value and no name.
ONLY_FEATURE = "value"
#: The reading itself, as a path.
ITSELF = "."
_DEEPEST = 6
#: So many names of values are remembered.
_MOST_TAGS = 65_536
_FIRST_NAME = re.compile(r"\"([^\"]+)\"|([^.\[\s{$\"]+)")


class Head:
    """Finds the sensor, the time and the quality of a reading or an item."""

    def __init__(self, sensor: str, time: str, stamp: StampFormat, prefix: str, quality: Quality) -> None:
        """Raise ValueError if a path is wrong."""
        self._sensor_path, self._time_path = sensor, time
        self._sensor = compile_source(sensor) if sensor else None
        self._time = compile_source(time) if time else None
        self._stamp = stamp
        self._prefix = compile_source(prefix) if prefix else None
        self._quality_path = compile_source(quality.path) if quality.path else None
        self._quality = quality

    def sensor(self, levels: Levels, record: Record) -> str:
        """Return the sensor's name; raise RejectionError if there is none."""
        found = self._sensor(levels, record) if self._sensor else None
        text = found if isinstance(found, str) else as_text(found)
        if text is None:
            raise _nothing("sensor_missing", "the sensor", self._sensor_path, "SENSOR", levels)
        return text

    def stamp(self, levels: Levels, record: Record) -> str | float | None:
        """Return the time as the native format has it, None for that of the record; raise RejectionError."""
        return self._stamp.read(self._time(levels, record)) if self._time else None

    def prefix(self, levels: Levels, record: Record) -> str:
        """Return what comes before the names of features."""
        return as_text(self._prefix(levels, record)) or "" if self._prefix else ""

    def quality(self, levels: Levels, record: Record) -> object:
        """Return the quality that stands beside the values, or an object of those of each feature."""
        return self._quality_path(levels, record) if self._quality_path else None

    def judged(self, value: object, quality: object) -> object:
        """Return a value, or what stands for one of bad quality."""
        return value if self._quality.is_good(quality) else bad_value(quality)

    def used_names(self) -> frozenset[str]:
        """Return the names that the paths of sensor, time and quality begin with: they are no features."""
        paths = (self._sensor_path, self._time_path, self._quality.path)
        parts = [part for path in paths for part in (re.findall(r"\{([^{}]+)\}", path) or [path])]
        return frozenset(found[1] or found[2] for part in parts if (found := _FIRST_NAME.match(part.strip())))


def form_of(
    head: Head, *, values: str, features: Mapping[str, str], items: str, feature: str, value: str, tag_pattern: str
) -> Form:
    """Return how the values of a reading are found. Raises ValueError if a path is wrong or there is no form."""
    if features:
        return _paths_form(head, {name: compile_source(path) for name, path in features.items()})
    if items or value:
        item = _item_reader(head, feature, value or "value", tag_pattern)
        return _items_form(item, items) if items else _single_form(item)
    if values:
        return _object_form(head, values)
    msg = "a mapping needs one of values, features, items or value"
    raise ValueError(msg)


def _object_form(head: Head, path: str) -> Form:
    get = None if path == ITSELF else compile_source(path)
    used = head.used_names() if path == ITSELF else frozenset[str]()

    def read(levels: Levels, record: Record) -> list[RawReading | RejectionError]:
        found = levels[0] if get is None else get(levels, record)
        if not isinstance(found, dict):
            raise _nothing("values_missing", "an object of values", path, "VALUES", levels)
        sensor, stamp, prefix = head.sensor(levels, record), head.stamp(levels, record), head.prefix(levels, record)
        values = found if not prefix and not used and not _is_nested(found) else dict(_flat(found, prefix, used))
        quality = head.quality(levels, record)
        if quality is not None:
            by_feature = quality if isinstance(quality, dict) else {}
            whole = None if isinstance(quality, dict) else quality
            values = {name: head.judged(value, by_feature.get(name, whole)) for name, value in values.items()}
        return [RawReading(sensor, stamp, values)]

    return read


def _is_nested(values: Mapping[str, object]) -> bool:
    return dict in map(type, values.values())


def _flat(
    values: Mapping[str, object], prefix: str, used: frozenset[str] = frozenset(), depth: int = 1
) -> Iterator[tuple[str, object]]:
    """Yield names and values, those of inner objects with a dot between the names."""
    for name, value in values.items():
        if isinstance(value, dict) and depth < _DEEPEST and name not in used:
            yield from _flat(value, f"{prefix}{name}.", depth=depth + 1)
        elif name not in used:
            yield prefix + name, value


def _paths_form(head: Head, sources: Mapping[str, Source]) -> Form:
    def read(levels: Levels, record: Record) -> list[RawReading | RejectionError]:
        found = {name: source(levels, record) for name, source in sources.items()}
        values = {name: value for name, value in found.items() if value is not None}
        if not values:
            names = ", ".join(list(sources)[:5])
            what = f"nothing at the paths of {names} (STREAM_DETECTOR_INPUT__FEATURES)"
            raise RejectionError("values_missing", f"{what}; {_found(levels)}")
        quality = head.quality(levels, record)
        by_feature = quality if isinstance(quality, dict) else {}
        whole = None if isinstance(quality, dict) else quality
        judged = {name: head.judged(value, by_feature.get(name, whole)) for name, value in values.items()}
        return [RawReading(head.sensor(levels, record), head.stamp(levels, record), judged)]

    return read


#: Finds sensor, time, feature and value of an item.
_Item = tuple[str, "str | float | None", str, object]
_ItemReader = Callable[[Levels, Record], _Item]


def _item_reader(head: Head, feature: str, value: str, tag_pattern: str) -> _ItemReader:
    name_of = compile_source(feature) if feature else None
    value_of = compile_source(value)
    split = _splitter(tag_pattern) if tag_pattern else None

    def read(levels: Levels, record: Record) -> _Item:
        name = as_text(name_of(levels, record)) if name_of else ONLY_FEATURE
        if name is None:
            raise _nothing("values_missing", "the feature's name", feature, "FEATURE", levels)
        sensor = None
        if split is not None:
            sensor, name = split(name)
        if sensor is None:
            sensor = head.sensor(levels, record)
        number = head.judged(value_of(levels, record), head.quality(levels, record))
        return sensor, head.stamp(levels, record), head.prefix(levels, record) + name, number

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


def _single_form(item: _ItemReader) -> Form:
    def read(levels: Levels, record: Record) -> list[RawReading | RejectionError]:
        sensor, stamp, name, value = item(levels, record)
        return [RawReading(sensor, stamp, {name: value})]

    return read


def _items_form(item: _ItemReader, path: str) -> Form:
    get = None if path == ITSELF else compile_source(path)

    def read(levels: Levels, record: Record) -> list[RawReading | RejectionError]:
        items = levels[0] if get is None else get(levels, record)
        if isinstance(items, dict):
            items = [items]
        if not isinstance(items, list):
            raise _nothing("values_missing", "a list of values", path, "ITEMS", levels)
        joined: dict[tuple[str, str | float | None], dict[str, object]] = {}
        errors: list[RejectionError] = []
        for one in items:
            try:
                sensor, stamp, name, value = item((one, *levels), record)
            except RejectionError as error:
                errors.append(error)
                continue
            joined.setdefault((sensor, stamp), {})[name] = value
        return [*(RawReading(sensor, stamp, values) for (sensor, stamp), values in joined.items()), *errors]

    return read


def _nothing(reason: str, what: str, path: str, setting: str, levels: Levels) -> RejectionError:
    where = f"at {path[:80]!r} " if path else ""
    return RejectionError(reason, f"{what} is not there: nothing {where}(STREAM_DETECTOR_INPUT__{setting}); {_found(levels)}")


def _found(levels: Levels) -> str:
    return describe_document(levels[-1]) or f"found {type(levels[-1]).__name__}"
