"""A finding: what was looked at, how it stands, one sentence, and what to type; and the exit code of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Level = Literal["ok", "warning", "error", "unchecked"]

#: Exit codes of `check`.
ALL_WELL, WRONG, NOT_CHECKED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `unchecked`: it could not be found out."""

    level: Level
    about: str  # what it is about, in one word or two
    text: str  # one sentence
    what_to_do: tuple[str, ...] = ()  # commands, settings, or a sentence

    def as_json(self) -> dict[str, object]:
        """Return the finding as JSON has it."""
        return {"level": self.level, "about": self.about, "text": self.text, "what_to_do": list(self.what_to_do)}

    def typed(self, words: Mapping[str, str]) -> Finding:
        """Return the finding with words such as HOST:PORT in what to type replaced by this plant's."""
        commands = self.what_to_do
        for word, own in words.items():
            commands = tuple(command.replace(word, own) for command in commands)
        return replace(self, what_to_do=commands)


def ok(about: str, text: str) -> Finding:
    """Return a finding of something that is as it should be."""
    return Finding("ok", about, text)


def warning(about: str, text: str, *what_to_do: str) -> Finding:
    """Return a finding of something that works, and may not be what was meant."""
    return Finding("warning", about, text, what_to_do)


def wrong(about: str, text: str, *what_to_do: str) -> Finding:
    """Return a finding of something that keeps `run` from working."""
    return Finding("error", about, text, what_to_do)


def unchecked(about: str, text: str, *what_to_do: str) -> Finding:
    """Return a finding of something that could not be found out."""
    return Finding("unchecked", about, text, what_to_do)


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 1 if anything is wrong, else 2 if anything could not be found out, else 0. Warnings do not count."""
    levels = {finding.level for finding in findings}
    if "error" in levels:
        return WRONG
    return NOT_CHECKED if "unchecked" in levels else ALL_WELL


def counted(number: int, noun: str) -> str:
    """Return a number and its noun: `1 reading`, `2,000 readings`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def some(names: Sequence[str], most: int = 5) -> str:
    """Return the first names, and how many more there are."""
    shown = ", ".join(name[:60] for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"
