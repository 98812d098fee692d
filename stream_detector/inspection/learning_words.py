"""The words that a detector which learns a model leaves in the store, and `status` reads."""

from __future__ import annotations

import msgspec

#: Words that no detector repeats are forgotten after so long.
KEPT_SECONDS = 3600.0


class LearningWords(msgspec.Struct, frozen=True):
    """How far the learning is."""

    at_ms: int  # when it was said
    stage: str  # collecting, training or waiting
    text: str


def written_words(words: LearningWords) -> bytes:
    """Return the words as the store keeps them."""
    return msgspec.json.encode(words)


def read_words(stored: bytes) -> LearningWords | None:
    """Return what is stored; None if nothing is, or nothing that can be read."""
    try:
        return msgspec.json.decode(stored, type=LearningWords)
    except (msgspec.MsgspecError, ValueError):
        return None
