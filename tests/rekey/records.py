"""Records for the tests of re-keying."""

from __future__ import annotations

from dataclasses import dataclass

from stream_detector.readings import Header


@dataclass(frozen=True, slots=True)
class Rec:
    """A record."""

    value: bytes | None
    offset: int = 0
    partition: int = 0
    timestamp: int = 1_767_300_000_000
    key: bytes | None = None
    headers: tuple[Header, ...] = ()
    topic: str = "plant"
