"""What the births of nodes and devices have said: which metric an alias stands for. A pure fold over a partition's log.

The newest birth at or before a message decides. A device's birth ends with the next birth of its node, after which the device
has to be born again. Births are kept with the offsets of their records, the newest few of each sensor: so a message that is
read again is read as before.
"""

from __future__ import annotations

import json
import zlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stream_detector.ingest.sparkplug.layouts import Layouts
from stream_detector.ingest.sparkplug.sequence import Sequences

#: So many births of a sensor are kept, beside those that are not stored yet.
KEPT_BIRTHS = 4
#: Of so many sensors of a partition births are kept; beyond, the one that was born longest ago is forgotten.
MOST_SENSORS = 100_000
#: The names of what is kept: of the position up to which births are known, and before those of sensors.
_POSITION, _SENSOR = "births up to", "birth of "
NO_SESSION = -1


@dataclass(frozen=True, slots=True)
class Birth:
    """A birth message: the metrics that it names."""

    offset: int
    session: int  # the number of the connection (bdSeq); NO_SESSION: it says none
    names: Mapping[int, str]  # by alias
    types: Mapping[str, int]  # data type by name
    layouts: Layouts = field(default_factory=Layouts, compare=False, repr=False)  # of the messages for which it decides


NOT_BORN = Birth(-1, NO_SESSION, {}, {})


@dataclass(slots=True)
class _Partition:
    topic_id: str = ""
    births: dict[str, list[Birth]] = field(default_factory=dict)  # by sensor, those longest ago first; each in log order
    devices: dict[str, set[str]] = field(default_factory=dict)  # of nodes
    unsaved: dict[str, int] = field(default_factory=dict)  # sensor -> offset of its newest birth
    forgotten: dict[str, int] = field(default_factory=dict)  # sensor -> offset of the birth that displaced it
    known_to: int | None = None  # all births before this position are here; None: nobody looked


class Births:
    """The births of each partition's nodes and devices. Implements Memory.

    `sequences`, beside them, are not stored: they start over where a partition is read from another position.
    """

    def __init__(self) -> None:
        self._partitions: dict[int, _Partition] = {}
        self.sequences = Sequences()

    def add(self, partition: int, sensor: str, birth: Birth) -> None:
        """Remember a birth; one of the same record replaces what was remembered of it."""
        of = self._of(partition)
        births = of.births.pop(sensor, [])
        at = bisect_right(births, birth.offset, key=_offset)
        if at and births[at - 1].offset == birth.offset:
            births[at - 1] = birth
        else:
            births.insert(at, birth)
        of.births[sensor] = births
        of.unsaved[sensor] = births[-1].offset
        of.forgotten.pop(sensor, None)
        self._join(of, sensor)
        if len(of.births) > MOST_SENSORS:
            oldest = next(iter(of.births))
            self._remove(of, oldest)
            of.forgotten[oldest] = birth.offset

    def at(self, partition: int, node: str, device: str, offset: int) -> Birth:
        """Return the birth that decides for a message of a node, or of its device, at an offset; NOT_BORN if there is none."""
        of = self._partitions.get(partition)
        if of is None:
            return NOT_BORN
        births = of.births
        of_node = _newest(births[node], offset) if node in births else NOT_BORN
        if not device:
            return of_node
        sensor = f"{node}/{device}"
        of_device = _newest(births[sensor], offset) if sensor in births else NOT_BORN
        return of_device if of_device.offset >= of_node.offset else NOT_BORN

    def before(self, partition: int, sensor: str, offset: int) -> Birth:
        """Return the birth of a sensor before the one at an offset; NOT_BORN if none is known."""
        return _newest(self._of(partition).births.get(sensor, ()), offset - 1)

    def devices(self, partition: int, node: str, offset: int) -> list[str]:
        """Return the devices of a node, as sensors, of which a birth before an offset is known, in the order of their names."""
        of = self._of(partition)
        return sorted(one for one in of.devices.get(node, ()) if _newest(of.births[one], offset) is not NOT_BORN)

    def known_to(self, partition: int) -> int | None:
        """See Memory."""
        return self._of(partition).known_to

    def read_to(self, partition: int, position: int) -> None:
        """See Memory."""
        of = self._of(partition)
        of.known_to = max(position, of.known_to or 0)

    def restore(self, partition: int, kept: Mapping[str, bytes], topic_id: str) -> None:
        """See Memory."""
        self.sequences.forget(partition)
        of = self._partitions[partition] = _Partition(topic_id)
        position = kept.get(_POSITION, b"").decode()
        place, _, stored_id = position.partition(" ")
        if stored_id != topic_id or not place:
            of.forgotten = {
                name.removeprefix(_SENSOR): -1 for name, value in kept.items() if name.startswith(_SENSOR) and value
            }
            return
        of.known_to = int(place)
        found = {name.removeprefix(_SENSOR): _read(value) for name, value in kept.items() if name.startswith(_SENSOR) and value}
        for sensor, births in sorted(found.items(), key=lambda one: one[1][-1].offset if one[1] else -1):
            if births:
                of.births[sensor] = births
                self._join(of, sensor)

    def unsaved(self, partition: int, position: int) -> dict[str, bytes]:
        """See Memory."""
        of = self._of(partition)
        if position < 0:
            return {}
        changed = {
            _SENSOR + sensor: _written([one for one in of.births[sensor] if one.offset < position])
            for sensor in of.unsaved
            if of.births[sensor][0].offset < position
        }
        gone = {_SENSOR + sensor: b"" for sensor, offset in of.forgotten.items() if offset < position}
        return {**changed, **gone, _POSITION: f"{position} {of.topic_id}".encode()}

    def saved(self, partition: int, position: int) -> None:
        """See Memory."""
        of = self._of(partition)
        if position < 0:
            return
        for sensor in of.unsaved:
            births = of.births[sensor]
            stored = bisect_right(births, position - 1, key=_offset)
            del births[: max(0, stored - KEPT_BIRTHS)]
        of.unsaved = {sensor: offset for sensor, offset in of.unsaved.items() if offset >= position}
        of.forgotten = {sensor: offset for sensor, offset in of.forgotten.items() if offset >= position}

    def mark_lost(self, partition: int) -> None:
        """See Memory."""
        of = self._of(partition)
        of.unsaved = {sensor: births[-1].offset for sensor, births in of.births.items()}

    def forget(self, partition: int) -> None:
        """See Memory."""
        self._partitions.pop(partition, None)
        self.sequences.forget(partition)

    def forget_births(self, partition: int) -> None:
        """See Memory."""
        of = self._of(partition)
        of.forgotten |= dict.fromkeys(of.births, -1)
        of.births, of.devices, of.unsaved, of.known_to = {}, {}, {}, None

    def _of(self, partition: int) -> _Partition:
        of = self._partitions.get(partition)
        if of is None:
            of = self._partitions[partition] = _Partition()
        return of

    @staticmethod
    def _join(of: _Partition, sensor: str) -> None:
        group, node, *device = sensor.split("/", 2)
        if device:
            of.devices.setdefault(f"{group}/{node}", set()).add(sensor)

    @staticmethod
    def _remove(of: _Partition, sensor: str) -> None:
        del of.births[sensor]
        of.unsaved.pop(sensor, None)
        for devices in of.devices.values():
            devices.discard(sensor)


def _offset(birth: Birth) -> int:
    return birth.offset


def _newest(births: Sequence[Birth], offset: int) -> Birth:
    if births and births[-1].offset <= offset:
        return births[-1]
    at = bisect_right(births, offset, key=_offset)
    return births[at - 1] if at else NOT_BORN


def _written(births: Sequence[Birth]) -> bytes:
    """Return births as stored: compressed JSON, because the names of metrics are long and alike."""
    parts = [[one.offset, one.session, [[alias, name] for alias, name in one.names.items()], one.types] for one in births]
    return zlib.compress(json.dumps(parts[-KEPT_BIRTHS:], separators=(",", ":")).encode())


def _read(stored: bytes) -> list[Birth]:
    """Return stored births; none if they cannot be read: they are said again."""
    try:
        parts = json.loads(zlib.decompress(stored))
        return [Birth(offset, session, dict(map(tuple, names)), types) for offset, session, names, types in parts]
    except (ValueError, TypeError, zlib.error):
        return []
