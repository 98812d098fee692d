"""A replica of worker.py in a process of its own, which may be killed, paused and started again."""

from __future__ import annotations

import multiprocessing
import re
import signal
import time
from collections import Counter
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil

from stream_detector.settings import KafkaSettings, RedisSettings
from tests.integration.worker import REACHED, Fate, run

PAUSE_SECONDS = 2.5
LIFE_SECONDS = 20.0


class ReplicaProcess:
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

    def start(self, fate: Fate | None = None) -> None:
        self._process = self._processes.Process(target=run, args=(self._settings, self._redis, self._log, fate or Fate()))
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
