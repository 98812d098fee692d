"""Dead letters in groups by reason, with whom they come from, when, and one example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stream_detector.ingest.dead_letter_origin import DeadLetter
from stream_detector.timestamps import MAXIMUM_TIME_MS, iso_time

#: So many of the keys that occur most are named.
MOST_KEYS = 5
#: So much of a value is shown.
START_BYTES = 200


@dataclass(frozen=True, slots=True)
class Group:
    """The dead letters of one reason."""

    reason: str
    count: int
    first_ms: int  # when the service wrote the first of them; negative: unknown
    last_ms: int
    keys: tuple[tuple[str, int], ...]  # of the records, usually sensors: the most frequent, and how often
    key_count: int  # different keys
    cut: int  # cannot be sent again
    example: DeadLetter  # the newest

    def as_json(self) -> dict[str, object]:
        """Return the group as JSON has it."""
        return {
            "reason": self.reason,
            "count": self.count,
            "first": shown(self.first_ms),
            "last": shown(self.last_ms),
            "keys": dict(self.keys),
            "different_keys": self.key_count,
            "cannot_be_replayed": self.cut,
            "example": letter_json(self.example),
        }


def groups_of(letters: Sequence[DeadLetter]) -> list[Group]:
    """Group letters, the largest group first."""
    by_reason: dict[str, list[DeadLetter]] = {}
    for letter in letters:
        by_reason.setdefault(letter.reason, []).append(letter)
    return sorted(
        (_group(reason, found) for reason, found in by_reason.items()), key=lambda group: (-group.count, group.reason)
    )


def _group(reason: str, letters: Sequence[DeadLetter]) -> Group:
    times = [letter.record.timestamp for letter in letters]
    keys = Counter(key_text(letter.record.key) for letter in letters if letter.record.key is not None)
    newest = max(letters, key=lambda letter: (letter.record.timestamp, letter.record.partition, letter.record.offset))
    return Group(
        reason=reason,
        count=len(letters),
        first_ms=min(times),
        last_ms=max(times),
        keys=tuple(keys.most_common(MOST_KEYS)),
        key_count=len(keys),
        cut=sum(bool(letter.cannot_return) for letter in letters),
        example=newest,
    )


def letter_json(letter: DeadLetter) -> dict[str, object]:
    """Return one dead letter as JSON has it; of its value the start."""
    record = letter.record
    value = record.value or b""
    origin: Mapping[str, object] = {
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "time": shown(letter.timestamp),
    }
    return {
        "reason": letter.reason,
        "detail": letter.detail,
        "written": shown(record.timestamp),
        "partition": record.partition,
        "offset": record.offset,
        "origin": origin,
        "key": None if record.key is None else key_text(record.key),
        "value": value_start(value),
        "value_bytes": letter.value_bytes,
        "cannot_be_replayed": letter.cannot_return or None,
    }


def key_text(key: bytes) -> str:
    """Return a key as text, its start if it is long."""
    return key[:START_BYTES].decode(errors="backslashreplace")


def value_start(value: bytes) -> str:
    """Return the start of a value as text."""
    text = value[:START_BYTES].decode(errors="backslashreplace")
    return text if len(value) <= START_BYTES else f"{text}..."


def shown(time_ms: int) -> str | None:
    """Return a record's time as text; None if it has none."""
    return iso_time(time_ms) if 0 <= time_ms <= MAXIMUM_TIME_MS else None
