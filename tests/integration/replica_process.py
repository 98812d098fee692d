"""Runs a replica of worker.py in its own process, and kills, suspends and restarts it."""

from __future__ import annotations

import multiprocessing
import re
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil

from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import RedisSettings
from tests.integration.worker import REACHED, READ_AGAIN, Fate, Setup, run

PAUSE_SECONDS = 2.5
LIFE_SECONDS = 20.0
STOP_SECONDS = 30.0
#: Ways to end that are no defect: in good order, or by the signal that was sent.
EXPECTED_EXITS = (0, -signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a process: its fate, and how the test ends it if the fate does not strike in time."""

    fate: Fate = field(default_factory=Fate)
    setup: Setup = field(default_factory=Setup)
    seconds: float = LIFE_SECONDS
    leaves: bool = False  # it is asked to stop, not killed


class ReplicaProcess:
    """A replica whose process can be started again whenever it has ended."""

    def __init__(self, settings: KafkaSettings, redis_url: str, log: Path, *, cluster: bool = False) -> None:
        # Children are forked from a server that has imported what they need: a start takes no time.
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(["tests.integration.worker"])
        self._settings = settings
        self._redis = RedisSettings.model_validate({"url": redis_url, "timeout_seconds": 2.0, "cluster": cluster})
        self._log = log
        self._process: BaseProcess | None = None
        self._life = Life()
        self._started_at = self._paused_at = 0.0
        self._asked_at = 0.0
        self.killed_anywhere = 0
        self.left = 0

    def start(self, fate: Fate | None = None, life: Life | None = None) -> None:
        """Start the process; its fate or the time limit of its life ends it."""
        self._life = life or Life(fate or Fate())
        arguments = (self._settings, self._redis, self._log, self._life.fate, self._life.setup)
        self._process = self._processes.Process(target=run, args=arguments)
        self._process.start()
        self._started_at, self._paused_at, self._asked_at = time.monotonic(), 0.0, 0.0

    def has_ended(self) -> bool:
        """Return whether the process is dead. Resumes it after a suspension, and ends it after its life."""
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
        elif self._asked_at:
            assert now - self._asked_at < STOP_SECONDS, f"asked to stop, it did not: see {self._log}"
        elif now - self._started_at > self._life.seconds or (self._paused_at and now - self._paused_at > 2 * PAUSE_SECONDS):
            self._end(child, now)

    def _end(self, child: BaseProcess, now: float) -> None:
        if self._life.leaves:
            self._asked_at = now
            self.left += 1
            child.terminate()
        elif not self._paused_at:
            self.killed_anywhere += 1
            child.kill()
        else:
            child.kill()

    def crashed(self) -> str | None:
        """Return the end of the log if the process ended unexpectedly."""
        if self._process is None or self._process.exitcode in (None, *EXPECTED_EXITS):
            return None
        return f"exit code {self._process.exitcode}: {self._log.read_text()[-2000:]}"

    def stop(self) -> int | None:
        """Stop the process gracefully; return its exit code."""
        assert self._process is not None
        self._process.terminate()
        self._process.join(STOP_SECONDS)
        return self._process.exitcode

    def kill(self) -> None:
        """Kill the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join(10)

    def steps_reached(self) -> Counter[str]:
        """Count the steps at which its processes were killed or suspended."""
        return Counter(re.findall(rf"^{REACHED} (\w+)$", self._text(), re.MULTILINE))

    def read_again(self) -> int:
        """Return how many records its processes read again to restore partitions."""
        return sum(map(int, re.findall(rf"^{READ_AGAIN} (\d+)$", self._text(), re.MULTILINE)))

    def _text(self) -> str:
        return self._log.read_text() if self._log.exists() else ""
