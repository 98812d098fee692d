"""Guesses a mapping: where in documents of their own kind the sensor, the time and the values are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from stream_detector.discovery.document_stats import DocumentStats, document_stats, path_text
from stream_detector.discovery.guessed import MOST, Guess
from stream_detector.discovery.pairs_guess import set_items, set_pairs
from stream_detector.discovery.time_guess import set_time
from stream_detector.discovery.usual_names import SENSOR, best, repeats
from stream_detector.ingest.presets.catalog import PRESETS
from stream_detector.readings import Record


def guess_mapping(preset: str | None, documents: Sequence[tuple[object, Record]]) -> Guess:
    """Return what reads these documents, each with its record; what a preset of envelopes wraps is opened first."""
    unfold = PRESETS[preset].unfold if preset else None
    opened = [unfold(document, record) for document, record in documents] if unfold else [document for document, _ in documents]
    dated = [
        (one, record.timestamp) for one, (_, record) in zip(opened, documents, strict=True) if isinstance(one, dict | list)
    ]
    stats = document_stats(dated)
    guess = Guess(PRESETS[preset].title if preset in ("debezium", "connect") else "JSON of its own kind")
    if preset in ("debezium", "connect"):
        guess.set("preset", preset, f"the records look like {PRESETS[preset].title}")
    time = set_time(guess, stats)
    if set_items(guess, stats, dated):
        _set_sensor(guess, stats, [record for _, record in documents], time)
    elif not set_pairs(guess, stats, time):
        _set_sensor(guess, stats, [record for _, record in documents], time)
        _set_values(guess, stats, time)
    return guess


def _set_sensor(guess: Guess, stats: DocumentStats, records: Sequence[Record], time: tuple[str, ...] | None) -> bool:
    """Set where the sensor is: a field, or the key; return whether one was found."""
    path = best(stats, SENSOR, repeats)
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


def _set_values(guess: Guess, stats: DocumentStats, time: tuple[str, ...] | None) -> None:
    """Set where the values are: an object of numbers, or the record itself."""
    numeric = [
        path
        for path, one in stats.paths.items()
        if one.numbers >= MOST * one.count and path != time and one.near < MOST * one.count
    ]
    if not numeric:
        names = ", ".join(path_text(path) for path in list(stats.paths)[:8])
        msg = f"no field of the records has numbers; found {names}{_lists(stats)}"
        raise ValueError(msg)
    parents = Counter(path[:-1] for path in numeric)
    parent, count = parents.most_common(1)[0]
    if parent and count >= MOST * len(numeric):
        guess.set("values", path_text(parent), f"{count} fields with numbers: {', '.join(p[-1] for p in numeric[:5])}")
    else:
        guess.set("values", ".", f"the fields with numbers are those of the record: {', '.join(map(path_text, numeric[:5]))}")


def _lists(stats: DocumentStats) -> str:
    """Name the lists of objects in the records, which a mapping may read."""
    lists = ", ".join(path_text(path) for path in stats.lists)
    return f"; {lists}: a list of objects, which input.items or input.readings may read" if lists else ""
