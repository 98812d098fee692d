"""A condition on the features of a reading, such as `running == 1 and speed > 100`: parsed, and never run as a program.

It may have features, numbers, true and false, comparisons, and, or, not, + - * / and brackets. A feature whose name is no word
of letters, digits, dots and _ stands in backquotes: `Temp [°C]`.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from stream_detector.readings import BoolArray, Float32Array

_LONGEST = 1000
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_EXAMPLE = "write it as 'running == 1 and speed > 100'"


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed condition."""

    text: str
    tree: ast.expr
    quoted: tuple[str, ...]  # names that stood in backquotes

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Parse a condition. Raises ValueError, which says what is wrong with it."""
        quoted = tuple(dict.fromkeys(re.findall(r"`([^`]*)`", text)))
        plain = re.sub(r"`([^`]*)`", lambda match: f" _quoted_{quoted.index(match[1])}_ ", text).strip()
        if len(text) > _LONGEST:
            msg = f"the condition is longer than {_LONGEST} characters"
            raise ValueError(msg)
        try:
            tree = ast.parse(plain, mode="eval").body
            condition = cls(text, tree, quoted)
            if not _is_truth(tree):
                msg = f"{text!r} is no comparison: {_EXAMPLE}"
                raise ValueError(msg)
            condition.features()
        except (SyntaxError, RecursionError, MemoryError):
            msg = f"{text!r} cannot be understood: {_EXAMPLE}; a name with blanks or brackets stands in backquotes"
            raise ValueError(msg) from None
        return condition

    def features(self) -> tuple[str, ...]:
        """Return the features in it, in order. Raises ValueError if it has anything else than a condition may have."""
        return tuple(dict.fromkeys(_names(self.tree, self.quoted)))

    def holds(self, columns: Mapping[str, Float32Array]) -> BoolArray:
        """Return where it holds, by the values [N] of its features; nowhere where one of them is missing."""
        known = np.all([~np.isnan(columns[name]) for name in self.features()], axis=0)
        with np.errstate(all="ignore"):
            found = _evaluated(self.tree, self.quoted, columns)
        return np.asarray(np.broadcast_to(found, known.shape) & known, np.bool_)


def _is_truth(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return all(_is_truth(value) for value in node.values)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not) and _is_truth(node.operand)
    return isinstance(node, ast.Compare) and not any(isinstance(one, ast.Compare) for one in (node.left, *node.comparators))


def _name(node: ast.expr, quoted: tuple[str, ...]) -> str | None:
    """Return the feature that a node names, also one with dots."""
    if isinstance(node, ast.Attribute):
        before = _name(node.value, quoted)
        return None if before is None else f"{before}.{node.attr}"
    if not isinstance(node, ast.Name):
        return None
    match = re.fullmatch(r"_quoted_(\d+)_", node.id)
    return quoted[int(match[1])] if match and int(match[1]) < len(quoted) else node.id


def _names(node: ast.expr, quoted: tuple[str, ...]) -> list[str]:
    if (name := _name(node, quoted)) is not None:
        return [] if name in ("true", "false") else [name]
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return []
    parts = _parts(node)
    if parts is None:
        msg = f"{ast.unparse(node)!r} may not be in a condition: {_EXAMPLE}"
        raise ValueError(msg)
    return [name for part in parts for name in _names(part, quoted)]


def _parts(node: ast.expr) -> list[ast.expr] | None:
    """Return the operands of an operation that a condition may have, None for any other."""
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.UAdd):
        return [node.operand]
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        return [node.left, node.right]
    if isinstance(node, ast.Compare) and all(type(op) in _COMPARISONS for op in node.ops):
        return [node.left, *node.comparators]
    return None


def _evaluated(node: ast.expr, quoted: tuple[str, ...], columns: Mapping[str, Float32Array]) -> Any:  # noqa: ANN401 - array or number
    if (name := _name(node, quoted)) is not None:
        return float(name == "true") if name in ("true", "false") else columns[name]
    if isinstance(node, ast.Constant):
        return node.value
    parts = [_evaluated(part, quoted, columns) for part in _parts(node) or ()]
    if isinstance(node, ast.BoolOp):
        joined = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        return joined.reduce(np.broadcast_arrays(*parts))
    if isinstance(node, ast.UnaryOp):
        return (
            np.logical_not(parts[0])
            if isinstance(node.op, ast.Not)
            else -parts[0]
            if isinstance(node.op, ast.USub)
            else parts[0]
        )
    if isinstance(node, ast.BinOp):
        return _ARITHMETIC[type(node.op)](parts[0], np.asarray(parts[1], np.float64))
    assert isinstance(node, ast.Compare)
    pairs = zip(node.ops, parts[:-1], parts[1:], strict=True)
    return np.logical_and.reduce(np.broadcast_arrays(*(_COMPARISONS[type(op)](one, other) for op, one, other in pairs)))
