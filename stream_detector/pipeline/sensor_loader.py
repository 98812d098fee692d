"""Loads sensors' records from the store when their readings arrive.

While the store is away, nothing shows whether a sensor that is not in memory is new, so its partition waits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from stream_detector.detection.detector import Detector
from stream_detector.errors import StoreUnavailableError
from stream_detector.pipeline.partition import Partition
from stream_detector.pipeline.store_guard import StoreGuard
from stream_detector.readings import BoolArray, Readings
from stream_detector.state.codec.decode import decode
from stream_detector.state.record_layout import Records

logger = logging.getLogger(__name__)

#: How many of the sensors loaded at once are looked up in other partitions, and how often a finding is logged.
_CHECKED_SENSORS, _WARN_SECONDS = 16, 60.0


class SensorLoader:
    """Brings sensors into the detector's arena, with their stored state or as new."""

    def __init__(self, guard: StoreGuard, detector: Detector, clock: Callable[[], float]) -> None:
        self._guard = guard
        self._detector = detector
        self._clock = clock
        self._warn_at = 0.0
        self.divided = 0  # sensors found in a second partition since the start

    def load_sensors_of(self, readings: Readings, partitions: Mapping[int, Partition]) -> frozenset[int]:
        """Bring the readings' sensors into memory; return the partitions for which that is not possible now."""
        by_partition: dict[int, list[str]] = {}
        for number, sensor in zip(readings.partitions.tolist(), readings.sensors, strict=True):
            by_partition.setdefault(number, []).append(sensor)
        return self.load_sensors(by_partition, partitions)

    def load_sensors(self, by_partition: Mapping[int, Sequence[str]], partitions: Mapping[int, Partition]) -> frozenset[int]:
        """Bring sensors into memory; return the partitions for which that is not possible now."""
        arena = self._detector.arena
        arena.next_batch()
        absent = {number: arena.touch(number, sensors) for number, sensors in by_partition.items()}
        missing = {number: sensors for number, sensors in absent.items() if sensors}
        return frozenset(number for number, sensors in missing.items() if not self._load(partitions[number], sensors))

    def _load(self, partition: Partition, sensors: list[str]) -> bool:
        try:
            with self._guard.asking() as store:
                stored = store.load(partition.number, partition.epoch, sensors)
                meta = store.meta(partition.number)  # read after the sensors: an epoch that is still there was there then
        except StoreUnavailableError:
            return False
        if meta is not None and meta.epoch == partition.epoch and meta.next_position < partition.persisted:
            self._guard.require_check()  # the store fell back to older data, these sensors too: the check restores them
            return False
        if not self._detector.arena.make_room(len(sensors)):  # only sensors whose state the store has may be evicted
            return False
        self._look_for_divided_sensors(partition.number, sensors)
        self._detector.admit(partition.number, sensors, *decode_stored(self._detector, stored))
        return True

    def _look_for_divided_sensors(self, partition: int, sensors: list[str]) -> None:
        """Count the sensors that are in two partitions; log one at most once a minute. Checks only a few of the loaded."""
        for sensor in sensors[:_CHECKED_SENSORS]:
            other = self._detector.arena.other_partition(partition, sensor)
            if other is None:
                continue
            self.divided += 1
            if self._clock() >= self._warn_at:
                self._warn_at = self._clock() + _WARN_SECONDS
                logger.warning(
                    "sensor %r is read from partition %d and from %d: it has a window in each, which lacks the readings of the "
                    "other and may never fill. Key all records of a sensor by its id, or set "
                    "STREAM_DETECTOR_INPUT__REPARTITION=true and restart (docs/unkeyed.md). If partitions were just added, "
                    "sensors move once, and this warning passes",
                    sensor[:100],
                    other,
                    partition,
                    extra={"divided_sensors": self.divided},
                )


def decode_stored(detector: Detector, stored: Sequence[bytes | None]) -> tuple[Records, BoolArray]:
    """Return stored records in the detector's layout [N], and which were usable [N]; the others are those of new sensors."""
    model = detector.model
    shape = model.window_length, len(model.features), len(model.members)
    return decode(stored, *shape, counters=len(model.counters), assembles=detector.assembles)
