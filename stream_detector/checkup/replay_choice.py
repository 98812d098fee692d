"""Which dead letters go back to the input topic, which cannot, and how many of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from stream_detector.ingest.dead_letter_origin import DeadLetter
from stream_detector.ingest.document import REASONS

Fate = Literal["sent", "sent before", "another reason", "older", "of another topic", "cannot return"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The dead letters that a replay is about."""

    input_topic: str
    reasons: frozenset[str]
    since_ms: int | None = None  # leave out what was written before

    def fate(self, letter: DeadLetter, position: int) -> Fate:
        """Return what becomes of a letter, where a replay of its reason goes on at `position` of its partition."""
        if letter.reason not in self.reasons:
            return "another reason"
        if letter.record.offset < position:
            return "sent before"
        if self.since_ms is not None and letter.record.timestamp < self.since_ms:
            return "older"
        if letter.topic and letter.topic != self.input_topic:
            return "of another topic"
        return "cannot return" if letter.cannot_return else "sent"


def choice(input_topic: str, reasons: list[str] | None, since_ms: int | None) -> Choice:
    """Return a choice: of all reasons if none is named."""
    return Choice(input_topic, frozenset(reasons or REASONS), since_ms)


@dataclass(slots=True)
class Tally:
    """Counts what became of letters, and keeps one that could not return."""

    fates: Counter[Fate] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)  # by reason
    kept_back: DeadLetter | None = None

    def count(self, letter: DeadLetter, fate: Fate) -> None:
        """Count one letter."""
        self.fates[fate] += 1
        if fate == "sent":
            self.sent[letter.reason] += 1
        if fate == "cannot return" and self.kept_back is None:
            self.kept_back = letter
