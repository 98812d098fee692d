"""Names that sensors began to send and the model does not know, where readings are assembled: a pure fold over the log.

Only names like a feature of the model are kept, because only these are asked about: a topic may have many tags that the model
does not need. Of each the first message counts. A message of an unknown name alone completes no reading and wakes no sensor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec
import numpy as np

from stream_detector.detection.unsaved import Unsaved
from stream_detector.ingest.renamed import renamings
from stream_detector.places import offsets_of, place_of
from stream_detector.readings import Readings, Unknown

#: Of so many sensors of a partition names are kept, and so many of a sensor.
_MOST_SENSORS, _MOST_NAMES = 100_000, 20
#: Longer names are not kept: a topic of invented names must not fill the memory, and an event says the name.
_MOST_CHARACTERS = 256
#: Of so many names, those met last, it is remembered whether they are like a feature. To find out takes about half a
#: millisecond with ten features, and a plant may have tens of thousands of tags.
_MOST_JUDGED = 100_000
#: Before the sensor in the names of what the store keeps.
_KEPT = "new names of "


@dataclass(frozen=True, slots=True)
class NewName:
    """A name that a sensor began to send."""

    name: str
    offset: int  # of the first record with it
    time_ms: int  # event time of that


_Names = tuple[NewName, ...]


class NewNames:
    """The new names of each sensor of each partition, oldest first. The store keeps them with its position (ports.Keeper)."""

    def __init__(self, features: Sequence[str]) -> None:
        self._features = tuple(features)
        self._is_alike = lru_cache(_MOST_JUDGED)(self._judge)
        self._names: dict[int, dict[str, _Names]] = {}
        self._unsaved = Unsaved()

    def of(self, partition: int, sensor: str) -> _Names:
        """Return the new names of a sensor."""
        return self._names.get(partition, {}).get(sensor, ())

    def fold(self, unknown: Sequence[Unknown]) -> None:
        """Add what is new in these messages, in log order."""
        for one in unknown:
            known = self.of(one.partition, one.sensor)
            there = {name.name for name in known}
            offset = place_of(one.place).offset
            new = [NewName(name, offset, one.time_ms) for name in one.names if name not in there and self._is_alike(name)]
            of = self._names.setdefault(one.partition, {})
            if new and len(known) < _MOST_NAMES and (known or len(of) < _MOST_SENSORS):
                of[one.sensor] = (*known, *new)[:_MOST_NAMES]
                self._change(one.partition, one.sensor)

    def of_readings(self, readings: Readings) -> dict[int, _Names]:
        """Return by row the names that a reading's sensor had sent when the reading was complete."""
        found: dict[int, _Names] = {}
        for number in np.unique(readings.partitions).tolist() if any(self._names.values()) else ():
            of = self._names.get(number, {})
            rows = np.flatnonzero((readings.partitions == number) & bool(of))
            for row, offset in zip(rows.tolist(), offsets_of(readings.places[rows]).tolist(), strict=True):
                names = tuple([one for one in of.get(readings.sensors[row], ()) if one.offset <= offset])
                if names:
                    found[row] = names
        return found

    def restore(self, partition: int, kept: Mapping[str, bytes], *, starts_over: bool) -> None:
        """Start with what the store keeps, or without it: where the sensors' state starts over, too."""
        stored = {name: content for name, content in kept.items() if name.startswith(_KEPT) and content}
        self._names[partition] = {}
        self._unsaved.restart(partition, erased=stored if starts_over else ())
        if not starts_over:
            self._names[partition] = {name.removeprefix(_KEPT): _read(content) for name, content in stored.items()}

    def forget(self, partition: int) -> None:
        """Drop a partition."""
        self._names.pop(partition, None)
        self._unsaved.forget(partition)

    def unsaved(self, partition: int, position: int) -> Mapping[str, bytes]:
        """See ports.Keeper."""
        return self._unsaved.send(partition, position)

    def saved(self, partition: int, position: int) -> None:
        """See ports.Keeper."""
        self._unsaved.saved(partition, position)

    def mark_lost(self, partition: int) -> None:
        """See ports.Keeper."""
        for sensor in self._names.get(partition, {}):
            self._change(partition, sensor)

    def _judge(self, name: str) -> bool:
        """Return whether a name may be that of a feature of the model, renamed."""
        return len(name) <= _MOST_CHARACTERS and bool(renamings([one for one in self._features if one != name], (name,)))

    def _change(self, partition: int, sensor: str) -> None:
        names = [(one.name, one.offset, one.time_ms) for one in self.of(partition, sensor)]
        self._unsaved.change(partition, _KEPT + sensor, msgspec.json.encode(names))


def _read(content: bytes) -> _Names:
    try:
        return tuple([NewName(*one) for one in msgspec.json.decode(content, type=list[tuple[str, int, int]])])
    except msgspec.DecodeError:
        return ()
