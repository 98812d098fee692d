"""What the documents of a sample have in common: which paths, with what kinds of values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.times import number_time, text_time
from stream_detector.values import Unusable, parse_value

#: Names that need no quotes in a path.
_PLAIN = re.compile(r"@?[\w-]+")
_DAY_MS = 86_400_000
_DEEPEST, _MOST_PATHS, _MOST_VALUES, _LONGEST, _MOST_EXAMPLES, _MOST_ELEMENTS = 5, 500, 5_000, 200, 500, 64


@dataclass(slots=True)
class PathStats:
    """The values at one path of many documents."""

    count: int = 0
    numbers: int = 0  # numbers, also as text
    texts: int = 0  # text that is no number, and whole numbers: what may name something
    times: int = 0  # what can be read as a time
    near: int = 0  # times within a day of those of their records
    distinct: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[str, int]] = field(default_factory=list)  # texts, with the times of their records

    def add(self, value: object, written_ms: int) -> None:
        """Count a value of a record that was written at a time."""
        self.count += 1
        parsed = parse_value(value, frozenset())
        is_number = not isinstance(parsed, Unusable) and not isinstance(value, bool)
        self.numbers += is_number and value is not None
        self.texts += isinstance(value, str) and not is_number
        time_ms = _time_ms(value)
        self.times += time_ms is not None
        self.near += time_ms is not None and abs(time_ms - written_ms) < _DAY_MS
        if isinstance(value, str | int | float) and len(self.distinct) < _MOST_VALUES:
            self.distinct[str(value)[:_LONGEST]] += 1
        if isinstance(value, str) and len(self.examples) < _MOST_EXAMPLES:
            self.examples.append((value[:_LONGEST], written_ms))


@dataclass(slots=True)
class DocumentStats:
    """The paths of a sample of documents, in the order in which they were met."""

    documents: int = 0
    paths: dict[tuple[str, ...], PathStats] = field(default_factory=dict)
    lists: Counter[tuple[str, ...]] = field(default_factory=Counter)  # of objects
    arrays: dict[tuple[str, ...], Counter[tuple[object, ...]]] = field(default_factory=dict)  # of texts or numbers

    def share(self, path: tuple[str, ...]) -> float:
        """Return in which share of the documents a path has a value."""
        return self.paths[path].count / max(1, self.documents)


def document_stats(documents: Iterable[tuple[object, int]]) -> DocumentStats:
    """Count the paths of documents, each with the time at which its record was written; of a list, those of its elements."""
    stats = DocumentStats()
    for document, written_ms in documents:
        for one in document if isinstance(document, list) else [document]:
            stats.documents += 1
            for path, value in _leaves(one, (), stats):
                found = stats.paths.get(path)
                if found is None and len(stats.paths) < _MOST_PATHS:
                    found = stats.paths[path] = PathStats()
                if found is not None:
                    found.add(value, written_ms)
    return stats


def _leaves(value: object, path: tuple[str, ...], stats: DocumentStats) -> Iterator[tuple[tuple[str, ...], object]]:
    if isinstance(value, dict) and len(path) < _DEEPEST:
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name), stats)
    elif isinstance(value, list):
        if value and isinstance(value[0], dict):
            stats.lists[path] += 1
        elif path and value and len(value) <= _MOST_ELEMENTS and all(isinstance(one, str | int | float) for one in value):
            seen = stats.arrays.setdefault(path, Counter())
            if len(seen) < _MOST_VALUES:
                seen[tuple(value)] += 1
    elif path and value is not None:
        yield path, value


def _time_ms(value: object) -> int | None:
    try:
        if isinstance(value, str):
            return text_time(value, None)[0]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return number_time(value)
    except RejectionError:
        return None
    return None


def path_text(path: tuple[str, ...]) -> str:
    """Return a path as a mapping has it: names with signs that mean something are quoted."""
    return ".".join(name if _PLAIN.fullmatch(name) else f'"{name}"' for name in path)
