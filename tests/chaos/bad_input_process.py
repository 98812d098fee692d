"""Runs a pipeline on a topic of hostile records in its own process, and samples its reports and its memory."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from stream_detector.detection.detector import Detector
from stream_detector.logs import set_up_logging
from stream_detector.pipeline.step_report import StepReport
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import RedisSettings
from tests.chaos.bad_input_account import ForgetfulScorer
from tests.integration.replica import build_pipeline, connect
from tests.pipeline.replica_config import ReplicaConfig

#: A pipeline that does nothing for so long has stalled.
STALL_SECONDS = 60.0
SAMPLE_SECONDS = 1.0
_MEGABYTE = 1e6
_COUNTS = (
    "records",
    "readings",
    "late",
    "scored",
    "tombstones",
    "lost_readings",
    "source_errors",
    "store_errors",
    "failed_commits",
)


@dataclass(frozen=True, slots=True)
class Task:
    """The topic that a pipeline must process, and how many records it has."""

    kafka: KafkaSettings
    redis: RedisSettings
    max_sensors: int
    records: int
    log: Path


@dataclass(frozen=True, slots=True)
class ProcessSample:
    """The state of the process at one time."""

    seconds: float
    records: int
    rss_megabytes: float
    sensors: int


@dataclass(slots=True)
class Run:
    """The reports of a pipeline, and the samples of its memory."""

    totals: Counter[str] = field(default_factory=Counter)
    longest_stall_seconds: float = 0.0
    samples: list[ProcessSample] = field(default_factory=list)
    has_stalled: bool = False


def consume(task: Task, to: Connection) -> None:
    """Run a pipeline until it has accounted for all records, or stalls; send its reports."""
    with task.log.open("a") as sys.stderr, ExitStack() as parts:
        set_up_logging("WARNING", "text")
        detector = ReplicaConfig(max_sensors=task.max_sensors).detector(ForgetfulScorer())
        pipeline = build_pipeline(task.kafka, connect(task.kafka, task.redis, parts), detector)
        watch = Watch(task.records, detector)
        while not watch.is_over:  # a partition is read as soon as it is restored, so from the first step on
            watch.note(pipeline.step())
        pipeline.finish()
        watch.sample()
        to.send(watch.run)


class Watch:
    """Adds up the reports of a pipeline, and samples its memory at intervals."""

    def __init__(self, records: int, detector: Detector) -> None:
        self.run = Run()
        self._records = records
        self._detector = detector
        self._process = psutil.Process()
        self._began = self._moved = self._sampled = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether every record is accounted for, or there is no more progress."""
        totals = self.run.totals
        return self.run.has_stalled or totals["records"] + totals["lost_readings"] >= self._records

    def note(self, report: StepReport) -> None:
        """Add the report of one step."""
        now = time.monotonic()
        self.run.totals.update({name: getattr(report, name) for name in _COUNTS})
        self.run.totals.update({f"dead {reason}": count for reason, count in report.dead_letters.items()})
        self.run.longest_stall_seconds = max(self.run.longest_stall_seconds, now - self._moved)
        if report.records:
            self._moved = now
        self.run.has_stalled = now - self._moved > STALL_SECONDS
        if now - self._sampled >= SAMPLE_SECONDS:
            self.sample()

    def sample(self) -> None:
        """Sample the memory."""
        self._sampled = time.monotonic()
        rss = self._process.memory_info().rss / _MEGABYTE
        sample = ProcessSample(self._sampled - self._began, self.run.totals["records"], rss, len(self._detector.arena))
        self.run.samples.append(sample)


def run_pipeline(task: Task) -> Run:
    """Run the pipeline in a fresh process; fail with the end of its log if it dies."""
    processes = multiprocessing.get_context("spawn")
    here, there = processes.Pipe(duplex=False)
    process = processes.Process(target=consume, args=(task, there))
    process.start()
    there.close()
    try:
        run: Run = here.recv()
    except EOFError:
        process.join()
        msg = f"the pipeline ended with exit code {process.exitcode}:\n{task.log.read_text()[-3000:]}"
        raise AssertionError(msg) from None
    finally:
        process.kill()
        process.join()
    return run
