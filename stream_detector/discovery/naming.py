"""Lists of names in sentences, which say how many they leave out."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice


def listed(names: Collection[str], most: int) -> str:
    """Return the first names, and how many more there are."""
    shown = ", ".join(islice(names, most))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
