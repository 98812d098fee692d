"""Says what is missing where texts hold values that no setting reads: a unit, several values, JSON in a text."""

from __future__ import annotations

import re
from collections.abc import Callable

from stream_detector.discovery.document_stats import DocumentStats, path_text
from stream_detector.discovery.naming import listed
from stream_detector.discovery.scopes import are_texts
from stream_detector.values import has_doubtful_comma

_LOOKED_AT, _SHOWN, _MOST_NAMED = 100, 60, 5
_WITH_UNIT = re.compile(r"\s*[+-]?\d+([.,]\d+)?\s*(1/)?[^\d\s;|,.:/_-][^;|,:_]{0,12}\s*")
_SIGNS = ";|\t,"


def text_hints(stats: DocumentStats) -> list[str]:
    """Return a sentence on each kind of text that holds values, with the fields and what the sender can do."""
    fields: dict[str, list[str]] = {}
    examples: dict[str, str] = {}
    for path, one in stats.paths.items():
        texts = list(one.distinct)[:_LOOKED_AT]
        cure = next((cure for holds, cure in _KINDS if all(map(holds, texts))), "") if texts and are_texts(one) else ""
        if cure and one.times == 0:
            fields.setdefault(cure, []).append(path_text(path))
            examples.setdefault(cure, texts[0][:_SHOWN])
    return [f"{listed(names, _MOST_NAMED)}: {cure.format(repr(examples[cure]))}" for cure, names in fields.items()]


def _is_json(text: str) -> bool:
    return text.lstrip().startswith(("{", "["))


def _has_unit(text: str) -> bool:
    return _WITH_UNIT.fullmatch(text) is not None


def _has_several(text: str) -> bool:
    """Return whether a text has at least two numbers among parts that a sign separates."""
    parts = max((text.split(sign) for sign in _SIGNS), key=len)
    return len(parts) > 2 and sum(any(map(str.isdigit, part)) for part in parts) > 1


_KINDS: tuple[tuple[Callable[[str], bool], str], ...] = (
    (
        has_doubtful_comma,
        "text whose comma may separate thousands or decimals ({}); have the sender write JSON numbers",
    ),
    (_is_json, "text that holds JSON ({}), which no setting opens; have the sender write it as JSON, not as text"),
    (
        _has_unit,
        "text with a number and a unit ({}); have the sender write the number alone, the unit in the name",
    ),
    (_has_several, "text with several values ({}), which no setting splits; have the sender write a field for each"),
)
