"""Produces load at a steady pace, as a plant does: a process feeds prebuilt readings into Kafka's own console producer.

The client of Kafka is Java's: one in Python takes more than the detector. A reading's time is that of its writing, so what
comes of it can be timed by anyone with the same clock. All lines begin with that time, for it to be read without decoding.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np
import psutil

from tests.benchmarks.performance.models import (
    COURSES,
    KNOWN_SENSORS,
    READINGS,
    START_MS,
    course_of,
    feature_names,
    healthy_values,
    known_sensors,
)
from tests.servers.kafka_java import fetch_jars

TICK_SECONDS = 0.01
LINGER_MS = 5
#: A value starts with `{"timestamp": `; then the 13 digits of the milliseconds.
TIME_STARTS, TIME_STOPS = 14, 27
FAR_OFF = 1000.0
_STEPS = 4096


@dataclass(frozen=True, slots=True)
class Sent:
    """The load in a span of time."""

    began_ms: int  # time of the first reading
    ended_ms: int  # time of the last one
    readings: int
    anomalous: int  # readings among them that are far off
    late_seconds: float  # by which the pacing was late at worst
    cpu_seconds: float  # of pacing and producing


@dataclass(frozen=True, slots=True)
class KnownFleet:
    """The sensors that the models know, in turn, each reading on where its training stopped.

    The first `far_off` of them are far off all the time, now above and now below: each of their readings is anomalous.
    """

    features: int
    far_off: int = 0

    def lines(self, first: int, stop: int) -> Iterator[bytes]:
        """Yield the readings of turns, one interval of the training's apart, as lines `key|value`."""
        pieces = itertools.islice(self.pieces(), first * KNOWN_SENSORS, stop * KNOWN_SENSORS)
        for number, (before, after, _) in enumerate(pieces, start=first * KNOWN_SENSORS):
            time_ms = START_MS + 1000 * (READINGS + number // KNOWN_SENSORS)
            yield b"%s%d%s" % (before, time_ms, after)

    def pieces(self) -> Iterator[tuple[bytes, bytes, bool]]:
        """Yield forever the parts of a line before and after its time, and whether the reading is anomalous."""
        names = [name.encode() for name in known_sensors()]
        healthy, extremes = self._values()
        for turn in itertools.count():
            for number, name in enumerate(names):
                course, begin = course_of(number)
                is_far_off = number < self.far_off
                values = extremes[turn % 2] if is_far_off else healthy[course][(begin + turn) % _STEPS]
                yield b'%s|{"timestamp": ' % name, b', "sensor_id": "%s", "values": %s}\n' % (name, values), is_far_off

    def _values(self) -> tuple[list[list[bytes]], list[bytes]]:
        names = feature_names(self.features)
        courses = healthy_values(self.features, COURSES, _STEPS, first=READINGS).astype(np.float64).round(3)
        healthy = [[_json(names, row) for row in course.tolist()] for course in courses]
        return healthy, [_json(names, [sign * FAR_OFF] * self.features) for sign in (1, -1)]


def _json(names: tuple[str, ...], row: list[float]) -> bytes:
    return json.dumps(dict(zip(names, row, strict=True))).encode()


class Pacer:
    """A process that produces load on request."""

    def __init__(self, told: Connection) -> None:
        self._told = told

    def warm_up(self, turns: int) -> None:
        """Write turns of readings at once, one second apart, the last one now."""
        self._told.send((turns, None))
        self._told.recv()

    def carry(self, readings_per_second: float, seconds: float) -> Sent:
        """Write readings at a pace; return when the span is over."""
        self._told.send((readings_per_second, seconds))
        sent: Sent = self._told.recv()
        return sent


@contextmanager
def pacer(brokers: str, topic: str, fleet: KnownFleet) -> Iterator[Pacer]:
    """Run a pacing process for a while."""
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    process = processes.Process(target=_pace, args=(brokers, topic, fleet, theirs))
    process.start()
    theirs.close()
    try:
        yield Pacer(ours)
    finally:
        ours.close()  # it ends when it reads that
        process.join(10)
        process.kill()


def _pace(brokers: str, topic: str, fleet: KnownFleet, told: Connection) -> None:
    """Serve requests until the other end of the connection closes."""
    producer = _console_producer(brokers, topic)
    writing = _Writing(producer, fleet)
    try:
        while True:
            asked, seconds = told.recv()
            if seconds is None:
                writing.warm_up(asked)
                told.send(None)
            else:
                told.send(writing.carry(asked, seconds))
    except EOFError:
        producer.kill()
        producer.wait()


def _console_producer(brokers: str, topic: str) -> subprocess.Popen[bytes]:
    program = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-cp", f"{fetch_jars()}/*", "org.apache.kafka.tools.ConsoleProducer"]
    where = ["--bootstrap-server", brokers, "--topic", topic, "--timeout", str(LINGER_MS)]
    keyed = ["--reader-property", "parse.key=true", "--reader-property", "key.separator=|"]
    return subprocess.Popen(
        [*program, *where, *keyed], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


class _Writing:
    """Writes the readings of a fleet to the standard input of a program."""

    def __init__(self, producer: subprocess.Popen[bytes], fleet: KnownFleet) -> None:
        assert producer.stdin is not None
        self._input = producer.stdin
        self._processes = [psutil.Process(), psutil.Process(producer.pid)]
        self._pieces = fleet.pieces()

    def warm_up(self, turns: int) -> None:
        now_ms = int(1000 * time.time())
        for turn in range(turns):
            self._write(KNOWN_SENSORS, now_ms - 1000 * (turns - turn))

    def carry(self, readings_per_second: float, seconds: float) -> Sent:
        began, cpu = time.time(), self._cpu_seconds()
        began_ms = ended_ms = int(1000 * began)
        written = anomalous = 0
        late_seconds = 0.0
        for tick in range(1, round(seconds / TICK_SECONDS) + 1):
            due = began + tick * TICK_SECONDS
            time.sleep(max(0.0, due - time.time()))
            late_seconds = max(late_seconds, time.time() - due)
            count = round(readings_per_second * tick * TICK_SECONDS) - written
            ended_ms = int(1000 * time.time())
            anomalous += self._write(count, ended_ms)
            written += count
        return Sent(began_ms, ended_ms, written, anomalous, late_seconds, self._cpu_seconds() - cpu)

    def _write(self, count: int, time_ms: int) -> int:
        """Write readings with this time; return how many of them are far off."""
        pieces = list(itertools.islice(self._pieces, count))
        stamp = b"%d" % time_ms
        self._input.write(b"".join([before + stamp + after for before, after, _ in pieces]))
        self._input.flush()
        return sum(is_far_off for _, _, is_far_off in pieces)

    def _cpu_seconds(self) -> float:
        return float(sum(sum(process.cpu_times()[:2]) for process in self._processes))  # of user and system
