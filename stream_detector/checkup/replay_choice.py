"""Which dead letters go back to the topic that they came from, which cannot, and how many of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from stream_detector.ingest.dead_letter_origin import DeadLetter
from stream_detector.ingest.document import REASONS

Fate = Literal["sent", "sent before", "another reason", "older", "of another topic", "cannot return"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The dead letters that a replay is about."""

    #: The topics that take records back, each with the time from which on it keeps records; None: for ever, or unknown. With
    #: re-keying there are two: what the detector rejected was re-keyed already, and only the topic between reads it again.
    topics: Mapping[str, int | None]
    reasons: frozenset[str]
    since_ms: int | None = None  # leave out what was written before

    def is_removed(self, letter: DeadLetter) -> bool:
        """Whether the brokers would remove its record soon after it was sent, since it keeps its time."""
        kept_since_ms = self.topics.get(letter.topic)
        return kept_since_ms is not None and 0 <= letter.timestamp < kept_since_ms

    def fate(self, letter: DeadLetter, position: int) -> Fate:
        """Return what becomes of a letter, where a replay of its reason goes on at `position` of its partition."""
        if letter.reason not in self.reasons:
            return "another reason"
        if letter.record.offset < position:
            return "sent before"
        if self.since_ms is not None and letter.record.timestamp < self.since_ms:
            return "older"
        if letter.topic and letter.topic not in self.topics:
            return "of another topic"
        return "cannot return" if letter.cannot_return else "sent"


def choice(topics: Mapping[str, int | None], reasons: list[str] | None, since_ms: int | None) -> Choice:
    """Return a choice: of all reasons if none is named."""
    return Choice(topics, frozenset(reasons or REASONS), since_ms)


@dataclass(slots=True)
class Tally:
    """Counts what became of letters, and keeps one that could not return."""

    fates: Counter[Fate] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)  # by reason
    topics: Counter[str] = field(default_factory=Counter)  # of those sent, by the topic that takes them
    removed: int = 0  # of those sent, older than their topic keeps records
    kept_back: DeadLetter | None = None

    def count(self, letter: DeadLetter, fate: Fate, *, is_removed: bool = False) -> None:
        """Count one letter."""
        self.fates[fate] += 1
        if fate == "sent":
            self.sent[letter.reason] += 1
            self.topics[letter.topic] += 1
            self.removed += is_removed
        if fate == "cannot return" and self.kept_back is None:
            self.kept_back = letter
