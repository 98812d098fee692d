"""Sums up the newest dead letters: when, why, and how many in the last hour, by their reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType

from stream_detector.errors import RegistryUnavailableError
from stream_detector.ingest.dead_letter_origin import read_dead_letter
from stream_detector.ingest.input_reader import InputReader
from stream_detector.inspection.alarms import NewestRecords
from stream_detector.readings import Record

_HOUR_MS = 3_600_000
_SHOWN = 5
#: Larger records, and further readings of a record, are not looked at to tell whose they are.
_MOST_READ_BYTES, _MOST_READ = 16_384, 10
NO_READERS: Mapping[str, InputReader | None] = MappingProxyType({})


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
class Unusable:
    """What became of a sensor's records since its last reading: they are dead letters."""

    count: int
    since_ms: int  # when the first of them was written
    last_ms: int
    reason: str  # of the last


class Senders:
    """Tells whose records dead letters were: by their key, and by the sensor in them where the record can be read so far."""

    def __init__(self, reader: InputReader | None, others: Mapping[str, InputReader | None] = NO_READERS) -> None:
        """Not thread-safe. Without a reader, only keys tell. `others` read the records of these topics."""
        self._reader, self._others = reader, others
        self._known: dict[tuple[int, int], frozenset[str]] = {}

    def of(self, records: Sequence[Record]) -> dict[str, list[Record]]:
        """Return the dead letters of each sensor, in the order given."""
        known, found = self._known, dict[str, list[Record]]()
        self._known = {}
        for record in records:
            place = record.partition, record.offset
            self._known[place] = known.get(place) or self._names(record)
            for name in self._known[place]:
                found.setdefault(name, []).append(record)
        return found

    def _names(self, record: Record) -> frozenset[str]:
        names = {record.key.decode("utf-8", "replace")} if record.key else set()
        reader = self._others.get(_header(record, "topic"), self._reader)
        if reader is not None and len(record.value or b"") <= _MOST_READ_BYTES:
            with suppress(RegistryUnavailableError):
                names.update(one.sensor for one in reader.readings_in(record)[:_MOST_READ])
        return frozenset(names)


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The newest dead letters."""

    last_hour: int
    is_complete: bool  # False: the hour had more than were read
    newest: tuple[DeadLetter, ...]  # the newest first
    groups: tuple[ReasonGroup, ...] = ()  # by reason, the largest first
    of_sensors: Mapping[str, Sequence[Record]] = field(default_factory=dict)  # the oldest first

    def since(self, sensor: str, time_ms: int) -> Unusable | None:
        """Return what became of a sensor's records that were written after a time; None if there are none."""
        ours = [record for record in self.of_sensors.get(sensor, ()) if _written_ms(record) > time_ms]
        if not ours:
            return None
        reason = _header(ours[-1], "reason") or "no reason given"
        return Unusable(len(ours), _written_ms(ours[0]), _written_ms(ours[-1]), reason)


def dead_letters_of(found: NewestRecords, topics: frozenset[str], now_ms: int, senders: Senders | None = None) -> DeadLetters:
    """Sum up the dead letters of a detector's topics, two with re-keying; `senders` tell whose they are."""
    since_ms = now_ms - _HOUR_MS
    ours = [record for record in found.records if _header(record, "topic") in {"", *topics}]
    ours.sort(key=lambda record: (record.timestamp, record.partition, record.offset))
    recent = [record for record in ours if record.timestamp >= since_ms]
    return DeadLetters(
        last_hour=len(recent),
        is_complete=found.goes_back_to(since_ms),
        newest=tuple([_letter(record) for record in ours[: -_SHOWN - 1 : -1]]),
        groups=_groups(recent or ours[-1:]),
        of_sensors=senders.of(ours) if senders else {},
    )


def _groups(records: Sequence[Record]) -> tuple[ReasonGroup, ...]:
    """Group records, the oldest first, by their reason."""
    newest = {_header(record, "reason"): record for record in records}
    counts = Counter(_header(record, "reason") for record in records)
    return tuple([ReasonGroup(count, _letter(newest[reason])) for reason, count in counts.most_common()])


def _letter(record: Record) -> DeadLetter:
    place = f"{_header(record, 'topic') or '?'} partition {_header(record, 'partition')} offset {_header(record, 'offset')}"
    return DeadLetter(record.timestamp, _header(record, "reason") or "no reason given", _header(record, "detail"), place)


def _written_ms(record: Record) -> int:
    """Return when the record was written that could not be used; when its dead letter was, if that is not known."""
    return max(read_dead_letter(record).timestamp, -1) if _header(record, "timestamp") else record.timestamp


def _header(record: Record, name: str) -> str:
    return (dict(record.headers or ()).get(f"stream_detector.{name}") or b"").decode("utf-8", "replace")
