"""Settings with the reasons for them, and their TOML file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Entry:
    """A setting with its value and the reason for it."""

    group: str
    name: str
    value: object
    reason: str


@dataclass(slots=True)
class Proposal:
    """What was found, in sentences, and the settings that follow."""

    found: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)  # doubts with which nobody should go on
    entries: list[Entry] = field(default_factory=list)

    def set(self, group: str, name: str, value: object, reason: str) -> None:
        """Add a setting."""
        self.entries.append(Entry(group, name, value, reason))

    def not_sure(self) -> list[str]:
        """Return the doubts for people, those first with which nobody should go on."""
        return [*(f"DO NOT RUN YET: {one}" for one in self.stops), *(f"Not sure: {one}" for one in self.doubts)]

    def settings(self) -> dict[str, dict[str, object]]:
        """Return the settings by group."""
        groups: dict[str, dict[str, object]] = {}
        for one in self.entries:
            groups.setdefault(one.group, {})[one.name] = one.value
        return groups


def toml_text(proposal: Proposal, title: str) -> str:
    """Return the settings as a TOML file, each with its reason above it."""
    lines = [f"# {title}", *(f"# {line}" for line in proposal.found), *(f"# {line}" for line in proposal.not_sure())]
    group = ""
    for one in sorted(proposal.entries, key=lambda one: list(proposal.settings()).index(one.group)):
        if one.group != group:
            group = one.group
            lines += ["", f"[{group}]"]
        lines += [f"# {one.name}: {line}" if not at else f"#   {line}" for at, line in enumerate(one.reason.splitlines())]
        lines.append(f"{one.name} = {_toml(one.value)}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:  # noqa: ANN401 - text, numbers, true and false, lists of text, and texts by name
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(name)} = {_toml(one)}" for name, one in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
