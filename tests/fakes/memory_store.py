"""The state store in memory: a fake for tests.

It follows the contract of ports.StateStore to the byte: it writes only the given spans, so a caller that passes wrong ones
gets what it would get from Redis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stream_detector.errors import StoreUnavailableError
from stream_detector.ports import PartitionMeta, Scanned, SensorUpdate, StoreVerdict, Updates


@dataclass(frozen=True, slots=True)
class _Stored:
    epoch: bytes
    record: bytes


class MemoryStore:
    """A ports.StateStore in dictionaries. Set `unavailable` to make every call fail as an unreachable server would."""

    def __init__(self) -> None:
        self.unavailable = False
        self.persists = 0
        self._metas: dict[int, PartitionMeta] = {}
        self._sensors: dict[tuple[int, str], _Stored] = {}
        self._kept: dict[int, dict[str, bytes]] = {}

    def wipe(self) -> None:
        """Lose everything, as FLUSHALL or a lost disk would."""
        self._metas.clear()
        self._sensors.clear()
        self._kept.clear()

    def expire(self, partition: int, sensor: str) -> None:
        """Lose one sensor, as an expired key would be."""
        self._sensors.pop((partition, sensor), None)

    def meta(self, partition: int) -> PartitionMeta | None:
        """Read a partition's meta; None if there is none."""
        self._answer()
        return self._metas.get(partition)

    def begin(self, partition: int, meta: PartitionMeta) -> None:
        """Replace a partition's meta; under a new epoch all its sensors are absent."""
        self._answer()
        self._metas[partition] = meta

    def load(self, partition: int, epoch: bytes, sensors: Sequence[str]) -> list[bytes | None]:
        """Read the state of sensors, in order; None where absent or of another epoch."""
        self._answer()
        stored = [self._sensors.get((partition, sensor)) for sensor in sensors]
        return [one.record if one is not None and one.epoch == epoch else None for one in stored]

    def scan(self, partition: int, epoch: bytes, cursor: str, count: int) -> Scanned:
        """Read some of a partition's stored sensors, in the order of their names."""
        self._answer()
        later = sorted(sensor for number, sensor in self._sensors if number == partition and f"+{sensor}" > cursor)
        page = later[:count]
        stored = {sensor: self._sensors[partition, sensor] for sensor in page}
        records = {sensor: one.record for sensor, one in stored.items() if one.epoch == epoch}
        return Scanned(records, f"+{page[-1]}" if len(later) > count else "")

    def kept(self, partition: int) -> Mapping[str, bytes]:
        """Read what is kept of a partition, whatever its epoch."""
        self._answer()
        return dict(self._kept.get(partition, {}))

    def persist(self, partition: int, epoch: bytes, start: int, stop: int, updates: Updates) -> StoreVerdict:
        """Move a partition's state from position `start` to `stop`, all or nothing. Idempotent."""
        if stop <= start:
            msg = f"a persist moves forward: start {start}, stop {stop}"
            raise ValueError(msg)
        self._answer()
        self.persists += 1
        meta = self._metas.get(partition)
        if meta is None:
            return StoreVerdict.GAP
        if meta.epoch != epoch or meta.next_position > stop:
            return StoreVerdict.AHEAD
        if meta.next_position == stop:
            return StoreVerdict.ALREADY_APPLIED
        if meta.next_position != start:
            return StoreVerdict.GAP
        for sensor, record in updates.whole.items():
            self._sensors[partition, sensor] = _Stored(epoch, record)
        for update in updates.changed:
            self._sensors[partition, update.sensor] = _Stored(epoch, self._merged(partition, epoch, update))
        if updates.kept:
            self._kept[partition] = {**self._kept.get(partition, {}), **updates.kept}
        self._metas[partition] = replace(meta, next_position=stop, note=updates.note)
        return StoreVerdict.APPLIED

    def ping(self) -> None:
        """Return if the store can be read and written."""
        self._answer()

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def _answer(self) -> None:
        if self.unavailable:
            msg = "the store in memory is set to be unavailable"
            raise StoreUnavailableError(msg)

    def _merged(self, partition: int, epoch: bytes, update: SensorUpdate) -> bytes:
        stored = self._sensors.get((partition, update.sensor))
        if stored is None or stored.epoch != epoch or not stored.record.startswith(update.expected_prefix):
            return update.record
        merged = bytearray(stored.record)
        for start, stop in update.spans:
            merged[start:stop] = update.record[start:stop]
        return bytes(merged)
