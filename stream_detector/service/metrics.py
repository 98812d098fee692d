"""Every metric of the service, in one list; docs/metrics.md is held against it by a test.

Counters are fed from step reports, gauges from a look at the pipeline. Nothing is registered globally.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from stream_detector.detection.decision import CLOSED, OPENED, UPDATED
from stream_detector.pipeline.step_report import StepReport

PREFIX = "stream_detector_"


class Kind(Enum):
    """Counters only grow; gauges say what is now."""

    COUNTER = "counter"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. Counters get the suffix `_total`."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    values: tuple[str, ...] = ()  # of the one label, shown from the start: a rate needs the zero before the first


METRICS = (
    Metric("records", Kind.COUNTER, "Records read from the input topic and committed."),
    Metric("readings", Kind.COUNTER, "Readings among them that could be used."),
    Metric("late_readings", Kind.COUNTER, "Readings dropped because they were not newer than their sensor's newest."),
    Metric("restarted_windows", Kind.COUNTER, "Windows started anew after a gap in a sensor's readings."),
    Metric("scored_windows", Kind.COUNTER, "Windows scored by the model."),
    Metric(
        "sensor_days",
        Kind.COUNTER,
        "Event time watched, in sensor-days: readings with a full window times the model's sampling interval.",
    ),
    Metric(
        "alerts",
        Kind.COUNTER,
        "Events on the alerts topic, by status; opened counts the incidents.",
        ("status",),
        (OPENED, UPDATED, CLOSED),
    ),
    Metric("dead_letters", Kind.COUNTER, "Records on the dead-letter topic, by reason.", ("reason",)),
    Metric("batches", Kind.COUNTER, "Batches committed."),
    Metric(
        "failed_commits",
        Kind.COUNTER,
        "Commits that failed, or that could not be made at the end for lack of a membership; what they held is read again.",
    ),
    Metric("replayed_records", Kind.COUNTER, "Records read again to restore state, nothing published."),
    Metric("restored_partitions", Kind.COUNTER, "Partitions restored, by how.", ("action",)),
    Metric("lost_readings", Kind.COUNTER, "Offsets that retention removed before they were read, or that are damaged."),
    Metric("rewritten_partitions", Kind.COUNTER, "Partitions written anew because the store had lost them."),
    Metric("source_errors", Kind.COUNTER, "Polls of the input topic that failed for now."),
    Metric("store_errors", Kind.COUNTER, "Requests that the state store did not answer."),
    Metric("reloads", Kind.COUNTER, "Reloads of the settings, by outcome: ok or failed.", ("outcome",), ("ok", "failed")),
    Metric("step_seconds", Kind.COUNTER, "Time spent in steps that did something."),
    Metric("ready", Kind.GAUGE, "1 when every assigned partition is restored and read, as /readyz."),
    Metric("assigned_partitions", Kind.GAUGE, "Partitions that this replica has."),
    Metric("held_partitions", Kind.GAUGE, "Partitions that wait for the state store."),
    Metric("store_lag", Kind.GAUGE, "Offsets by which the store lags behind the commits; one commit's, as a rule."),
    Metric("sensors", Kind.GAUGE, "Sensors in memory, by state: warming (window not full) or ready.", ("state",)),
    Metric("open_incidents", Kind.GAUGE, "Sensors in memory with an open incident."),
    Metric("newest_reading_timestamp_seconds", Kind.GAUGE, "Event time of the newest reading, seconds since 1970."),
    Metric("alarm_budget_per_sensor_day", Kind.GAUGE, "False alarms that the rules in force accept, per sensor and day."),
    Metric(
        "alarm_budget_per_day",
        Kind.GAUGE,
        "The same times the ready sensors in memory: incidents accepted per day and replica.",
    ),
    Metric("rules", Kind.GAUGE, "1, labelled with the version of the rules in force, as in the events.", ("version",)),
    Metric("model", Kind.GAUGE, "1, labelled with the model in use.", ("name", "version")),
)

#: Counters that are a number in StepReport, by metric.
_PLAIN = {
    "records": "records",
    "readings": "readings",
    "late_readings": "late",
    "restarted_windows": "restarted_windows",
    "scored_windows": "scored",
    "sensor_days": "sensor_days",
    "batches": "committed_batches",
    "failed_commits": "failed_commits",
    "replayed_records": "replayed",
    "lost_readings": "lost_readings",
    "rewritten_partitions": "rewritten_partitions",
    "source_errors": "source_errors",
    "store_errors": "store_errors",
}
#: Counters that are counted by a label in StepReport, by metric.
_LABELLED = {"alerts": "alerts", "dead_letters": "dead_letters", "restored_partitions": "restores"}


class Metrics:
    """The service's metrics in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        for metric in METRICS:
            name = PREFIX + metric.name
            if metric.kind is Kind.COUNTER:
                counter = self._counters[metric.name] = Counter(name, metric.help, metric.labels, registry=self._registry)
                for value in metric.values:
                    counter.labels(value)
            else:
                self._gauges[metric.name] = Gauge(name, metric.help, metric.labels, registry=self._registry)

    def observe(self, report: StepReport, seconds: float) -> None:
        """Count what a step did."""
        for name, field in _PLAIN.items():
            count = getattr(report, field)
            if count:
                self._counters[name].inc(count)
        for name, field in _LABELLED.items():
            for label, count in getattr(report, field).items():
                self._counters[name].labels(label).inc(count)
        if report.moved:
            self._counters["step_seconds"].inc(seconds)
        if report.newest_time_ms >= 0:
            self._gauges["newest_reading_timestamp_seconds"].set(report.newest_time_ms / 1000)

    def count(self, name: str, *labels: str) -> None:
        """Count one event that no step reports."""
        counter = self._counters[name]
        (counter.labels(*labels) if labels else counter).inc()

    def set_only(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge for these labels, and forget the others that it had."""
        self._gauges[name].clear()
        self.set(name, value, *labels)

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        gauge = self._gauges[name]
        (gauge.labels(*labels) if labels else gauge).set(value)

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
