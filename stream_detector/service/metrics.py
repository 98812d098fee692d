"""Every metric of the service, in one list. The table of docs/metrics.md is generated from it.

Counters are fed from step reports, gauges from the state of the pipeline. Nothing is registered globally.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from stream_detector.detection.transition import CLOSED, EVENT_TYPES, OPENED, UPDATED
from stream_detector.pipeline.step_report import StepReport

PREFIX = "stream_detector_"


class Kind(Enum):
    """Counters only grow; gauges show the current value."""

    COUNTER = "counter"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. Counters get the suffix `_total`."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    values: tuple[tuple[str, ...], ...] = ()  # of the labels, exported from the start: a rate needs a zero first


METRICS = (
    Metric("records", Kind.COUNTER, "Records read and committed."),
    Metric("readings", Kind.COUNTER, "Records that were usable readings."),
    Metric(
        "late_readings",
        Kind.COUNTER,
        "Readings dropped: not newer than their sensor's newest. Of assembled readings, messages whose bucket was complete.",
    ),
    Metric("restarted_windows", Kind.COUNTER, "Windows restarted after a gap."),
    Metric("relearning_readings", Kind.COUNTER, "Readings of sensors that learn features again after an accepted incident."),
    Metric(
        "raised_limit_readings",
        Kind.COUNTER,
        "Readings of sensors whose incidents exceed the budget and so raised their limit.",
    ),
    Metric("scored_windows", Kind.COUNTER, "Windows scored."),
    Metric(
        "sensor_days",
        Kind.COUNTER,
        "Event time monitored, in sensor-days: readings whose window can be scored times their sensor's interval.",
    ),
    Metric(
        "alerts",
        Kind.COUNTER,
        "Events on the alerts topic, by type and status. The status opened counts incidents; the type anomaly those of the "
        "score, which the budget is about.",
        ("type", "status"),
        tuple((of_type, status) for of_type in EVENT_TYPES for status in (OPENED, UPDATED, CLOSED)),
    ),
    Metric("dead_letters", Kind.COUNTER, "Records on the dead-letter topic, by reason.", ("reason",)),
    Metric("tombstones", Kind.COUNTER, "Records without a value, skipped."),
    Metric(
        "excluded",
        Kind.COUNTER,
        "What is left out: readings of sensors and values of features that settings exclude, values of messages without any "
        "feature that the model knows, where readings are assembled, and records that hold no reading.",
        ("what",),
        (("reading",), ("value",), ("record",)),
    ),
    Metric(
        "unusable_values",
        Kind.COUNTER,
        "Values taken as missing in usable readings, by feature and reason: says_missing (a word or code for it), "
        "not_a_number, not_finite or wrong_type.",
        ("feature", "reason"),
    ),
    Metric(
        "renamed_tags",
        Kind.COUNTER,
        "Where readings are assembled: new names of tags that are like a feature that sends nothing since. The log names them.",
    ),
    Metric(
        "missing_messages",
        Kind.COUNTER,
        "Messages of Sparkplug nodes that are missing, by their sequence numbers; the log names the nodes.",
    ),
    Metric("batches", Kind.COUNTER, "Batches committed."),
    Metric(
        "failed_commits",
        Kind.COUNTER,
        "Commits that failed or lost group membership. Their records are read again.",
    ),
    Metric("replayed_records", Kind.COUNTER, "Records read again to restore state. Nothing is published for them."),
    Metric("restored_partitions", Kind.COUNTER, "Partitions restored, by the action taken.", ("action",)),
    Metric(
        "lost_readings",
        Kind.COUNTER,
        "Offsets lost to retention or damage before they were read.",
    ),
    Metric(
        "rekeyed_readings",
        Kind.COUNTER,
        "With INPUT__REPARTITION: readings written, by sensor, to the topic that the detector reads.",
    ),
    Metric("rewritten_partitions", Kind.COUNTER, "Partitions that the state store had lost, rewritten from memory."),
    Metric("source_errors", Kind.COUNTER, "Polls that failed and are retried."),
    Metric("store_errors", Kind.COUNTER, "Requests that the state store did not answer."),
    Metric(
        "registry_errors", Kind.COUNTER, "Reads of a partition that are repeated because the schema registry did not answer."
    ),
    Metric("reloads", Kind.COUNTER, "Reloads of the settings, by outcome: ok or failed.", ("outcome",), (("ok",), ("failed",))),
    Metric("step_seconds", Kind.COUNTER, "Seconds spent in steps that did any work."),
    Metric("ready", Kind.GAUGE, "1 if every assigned partition is restored and being read, else 0."),
    Metric("assigned_partitions", Kind.GAUGE, "Partitions assigned to this replica."),
    Metric("held_partitions", Kind.GAUGE, "Partitions on hold until the state store or the schema registry answers."),
    Metric("store_lag", Kind.GAUGE, "Offsets committed but not stored yet, normally those of one commit."),
    Metric(
        "rekey_lag",
        Kind.GAUGE,
        "With INPUT__REPARTITION: offsets of the input topic that are not re-keyed yet. 0 in a replica that stands by.",
    ),
    Metric(
        "divided_sensors",
        Kind.GAUGE,
        "Sensors seen in a second partition, where they have another window, of those looked at since the start.",
    ),
    Metric(
        "sensors",
        Kind.GAUGE,
        "Sensors in memory, by state: warming (window not full), ready or idle.",
        ("state",),
    ),
    Metric("open_incidents", Kind.GAUGE, "Sensors in memory with an open incident."),
    Metric(
        "unfilled_sensors",
        Kind.GAUGE,
        "Sensors in memory that never have a full window: they have sent four windows of readings, and gaps restarted each.",
    ),
    Metric("silent_sensors", Kind.GAUGE, "Sensors in memory that are silent: announced, and not heard again."),
    Metric("newest_reading_timestamp_seconds", Kind.GAUGE, "Event time of the newest reading."),
    Metric("alarm_budget_per_sensor_day", Kind.GAUGE, "False alarms accepted per sensor and day."),
    Metric(
        "alarm_budget_per_day",
        Kind.GAUGE,
        "False alarms accepted per day by this replica: the budget times its ready sensors in memory, silent ones included.",
    ),
    Metric(
        "alarm_budget_resolved",
        Kind.GAUGE,
        "1 if the model's training saw enough healthy readings to know that the budget is kept, to a factor of about two; 0 if "
        "the threshold is an estimate; NaN without a model.",
    ),
    Metric(
        "alarm_budget_smallest_resolved_per_sensor_day",
        Kind.GAUGE,
        "The smallest budget that the model's training resolves, rounded up to one digit; NaN without a model.",
    ),
    Metric("rules", Kind.GAUGE, "1, labelled with the version of the rules in force.", ("version",)),
    Metric(
        "model",
        Kind.GAUGE,
        "1, labelled with the model in use; `built-in`, or `none`, while there is none.",
        ("name", "version"),
    ),
    Metric("rules_only", Kind.GAUGE, "1 while only the rules watch, without any model, else 0."),
    Metric("built_in", Kind.GAUGE, "1 while the built-in model scores, for there is no other, else 0."),
    Metric("learning", Kind.GAUGE, "1, by stage, while there is no model: collecting, training or waiting.", ("stage",)),
    Metric("learning_readings", Kind.GAUGE, "Readings counted in the topic, at most until there are enough to learn from."),
    Metric("learning_readings_needed", Kind.GAUGE, "Readings that a training of the sensors seen so far needs."),
    Metric(
        "learning_attempts",
        Kind.COUNTER,
        "Trainings by `run`, by outcome: promoted, rejected (by the gate) or failed.",
        ("outcome",),
        (("promoted",), ("rejected",), ("failed",)),
    ),
)

#: Counters fed from a number in StepReport: metric -> field.
_PLAIN = {
    "records": "records",
    "readings": "readings",
    "late_readings": "late",
    "restarted_windows": "restarted_windows",
    "relearning_readings": "relearning",
    "raised_limit_readings": "raised",
    "scored_windows": "scored",
    "sensor_days": "sensor_days",
    "tombstones": "tombstones",
    "batches": "committed_batches",
    "failed_commits": "failed_commits",
    "replayed_records": "replayed",
    "lost_readings": "lost_readings",
    "rewritten_partitions": "rewritten_partitions",
    "source_errors": "source_errors",
    "store_errors": "store_errors",
    "registry_errors": "registry_errors",
}
#: Counters fed from counts by label in StepReport: metric -> field.
_LABELLED = {"alerts": "alerts", "excluded": "excluded", "dead_letters": "dead_letters", "restored_partitions": "restores"}


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
                for values in metric.values:
                    counter.labels(*values)
            else:
                self._gauges[metric.name] = Gauge(name, metric.help, metric.labels, registry=self._registry)

    def observe(self, report: StepReport, seconds: float) -> None:
        """Add the counts of a step."""
        for name, field in _PLAIN.items():
            count = getattr(report, field)
            if count:
                self._counters[name].inc(count)
        for name, field in _LABELLED.items():
            for label, count in getattr(report, field).items():
                labels = label if isinstance(label, tuple) else (label,)
                self._counters[name].labels(*labels).inc(count)
        for lost, count in report.lost_values.items():
            self._counters["unusable_values"].labels(lost.feature, lost.reason).inc(count)
        self._counters["missing_messages"].inc(report.missing_messages.total())
        self._counters["renamed_tags"].inc(len(report.renamed))
        if report.did_work:
            self._counters["step_seconds"].inc(seconds)
        if report.newest_time_ms >= 0:
            self._gauges["newest_reading_timestamp_seconds"].set(report.newest_time_ms / 1000)

    def count(self, name: str, *labels: str) -> None:
        """Add one to a counter that no step report feeds."""
        self.add(name, 1, *labels)

    def add(self, name: str, amount: float, *labels: str) -> None:
        """Add to a counter. Any thread may."""
        counter = self._counters[name]
        (counter.labels(*labels) if labels else counter).inc(amount)

    def clear(self, name: str) -> None:
        """Remove all labels of a gauge."""
        self._gauges[name].clear()

    def set_only(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge for these labels and remove its other labels."""
        self._gauges[name].clear()
        self.set(name, value, *labels)

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        gauge = self._gauges[name]
        (gauge.labels(*labels) if labels else gauge).set(value)

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
