"""Ends a process whose loop hangs: a restart is the remedy for a client that never returns."""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

from stream_detector.errors import StalledError

logger = logging.getLogger(__name__)

#: Exit code after the watchdog: EX_TEMPFAIL, try again.
STALLED_EXIT_CODE = 75


@dataclass(slots=True)
class Heartbeat:
    """When the loop last made progress. The health server and the watchdog read it from their own threads."""

    beat_at: float
    is_ready: bool = False
    stage: str = "starting"  # what the start is doing; once it reads the topic, the log says why it is not ready
    restriction: str = ""  # what a ready service does not do
    learning: str = ""  # how far the learning of a model is, while there is none

    def beat(self, now: float) -> None:
        """Record progress."""
        self.beat_at = now


class Watchdog:
    """Calls `end` once, from its own thread, when the heartbeat is older than the limit."""

    def __init__(
        self, heartbeat: Heartbeat, limit_seconds: float, clock: Callable[[], float], end: Callable[[StalledError], None]
    ) -> None:
        self._heartbeat = heartbeat
        self._limit_seconds = limit_seconds
        self._clock = clock
        self._end = end
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(min(1.0, self._limit_seconds / 4)):
            idle_seconds = self._clock() - self._heartbeat.beat_at
            if idle_seconds > self._limit_seconds:
                msg = (
                    f"no progress for {idle_seconds:.0f} s (STREAM_DETECTOR_SERVICE__WATCHDOG_SECONDS is "
                    f"{self._limit_seconds:.0f}): ending the process so that it is restarted"
                )
                self._end(StalledError(msg))
                return


def end_process(error: StalledError) -> None:
    """Write the stack of every thread to stderr, log the error and exit. Never returns.

    The orderly stop is skipped because it would hang as well; Kafka's log and the state store do not need it.
    """
    faulthandler.dump_traceback(sys.__stderr__ or sys.stderr, all_threads=True)
    logger.critical("%s", error)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(STALLED_EXIT_CODE)
