"""A state store in memory that fails, loses answers and returns to earlier states on a test's command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stream_detector.errors import StoreUnavailableError
from stream_detector.ports import PartitionMeta, StoreVerdict, Updates
from tests.fakes.memory_store import MemoryStore

#: Of a store; only to be given back to it.
Snapshot = tuple[dict[int, PartitionMeta], dict[tuple[int, str], Any], dict[int, dict[str, bytes]]]


class FragileStore(MemoryStore):
    """A store in memory whose persists fail when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.healthy_persists: int | None = None  # so many more, then it is unavailable
        self.lost_answers = 0  # so many persists are applied, but the caller never hears of it
        self.verdicts: list[tuple[int, StoreVerdict]] = []

    def persist(self, partition: int, epoch: bytes, start: int, stop: int, updates: Updates) -> StoreVerdict:
        """See ports.StateStore."""
        if self.healthy_persists is not None:
            self.healthy_persists -= 1
            if self.healthy_persists < 0:
                self.healthy_persists, self.unavailable = None, True
        verdict = super().persist(partition, epoch, start, stop, updates)
        self.verdicts.append((partition, verdict))
        if self.lost_answers:
            self.lost_answers -= 1
            msg = "the answer was lost"
            raise StoreUnavailableError(msg)
        return verdict

    def records(self, partition: int, sensors: Sequence[str]) -> list[bytes | None]:
        """Return the stored records of sensors, even while the store fails."""
        meta = self._metas.get(partition)
        stored = [self._sensors.get((partition, sensor)) for sensor in sensors]
        return [one.record if one and meta and one.epoch == meta.epoch else None for one in stored]

    def positions(self) -> dict[int, int]:
        """Return the persisted position of each partition."""
        return {partition: meta.next_position for partition, meta in self._metas.items()}

    def snapshot(self) -> Snapshot:
        """Return all that is stored, for a later `roll_back`."""
        return dict(self._metas), dict(self._sensors), dict(self._kept)

    def roll_back(self, snapshot: Snapshot) -> None:
        """Return to an earlier state, as a failover to a lagging replica does."""
        self._metas, self._sensors, self._kept = dict(snapshot[0]), dict(snapshot[1]), dict(snapshot[2])
