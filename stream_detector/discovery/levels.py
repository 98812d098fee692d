"""Finds where in a record its readings are: the record itself, the elements of a list in it, or of a list in these."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from stream_detector.discovery.document_stats import DocumentStats, document_stats, path_text
from stream_detector.discovery.guessed import MOST, Guess
from stream_detector.discovery.pair_paths import value_in
from stream_detector.discovery.scopes import Path, Scope, are_numbers, are_texts, find
from stream_detector.discovery.usual_names import NAME_OR_ID
from stream_detector.ingest.paths import compile_path
from stream_detector.readings import Record

#: Documents, each with the time at which its record was written.
Dated = Sequence[tuple[object, int]]
_DEEPEST = 3
#: A list in a list counts as so many fields with numbers.
_INNER_LIST = 5


@dataclass(frozen=True, slots=True)
class Levels:
    """The readings of a sample, and where their parts may be, from the inside out."""

    readings: Dated
    scopes: tuple[Scope, ...]

    @property
    def stats(self) -> DocumentStats:
        """The paths in the readings themselves."""
        return self.scopes[0].stats


def find_levels(guess: Guess, documents: Dated, records: Sequence[Record]) -> Levels:
    """Return the readings of documents, and set where they are if they are elements of a list."""
    readings = [(one, at) for document, at in documents for one in (document if isinstance(document, list) else [document])]
    outer = stats = document_stats(readings)
    paths: list[str] = []
    while len(paths) < _DEEPEST and (path := _list_of_readings(readings, stats)) is not None:
        paths.append(path_text(path))
        readings = elements(readings, paths[-1])
        stats = document_stats(readings)
    scopes = [Scope(stats)]
    if paths:
        where = paths[0] if len(paths) == 1 else "[].".join(paths) + "[]"
        guess.set("readings", where, f"a list of readings: {len(readings)} in {len(documents)} records")
        scopes.append(Scope(outer))
    keys = [(key, record.timestamp) for record in records if isinstance(key := _json_key(record), dict)]
    if len(keys) >= MOST * len(records):
        scopes.append(Scope(document_stats(keys), "$key."))
    return Levels(readings, tuple(scopes))


def elements(documents: Dated, path: str) -> list[tuple[object, int]]:
    """Return the objects in the lists at a path."""
    get = compile_path(path)
    found = [(get(document), at) for document, at in documents]
    return [(one, at) for listed, at in found if isinstance(listed, list) for one in listed if isinstance(one, dict)]


def are_pairs(stats: DocumentStats) -> bool:
    """Return whether items have a name and a value each."""
    scope = Scope(stats)
    return find((scope,), NAME_OR_ID, are_texts) is not None and value_in(scope, lambda one: one.numbers > 0) is not None


def _list_of_readings(readings: Dated, stats: DocumentStats) -> Path | None:
    """Return the list whose elements have more numbers than what is around it; None if there is none, or one of pairs."""
    best, most = None, _weight(stats, with_lists=False)
    for path, count in stats.lists.most_common():
        if count < MOST * stats.documents:
            break
        inner = document_stats(elements(readings, path_text(path)))
        if are_pairs(inner):
            return None
        if (weight := _weight(inner, with_lists=True)) > most:
            best, most = path, weight
    return best


def _weight(stats: DocumentStats, *, with_lists: bool) -> int:
    numbers = sum(are_numbers(one) and one.times < MOST * one.count for one in stats.paths.values())
    return numbers + _INNER_LIST * len(stats.lists) * with_lists


def _json_key(record: Record) -> object:
    try:
        return json.loads(record.key) if record.key else None
    except (ValueError, RecursionError):
        return None
