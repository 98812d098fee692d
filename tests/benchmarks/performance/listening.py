"""Runs plain clients in their own processes, which read topics and record when each record arrives."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from multiprocessing.connection import Connection

import numpy as np
from kafka import KafkaConsumer, TopicPartition

from stream_detector.readings import Float64Array
from tests.benchmarks.performance.load import TIME_STARTS, TIME_STOPS

#: Called with a record's value; returns the time of the reading, in ms since 1970.
TimeOf = Callable[[bytes], float]


def time_of_reading(value: bytes) -> float:
    """Return the time of a reading of load.py."""
    return float(value[TIME_STARTS:TIME_STOPS])


def time_of_event(value: bytes) -> float:
    """Return the time of the reading that an event is about."""
    return 1000 * datetime.fromisoformat(json.loads(value)["timestamp"]).timestamp()


class Listener:
    """A process that reads a topic."""

    def __init__(self, told: Connection) -> None:
        self._told = told

    def heard(self) -> Float64Array:
        """Return the times of readings, and when they or their events arrived [N, 2], in ms, since the last call."""
        self._told.send(None)
        heard: Float64Array = self._told.recv()
        return heard


@contextmanager
def listener(brokers: str, topic: str, time_of: TimeOf, partitions: list[int] | None = None) -> Iterator[Listener]:
    """Read some or all partitions of a topic in a process, from their ends on, until the block ends."""
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    process = processes.Process(target=_listen, args=(brokers, topic, time_of, partitions, theirs))
    process.start()
    theirs.close()
    try:
        ours.recv()
        yield Listener(ours)
    finally:
        ours.close()  # it ends when it reads that
        process.join(10)
        process.kill()


def _listen(brokers: str, topic: str, time_of: TimeOf, partitions: list[int] | None, told: Connection) -> None:
    consumer = KafkaConsumer(bootstrap_servers=brokers, isolation_level="read_committed", enable_auto_commit=False)
    tps = [TopicPartition(topic, number) for number in partitions or consumer.partitions_for_topic(topic)]
    consumer.assign(tps)
    consumer.seek_to_end(*tps)
    for tp in tps:
        consumer.position(tp)  # seeking is done when it is asked for
    told.send(None)
    heard: list[tuple[float, float]] = []
    try:
        while True:
            for records in consumer.poll(timeout_ms=100).values():
                now = 1000 * time.time()
                heard += [(time_of(record.value), now) for record in records]
            if told.poll():
                told.recv()
                told.send(np.array(heard, np.float64).reshape(-1, 2))
                heard.clear()
    except EOFError:
        consumer.close(autocommit=False)
