"""A process beside the service that re-keys the input topic: started, watched, and ended with it.

A process of its own has a processor of its own: re-keying takes as much of one as scoring. It reports on its standard output, a
JSON object a line. If it ends, or reports nothing for too long, the service ends with the reason: readings would stop to come.
"""

from __future__ import annotations

import logging
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from stream_detector.errors import StreamDetectorError
from stream_detector.service.metrics import Metrics

logger = logging.getLogger(__name__)

#: How long the process may take to finish its transaction and leave its group.
_STOP_SECONDS = 15.0
#: A process that ended in order, without being asked by the service, was perhaps stopped together with it.
_GRACE_SECONDS = 5.0


class News(msgspec.Struct):
    """What the process reports: counts since the last report, and its state."""

    records: int
    readings: int
    tombstones: int
    dead_letters: dict[str, int]
    excluded: dict[str, int]
    lost_records: int
    lag: int
    partitions: int
    is_member: bool


class Companion:
    """The process. `check` is called by the service's loop; a thread reads the reports."""

    def __init__(
        self, command: Sequence[str], topic: str, metrics: Metrics, clock: Callable[[], float], limit_seconds: float
    ) -> None:
        """Start the process, which re-keys `topic`. It must report at least every `limit_seconds`."""
        self._topic = topic
        self._metrics = metrics
        self._clock = clock
        self._limit_seconds = limit_seconds
        self._heard_at = clock()
        self._ended_at: float | None = None
        self.is_ready = False  # it is a member of its group, or waits there for its turn
        self.lag = 0
        # Signals of the terminal go to the service, which ends the process in order.
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
        self._thread = threading.Thread(target=self._listen, name="rekey-reports", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise StreamDetectorError if the process has ended or hangs."""
        now = self._clock()
        code = self._process.poll()
        if code is None:
            if now - self._heard_at > self._limit_seconds:
                msg = f"the process that re-keys topic {self._topic} has reported nothing for {now - self._heard_at:.0f} s"
                raise StreamDetectorError(msg)
            return
        self._ended_at = self._ended_at or now
        self.is_ready = False
        if code != 0 or now - self._ended_at > _GRACE_SECONDS:
            how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
            msg = (
                f"the process that re-keys topic {self._topic} {how}; its last lines in this log say why (signal 9 without "
                "any: memory ran out). Nothing is lost: a restart goes on where it was"
            )
            raise StreamDetectorError(msg)

    def stop(self) -> None:
        """End the process: it finishes its transaction and leaves its group. Bounded. Idempotent."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            logger.warning("the process that re-keys topic %s did not stop in %g s: killing it", self._topic, _STOP_SECONDS)
            self._process.kill()
            self._process.wait()
        self._thread.join(_GRACE_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        decode: Callable[[Any], News] = msgspec.json.Decoder(News).decode
        for line in self._process.stdout:
            try:
                self._take(decode(line))
            except msgspec.MsgspecError:
                logger.warning("the process that re-keys topic %s wrote a line that is no report: %r", self._topic, line[:100])

    def _take(self, news: News) -> None:
        self._heard_at = self._clock()
        self.is_ready, self.lag = news.is_member, news.lag
        self._metrics.add("rekeyed_readings", news.readings)
        self._metrics.add("tombstones", news.tombstones)
        self._metrics.add("lost_readings", news.lost_records)
        for reason, count in news.dead_letters.items():
            self._metrics.add("dead_letters", count, reason)
        for what, count in news.excluded.items():
            self._metrics.add("excluded", count, what)
        self._metrics.set("rekey_lag", news.lag)
