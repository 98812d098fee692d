"""What a decoder remembers of the log of a partition, beside the readings: kept in the store, with the sensors' state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Memory(Protocol):
    """A pure fold over a partition's log, by the offsets of records; records that come again change nothing.

    It does not belong to a model: another one, whose windows are built again, continues with it.
    """

    def restore(self, partition: int, kept: Mapping[str, bytes], topic_id: str) -> None:
        """Start a partition with what is stored of it; nothing counts that is of a topic with another id."""

    def known_to(self, partition: int) -> int | None:
        """Return the position before which the log is remembered; None if nobody has looked at it."""

    def read_to(self, partition: int, position: int) -> None:
        """Record that the log before a position is remembered, as far as there is one."""

    def unsaved(self, partition: int, position: int) -> Mapping[str, bytes]:
        """Return what the store lacks, as of a position: names and contents, empty where there is nothing any more."""

    def saved(self, partition: int, position: int) -> None:
        """Record that the store has all of `unsaved` as of a position."""

    def mark_lost(self, partition: int) -> None:
        """Record that the store may have lost what it kept of a partition."""

    def forget(self, partition: int) -> None:
        """Drop a partition."""

    def forget_births(self, partition: int) -> None:
        """Drop what is remembered of a partition, because a part of its log is gone unread."""
