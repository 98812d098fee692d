"""A simulated fleet in which what breaks most often breaks: machines or values freeze, machines fall silent, values shift.

15 pumps, a reading a second. The faults of 14 start together, ten minutes after the stream does, and nothing else is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import msgspec
import numpy as np

from stream_detector.detection.events import Event, event_time_ms
from stream_detector.readings import Float64Array
from stream_detector.simulation.fleet import FEATURES, Fleet
from stream_detector.timestamps import iso_time

FLEET = Fleet(sensors=15)
HISTORY_ROWS = 7200
ROWS = 1800
FAULT_ROW = 600
#: A frozen value must be found within this many rows, a shift within the first half of what follows.
FROZEN_ROWS, SHIFT_ROWS = 300, (ROWS - FAULT_ROW) // 2
SHIFT_DEVIATIONS = 3.0
GROUPS: Mapping[str, Sequence[int]] = {
    "all values freeze": range(4),
    "temperature freezes": range(4, 8),
    "falls silent": range(8, 11),
    "a value shifts": range(11, 14),
}


@dataclass(frozen=True, slots=True)
class PlantReading:
    """A reading as the producer sends it."""

    sensor: str
    time_ms: int
    value: bytes


def stream(start_ms: int) -> Iterator[PlantReading]:
    """Yield the readings in order of time."""
    times_ms, values = FLEET.readings(start_ms, ROWS)
    broken = _broken(values)
    for row, time_ms in enumerate(times_ms.tolist()):
        for sensor, name in enumerate(FLEET.sensor_ids()):
            if sensor in GROUPS["falls silent"] and row >= FAULT_ROW:
                continue
            measured = dict(zip(FEATURES, broken[sensor, row].tolist(), strict=True))
            value = msgspec.json.encode({"sensor_id": name, "timestamp": iso_time(time_ms), "values": measured})
            yield PlantReading(name, time_ms, value)


def partition_of(sensor: str, partitions: int) -> int:
    """Return the partition of a sensor's readings."""
    return crc32(sensor.encode()) % partitions


def found(events: Sequence[Event], start_ms: int) -> dict[str, int]:
    """Return for each group of faults how many of its machines an event of the right kind found in time."""
    fault_ms = start_ms + 1000 * FAULT_ROW
    rights = {
        "all values freeze": ({"frozen"}, FROZEN_ROWS),
        "temperature freezes": ({"frozen"}, FROZEN_ROWS),
        "falls silent": ({"silent"}, FROZEN_ROWS),
        "a value shifts": ({"anomaly", "out_of_range"}, SHIFT_ROWS),
    }
    counts = {}
    for group, (types, rows) in rights.items():
        names = {FLEET.sensor_ids()[sensor] for sensor in GROUPS[group]}
        in_time = {
            event.sensor_id
            for event in _opened(events)
            if event.type in types and 0 <= event_time_ms(event.timestamp) - fault_ms <= 1000 * rows
        }
        counts[group] = len(names & in_time)
    return counts


def incidents_of_shifts(events: Sequence[Event]) -> dict[str, int]:
    """Return for each machine with a shifted value how many incidents of the score opened there."""
    names = [FLEET.sensor_ids()[sensor] for sensor in GROUPS["a value shifts"]]
    opened = [event.sensor_id for event in _opened(events) if event.type == "anomaly"]
    return {name: opened.count(name) for name in names}


def false_incidents(events: Sequence[Event], start_ms: int) -> list[Event]:
    """Return the opening events of incidents that no fault explains: of healthy machines, or before the faults."""
    fault_ms = start_ms + 1000 * FAULT_ROW
    broken = {FLEET.sensor_ids()[sensor] for group in GROUPS.values() for sensor in group}
    return [event for event in _opened(events) if event.sensor_id not in broken or event_time_ms(event.timestamp) < fault_ms]


def _opened(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event.status == "opened"]


def _broken(healthy: Float64Array) -> Float64Array:
    """Return a copy of the fleet's values [S, N, F] with the faults."""
    values = healthy.copy()
    for sensor in GROUPS["all values freeze"]:
        values[sensor, FAULT_ROW:] = values[sensor, FAULT_ROW]
    for sensor in GROUPS["temperature freezes"]:
        values[sensor, FAULT_ROW:, FEATURES.index("temperature")] = values[sensor, FAULT_ROW, FEATURES.index("temperature")]
    for position, sensor in enumerate(GROUPS["a value shifts"]):
        values[sensor, FAULT_ROW:, position] += SHIFT_DEVIATIONS * FLEET.spread()[sensor, position]
    return np.round(values, 3)
