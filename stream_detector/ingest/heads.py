"""What a mapped reading has beside its values: its sensor, its time, the quality, and what comes before its features' names.

The paths are compiled once into one call each, because decoding asks for them in every item of every record.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.paths import plain_steps
from stream_detector.ingest.quality import Judge, Quality, judge_of
from stream_detector.ingest.shapes import describe_document
from stream_detector.ingest.sources import Levels, Source, as_text, compile_source
from stream_detector.ingest.stamps import BY_SIZE, StampFormat
from stream_detector.readings import Record

#: Types that a time has as the native format has it. A bool is none.
_STAMPS: frozenset[type] = frozenset((str, int, float, type(None)))
_FIRST_NAME = re.compile(r"\"([^\"]+)\"|([^.\[\s{$\"]+)")


@dataclass(frozen=True, slots=True)
class Head:
    """Finds what a reading or an item has beside its values. None: the mapping does not ask for it."""

    sensor: Callable[[Levels, Record], str]  # raises RejectionError if there is none
    stamp: Callable[[Levels, Record], str | float | None] | None  # as the native format has it; raises RejectionError
    prefix: Callable[[Levels, Record], str] | None
    stamp_types: frozenset[type]  # what is of these types is a time as it is
    quality: Source | None  # what stands beside the values, or an object of those of each feature
    judge: Judge  # a value, or what stands for one of bad quality
    sensor_path: str
    time_path: str
    quality_path: str
    used_names: frozenset[str]  # the paths of sensor, time and quality, as names of features: they are no features


def head_of(sensor: str, time: str, stamp: StampFormat, prefix: str, quality: Quality) -> Head:
    """Compile the paths. Raises ValueError if one is wrong."""
    stamp_types = _STAMPS if stamp.unit == BY_SIZE and not stamp.format else frozenset[type]()
    return Head(
        sensor=_sensor(sensor),
        stamp=_stamp(time, stamp, stamp_types) if time else None,
        prefix=_prefix(prefix) if prefix else None,
        stamp_types=stamp_types,
        quality=compile_source(quality.path) if quality.path else None,
        judge=judge_of(quality),
        sensor_path=sensor,
        time_path=time,
        quality_path=quality.path,
        used_names=_used_names(sensor, time, quality.path),
    )


def _sensor(path: str) -> Callable[[Levels, Record], str]:
    find = compile_source(path) if path else None

    def sensor(levels: Levels, record: Record) -> str:
        found = find(levels, record) if find else None
        if isinstance(found, str):
            return found
        text = as_text(found)
        if text is None:
            raise nothing_found("sensor_missing", "the sensor", path, "SENSOR", levels)
        return text

    return sensor


def _stamp(path: str, form: StampFormat, as_it_is: frozenset[type]) -> Callable[[Levels, Record], str | float | None]:
    find = compile_source(path)

    def stamp(levels: Levels, record: Record) -> str | float | None:
        found: str | float | None = find(levels, record)
        return found if type(found) in as_it_is else form.read(found)

    return stamp


def _prefix(path: str) -> Callable[[Levels, Record], str]:
    find = compile_source(path)

    def prefix(levels: Levels, record: Record) -> str:
        return as_text(find(levels, record)) or ""

    return prefix


def _used_names(*paths: str) -> frozenset[str]:
    """Return what plain paths find, alone; of others, all that is in the object with which they begin."""
    parts = [part.strip() for path in paths for part in (re.findall(r"\{([^{}]+)\}", path) or [path])]
    return frozenset(name for part in parts if (name := _used_name(part)))


def _used_name(path: str) -> str:
    steps = None if path.startswith("$") else plain_steps(path)
    if steps:
        names = takewhile(lambda step: isinstance(step, str), steps)
        return ".".join(map(str, names))
    found = _FIRST_NAME.match(path)
    return found[1] or found[2] if found else ""


def nothing_found(reason: str, what: str, path: str, setting: str, levels: Levels) -> RejectionError:
    """Return the error that something is not where a setting says, with what is there."""
    return RejectionError(reason, f"{what} is not there: {nothing_at(path, setting, levels)}")


def nothing_at(path: str, setting: str, levels: Levels) -> str:
    """Say that nothing is at the path of a setting, with what is there."""
    where = f"at {path[:80]!r} " if path else ""
    return f"nothing {where}(STREAM_DETECTOR_INPUT__{setting}); {names_found(levels)}"


def names_found(levels: Levels) -> str:
    """Say what a record holds."""
    return describe_document(levels[-1]) or f"found {type(levels[-1]).__name__}"
