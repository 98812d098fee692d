"""Which sensors are known to be gone, because their node or the broker said so: a pure fold over the partition's log.

A death holds until the sensor's next accepted reading. Of several, the first counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stream_detector.detection.unsaved import Unsaved

#: Of so many sensors of a partition deaths are kept; beyond, the oldest is forgotten.
_MOST_SENSORS = 100_000
#: Before the sensor in the names of what the store keeps.
_KEPT = "death of "
_PARTS = 4


@dataclass(frozen=True, slots=True)
class Dead:
    """How a sensor is known to be gone."""

    offset: int  # of the record that said so
    second: int  # of the partition's active time then
    time_ms: int
    kind: str  # as messages of Sparkplug are called: NDEATH or DDEATH


class Deaths:
    """The sensors of each partition that are gone. The store keeps them with its position (ports.Keeper)."""

    def __init__(self) -> None:
        self._dead: dict[int, dict[str, Dead]] = {}
        self._unsaved = Unsaved()

    def __bool__(self) -> bool:
        return any(self._dead.values())

    def of(self, partition: int) -> Mapping[str, Dead]:
        """Return the sensors of a partition that are gone."""
        return self._dead.get(partition, {})

    def add(self, partition: int, sensor: str, dead: Dead) -> None:
        """Record that a sensor is gone, unless it is known."""
        of = self._dead.setdefault(partition, {})
        if sensor in of:
            return
        if len(of) >= _MOST_SENSORS:
            self.end(partition, next(iter(of)))
        of[sensor] = dead
        self._change(partition, sensor)

    def end(self, partition: int, sensor: str) -> None:
        """Record that a sensor is back, or not known to be gone."""
        if self._dead.get(partition, {}).pop(sensor, None) is not None:
            self._change(partition, sensor)

    def restore(self, partition: int, kept: Mapping[str, bytes], *, starts_over: bool) -> None:
        """Start with what the store keeps, or without it: where the sensors' state starts over, too."""
        stored = {name: content for name, content in kept.items() if name.startswith(_KEPT) and content}
        self._dead[partition] = {}
        self._unsaved.restart(partition, erased=stored if starts_over else ())
        if not starts_over:
            found = {name.removeprefix(_KEPT): _read(content) for name, content in stored.items()}
            self._dead[partition] = {sensor: dead for sensor, dead in found.items() if dead is not None}

    def forget(self, partition: int) -> None:
        """Drop a partition."""
        self._dead.pop(partition, None)
        self._unsaved.forget(partition)

    def unsaved(self, partition: int, position: int) -> Mapping[str, bytes]:
        """See ports.Keeper."""
        return self._unsaved.send(partition, position)

    def saved(self, partition: int, position: int) -> None:
        """See ports.Keeper."""
        self._unsaved.saved(partition, position)

    def mark_lost(self, partition: int) -> None:
        """See ports.Keeper."""
        for sensor in self.of(partition):
            self._change(partition, sensor)

    def _change(self, partition: int, sensor: str) -> None:
        dead = self.of(partition).get(sensor)
        content = b"" if dead is None else f"{dead.offset} {dead.second} {dead.time_ms} {dead.kind}".encode()
        self._unsaved.change(partition, _KEPT + sensor, content)


def _read(content: bytes) -> Dead | None:
    parts = content.decode(errors="replace").split(" ")
    try:
        return Dead(int(parts[0]), int(parts[1]), int(parts[2]), parts[3]) if len(parts) == _PARTS else None
    except ValueError:
        return None
