"""Replicas killed and paused at every step, on a real Kafka and Valkey: no event is missing, doubled or different."""

from __future__ import annotations

import itertools
import multiprocessing
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil

from stream_detector.readings import Record
from stream_detector.settings import KafkaSettings, RedisSettings
from stream_detector.wire import InputLimits, JsonDecoder, dead_letter
from tests.harness import MODEL, START_MS, Plant, reading
from tests.integration.topics import Topics, by_sensor, until
from tests.integration.worker import REACHED, STEPS, Fate, run

PARTITIONS = 4
SENSORS_PER_PARTITION = 3
#: Readings of each sensor that are produced before each start; a poll takes a part of them, so a life is several batches.
READINGS_PER_LIFE = 8
PAUSE_SECONDS = 2.5  # longer than the session time-out
LIFE_SECONDS = 20.0


class Replica:
    """A place for a process, which is started again whenever it has ended."""

    def __init__(self, settings: KafkaSettings, redis_url: str, log: Path) -> None:
        # Children are forked from a server that has imported what they need: a start takes no time.
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(["tests.integration.worker"])
        self._settings = settings
        self._redis = RedisSettings.model_validate({"url": redis_url, "timeout_seconds": 2.0})
        self._log = log
        self._process: BaseProcess | None = None
        self._started_at = self._paused_at = 0.0

    def start(self, fate: Fate) -> None:
        self._process = self._processes.Process(target=run, args=(self._settings, self._redis, self._log, fate))
        self._process.start()
        self._started_at, self._paused_at = time.monotonic(), 0.0

    def has_ended(self) -> bool:
        """Say whether the process is dead. Wakes it after a pause; kills it, wherever it is, after a long life."""
        if self._process is None or self._process.exitcode is not None:
            return True
        with suppress(psutil.NoSuchProcess):
            self._rouse(self._process, psutil.Process(self._process.pid))
        return False

    def _rouse(self, child: BaseProcess, process: psutil.Process) -> None:
        now = time.monotonic()
        if process.status() == psutil.STATUS_STOPPED:
            self._paused_at = self._paused_at or now
            if now - self._paused_at > PAUSE_SECONDS:
                process.send_signal(signal.SIGCONT)
        elif now - self._started_at > LIFE_SECONDS or (self._paused_at and now - self._paused_at > 2 * PAUSE_SECONDS):
            child.kill()

    def stop(self) -> int | None:
        """End it in good order; return its exit code."""
        assert self._process is not None
        self._process.terminate()
        self._process.join(30)
        return self._process.exitcode

    def kill(self) -> None:
        """End it for certain."""
        if self._process is not None:
            self._process.kill()
            self._process.join(10)

    def steps_reached(self) -> Counter[str]:
        """Count the steps at which its processes were killed or paused."""
        return Counter(re.findall(rf"^{REACHED} (\w+)$", self._log.read_text(), re.MULTILINE))


def fates() -> list[Fate]:
    """Return lives that end early and late at every step, some in a pause; in an arbitrary fixed order."""
    lives = [Fate(step, count, restoring=3) for step, count in itertools.product(STEPS[:-1], (1, 2, 4))]
    lives += [Fate(step, 2, "SIGSTOP") for step in ("polled", "sent", "committed")]
    lives += [Fate("polled", 6, persists=2) for _ in range(3)]
    random.Random(7).shuffle(lives)
    return lives


def produce_slice(topics: Topics, number: int) -> None:
    """Append the readings of one life: some with a missing value, one late, and one that is none."""
    times = range(number * READINGS_PER_LIFE, (number + 1) * READINGS_PER_LIFE)
    for partition in range(PARTITIONS):
        sensors = [f"pump-{partition}-{which}" for which in range(SENSORS_PER_PARTITION)]
        records = [
            (sensor, reading(sensor, START_MS + 1000 * second, second * 0.37 % 1.0, None if second % 11 == 0 else partition))
            for second in times
            for sensor in sensors
        ]
        records.insert(5, (sensors[0], reading(sensors[0], START_MS, 0.0, 0.0)))
        records.insert(9, (sensors[1], b"not a reading"))
        topics.produce(partition, records)


def expected_alerts(records: Sequence[Record], settings: KafkaSettings) -> dict[bytes | None, list[bytes | None]]:
    """Return each sensor's events, computed at one go from the whole log."""
    alerts: dict[bytes | None, list[bytes | None]] = {}
    for partition in range(PARTITIONS):
        readings = decoder().decode([one for one in records if one.partition == partition]).readings
        detector = Plant().detector()
        sensors = sorted(set(readings.sensors))
        detector.admit(partition, sensors, [None] * len(sensors))
        detected = detector.detect(readings)
        alerts |= by_sensor(detector.alerts(readings, detected, settings.input_topic, settings.alerts_topic))
    return alerts


def expected_dead_letters(records: Sequence[Record]) -> list[str]:
    """Return the headers of each dead letter, which say where it is from."""
    return sorted(str(dead_letter(rejected, "", 1000).headers) for rejected in decoder().decode(records).rejected)


def decoder() -> JsonDecoder:
    return JsonDecoder(MODEL.features, InputLimits())


def test_killed_and_paused_replicas_publish_exactly_what_an_uninterrupted_one_would(
    kafka_brokers: str, redis_url: str, unique_name: str, tmp_path: Path
) -> None:
    topics = Topics(
        kafka_brokers,
        unique_name,
        PARTITIONS,
        start="earliest",
        session_timeout_seconds=1,
        transaction_timeout_seconds=2,
        request_timeout_seconds=5,
        max_poll_records=10,
    )
    replicas = [Replica(topics.settings, redis_url, tmp_path / f"replica-{number}.log") for number in range(2)]
    try:
        remaining = list(enumerate(fates()))
        while remaining:
            for replica in replicas:
                if remaining and replica.has_ended():
                    number, fate = remaining.pop(0)
                    produce_slice(topics, number)
                    replica.start(fate)
            time.sleep(0.02)
        for replica in replicas:
            until(replica.has_ended)
            replica.start(Fate())
        topics.await_all_committed()

        assert [replica.stop() for replica in replicas] == [0, 0]
        reached = sum((replica.steps_reached() for replica in replicas), Counter())
        assert set(reached) == set(STEPS)
        assert reached.total() >= 20
        alerts = expected_alerts(topics.input(), topics.settings)
        assert len(alerts) == PARTITIONS * SENSORS_PER_PARTITION
        assert by_sensor(topics.alerts()) == alerts
        assert sorted(str(tuple(one.headers)) for one in topics.dead_letters()) == expected_dead_letters(topics.input())
    finally:
        for replica in replicas:
            replica.kill()
        topics.close()
