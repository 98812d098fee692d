"""Guesses the settings of group `input` from a sample of records, with the reason for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from stream_detector.discovery.guessed import MOST, Guess
from stream_detector.discovery.mapping_guess import guess_mapping
from stream_detector.discovery.nodes import guess_sparkplug, is_sparkplug
from stream_detector.discovery.usual_names import SENSOR
from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.payload import JsonPayload, Payload
from stream_detector.ingest.presets.catalog import PRESETS, preset_of
from stream_detector.ingest.shapes import describe_bytes
from stream_detector.readings import Record

_LOOKED_AT = 2_000


def guess_input(records: Sequence[Record], registry: Payload | None = None) -> Guess:
    """Return what reads these records; those in the wire format of a schema registry by `registry`.

    Raises ValueError with what they look like if nothing seems to.
    """
    in_time = sorted((record for record in records if record.value), key=lambda record: record.timestamp)
    sample = in_time[-_LOOKED_AT:]  # of all partitions: each may have some features only
    if not sample:
        msg = "the topic has no records with a value"
        raise ValueError(msg)
    if is_sparkplug(sample):
        return guess_sparkplug(sample)
    kinds = Counter(describe_bytes(record.value or b"") for record in sample)
    kind, count = kinds.most_common(1)[0]
    needs_registry = "registry" in kind and count >= MOST * len(sample)
    if kind and count >= MOST * len(sample) and not needs_registry:
        return _guess_lines()
    if needs_registry and registry is None:
        msg = "each record begins with a zero byte and the number of a schema: give --registry-url, where the schemas are"
        raise ValueError(msg)
    payload = registry if needs_registry and registry else JsonPayload()
    documents = [(document, record) for record in sample if (document := _document(record, payload)) is not None]
    if len(documents) < MOST * len(sample):
        what = "cannot be read by their schemas" if needs_registry else "are not JSON, and of no format that is read"
        msg = f"{len(sample) - len(documents)} of {len(sample)} records {what}"
        raise ValueError(msg)
    guess = _guess_documents(documents)
    if needs_registry:
        guess.format = f"{guess.format}, by the schemas of a registry"
        guess.set("payload", "registry", "each record begins with a zero byte and the number of a schema")
    return guess


def _guess_documents(documents: Sequence[tuple[object, Record]]) -> Guess:
    if sum(_is_native(document) for document, _ in documents) >= MOST * len(documents):
        return Guess("the native format")
    found = Counter(preset_of(document, record) for document, record in documents)
    preset, count = found.most_common(1)[0]
    if preset is not None and preset not in ("flat", "debezium", "connect") and count >= MOST * len(documents):
        return _guess_preset(preset, documents)
    return guess_mapping(preset, documents)


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
    like = [name for name in full if name != "host" and SENSOR.fullmatch(name)]
    hosts = len(seen.get("host", ()))
    better = max(like, key=lambda name: len(seen[name]), default=None)
    if better is not None and len(seen[better]) > hosts:
        count = len(seen[better])
        guess.set(
            "sensor", f"tags.{better}", f"the tag {better} has {count} values; the tag host, the preset's own, has {hosts}"
        )
    if len(names) > 1:
        guess.set("feature_prefix", "{name}.", f"{len(names)} measurements may have fields of the same name")
