"""Sums up the newest dead letters: when, why, and how many in the last hour, by their reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from stream_detector.inspection.alarms import NewestRecords
from stream_detector.readings import Record

_HOUR_MS = 3_600_000
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter."""

    at_ms: int  # when it was written
    reason: str
    detail: str
    place: str  # of the record that could not be used


@dataclass(frozen=True, slots=True)
class ReasonGroup:
    """The dead letters of the last hour that have one reason; without any in that hour, the newest one of all."""

    count: int
    newest: DeadLetter


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The newest dead letters."""

    last_hour: int
    is_complete: bool  # False: the hour had more than were read
    newest: tuple[DeadLetter, ...]  # the newest first
    groups: tuple[ReasonGroup, ...] = ()  # by reason, the largest first


def dead_letters_of(found: NewestRecords, input_topic: str, now_ms: int) -> DeadLetters:
    """Sum up the dead letters of one input topic."""
    since_ms = now_ms - _HOUR_MS
    ours = [record for record in found.records if _header(record, "topic") in ("", input_topic)]
    ours.sort(key=lambda record: (record.timestamp, record.partition, record.offset))
    recent = [record for record in ours if record.timestamp >= since_ms]
    return DeadLetters(
        last_hour=len(recent),
        is_complete=found.goes_back_to(since_ms),
        newest=tuple([_letter(record) for record in ours[: -_SHOWN - 1 : -1]]),
        groups=_groups(recent or ours[-1:]),
    )


def _groups(records: Sequence[Record]) -> tuple[ReasonGroup, ...]:
    """Group records, the oldest first, by their reason."""
    newest = {_header(record, "reason"): record for record in records}
    counts = Counter(_header(record, "reason") for record in records)
    return tuple([ReasonGroup(count, _letter(newest[reason])) for reason, count in counts.most_common()])


def _letter(record: Record) -> DeadLetter:
    place = f"{_header(record, 'topic') or '?'} partition {_header(record, 'partition')} offset {_header(record, 'offset')}"
    return DeadLetter(record.timestamp, _header(record, "reason") or "no reason given", _header(record, "detail"), place)


def _header(record: Record, name: str) -> str:
    return (dict(record.headers or ()).get(f"stream_detector.{name}") or b"").decode("utf-8", "replace")
