"""Tells which feature may be another one under a new name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

#: Names as similar as this, from 0 to 1, may be the same feature renamed.
_SIMILAR = 0.6
#: A name that is a part of the other is as similar as this, if it has so many characters.
_PART, _LEAST_CHARACTERS = 0.9, 3


def renamings(lacking: Sequence[str], unknown: Sequence[str]) -> dict[str, str]:
    """Return for each lacking feature the unknown one that most likely is the same, each used once."""
    plain = {name: re.sub(r"[\W_]+", "", name).lower() for name in (*lacking, *unknown)}
    pairs = sorted(((_similarity(plain[one], plain[other]), one, other) for one in lacking for other in unknown), reverse=True)
    found: dict[str, str] = {}
    for similarity, one, other in pairs:
        if similarity >= _SIMILAR and one not in found and other not in found.values():
            found[one] = other
    return found


def _similarity(one: str, other: str) -> float:
    short, long = sorted((one, other), key=len)
    if len(short) >= _LEAST_CHARACTERS and short in long:
        return _PART
    matcher = difflib.SequenceMatcher(None, one, other)
    # The bounds are many times quicker; below _SIMILAR nobody asks how similar the names are.
    if matcher.real_quick_ratio() < _SIMILAR or matcher.quick_ratio() < _SIMILAR:
        return 0.0
    return matcher.ratio()
