"""Finds a value in a document by a path: `tags.host`, `values[0]."Temp [C]"`; anything else is JMESPath.

A plain path is compiled to a few dictionary look-ups. What is not there is None, like what is null.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

Getter = Callable[[object], Any]

#: A name without quotes: any text without the signs that JMESPath gives a meaning, and perhaps a leading @ as in @timestamp.
_NAME = r"@?[^\s.\[\]\"'{}()|&*?@!`,:\\](?:[^.\[\]\"'{}()|&*?@!`,:\\]*[^\s.\[\]\"'{}()|&*?@!`,:\\])?"
_STEP = re.compile(rf"(?P<name>{_NAME})|\"(?P<quoted>[^\"]+)\"|\[(?P<index>[0-9]{{1,6}})\]")


def compile_path(path: str) -> Getter:
    """Return the function that finds what is at a path of a document, or None. Raises ValueError with what is wrong."""
    match plain_steps(path):
        case None:
            return _jmespath(path)
        case [str(name)]:
            return _name_getter(name)
        case [str(outer), str(name)]:
            return _inner_getter(outer, name)
        case steps:
            return _steps_getter(steps)


def plain_steps(path: str) -> list[str | int] | None:
    """Return the names and indices of a plain path; None if it is none."""
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        if steps and path[at] == ".":
            at += 1
            if path[at : at + 1] == "[":
                return None
        elif steps and path[at] != "[":
            return None
        found = _STEP.match(path, at)
        if found is None:
            return None
        steps.append(int(found["index"]) if found["index"] else found["name"] or found["quoted"])
        at = found.end()
    return steps or None


def _name_getter(name: str) -> Getter:
    def get(document: object) -> Any:  # noqa: ANN401 - JSON
        return document.get(name) if isinstance(document, dict) else None

    return get


def _inner_getter(outer: str, name: str) -> Getter:
    def get(document: object) -> Any:  # noqa: ANN401 - JSON
        inner = document.get(outer) if isinstance(document, dict) else None
        return inner.get(name) if isinstance(inner, dict) else None

    return get


def _steps_getter(steps: list[str | int]) -> Getter:
    def get(document: object) -> Any:  # noqa: ANN401 - JSON
        for step in steps:
            if isinstance(document, dict) and isinstance(step, str):
                document = document.get(step)
            elif isinstance(document, list) and isinstance(step, int) and step < len(document):
                document = document[step]
            else:
                return None
        return document

    return get


def _jmespath(path: str) -> Getter:
    try:
        expression = jmespath.compile(path)
    except JMESPathError as error:
        reason = " ".join(str(error).split())[:200]
        msg = f"{path[:80]!r} is neither a plain path, such as tags.host, nor JMESPath: {reason}"
        raise ValueError(msg) from None

    def get(document: object) -> Any:  # noqa: ANN401 - JSON
        try:
            return expression.search(document)
        except (JMESPathError, TypeError, ValueError, RecursionError, ArithmeticError):  # of a document of other types
            return None

    return get
