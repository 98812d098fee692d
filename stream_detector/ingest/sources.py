"""What a mapping may take a text from: a path of the document, the record's key, topic or headers, or a template of them.

- `tags.host`: a path (paths.py)
- `$key`, `$key.id`: the record's key as text; a path in a key that is JSON
- `$topic`, `$header.NAME`: the topic; a header as text
- `{plant}/{tags.host}`: a template, text with any of these in braces
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from stream_detector.ingest.paths import Getter, compile_path, plain_steps
from stream_detector.readings import Record

#: What is looked through for a path, from the inside out: the item, the reading, the document.
Levels = Sequence[object]
Source = Callable[[Levels, Record], Any]

_BRACES = re.compile(r"\{([^{}]+)\}")
_LONGEST_KEY = 65_536


def compile_source(text: str) -> Source:
    """Return the function that finds what a path or a template stands for; None where a part is not there or null.

    Raises ValueError.
    """
    text = text.strip()
    if not text:
        msg = "a path is empty"
        raise ValueError(msg)
    if "{" not in text or (_STARTS_JMESPATH.match(text) and not text.startswith("{")):
        return _single(text)
    literals = _BRACES.split(text)
    if any("{" in part or "}" in part for part in literals[::2]):
        return _single(text)
    return _template(literals[::2], [_single(part.strip()) for part in literals[1::2]])


def first_name(text: str) -> str | None:
    """Return the name that an object must have for a path to find something in it; None: it is not known, or several."""
    steps = plain_steps(text.strip())
    return steps[0] if steps and isinstance(steps[0], str) and not text.strip().startswith("$") else None


def plain_name(text: str) -> str | None:
    """Return the name that a path consists of; None if it is more, or nothing."""
    text = text.strip()
    match None if text.startswith("$") else plain_steps(text):
        case [str(name)]:
            return name
    return None


def leads_nowhere(text: str, levels: Levels) -> bool:
    """Return whether a plain path leads to nothing, not even to null. Of other paths that is not known: no."""
    text = text.strip()
    steps = None if text.startswith("$") else plain_steps(text)
    if not steps:
        return False
    *outer, last = steps
    parents = (reduce(_inner, outer, level) for level in levels)
    return not any(
        (isinstance(parent, dict) and last in parent)
        or (isinstance(parent, list) and isinstance(last, int) and last < len(parent))
        for parent in parents
    )


def _inner(document: object, step: str | int) -> object:
    if isinstance(document, dict):
        return document.get(step)
    return document[step] if isinstance(document, list) and isinstance(step, int) and step < len(document) else None


_STARTS_JMESPATH = re.compile(r".*[.\[]\{|.*[|(]")


def _single(text: str) -> Source:
    if text.startswith("$"):
        return _of_record(text)
    name = plain_name(text)
    if name is not None:
        return _named(name)
    get = compile_path(text)

    def find(levels: Levels, record: Record) -> Any:  # noqa: ANN401, ARG001 - JSON
        for level in levels:
            found = get(level)
            if found is not None:
                return found
        return None

    return find


def _named(name: str) -> Source:
    """Return what finds a name at the top of a level: by far the most frequent path, so it is one call."""

    def find(levels: Levels, record: Record) -> Any:  # noqa: ANN401, ARG001 - JSON
        for level in levels:
            if isinstance(level, dict):
                found = level.get(name)
                if found is not None:
                    return found
        return None

    return find


def _template(literals: Sequence[str], parts: Sequence[Source]) -> Source:
    def fill(levels: Levels, record: Record) -> str | None:
        filled = [literals[0]]
        for part, literal in zip(parts, literals[1:], strict=True):
            text = as_text(part(levels, record))
            if text is None:
                return None
            filled += [text, literal]
        return "".join(filled)

    return fill


def as_text(value: object) -> str | None:
    """Return a text, a number or true and false as text: 7.0 is 7; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else None


def _of_record(text: str) -> Source:
    root, _, rest = text.partition(".")
    if root == "$topic" and not rest:
        return lambda levels, record: record.topic  # noqa: ARG005 - a Source
    if root == "$header" and rest:
        return lambda levels, record: _header(record, rest)  # noqa: ARG005 - a Source
    if root == "$key":
        return _key(compile_path(rest) if rest else None)
    msg = f"{text[:80]!r} is none of $key, $key.PATH, $topic and $header.NAME"
    raise ValueError(msg)


def _header(record: Record, name: str) -> str | None:
    found = [content for header, content in record.headers if header == name and content is not None]
    return found[-1].decode(errors="replace").strip('"') if found else None


def _key(get: Getter | None) -> Source:
    def find(levels: Levels, record: Record) -> Any:  # noqa: ANN401, ARG001 - JSON
        key = record.key
        if not key or len(key) > _LONGEST_KEY:
            return None
        if get is None:
            return key.decode(errors="replace").strip('"')
        try:
            return get(json.loads(key))
        except (ValueError, RecursionError):
            return None

    return find
