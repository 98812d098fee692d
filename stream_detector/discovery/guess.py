"""Guesses the settings of group `input` from a sample of records, with the reason for each."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from stream_detector.discovery.document_stats import DocumentStats, PathStats, document_stats, path_text
from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.paths import compile_path
from stream_detector.ingest.payload import JsonPayload, Payload
from stream_detector.ingest.presets.catalog import PRESETS, preset_of
from stream_detector.ingest.shapes import describe_bytes
from stream_detector.readings import Record

#: The share of records that must be of a kind for it to be that of the topic.
_MOST = 0.6
_LOOKED_AT = 2_000
_SENSOR = re.compile(
    r"(sensor|device|asset|machine|equipment|entity|thing|unit|host|station|node|source)[ _-]?(id|name|key|no)?|id",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"@?(event|source|server|sample)?[ _-]?(time[ _-]?stamp|date[ _-]?time|ts|time|date|t|when|at)([ _-]?(ms|us|ns|utc))?",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"(tag|metric|point|signal|measurement|variable|channel|item|parameter|feature|field|property|quantity|name)"
    r"[ _-]?(id|name|path|key)?",
    re.IGNORECASE,
)
_NAME_OR_ID = re.compile(f"({_NAME.pattern})|id|n", re.IGNORECASE)
_VALUE = re.compile(r"(value|val|v|reading|data|number|measured)", re.IGNORECASE)
_QUALITY = re.compile(r"(quality|q|status|status_?code|opc_?quality|good|is_?good)", re.IGNORECASE)
_SEPARATED = re.compile(r".+([./:|\\])[^./:|\\]+")


@dataclass(slots=True)
class Guess:
    """Settings of group `input`, why each is as it is, and what is not sure."""

    format: str  # in words
    settings: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)

    def set(self, name: str, value: object, reason: str) -> None:
        """Set a setting, with the reason."""
        self.settings[name], self.reasons[name] = value, reason


def guess_input(records: Sequence[Record], registry: Payload | None = None) -> Guess:
    """Return what reads these records; those in the wire format of a schema registry by `registry`.

    Raises ValueError with what they look like if nothing seems to.
    """
    in_time = sorted((record for record in records if record.value), key=lambda record: record.timestamp)
    sample = in_time[-_LOOKED_AT:]  # of all partitions: each may have some features only
    if not sample:
        msg = "the topic has no records with a value"
        raise ValueError(msg)
    kinds = Counter(describe_bytes(record.value or b"") for record in sample)
    kind, count = kinds.most_common(1)[0]
    needs_registry = "registry" in kind and count >= _MOST * len(sample)
    if kind and count >= _MOST * len(sample) and not needs_registry:
        return _guess_lines()
    if needs_registry and registry is None:
        msg = "each record begins with a zero byte and the number of a schema: give --registry-url, where the schemas are"
        raise ValueError(msg)
    payload = registry if needs_registry and registry else JsonPayload()
    documents = [(document, record) for record in sample if (document := _document(record, payload)) is not None]
    if len(documents) < _MOST * len(sample):
        what = "cannot be read by their schemas" if needs_registry else "are not JSON, and of no format that is read"
        msg = f"{len(sample) - len(documents)} of {len(sample)} records {what}"
        raise ValueError(msg)
    guess = _guess_documents(documents)
    if needs_registry:
        guess.format = f"{guess.format}, by the schemas of a registry"
        guess.set("payload", "registry", "each record begins with a zero byte and the number of a schema")
    return guess


def _guess_documents(documents: Sequence[tuple[object, Record]]) -> Guess:
    if sum(_is_native(document) for document, _ in documents) >= _MOST * len(documents):
        return Guess("the native format")
    found = Counter(preset_of(document, record) for document, record in documents)
    preset, count = found.most_common(1)[0]
    if preset is not None and preset not in ("flat", "debezium", "connect") and count >= _MOST * len(documents):
        return _guess_preset(preset, documents)
    return _guess_mapping(preset, documents)


def _document(record: Record, payload: Payload) -> object | None:
    try:
        return payload.document(record)
    except RejectionError:
        return None


def _is_native(document: object) -> bool:
    return isinstance(document, dict) and bool(document.get("sensor_id")) and isinstance(document.get("values"), dict)


def _guess_lines() -> Guess:
    guess = Guess("the line protocol of InfluxDB")
    guess.set("preset", "influx", "each record is a line of the line protocol")
    return guess


def _guess_preset(preset: str, documents: Sequence[tuple[object, Record]]) -> Guess:
    guess = Guess(PRESETS[preset].title)
    guess.set("preset", preset, f"the records look like {PRESETS[preset].title}")
    if preset == "telegraf":
        _refine_telegraf(guess, documents)
    return guess


def _refine_telegraf(guess: Guess, documents: Sequence[tuple[object, Record]]) -> None:
    """Name the sensor by the tags that tell machines apart, and features by measurement if there are several."""
    batches = [one.get("metrics", [one]) if isinstance(one, dict) else [] for one, _ in documents]
    metrics = [one for batch in batches for one in batch if isinstance(one, dict)]
    names = {one.get("name") for one in metrics}
    tags = [one["tags"] for one in metrics if isinstance(one.get("tags"), dict)]
    seen = {name: {str(one[name]) for one in tags if name in one} for name in sorted({name for one in tags for name in one})}
    full = [name for name in seen if all(name in one for one in tags)]
    like = [name for name in full if name != "host" and _SENSOR.fullmatch(name)]
    hosts = len(seen.get("host", ()))
    better = max(like, key=lambda name: len(seen[name]), default=None)
    if better is not None and len(seen[better]) > hosts:
        count = len(seen[better])
        guess.set(
            "sensor", f"tags.{better}", f"the tag {better} has {count} values; the tag host, the preset's own, has {hosts}"
        )
    if len(names) > 1:
        guess.set("feature_prefix", "{name}.", f"{len(names)} measurements may have fields of the same name")


def _guess_mapping(preset: str | None, documents: Sequence[tuple[object, Record]]) -> Guess:
    unfold = PRESETS[preset].unfold if preset else None
    opened = [unfold(document, record) for document, record in documents] if unfold else [document for document, _ in documents]
    dated = [
        (one, record.timestamp) for one, (_, record) in zip(opened, documents, strict=True) if isinstance(one, dict | list)
    ]
    stats = document_stats(dated)
    guess = Guess(PRESETS[preset].title if preset in ("debezium", "connect") else "JSON of its own kind")
    if preset in ("debezium", "connect"):
        guess.set("preset", preset, f"the records look like {PRESETS[preset].title}")
    time = _set_time(guess, stats)
    if _set_items(guess, stats, dated):
        _set_sensor(guess, stats, [record for _, record in documents], time)
    elif not _set_pairs(guess, stats, time):
        _set_sensor(guess, stats, [record for _, record in documents], time)
        _set_values(guess, stats, time)
    return guess


def _best(stats: DocumentStats, pattern: re.Pattern[str], test: Callable[[PathStats], bool]) -> tuple[str, ...] | None:
    """Return the path nearest to the top, in most documents, whose last name fits and whose values do."""
    fitting = [
        path for path, one in stats.paths.items() if pattern.fullmatch(path[-1]) and stats.share(path) >= _MOST and test(one)
    ]
    return min(fitting, key=lambda path: (len(path), -stats.share(path)), default=None)


def _set_time(guess: Guess, stats: DocumentStats) -> tuple[str, ...] | None:
    time = _best(stats, _TIME, lambda one: one.times >= _MOST * one.count)
    if time is None:
        time = next((path for path, one in stats.paths.items() if one.near >= _MOST * stats.documents), None)
    if time is None:
        text = _best(stats, _TIME, lambda one: one.texts >= _MOST * one.count)
        guess.set("time", "", "no field can be read as a time, so the time at which the record was written counts")
        if text is not None:
            example = next(iter(stats.paths[text].distinct), "")
            guess.doubts.append(f"{path_text(text)} may be the time ({example!r}): then set input.time and input.time_format")
        return None
    guess.set("time", path_text(time), f"its values can be read as times: {next(iter(stats.paths[time].distinct), '')}")
    return time


def _set_sensor(guess: Guess, stats: DocumentStats, records: Sequence[Record], time: tuple[str, ...] | None) -> bool:
    """Set where the sensor is: a field, or the key; return whether one was found."""
    path = _best(stats, _SENSOR, lambda one: one.distinct.total() == one.count and len(one.distinct) <= max(1, one.count // 2))
    keys = {record.key for record in records if record.key}
    if path is not None and path != time:
        names = list(stats.paths[path].distinct)[:3]
        guess.set("sensor", path_text(path), f"it has {len(stats.paths[path].distinct)} values, such as {', '.join(names)}")
        return True
    if keys and len(keys) <= max(1, len(records) // 2):
        examples = ", ".join(sorted(key.decode(errors="replace")[:30] for key in list(keys)[:3]))
        guess.set("sensor", "$key", f"the records have {len(keys)} keys, such as {examples}")
        return True
    guess.set("sensor", "$topic", "no field and no key seems to name a sensor, so the whole topic is one sensor")
    guess.doubts.append("which field names the sensor? Set input.sensor if the topic has more than one")
    return False


def _set_pairs(guess: Guess, stats: DocumentStats, time: tuple[str, ...] | None) -> bool:
    """Set where name and value are, if a record, or each item of a list in it, has one of each; return whether so."""
    name = _best(stats, _NAME, lambda one: one.texts >= _MOST * one.count and len(one.distinct) <= max(1, one.count // 2))
    value = _best(stats, _VALUE, lambda one: one.numbers >= _MOST * one.count)
    if name is None or value is None or name[:-1] != value[:-1]:
        return False
    names = stats.paths[name].distinct
    guess.set("value", path_text(value), "one value in a record")
    quality = _best(stats, _QUALITY, lambda _: True)
    if quality is not None:
        guess.set("quality", path_text(quality), f"its values: {', '.join(list(stats.paths[quality].distinct)[:4])}")
    sensor = _best(
        stats, _SENSOR, lambda one: one.count == one.distinct.total() and len(one.distinct) <= max(1, one.count // 2)
    )
    is_gateway = sensor is not None and len(stats.paths[sensor].distinct) == 1 and any(map(_SEPARATED.fullmatch, names))
    if sensor is not None and sensor not in (time, name) and not is_gateway:
        guess.set("sensor", path_text(sensor), f"it has {len(stats.paths[sensor].distinct)} values")
        guess.set("feature", path_text(name), f"it names the value: {', '.join(list(names)[:4])}")
        return True
    _split_tags(guess, name, list(names))
    return True


def _set_items(guess: Guess, stats: DocumentStats, dated: Sequence[tuple[object, int]]) -> bool:
    """Set where the name-value pairs are, if most documents have a list of them; return whether so."""
    for path, count in stats.lists.most_common():
        if count < _MOST * stats.documents:
            return False
        get = compile_path(path_text(path))
        of_items = document_stats((get(one), written_ms) for one, written_ms in dated)
        name = _best(of_items, _NAME_OR_ID, lambda one: one.texts >= _MOST * one.count)
        value = _best(of_items, _VALUE, lambda one: one.numbers > 0)
        if name is None or value is None:
            continue
        names = list(of_items.paths[name].distinct)
        guess.set("items", path_text(path), f"a list of name-value pairs: {', '.join(names[:4])}")
        guess.set("feature", path_text(name), "it names the value")
        guess.set("value", path_text(value), "the value")
        quality = _best(of_items, _QUALITY, lambda _: True)
        if quality is not None:
            guess.set("quality", path_text(quality), f"its values: {', '.join(list(of_items.paths[quality].distinct)[:4])}")
        if guess.settings.get("time") == "":
            _set_time(guess, of_items)
        return True
    return False


def _split_tags(guess: Guess, path: tuple[str, ...], names: Sequence[str]) -> None:
    """Take a name such as Line1.Press2.Temp apart if that gives sensors of several features; else each tag is a sensor."""
    signs = Counter(found[1] for name in names if (found := _SEPARATED.fullmatch(name)))
    sign, count = signs.most_common(1)[0] if signs else ("", 0)
    heads = Counter(name.rpartition(sign)[0] for name in names) if sign else Counter[str]()
    if count >= 0.8 * len(names) and heads and max(heads.values()) > 1:
        guess.set("feature", path_text(path), f"it names the value: {', '.join(names[:3])}")
        pattern = rf"(?P<sensor>.+){re.escape(sign)}(?P<feature>[^{re.escape(sign)}]+)"
        guess.set("tag_pattern", pattern, f"what is before the last {sign!r} is the machine: {', '.join(list(heads)[:3])}")
        return
    guess.set("sensor", path_text(path), "each tag is a sensor of its own, because nothing says which belong to one machine")
    guess.doubts.append("do some tags belong to one machine? Then set input.tag_pattern, so that they are watched together")


def _set_values(guess: Guess, stats: DocumentStats, time: tuple[str, ...] | None) -> None:
    """Set where the values are: an object of numbers, or the record itself."""
    numeric = [
        path
        for path, one in stats.paths.items()
        if one.numbers >= _MOST * one.count and path != time and one.near < _MOST * one.count
    ]
    if not numeric:
        names = ", ".join(path_text(path) for path in list(stats.paths)[:8])
        msg = f"no field of the records has numbers; found {names}{_lists(stats)}"
        raise ValueError(msg)
    parents = Counter(path[:-1] for path in numeric)
    parent, count = parents.most_common(1)[0]
    if parent and count >= _MOST * len(numeric):
        guess.set("values", path_text(parent), f"{count} fields with numbers: {', '.join(p[-1] for p in numeric[:5])}")
    else:
        guess.set("values", ".", f"the fields with numbers are those of the record: {', '.join(map(path_text, numeric[:5]))}")


def _lists(stats: DocumentStats) -> str:
    """Name the lists of objects in the records, which a mapping may read."""
    lists = ", ".join(path_text(path) for path in stats.lists)
    return f"; {lists}: a list of objects, which input.items or input.readings may read" if lists else ""


def as_json(value: object) -> str:
    """Return a value as TOML has it, which for text, numbers and lists of text is JSON."""
    return json.dumps(value, ensure_ascii=False)
