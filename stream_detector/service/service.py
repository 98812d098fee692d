"""The running service: start, signals, health, watchdog, orderly stop. The work itself is in the pipeline."""

from __future__ import annotations

import gc
import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from stream_detector.errors import StalledError
from stream_detector.pipeline.pipeline import Pipeline
from stream_detector.pipeline.step_report import StepReport
from stream_detector.service.log_monitors import AlarmRateLog, GapLog, JoinLog, RefusalLog
from stream_detector.service.metrics import Metrics
from stream_detector.service.reload import Reloader

logger = logging.getLogger(__name__)

_GAUGE_SECONDS = 5.0
_RETRY_SECONDS = 0.5
_COLLECT_OBJECTS = 50_000  # more than a batch of records and what they are decoded to


class StopFlag:
    """Set by SIGTERM and SIGINT; a second signal ends the process without more ado, but for a write to the store."""

    def __init__(self) -> None:
        self.is_set = False

    def handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of a handler
        """Ask for an orderly stop."""
        if self.is_set:
            raise KeyboardInterrupt
        self.is_set = True

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle signals; the old handlers come back at the end."""
        before = {number: signal.signal(number, self.handle) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@dataclass(slots=True)
class Heartbeat:
    """When the loop, or a part of a step, was last done; read by the health server and the watchdog from other threads."""

    beat_at: float
    is_ready: bool = False

    def beat(self, now: float) -> None:
        """Note that something was done."""
        self.beat_at = now


def spare_the_collector() -> None:
    """Let the garbage collector leave alone what is there, and look for garbage less often; call it when all is set up.

    The libraries and the model live as long as the process, and looking through them takes tenths of a second, again and
    again: what a batch allocates makes the collector run, though nothing in a batch refers to itself.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_OBJECTS, *gc.get_threshold()[1:])


class Service:
    """Runs a pipeline until it is asked to stop."""

    def __init__(
        self,
        pipeline: Pipeline,
        metrics: Metrics,
        heartbeat: Heartbeat,
        clock: Callable[[], float],
        dead_letter_topic: str,
        *,
        gather_seconds: float = 0.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Steps that have polled a little begin at least `gather_seconds` apart: what comes meanwhile is one batch."""
        self._pipeline = pipeline
        self._metrics = metrics
        self._heartbeat = heartbeat
        self._clock = clock
        self._dead_letter_topic = dead_letter_topic
        self._gather_seconds = gather_seconds
        self._sleep = sleep
        self._gauges_at = 0.0

    def run(self, stop: StopFlag, reloader: Reloader) -> None:
        """Step until asked to stop; the batch under way is finished, committed and persisted first."""
        began = self._clock()
        refusals, alarm_rate = RefusalLog(self._dead_letter_topic, began), AlarmRateLog(began)
        gaps, joining = GapLog(began), JoinLog(began)
        try:
            while not stop.is_set:
                budget = reloader.rules.budget_per_sensor_day
                report = self._step(budget)
                refusals.note(report, self._heartbeat.beat_at)
                alarm_rate.note(report, budget, self._heartbeat.beat_at)
                gaps.note(report, self._heartbeat.beat_at)
                joining.note(self._pipeline.assigned, self._heartbeat.beat_at)
                reloader.between_batches(self._pipeline)
            last = self._observed(self._pipeline.finish)
            refusals.note(last, self._heartbeat.beat_at)
        finally:
            refusals.flush(self._heartbeat.beat_at)
        if not last.failed_commits:
            logger.info("stopping: the last batch is committed")

    def _observed(self, work: Callable[[], StepReport]) -> StepReport:
        begun = self._clock()
        report = work()
        now = self._clock()
        self._metrics.observe(report, now - begun)
        self._heartbeat.beat(now)
        return report

    def _step(self, budget_per_sensor_day: float) -> StepReport:
        begun = self._clock()
        report = self._observed(self._pipeline.step)
        self._show_readiness()
        now = self._heartbeat.beat_at
        if now - self._gauges_at >= _GAUGE_SECONDS:
            self._set_gauges(budget_per_sensor_day)
            self._gauges_at = now
        if report.source_errors:
            self._sleep(_RETRY_SECONDS)  # a poll that fails at once must not spin
        elif report.polled and not report.is_behind and self._pipeline.is_ready:
            self._sleep(max(0.0, begun + self._gather_seconds - self._clock()))
        return report

    def _show_readiness(self) -> None:
        is_ready = self._pipeline.is_ready
        if is_ready != self._heartbeat.is_ready:
            logger.info("ready" if is_ready else "not ready", extra={"partitions": self._pipeline.assigned})
            self._heartbeat.is_ready = is_ready
        self._metrics.set("ready", is_ready)
        self._metrics.set("assigned_partitions", self._pipeline.assigned)
        self._metrics.set("held_partitions", self._pipeline.holding)
        self._metrics.set("store_lag", self._pipeline.store_lag)

    def _set_gauges(self, budget_per_sensor_day: float) -> None:
        """Count the sensors: a pass over all of them, so not at every step."""
        counts = self._pipeline.sensor_counts()
        self._metrics.set("sensors", counts.warming, "warming")
        self._metrics.set("sensors", counts.ready, "ready")
        self._metrics.set("open_incidents", counts.open_incidents)
        self._metrics.set("alarm_budget_per_day", counts.ready * budget_per_sensor_day)


class Watchdog:
    """Ends the process when the loop does not come round in time: restart is the remedy for a client that hangs."""

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
            still_seconds = self._clock() - self._heartbeat.beat_at
            if still_seconds > self._limit_seconds:
                msg = (
                    f"nothing moved for {still_seconds:.0f} s (STREAM_DETECTOR_SERVICE__WATCHDOG_SECONDS is "
                    f"{self._limit_seconds:.0f}): ending the process, so that it is started again"
                )
                self._end(StalledError(msg))
                return


def health_pages(
    heartbeat: Heartbeat, metrics: Metrics, limit_seconds: float, clock: Callable[[], float]
) -> dict[str, Callable[[], tuple[int, str, bytes]]]:
    """Return the pages of the HTTP port: path -> (status, content type, body)."""

    def metrics_page() -> tuple[int, str, bytes]:
        return 200, "text/plain; version=0.0.4; charset=utf-8", metrics.exposition()

    def alive() -> tuple[int, str, bytes]:
        still_seconds = clock() - heartbeat.beat_at
        is_alive = still_seconds <= limit_seconds
        return _json(is_alive, {"status": "ok" if is_alive else "stalled", "seconds_since_step": round(still_seconds, 3)})

    def ready() -> tuple[int, str, bytes]:
        return _json(heartbeat.is_ready, {"status": "ready" if heartbeat.is_ready else "not ready"})

    return {"/metrics": metrics_page, "/healthz": alive, "/readyz": ready}


def _json(is_good: bool, body: dict[str, object]) -> tuple[int, str, bytes]:
    return (200 if is_good else 503), "application/json", json.dumps(body).encode()
