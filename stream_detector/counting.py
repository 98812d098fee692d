"""What a committed batch adds to the report of a step."""

from __future__ import annotations

from stream_detector.calibration import SECONDS_PER_DAY
from stream_detector.detector import Detected
from stream_detector.readings import Decoded
from stream_detector.reports import StepReport
from stream_detector.spec import ModelSpec


def count_batch(report: StepReport, decoded: Decoded, detected: Detected, model: ModelSpec) -> None:
    """Add a batch to a report, in place."""
    report.committed_batches += 1
    report.records += len(decoded.readings) + len(decoded.rejected)
    report.readings += len(decoded.readings)
    report.late += detected.appended.late
    report.restarted_windows += detected.appended.restarted
    report.scored += detected.scored
    report.sensor_days += _sensor_days(detected, model)
    report.dead_letters.update(rejected.reason for rejected in decoded.rejected)
    if detected.decisions is not None:
        report.alerts.update(transition.status for transition in detected.decisions.transitions)
    if len(decoded.readings):
        report.newest_time_ms = max(report.newest_time_ms, int(decoded.readings.times_ms.max()))


def _sensor_days(detected: Detected, model: ModelSpec) -> float:
    """Return the event time of the readings with a full window."""
    full = int((detected.appended.filled == model.window_length).sum())
    return full * model.sampling_interval_seconds / SECONDS_PER_DAY
