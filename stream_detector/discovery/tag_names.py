"""Finds the machines in names of tags such as Line1.Press2.Temp."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

#: Signs that separate a machine from its feature, and those that are a part of names as well.
_SIGNS, _LOOSE_SIGNS = "./:|\\", "_- "
#: This share of the tags must have the sign; of the pairs of machine and feature that names could be, so many must be there.
_SEPARATED, _GRID = 0.8, 0.8


@dataclass(frozen=True, slots=True)
class Split:
    """How the names of tags split at the last place of a sign."""

    sign: str
    machines: tuple[str, ...]

    @property
    def pattern(self) -> str:
        """A regular expression with the groups sensor and feature."""
        sign = re.escape(self.sign)
        return rf"(?P<sensor>.+){sign}(?P<feature>[^{sign}]+)"


def split_of(names: Sequence[str]) -> Split | None:
    """Return how names split into machines of several features each; None if nothing says so."""
    signs = Counter(sign for name in names for sign in [_last_sign(name)] if sign)
    sign, count = signs.most_common(1)[0] if signs else ("", 0)
    if sign and count >= _SEPARATED * len(names):
        machines = Counter(name.rpartition(sign)[0] for name in names if sign in name)
        if max(machines.values()) > 1:
            return Split(sign, tuple(machines))
        return None
    return next((found for sign in _LOOSE_SIGNS if (found := _grid(names, sign)) is not None), None)


def _last_sign(name: str) -> str:
    found = re.fullmatch(r".+([./:|\\])[^./:|\\]+", name)
    return found[1] if found else ""


def _grid(names: Sequence[str], sign: str) -> Split | None:
    """Return a split at a sign that names may have anyway, if the machines have the same features."""
    pairs = {(head, tail) for name in names for head, _, tail in [name.rpartition(sign)] if head and tail}
    machines, features = dict.fromkeys(head for head, _ in sorted(pairs)), {tail for _, tail in pairs}
    is_grid = len(pairs) == len(set(names)) and len(pairs) >= _GRID * len(machines) * len(features)
    return Split(sign, tuple(machines)) if is_grid and len(machines) > 1 and len(features) > 1 else None
