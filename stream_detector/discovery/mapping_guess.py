"""Guesses a mapping: where in documents of their own kind the sensor, the time and the values are."""

from __future__ import annotations

from collections.abc import Sequence

from stream_detector.discovery.guessed import Guess
from stream_detector.discovery.levels import Dated, find_levels
from stream_detector.discovery.pairs_guess import set_items, set_pairs
from stream_detector.discovery.quality_guess import set_quality
from stream_detector.discovery.sensor_guess import say_others, set_sensor
from stream_detector.discovery.time_guess import set_time
from stream_detector.discovery.usual_names import SURE_QUALITY
from stream_detector.discovery.values_guess import set_values
from stream_detector.ingest.presets.catalog import PRESETS
from stream_detector.ingest.shapes import describe_document
from stream_detector.readings import Record


def guess_mapping(preset: str | None, documents: Sequence[tuple[object, Record]]) -> Guess:
    """Return what reads these documents, each with its record; what a preset of envelopes wraps is opened first."""
    unfold = PRESETS[preset].unfold if preset else None
    opened = [unfold(document, record) for document, record in documents] if unfold else [document for document, _ in documents]
    dated = [
        (one, record.timestamp) for one, (_, record) in zip(opened, documents, strict=True) if isinstance(one, dict | list)
    ]
    guess = Guess(PRESETS[preset].title if preset in ("debezium", "connect") else "JSON of its own kind")
    if preset in ("debezium", "connect"):
        guess.set("preset", preset, f"the records look like {PRESETS[preset].title}")
    _refuse_senml(dated)
    records = [record for _, record in documents]
    levels = find_levels(guess, dated, records)
    time = set_time(guess, levels.scopes)
    if set_items(guess, levels):
        if "tag_pattern" not in guess.settings:
            set_sensor(guess, levels, records, time)
    elif not set_pairs(guess, levels, records, time):
        set_sensor(guess, levels, records, time)
        set_values(guess, levels.stats, time)
        set_quality(guess, levels.scopes[:1], SURE_QUALITY)
    say_others(guess, levels, time)
    return guess


def _refuse_senml(documents: Dated) -> None:
    """Raise ValueError for lists whose items stand for what came before them, which no mapping reads."""
    said = [describe_document(document) for document, _ in documents[:10] if isinstance(document, list)]
    if said and all("SenML" in one for one in said):
        raise ValueError(said[0])
