"""The report of a pipeline step, for metrics and logs; the pipeline itself emits no metrics."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from stream_detector.detection.detected import Detected
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.transition import ANOMALY, OPENED, SILENT, UPDATED
from stream_detector.pipeline.hour_jumps import hour_jumps
from stream_detector.pipeline.in_flight import Scored
from stream_detector.pipeline.late_report import LateReport
from stream_detector.readings import Lost
from stream_detector.timestamps import SECONDS_PER_DAY

#: Lines about rules that a report keeps.
MAXIMUM_LINES = 20
#: So much of a record's key is kept: as long as sensors' names may be by default.
_KEY_BYTES = 256


@dataclass(slots=True)
class StepReport:
    """Counts of one step. Filled in during the step."""

    polled: int = 0  # records polled, committed or not
    is_behind: bool = False  # the poll was so full that more records must be waiting
    records: int = 0  # this and the counts up to committed_batches are of committed batches
    readings: int = 0
    late: int = 0
    lateness: LateReport = field(default_factory=LateReport)  # of some of these
    hour_jumps: Counter[str] = field(default_factory=Counter)  # sensors whose times went back, and by how many minutes
    restarted_windows: int = 0
    relearning: int = 0  # readings of sensors that learn features again
    raised: int = 0  # readings of sensors whose incidents have raised their limit
    scored: int = 0
    sensor_days: float = 0.0  # event time of readings whose window can be scored, by the sensors' own intervals
    alerts: Counter[tuple[str, str]] = field(default_factory=Counter)  # by type and status
    rule_lines: list[str] = field(default_factory=list)  # about incidents of rules that opened or closed, the first of them
    renamed: list[str] = field(default_factory=list)  # questions about tags that may have new names
    silent: list[str] = field(default_factory=list)  # sensors that fell silent, the first of them
    dead_letters: Counter[str] = field(default_factory=Counter)  # by reason
    dead_keys: Counter[tuple[bytes, str]] = field(default_factory=Counter)  # by key and reason, of records with a key
    example: str = ""  # the place of one of these, and what was wrong with it
    tombstones: int = 0
    excluded: Counter[str] = field(default_factory=Counter)  # readings and values that settings leave out
    lost_values: Counter[Lost] = field(default_factory=Counter)  # of readings that had other values
    missing_messages: Counter[str] = field(default_factory=Counter)  # by node, as its sequence numbers say
    committed_batches: int = 0
    failed_commits: int = 0
    replayed: int = 0  # records read again while restoring
    lost_readings: int = 0
    restores: Counter[str] = field(default_factory=Counter)  # finished, by action
    source_errors: int = 0
    store_errors: int = 0
    registry_errors: int = 0
    rewritten_partitions: int = 0
    new_sensors: list[str] = field(default_factory=list)  # that neither the model knows nor the store had
    newest_time_ms: int = -1  # newest event time seen in this step

    @property
    def did_work(self) -> bool:
        """Whether anything was read, restored or given up."""
        return bool(self.polled or self.records or self.replayed or self.restores or self.failed_commits)


def count_batch(report: StepReport, scored: Scored, model: ModelSpec) -> None:
    """Add a committed batch to a report, in place."""
    decoded, detected = scored.batch.decoded, scored.detected
    report.committed_batches += 1
    report.records += len(decoded)
    readings, assembled = detected.readings_of(decoded.readings), detected.assembled
    report.readings += len(readings)
    report.late += detected.appended.late
    report.lateness.add(readings, detected.appended.lateness)
    if assembled is not None:
        report.late += len(assembled.late.reading)
        report.lateness.add_to_buckets(assembled)
    report.hour_jumps |= Counter(hour_jumps(readings, detected.appended))
    report.restarted_windows += detected.appended.restarted
    report.relearning += _relearning(detected)
    if detected.decisions is not None:
        report.raised += int((detected.decisions.factors > 1.0).sum())
    report.scored += detected.scored
    report.sensor_days += _sensor_days(detected, model)
    report.tombstones += decoded.tombstones.total()
    for excluded in decoded.excluded.values():
        report.excluded.update(excluded)
    for missing in decoded.missing.values():
        report.missing_messages.update(missing)
    for lost in decoded.lost.values():
        report.lost_values.update(lost)
    report.dead_letters.update(rejected.reason for rejected in decoded.rejected)
    report.dead_keys.update((one.record.key[:_KEY_BYTES], one.reason) for one in decoded.rejected if one.record.key)
    if decoded.rejected and not report.example:
        first = decoded.rejected[0]
        report.example = f"{first.record.topic} partition {first.record.partition} offset {first.record.offset}: {first.detail}"
    if detected.decisions is not None:
        report.alerts.update((ANOMALY, transition.status) for transition in detected.decisions.transitions)
    report.alerts.update((change.type, change.status) for change in detected.rule_changes)
    report.alerts.update((one.event.type, one.event.status) for one in scored.announced)
    report.renamed += scored.renamed
    report.silent += _silent(scored, MAXIMUM_LINES - len(report.silent))
    report.rule_lines += _rule_lines(scored, MAXIMUM_LINES - len(report.rule_lines))
    if len(decoded.readings):
        report.newest_time_ms = max(report.newest_time_ms, int(decoded.readings.times_ms.max()))


def _rule_lines(scored: Scored, most: int) -> list[str]:
    """Return what rules found and what is over, a line for each incident of a sensor."""
    of_readings = ((one.status, one.sensor_id, one.type, one.what) for one in scored.detected.rule_changes)
    of_silences = ((one.event.status, one.event.sensor_id, one.event.type, one.event.what) for one in scored.announced)
    told = (one for one in itertools.chain(of_readings, of_silences) if one[0] != UPDATED)
    return [
        f"{kind} {status}: {repr(sensor[:100]) if sensor else 'all sensors'}: {what}"
        for status, sensor, kind, what in itertools.islice(told, max(0, most))
    ]


def _silent(scored: Scored, most: int) -> list[str]:
    """Return the sensors that are announced to have fallen silent."""
    events = (one.event for one in scored.announced if (one.event.type, one.event.status) == (SILENT, OPENED))
    return [event.sensor_id for event in itertools.islice(events, max(0, most)) if event.sensor_id]


def _relearning(detected: Detected) -> int:
    hidden = detected.scales.hidden
    return 0 if hidden is None else int(hidden.any(axis=1).sum())


def _sensor_days(detected: Detected, model: ModelSpec) -> float:
    """Return the event time of readings whose window can be scored, each by the interval of its sensor, or else the model's."""
    appended = detected.appended
    is_full = appended.filled == model.window_length
    own_ms = appended.interval_ms[is_full if detected.scorable is None else detected.scorable]
    interval_ms = np.where(own_ms > 0, own_ms, 1000.0 * model.sampling_interval_seconds)
    return float(interval_ms.sum(dtype=np.float64)) / 1000.0 / SECONDS_PER_DAY
