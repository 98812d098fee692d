"""Produces the readings of a round. A reading depends only on its number; the duration of the round sets their count."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.pipeline.replica_config import MINUTE_MS, SECOND_MS, START_MS, reading

#: Every so often all readings of a partition are apart by more than the longest gap of a window.
GAP_EVERY = 150
#: What stands among the readings of a record.
BAD_PARTS: tuple[object, ...] = (None, 7, {}, {"sensor_id": "pump", "values": {}}, {"sensor_id": "x", "values": {"a": "none"}})
#: Appends (sensor, value) records to a partition of the input topic; returns when the brokers have them.
Produce = Callable[[int, list[tuple[str, bytes]]], None]
#: Returns the records of a partition for a second, given the number of its sensors.
MakeRecords = Callable[[int, int, int], list[tuple[str, bytes]]]


def records_of(partition: int, second: int, sensors: int) -> list[tuple[str, bytes]]:
    """Return the records of a partition for one second: readings, some incomplete or late, and some invalid records."""
    names = [f"pump-{partition}-{number}" for number in range(sensors)]
    names[-1] = f"pump-{partition}-a"
    now_ms = START_MS + second * SECOND_MS + second // GAP_EVERY * 2 * MINUTE_MS
    records = [
        (name, reading(name, now_ms, (second * 0.37 + number * 0.11) % 1.0, None if (second + number) % 11 == 0 else partition))
        for number, name in enumerate(names)
    ]
    if second % 7 == 3:
        records.insert(1, (names[0], reading(names[0], START_MS, 0.0, 0.0)))
    if second % 13 == 5:
        records.insert(2, (names[1], b"not a reading"))
    return records


def with_single_features(partition: int, second: int, sensors: int) -> list[tuple[str, bytes]]:
    """Return the records of a second with a feature each; of some sensors, one has no new value for a while."""
    records = list[tuple[str, bytes]]()
    for name, value in records_of(partition, second, sensors):
        if not value.startswith(b"{"):
            records.append((name, value))
            continue
        fields = json.loads(value)
        for number, (feature, found) in enumerate(fields["values"].items()):
            if found is not None and not (number and second % 20 < 12 and name.endswith("3")):
                one = fields | {"timestamp": fields["timestamp"] + 400 * number, "values": {feature: found}}
                records.append((name, json.dumps(one).encode()))
    return records


def with_several_readings(partition: int, second: int, sensors: int) -> list[tuple[str, bytes]]:
    """Return the records of a second with two readings each of five sensors, some with parts that are no reading."""
    records = list[tuple[str, bytes]]()
    parts = list[object]()
    for number, (name, value) in enumerate(records_of(partition, second, sensors)):
        if not value.startswith(b"{"):
            records.append((name, value))
            continue
        reading = json.loads(value)
        parts += [reading, reading | {"timestamp": reading["timestamp"] + 500}]
        if (second + number) % 9 == 4:
            parts.insert(1, BAD_PARTS[second % len(BAD_PARTS)])
        if number % 5 == 4:
            records.append((name, json.dumps(parts).encode()))
            parts = []
    return [*records, ("rest", json.dumps(parts).encode())] if parts else records


@dataclass(slots=True)
class Feed:
    """Appends readings to every partition in a thread, at a given speed of event time, until stopped."""

    produce: Produce
    sensors: int
    partitions: int
    seconds_per_second: float
    make_records: MakeRecords = records_of
    next_second: int = 0
    error: Exception | None = None
    _stopped: threading.Event | None = None
    _thread: threading.Thread | None = None

    def advance(self) -> None:
        """Append one second of every partition."""
        for partition in range(self.partitions):
            self.produce(partition, self.make_records(partition, self.next_second, self.sensors))
        self.next_second += 1

    def start(self) -> None:
        """Start the thread."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._stopped,), name="feed", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread. Raises the error of the thread, if it had one."""
        if self._stopped is None or self._thread is None:
            return
        self._stopped.set()
        self._thread.join(60)
        self._stopped = self._thread = None
        if self.error is not None:
            raise self.error

    def _run(self, stopped: threading.Event) -> None:
        due = time.monotonic()
        while not stopped.wait(max(0.0, due - time.monotonic())):
            try:
                self.advance()
            except Exception as error:  # noqa: BLE001 - raised again by `stop`
                self.error = error
                return
            # What could not be appended while the brokers were away is not made up for: the rate stays.
            due = max(due, time.monotonic() - 1.0) + 1.0 / self.seconds_per_second
