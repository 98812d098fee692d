"""Finds a path by its name and values in what a mapping looks through: the reading, the record around it, its key."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stream_detector.discovery.document_stats import DocumentStats, PathStats, path_text
from stream_detector.discovery.guessed import MOST
from stream_detector.discovery.naming import listed

Path = tuple[str, ...]
Test = Callable[[PathStats], bool]


@dataclass(frozen=True, slots=True)
class Scope:
    """One of the levels at which a path is looked up."""

    stats: DocumentStats
    prefix: str = ""  # "$key." for the record's key


@dataclass(frozen=True, slots=True)
class Found:
    """A path, as a mapping has it, and its values."""

    text: str
    path: Path
    values: PathStats

    def examples(self, most: int = 3) -> str:
        """Return some of the values, for a sentence."""
        return ", ".join(list(self.values.distinct)[:most])

    def listed(self, most: int) -> str:
        """Return some of the values, and how many more there are."""
        return listed(self.values.distinct, most)


def fitting(scope: Scope, pattern: re.Pattern[str], test: Test) -> list[Found]:
    """Return the paths in most documents whose last name fits and whose values do, those nearest to the top first."""
    stats = scope.stats
    paths = [
        path for path, one in stats.paths.items() if pattern.fullmatch(path[-1]) and stats.share(path) >= MOST and test(one)
    ]
    ordered = sorted(paths, key=lambda path: (len(path), -stats.share(path)))
    return [Found(scope.prefix + path_text(path), path, stats.paths[path]) for path in ordered]


def find(scopes: Sequence[Scope], pattern: re.Pattern[str], test: Test = lambda _: True) -> Found | None:
    """Return the first path that fits, from the inside out."""
    return next((one for scope in scopes for one in fitting(scope, pattern, test)), None)


def repeats(one: PathStats) -> bool:
    """Return whether values may name something: texts or numbers only, of which each comes twice or more on average."""
    return one.distinct.total() == one.count and len(one.distinct) <= max(1, one.count // 2)


def are_texts(one: PathStats) -> bool:
    """Return whether most values are text."""
    return one.texts >= MOST * one.count


def are_numbers(one: PathStats) -> bool:
    """Return whether most values are numbers."""
    return one.numbers >= MOST * one.count
