"""What a sample leads to: settings of group `input`, why each is as it is, and what is not sure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: The share of records that must be of a kind for it to be that of the topic.
MOST = 0.6


@dataclass(slots=True)
class Guess:
    """Settings of group `input`, why each is as it is, and what is not sure."""

    format: str  # in words
    settings: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    others: str = ""  # fields of which no setting was made, and one may name the machine

    def set(self, name: str, value: object, reason: str) -> None:
        """Set a setting, with the reason."""
        self.settings[name], self.reasons[name] = value, reason
