"""Names that are usual for a part of a reading, and the search for a path with such a name whose values fit it."""

from __future__ import annotations

import re
from collections.abc import Callable

from stream_detector.discovery.document_stats import DocumentStats, PathStats
from stream_detector.discovery.guessed import MOST

SENSOR = re.compile(
    r"(sensor|device|asset|machine|equipment|entity|thing|unit|host|station|node|source)[ _-]?(id|name|key|no)?|id",
    re.IGNORECASE,
)
TIME = re.compile(
    r"@?(event|source|server|sample)?[ _-]?(time[ _-]?stamp|date[ _-]?time|ts|time|date|t|when|at)([ _-]?(ms|us|ns|utc))?",
    re.IGNORECASE,
)
NAME = re.compile(
    r"(tag|metric|point|signal|measurement|variable|channel|item|parameter|feature|field|property|quantity|name)"
    r"[ _-]?(id|name|path|key)?",
    re.IGNORECASE,
)
NAME_OR_ID = re.compile(f"({NAME.pattern})|id|n", re.IGNORECASE)
VALUE = re.compile(r"(value|val|v|reading|data|number|measured)", re.IGNORECASE)
QUALITY = re.compile(r"(quality|q|status|status_?code|opc_?quality|good|is_?good)", re.IGNORECASE)


def best(stats: DocumentStats, pattern: re.Pattern[str], test: Callable[[PathStats], bool]) -> tuple[str, ...] | None:
    """Return the path nearest to the top, in most documents, whose last name fits and whose values do."""
    fitting = [
        path for path, one in stats.paths.items() if pattern.fullmatch(path[-1]) and stats.share(path) >= MOST and test(one)
    ]
    return min(fitting, key=lambda path: (len(path), -stats.share(path)), default=None)


def repeats(one: PathStats) -> bool:
    """Return whether values may name something: texts or numbers only, of which each comes twice or more on average."""
    return one.distinct.total() == one.count and len(one.distinct) <= max(1, one.count // 2)
