"""What was understood of files, as facts for programs and sentences for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Understood:
    """How one file was understood."""

    name: Path
    facts: dict[str, str] = field(default_factory=dict)  # by what it is about, in the order in which they are printed
    is_own: bool = False  # in the product's own form
    notes: list[str] = field(default_factory=list)  # what was dropped or changed, and why
    options: dict[str, str] = field(default_factory=dict)  # with which other files are understood alike

    def as_json(self) -> dict[str, object]:
        """Return the facts and notes for a program."""
        return {"file": str(self.name), **self.facts, "notes": list(self.notes)}


def shared_lines(files: Iterable[Understood]) -> list[str]:
    """Return a line on each group of files that were understood alike."""
    groups: dict[tuple[tuple[str, str], ...], list[Path]] = {}
    for one in files:
        groups.setdefault(tuple(one.facts.items()), []).append(one.name)
    lines = []
    for facts, names in groups.items():
        which = str(names[0]) if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more"
        lines.append(f"{which}: {'; '.join(f'{about} {what}' for about, what in facts)}")
    return lines
