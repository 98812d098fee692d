"""The forms in which a mapped reading has its values; mapping.py explains them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.heads import Head, names_found, nothing_found
from stream_detector.ingest.mapped_items import ITSELF, Form, item_reader, items_form, single_form
from stream_detector.ingest.record_shape import RawReading
from stream_detector.ingest.sources import Levels, Source, compile_source
from stream_detector.readings import Record

_DEEPEST = 6


def form_of(
    head: Head, *, values: str, features: Mapping[str, str], items: str, feature: str, value: str, tag_pattern: str
) -> Form:
    """Return how the values of a reading are found. Raises ValueError if a path is wrong or there is no form."""
    paths = {name: compile_source(path) for name, path in features.items()}
    if values and not (items or value):
        return _object_form(head, values, paths)
    if paths:
        return _paths_form(head, paths)
    if items or value:
        item = item_reader(head, feature, value or "value", tag_pattern)
        return items_form(item, items) if items else single_form(item)
    msg = "a mapping needs one of values, features, items or value"
    raise ValueError(msg)


def _object_form(head: Head, path: str, beside: Mapping[str, Source]) -> Form:
    """Return the form of an object of values, with more values beside it that have a path each."""
    get = None if path == ITSELF else compile_source(path)
    used = head.used_names if path == ITSELF else frozenset[str]()

    def read(levels: Levels, record: Record) -> list[RawReading | RejectionError]:
        found = levels[0] if get is None else get(levels, record)
        if not isinstance(found, dict):
            raise nothing_found("values_missing", "an object of values", path, "VALUES", levels)
        sensor = head.sensor(levels, record)
        stamp = head.stamp(levels, record) if head.stamp else None
        values: Mapping[str, object] = found
        if head.prefix or _is_nested(found):
            values = dict(_flat(found, head.prefix(levels, record) if head.prefix else "", used))
        elif used:
            values = {name: value for name, value in found.items() if name not in used}
        if beside:
            values = {**values, **_found(beside, levels, record)}
        if head.quality:
            values = _judged(head, values, head.quality(levels, record))
        return [RawReading(sensor, stamp, values)]

    return read


def _found(sources: Mapping[str, Source], levels: Levels, record: Record) -> dict[str, object]:
    """Return the values that are there, by name."""
    found = {name: source(levels, record) for name, source in sources.items()}
    return {name: value for name, value in found.items() if value is not None}


def _judged(head: Head, values: Mapping[str, object], quality: object) -> Mapping[str, object]:
    """Return values with what stands for those of bad quality: one of all of them, or an object of each feature's."""
    if isinstance(quality, dict):
        return {name: head.judge(value, quality.get(name)) for name, value in values.items()}
    return values if quality is None else {name: head.judge(value, quality) for name, value in values.items()}


def _is_nested(values: Mapping[str, object]) -> bool:
    return dict in map(type, values.values())


def _flat(
    values: Mapping[str, object], prefix: str, used: frozenset[str], path: str = "", depth: int = 1
) -> Iterator[tuple[str, object]]:
    """Yield names and values, those of inner objects with a dot between the names; not what has another use."""
    for name, value in values.items():
        at = path + name
        if at in used:
            continue
        if isinstance(value, dict) and depth < _DEEPEST:
            yield from _flat(value, prefix, used, f"{at}.", depth + 1)
        else:
            yield prefix + at, value


def _paths_form(head: Head, sources: Mapping[str, Source]) -> Form:
    def read(levels: Levels, record: Record) -> list[RawReading | RejectionError]:
        values: Mapping[str, object] = _found(sources, levels, record)
        if not values:
            names = ", ".join(list(sources)[:5])
            what = f"nothing at the paths of {names} (STREAM_DETECTOR_INPUT__FEATURES)"
            raise RejectionError("values_missing", f"{what}; {names_found(levels)}")
        if head.quality:
            values = _judged(head, values, head.quality(levels, record))
        return [RawReading(head.sensor(levels, record), head.stamp(levels, record) if head.stamp else None, values)]

    return read
