"""An hour of the service at half of what the machine can do: does it leak, does it fall behind?

    python -m tests.benchmarks.soak [--minutes 60] [--load 0.5 | --rate 500] [--sensors 1000]

Kafka and Valkey are started for it, a small model is trained, `stream-detector run` is a process of its own. First it works
off a backlog: how fast, is what the machine can do. Then readings come at `load` times that rate, or at `--rate`, with faults,
bad records, and sensors that come and go; the process is looked at every few seconds. Prints a table, writes
build/soak.json, and ends with exit code 1 when a goal was missed. The load comes from one Python process, good for about
4000 readings/s.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import redis
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from tests.benchmarks.soak_fleet import BAD_KEY, TICKS_PER_SECOND, Fleet, Sent
from tests.benchmarks.soak_verdict import Finding, Sample, column, judge, table, trend
from tests.fixtures_model import FEATURES, WINDOW_LENGTH, tiny_dataset
from tests.integration.service_process import ServiceProcess, environment
from tests.integration.topics import Topics, until
from tests.servers.kafka import running_kafka
from tests.servers.valkey import running_valkey

REPORT = Path(__file__).resolve().parents[2] / "build" / "soak.json"
PARTITIONS = 4
DRAIN_SECONDS = 300.0
SAY_SECONDS = 60.0
MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Soak:
    """How long, how hard, and how closely looked at."""

    seconds: float
    warm_up_seconds: float
    load: float = 0.5
    readings_per_second: float | None = None  # of the residents; none: `load` times what the machine can do
    residents: int = 1000
    backlog_seconds: int = 100
    sample_seconds: float = 5.0


@dataclass(slots=True)
class Seen:
    """What came of it."""

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
        """Produce records; they are on their way when this returns."""
        for record in records:
            self._producer.send(self._topics.settings.input_topic, record.value, record.key, timestamp_ms=record.time_ms)
            self.seen.sent += 1
            self.seen.sent_bad += record.key == BAD_KEY

    def work_off_backlog(self, fleet: Fleet, seconds: int) -> None:
        """Give the service a backlog while it starts, and measure how fast it works it off."""
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
        """Produce what is due, tick by tick, listen for alerts in between, and take a sample now and then."""
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
        """Let the service come to the end, note what it counted, and stop it in good order."""
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
    """Return when the reading was due of which an event tells."""
    return float(np.datetime64(event["timestamp"].removesuffix("Z"), "ms").astype(np.int64))


def run_soak(soak: Soak, brokers: str, redis_url: str, model: Path, directory: Path) -> Seen:
    """Run the service under load; return what was seen. Progress goes to standard output."""
    with ExitStack() as parts:
        topics = parts.enter_context(closing(Topics(brokers, f"soak-{uuid.uuid4().hex[:8]}", PARTITIONS, start="earliest")))
        # So few sensors in memory that visitors push each other out, and come back from Redis.
        environ = environment(topics.settings, redis_url, model, STATE__MAX_SENSORS=topics.settings.max_poll_records)
        service = ServiceProcess(environ, directory / "service.log")
        parts.callback(service.kill)
        run = Run(topics, redis_url, service, parts)
        past_ms = int(1000 * (time.time() - soak.backlog_seconds))
        run.work_off_backlog(Fleet(soak.residents, 0.5 * soak.residents, past_ms), soak.backlog_seconds)
        rate = run.seen.readings_per_second = soak.readings_per_second or soak.load * run.seen.capacity
        print(
            f"capacity {run.seen.capacity:.0f} readings/s; load {rate:.0f} readings/s of {soak.residents} sensors, and visitors"
        )
        run.carry(Fleet(soak.residents, rate, int(1000 * time.time())), soak)
        run.finish()
        return run.seen


def train_model(directory: Path) -> None:
    """Train a small model and save it."""
    from stream_detector.model.artifact import NetworkSpec
    from stream_detector.model.picture import draw_training
    from stream_detector.model.preparation import TrainingConfig, prepare
    from stream_detector.model.saving import save_artifact
    from stream_detector.model.training import train

    config = TrainingConfig(name="soak", window_length=WINDOW_LENGTH, network=NetworkSpec(units=16), steps=300, batch_size=64)
    training = train(prepare(tiny_dataset(8), config), lambda *_: None)
    save_artifact(training.artifact, directory, draw_training(training.losses, training.example, FEATURES))


def describe(sample: Sample) -> str:
    """Say in one line how it goes."""
    return (
        f"{sample.at_seconds / 60:5.1f} min  RSS {sample.rss_mb:.1f} MB  descriptors {sample.descriptors:.0f}  "
        f"threads {sample.threads:.0f}  CPU {sample.cpu_seconds:.0f} s  lag {sample.lag:.0f}  Redis {sample.redis_mb:.1f} MB  "
        f"sensors {sample.sensors:.0f}  incidents {sample.open_incidents:.0f}"
    )


def report(seen: Seen, soak: Soak, findings: list[Finding]) -> dict[str, Any]:
    """Return all of it for a file."""
    steady = [sample for sample in seen.samples if sample.at_seconds >= soak.warm_up_seconds]
    seconds, cpu = column(steady, "at_seconds"), column(steady, "cpu_seconds")
    numbers = {name: value for name, value in asdict(seen).items() if name not in ("samples", "opened_after_seconds")}
    return {
        "soak": asdict(soak),
        **numbers,
        "cpu_share": trend(seconds, cpu).per_hour / 3600,
        "opened_after_seconds": dict(zip(("p50", "p90", "p99", "max"), percentiles(seen.opened_after_seconds), strict=True)),
        "findings": [asdict(finding) for finding in findings],
        "samples": [asdict(sample) for sample in seen.samples],
    }


def percentiles(values: list[float]) -> list[float | None]:
    """Return 50 %, 90 %, 99 % and the largest; nothing of nothing."""
    return [float(np.percentile(values, share)) for share in (50, 90, 99, 100)] if values else [None] * 4


def parse(arguments: list[str] | None = None) -> Soak:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="how long the load lasts (default: %(default)s)")
    parser.add_argument("--warm-up", type=float, default=10.0, help="minutes of it that do not count (default: %(default)s)")
    parser.add_argument("--load", type=float, default=0.5, help="share of what the machine can do (default: %(default)s)")
    parser.add_argument("--rate", type=float, help="readings per second, instead of --load")
    parser.add_argument("--sensors", type=int, default=1000, help="sensors that are always there (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.warm_up >= options.minutes:
        parser.error("--warm-up must be shorter than --minutes")
    return Soak(60 * options.minutes, 60 * options.warm_up, options.load, options.rate, options.sensors)


def main() -> int:
    """Run the soak; return 1 if a goal was missed."""
    soak = parse()
    with tempfile.TemporaryDirectory(prefix="stream-detector-soak-") as name, ExitStack() as parts:
        directory = Path(name)
        train_model(directory / "model")
        kafka = parts.enter_context(running_kafka(directory))
        valkey = parts.enter_context(running_valkey(directory / "valkey"))
        seen = run_soak(soak, kafka.brokers, valkey.url, directory / "model", directory)
    findings = judge(seen.samples, soak.warm_up_seconds, seen.readings_per_second)
    REPORT.parent.mkdir(exist_ok=True)
    written = report(seen, soak, findings)
    REPORT.write_text(json.dumps(written, indent=1))
    print(table(findings))
    shown = (
        "capacity",
        "readings_per_second",
        "sent",
        "sent_bad",
        "counted",
        "statuses",
        "opened_after_seconds",
        "cpu_share",
        "exit_code",
    )
    print("\n".join(f"{name}: {written[name]}" for name in shown))
    return int(any(finding.is_missed for finding in findings) or seen.exit_code != 0)


if __name__ == "__main__":
    sys.exit(main())
