"""The loop of the running service: steps the pipeline, paces it, and publishes its state until asked to stop.

It knows neither Kafka nor Redis.
"""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable

from stream_detector.pipeline.pipeline import Pipeline
from stream_detector.pipeline.step_report import StepReport
from stream_detector.service.companion import Companion
from stream_detector.service.log_monitors import SESSION_SECONDS, LogMonitors, waiting_for_group
from stream_detector.service.metrics import Metrics
from stream_detector.service.model_arrival import ModelArrival
from stream_detector.service.reload import Reloader
from stream_detector.service.signals import StopFlag
from stream_detector.service.unfilled_log import UnfilledLog
from stream_detector.service.watchdog import Heartbeat

logger = logging.getLogger(__name__)

_GAUGE_SECONDS = 5.0
#: Why a replica that has been ready is not, on the readiness page.
WAITING = "restoring partitions, or waiting for Kafka, Redis or re-keying: the log says which"
_RETRY_SECONDS = 0.5
_COLLECTOR_THRESHOLD = 50_000  # objects: more than a batch of records and the readings decoded from it


def tune_garbage_collector() -> None:
    """Exempt all existing objects from garbage collection and run it less often. Call it once everything is set up.

    The libraries and the model live as long as the process, and scanning them takes tenths of a second. The allocations of
    a batch would trigger such scans again and again, although no object of a batch refers to itself.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECTOR_THRESHOLD, *gc.get_threshold()[1:])


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
        arrival: ModelArrival | None = None,
        companion: Companion | None = None,
        session_seconds: float = SESSION_SECONDS,
    ) -> None:
        """At low load, steps begin at least `gather_seconds` apart, so that readings are processed in larger batches.

        `arrival` brings a model to a service that runs without one. `companion` re-keys what the pipeline reads.
        A member of the group that was killed keeps its partitions for `session_seconds`.
        """
        self._pipeline = pipeline
        self._metrics = metrics
        self._heartbeat = heartbeat
        self._clock = clock
        self._dead_letter_topic = dead_letter_topic
        self._gather_seconds = gather_seconds
        self._sleep = sleep
        self._gauges_at = 0.0
        self._arrival = arrival
        self._companion = companion
        self._session_seconds = session_seconds
        self._unfilled_log = UnfilledLog()

    def run(self, stop: StopFlag, reloader: Reloader) -> None:
        """Step until asked to stop, then finish, commit and persist the current batch. Blocks."""
        monitors = LogMonitors(self._dead_letter_topic, self._clock(), self._pipeline.sensor_table, self._session_seconds)
        try:
            while not stop.is_set:
                if self._companion:
                    self._companion.check()
                budget = reloader.rules.budget_per_sensor_day
                report = self._step(budget)
                monitors.observe(report, budget, self._pipeline.assigned, self._heartbeat.beat_at)
                reloader.between_batches(self._pipeline)
                self._succeed(reloader, monitors)
            last = self._observed(self._pipeline.finish)
            monitors.finish(last, self._heartbeat.beat_at)
        finally:
            monitors.flush(self._heartbeat.beat_at)
        if not last.failed_commits:
            logger.info("stopping: the last batch is committed")

    def _succeed(self, reloader: Reloader, monitors: LogMonitors) -> None:
        """Go on with another pipeline, if there is one and this one is settled."""
        successor = self._arrival.between_batches(self._pipeline) if self._arrival else None
        if successor is None:
            return
        successor.pipeline.take_over(self._pipeline)
        self._pipeline = successor.pipeline
        reloader.start_over(successor.rules, successor.reread)
        monitors.know(self._pipeline.sensor_table)
        successor.begin()

    def _step(self, budget_per_sensor_day: float) -> StepReport:
        began = self._clock()
        report = self._observed(self._pipeline.step)
        self._show_readiness()
        now = self._heartbeat.beat_at
        if now - self._gauges_at >= _GAUGE_SECONDS:
            self._set_gauges(budget_per_sensor_day)
            self._gauges_at = now
        if report.source_errors:
            self._sleep(_RETRY_SECONDS)  # a poll that fails at once must not spin
        elif report.polled and not report.is_behind and self._pipeline.is_ready:
            self._sleep(max(0.0, began + self._gather_seconds - self._clock()))
        return report

    def _observed(self, work: Callable[[], StepReport]) -> StepReport:
        """Do the work, update the metrics and record a heartbeat."""
        began = self._clock()
        report = work()
        now = self._clock()
        self._metrics.observe(report, now - began)
        self._heartbeat.beat(now)
        return report

    def _show_readiness(self) -> None:
        is_ready = self._pipeline.is_ready and (self._companion is None or self._companion.is_ready)
        if is_ready != self._heartbeat.is_ready:
            logger.info("ready" if is_ready else "not ready", extra={"partitions": self._pipeline.assigned})
            self._heartbeat.is_ready = is_ready
        waits = WAITING if self._pipeline.assigned else waiting_for_group(self._session_seconds)
        self._heartbeat.stage = self._pipeline.waits_for or waits
        self._metrics.set("ready", is_ready)
        self._metrics.set("assigned_partitions", self._pipeline.assigned)
        self._metrics.set("held_partitions", self._pipeline.holding)
        self._metrics.set("store_lag", self._pipeline.store_lag)

    def _set_gauges(self, budget_per_sensor_day: float) -> None:
        """Set the gauges that need a pass over all sensors, which is too slow for every step."""
        counts = self._pipeline.sensor_counts()
        self._metrics.set("sensors", counts.warming, "warming")
        self._metrics.set("sensors", counts.ready, "ready")
        self._metrics.set("sensors", counts.idle, "idle")
        unfilled = self._pipeline.unfilled()
        self._metrics.set("unfilled_sensors", unfilled.count)
        self._unfilled_log.observe(unfilled, self._heartbeat.beat_at)
        self._metrics.set("divided_sensors", self._pipeline.divided_sensors())
        self._metrics.set("silent_sensors", self._pipeline.silent_sensors())
        self._metrics.set("open_incidents", counts.open_incidents)
        self._metrics.set("alarm_budget_per_day", counts.ready * budget_per_sensor_day)
