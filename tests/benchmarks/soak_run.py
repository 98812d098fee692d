"""Runs the service under load for a soak: starts it, sends readings, reads alerts, takes samples, and stops it."""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import redis
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from tests.benchmarks.soak_fleet import BAD_KEY, TICKS_PER_SECOND, Fleet, Sent
from tests.benchmarks.soak_verdict import Sample
from tests.integration.service_process import ServiceProcess, environment
from tests.integration.topics import Topics, until

PARTITIONS = 4
DRAIN_SECONDS = 300.0
SAY_SECONDS = 60.0
MEGABYTE = 1e6
#: The load comes from one Python process, on the machine of the service: more would measure that process.
MOST_READINGS_PER_SECOND = 3000.0


@dataclass(frozen=True, slots=True)
class Soak:
    """The duration, the load and the sampling interval of a soak."""

    seconds: float
    warm_up_seconds: float
    load: float = 0.5
    readings_per_second: float | None = None  # of the residents; none: `load` times what the machine can do
    residents: int = 1000
    backlog_seconds: int = 100
    sample_seconds: float = 5.0


@dataclass(slots=True)
class Seen:
    """The observations of a soak."""

    capacity: float = 0.0  # readings per second, working off the backlog
    readings_per_second: float = 0.0
    sent: int = 0
    sent_bad: int = 0  # of them
    samples: list[Sample] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)  # events received, by status
    opened_after_seconds: list[float] = field(default_factory=list)  # from a reading's time to its alert's receipt
    counted: dict[str, float] = field(default_factory=dict)  # the service's own counters at the end
    exit_code: int | None = None


class Run:
    """One service under load, with its producer, and a subscriber of its alerts."""

    def __init__(self, topics: Topics, redis_url: str, service: ServiceProcess, parts: ExitStack) -> None:
        self._topics = topics
        self._service = service
        self._process = psutil.Process(service.process.pid)
        self._redis: Any = parts.enter_context(closing(redis.Redis.from_url(redis_url)))
        settings = topics.settings
        self._inputs = [TopicPartition(settings.input_topic, number) for number in range(PARTITIONS)]
        self._producer = KafkaProducer(bootstrap_servers=settings.brokers, linger_ms=20)
        parts.callback(self._producer.close, timeout=10)
        self._alerts = KafkaConsumer(
            settings.alerts_topic,
            bootstrap_servers=settings.brokers,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        parts.callback(self._alerts.close, autocommit=False)
        self._load_began_ms = math.inf
        self.seen = Seen()

    def send(self, records: Iterable[Sent]) -> None:
        """Produce records without waiting for their acknowledgement."""
        for record in records:
            self._producer.send(self._topics.settings.input_topic, record.value, record.key, timestamp_ms=record.time_ms)
            self.seen.sent += 1
            self.seen.sent_bad += record.key == BAD_KEY

    def work_off_backlog(self, fleet: Fleet, seconds: int) -> None:
        """Produce a backlog while the service starts, and measure how fast the service drains it."""
        self.send(fleet.backlog(seconds))
        self._producer.flush(timeout=DRAIN_SECONDS)
        self._service.await_ready()
        progress = [(time.monotonic(), self._service.metric("records_total"))]

        def is_done() -> bool:
            progress.append((time.monotonic(), self._service.metric("records_total")))
            return progress[-1][1] >= self.seen.sent

        until(is_done, DRAIN_SECONDS)
        began = next(number for number, (_, records) in enumerate(progress) if records > 0)
        (start, first), (stop, last) = progress[max(0, began - 1)], progress[-1]
        self.seen.capacity = (last - first) / (stop - start)

    def carry(self, fleet: Fleet, soak: Soak) -> None:
        """Produce the records that are due, tick by tick; in between, read alerts and take samples."""
        begun = time.monotonic()
        wall_clock = time.time() - begun
        self._load_began_ms = 1000 * time.time()
        sample_at, say_at = begun, begun + SAY_SECONDS
        while (now := time.monotonic()) < begun + soak.seconds:
            self.send(fleet.due(int(1000 * (now + wall_clock))))
            if now >= sample_at:
                self.seen.samples.append(self._sample(now - begun))
                sample_at += soak.sample_seconds
            if now >= say_at:
                print(describe(self.seen.samples[-1]), flush=True)
                say_at += SAY_SECONDS
            self._listen(max(0.0, now + 1 / TICKS_PER_SECOND - time.monotonic()))

    def finish(self) -> None:
        """Wait until the service has read everything, record its counters, and stop it gracefully."""
        self._producer.flush(timeout=DRAIN_SECONDS)
        until(lambda: self._service.metric("records_total") >= self.seen.sent, DRAIN_SECONDS)
        names = ("records_total", "readings_total", "late_readings_total", "batches_total", "failed_commits_total")
        self.seen.counted = {name: self._service.metric(name) for name in names}
        self._listen(1.0)
        self.seen.exit_code = self._service.stop()

    def _sample(self, at_seconds: float) -> Sample:
        committed = self._topics.committed()
        ends = self._alerts.end_offsets(self._inputs)
        with self._process.oneshot():
            memory, cpu = self._process.memory_full_info(), self._process.cpu_times()
            descriptors, threads = self._process.num_fds(), self._process.num_threads()
        return Sample(
            at_seconds=at_seconds,
            rss_mb=memory.rss / MEGABYTE,
            anonymous_mb=memory.uss / MEGABYTE,
            descriptors=descriptors,
            threads=threads,
            cpu_seconds=cpu.user + cpu.system,
            lag=sum(end - committed.get(partition.partition, 0) for partition, end in ends.items()),
            redis_mb=self._redis.info("memory")["used_memory"] / MEGABYTE,
            sensors=sum(self._service.metric(f'sensors{{state="{state}"}}') for state in ("ready", "warming")),
            open_incidents=self._service.metric("open_incidents"),
        )

    def _listen(self, seconds: float) -> None:
        for records in self._alerts.poll(timeout_ms=1000 * seconds).values():
            received_ms = 1000 * time.time()
            for record in records:
                event = json.loads(record.value)
                self.seen.statuses[event["status"]] = self.seen.statuses.get(event["status"], 0) + 1
                if event["status"] == "opened" and event_time_ms(event) >= self._load_began_ms:
                    self.seen.opened_after_seconds.append((received_ms - event_time_ms(event)) / 1000)


def event_time_ms(event: dict[str, Any]) -> float:
    """Return the due time of the reading that an event is about."""
    return float(np.datetime64(event["timestamp"].removesuffix("Z"), "ms").astype(np.int64))


def run_soak(soak: Soak, brokers: str, redis_url: str, model: Path, directory: Path) -> Seen:
    """Run the service under load; return the observations. Prints progress to standard output."""
    with ExitStack() as parts:
        topics = parts.enter_context(closing(Topics(brokers, f"soak-{uuid.uuid4().hex[:8]}", PARTITIONS, start="earliest")))
        # So few sensors in memory that visitors push each other out, and come back from Redis.
        environ = environment(topics.settings, redis_url, model, STATE__MAX_SENSORS=topics.settings.max_poll_records)
        service = ServiceProcess(environ, directory / "service.log")
        parts.callback(service.kill)
        run = Run(topics, redis_url, service, parts)
        past_ms = int(1000 * (time.time() - soak.backlog_seconds))
        run.work_off_backlog(Fleet(soak.residents, 0.5 * soak.residents, past_ms), soak.backlog_seconds)
        rate = soak.readings_per_second or min(soak.load * run.seen.capacity, MOST_READINGS_PER_SECOND)
        run.seen.readings_per_second = rate
        print(
            f"capacity {run.seen.capacity:.0f} readings/s; load {rate:.0f} readings/s of {soak.residents} sensors, and visitors"
        )
        run.carry(Fleet(soak.residents, rate, int(1000 * time.time())), soak)
        run.finish()
        return run.seen


def describe(sample: Sample) -> str:
    """Return the progress in one line."""
    return (
        f"{sample.at_seconds / 60:5.1f} min  RSS {sample.rss_mb:.1f} MB  descriptors {sample.descriptors:.0f}  "
        f"threads {sample.threads:.0f}  CPU {sample.cpu_seconds:.0f} s  lag {sample.lag:.0f}  Redis {sample.redis_mb:.1f} MB  "
        f"sensors {sample.sensors:.0f}  incidents {sample.open_incidents:.0f}"
    )
