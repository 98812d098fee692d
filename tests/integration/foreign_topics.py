"""Topics as four other tools write them: six presses, a reading each 10 s, 90 min of history, then live in real time."""

from __future__ import annotations

import json
import math
import random
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import fastavro
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from tests.servers.schema_registry import register

MACHINES = [f"press-{number}" for number in range(1, 7)]
FAULTY, FAULTY_FEATURE, FALL = "press-3", "pressure", 1.2
PARTITIONS, STEP_SECONDS, HISTORY_SECONDS = 3, 10, 5400
STOP_SECONDS = 30.0

#: Key and value of the records of a machine at a time in milliseconds.
Encode = Callable[[str, int, Mapping[str, float]], Iterator[tuple[bytes | None, bytes]]]


def metrics(machine: str, time_ms: int, values: Mapping[str, float]) -> Iterator[tuple[bytes | None, bytes]]:
    """One metric a message, without a key."""
    for name, value in values.items():
        yield None, _json({"tag": f"hall/{machine}/{name}", "value": value, "ts": time_ms})


def telegraf(machine: str, time_ms: int, values: Mapping[str, float]) -> Iterator[tuple[bytes | None, bytes]]:
    """JSON of Telegraf, from one gateway."""
    tags = {"host": "gateway", "machine": machine}
    yield machine.encode(), _json({"name": "press", "tags": tags, "fields": dict(values), "timestamp": time_ms // 1000})


def kepware(machine: str, time_ms: int, values: Mapping[str, float]) -> Iterator[tuple[bytes | None, bytes]]:
    """Arrays of the Kepware IoT Gateway."""
    tags = [{"id": f"Hall.{machine}.{name}", "v": value, "q": True, "t": time_ms} for name, value in values.items()]
    yield machine.encode(), _json({"timestamp": time_ms, "values": tags})


def avro(registry_url: str, topic: str) -> Encode:
    """Avro in the wire format of Confluent's registry, whose schema is registered first."""
    of_values: list[dict[str, Any]] = [{"name": name, "type": "double"} for name in ("temp", FAULTY_FEATURE, "rpm")]
    stamp = {"type": "long", "logicalType": "timestamp-millis"}
    fields = [{"name": "machineId", "type": "string"}, {"name": "ts", "type": stamp}, *of_values]
    schema = {"type": "record", "name": "Press", "fields": fields}
    number, parsed = register(registry_url, f"{topic}-value", json.dumps(schema)), fastavro.parse_schema(schema)

    def encode(machine: str, time_ms: int, values: Mapping[str, float]) -> Iterator[tuple[bytes | None, bytes]]:
        out = BytesIO()
        out.write(b"\0" + struct.pack(">I", number))
        fastavro.schemaless_writer(out, parsed, {"machineId": machine, "ts": time_ms, **values})
        yield machine.encode(), out.getvalue()

    return encode


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


@dataclass(slots=True)
class Presses:
    """The presses' values: one load for all three features, with noise of its own for each."""

    noise: random.Random = field(default_factory=lambda: random.Random(7))
    wander: dict[str, list[float]] = field(default_factory=lambda: {machine: [0.0] * 3 for machine in MACHINES})

    def values(self, machine: str, seconds: float) -> dict[str, float]:
        """Return the next values of a machine."""
        number = MACHINES.index(machine)
        state = self.wander[machine] = [0.9 * one + self.noise.gauss(0, 1) for one in self.wander[machine]]
        load = math.sin(2 * math.pi * (seconds / 1800 + number / 6))
        return {
            "temp": round(60 + number + 4 * load + 0.4 * state[0], 2),
            FAULTY_FEATURE: round(4 + 0.4 * load + 0.05 * state[1], 3),
            "rpm": round(1480 - 20 * load + 2 * state[2], 1),
        }


class Feed:
    """Writes a topic as a gateway does: `history` first, then live in a thread until `stop`."""

    def __init__(self, brokers: str, topic: str, encode: Encode) -> None:
        self.topic, self._encode, self._presses = topic, encode, Presses()
        self._producer: Any = KafkaProducer(bootstrap_servers=brokers, linger_ms=20)
        admin = KafkaAdminClient(bootstrap_servers=brokers)
        admin.create_topics([NewTopic(topic, PARTITIONS, 1)], wait_for_metadata=True)
        admin.close()
        self._sent, self._next = 0, 0
        self._broken, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._live, name="feed", daemon=True)

    def start(self) -> None:
        """Write the history; return while the live readings go on."""
        now = int(time.time())
        for seconds in range((now - HISTORY_SECONDS) // STEP_SECONDS * STEP_SECONDS, now, STEP_SECONDS):
            self._write(seconds)
        self._thread.start()

    def break_machine(self) -> None:
        """Let the pressure of one machine fall from its next reading on."""
        self._broken.set()

    def stop(self) -> None:
        """End the live readings. Idempotent."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        self._producer.close(timeout=STOP_SECONDS)

    def _live(self) -> None:
        while not self._stopped.wait(max(0.0, self._next - time.time())):
            self._write(self._next)

    def _write(self, seconds: int) -> None:
        for number, machine in enumerate(MACHINES):
            values, time_ms = self._presses.values(machine, seconds), seconds * 1000 + 100 * number
            if machine == FAULTY and self._broken.is_set():
                values[FAULTY_FEATURE] = round(values[FAULTY_FEATURE] - FALL, 3)
            for key, value in self._encode(machine, time_ms, values):
                partition = self._sent % PARTITIONS if key is None else None
                self._producer.send(self.topic, value, key, partition=partition, timestamp_ms=time_ms)
                self._sent += 1
        self._producer.flush(timeout=STOP_SECONDS)
        self._next = seconds + STEP_SECONDS
