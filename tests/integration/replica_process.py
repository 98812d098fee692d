"""A replica of worker.py in a process of its own, which may be killed, paused and started again."""

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

from stream_detector.settings.schema import KafkaSettings, RedisSettings
from tests.integration.worker import REACHED, READ_AGAIN, Fate, Setup, run

PAUSE_SECONDS = 2.5
LIFE_SECONDS = 20.0
STOP_SECONDS = 30.0
#: Ways to end that are no defect: in good order, or by the signal that was sent.
EXPECTED_EXITS = (0, -signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Life:
    """A life of a process: what happens to it, and how it is ended if that does not come about in time."""

    fate: Fate = field(default_factory=Fate)
    setup: Setup = field(default_factory=Setup)
    seconds: float = LIFE_SECONDS
    leaves: bool = False  # it is asked to stop, not killed


class ReplicaProcess:
    """A place for a process, which is started again whenever it has ended."""

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
        """Start the process; it ends by its fate, or when its life has lasted long enough."""
        self._life = life or Life(fate or Fate())
        arguments = (self._settings, self._redis, self._log, self._life.fate, self._life.setup)
        self._process = self._processes.Process(target=run, args=arguments)
        self._process.start()
        self._started_at, self._paused_at, self._asked_at = time.monotonic(), 0.0, 0.0

    def has_ended(self) -> bool:
        """Say whether the process is dead. Wakes it after a pause; ends it, wherever it is, after its life."""
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
        """Return the end of the log if the process ended as it should not."""
        if self._process is None or self._process.exitcode in (None, *EXPECTED_EXITS):
            return None
        return f"exit code {self._process.exitcode}: {self._log.read_text()[-2000:]}"

    def stop(self) -> int | None:
        """End it in good order; return its exit code."""
        assert self._process is not None
        self._process.terminate()
        self._process.join(STOP_SECONDS)
        return self._process.exitcode

    def kill(self) -> None:
        """End it for certain."""
        if self._process is not None:
            self._process.kill()
            self._process.join(10)

    def steps_reached(self) -> Counter[str]:
        """Count the steps at which its processes were killed or paused."""
        return Counter(re.findall(rf"^{REACHED} (\w+)$", self._text(), re.MULTILINE))

    def read_again(self) -> int:
        """Return how many records its processes read again to restore partitions."""
        return sum(map(int, re.findall(rf"^{READ_AGAIN} (\d+)$", self._text(), re.MULTILINE)))

    def _text(self) -> str:
        return self._log.read_text() if self._log.exists() else ""
