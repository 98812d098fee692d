"""One sensor as a JSON document, for programs."""

from __future__ import annotations

from typing import Any

import numpy as np

from stream_detector.inspection.closing import closing_document
from stream_detector.inspection.sensor_view import FeatureView, SensorView
from stream_detector.readings import Float64Array
from stream_detector.timestamps import iso_time

_DIGITS = 7


def sensor_document(view: SensorView, at_ms: int) -> dict[str, Any]:
    """Return the document; it has null where something is missing or not known."""
    status, scored = view.status, view.scored
    return {
        "at": iso_time(at_ms),
        "sensor_id": status.sensor,
        "input_topic": view.input_topic,
        "partition": status.partition,
        "state": status.state,
        "known": status.is_known,
        "last_reading": iso_time(status.last_ms),
        "window": {"readings": status.filled, "length": status.window_length},
        "score": None if scored is None else _rounded(scored.score),
        "threshold": None if scored is None else _rounded(scored.threshold),
        "is_anomalous": None if scored is None else scored.is_anomalous,
        "severity": view.severity or None,
        "margin_factor": None if scored is None else _rounded(scored.margin_factor),
        "not_scored": view.not_scored or None,
        "incidents": [
            {
                "type": one.type,
                "since": iso_time(one.since_ms),
                "severity": one.severity or None,
                "about": one.about,
                "closing": closing_document(one.closing),
            }
            for one in view.incidents
        ],
        "times": [iso_time(time_ms) for time_ms in view.times_ms.tolist()],
        "step_shares": None if view.step_share is None else _numbers(view.step_share),
        "features": [_feature(view, one) for one in view.features],
        "notes": list(view.notes),
    }


def _feature(view: SensorView, one: FeatureView) -> dict[str, Any]:
    return {
        "name": one.name,
        "unit": one.unit or None,
        "is_rise_per_hour": one.is_counter,
        "marked": view.is_marked(one),
        "share": None if one.share is None else _rounded(one.share),
        "rules": list(one.rules),
        "unchanged_readings": one.unchanged,
        "readings_without_value": one.absent,
        "values": _numbers(one.values),
        "expected": None if one.expected is None else _numbers(one.expected),
    }


def _numbers(values: Float64Array) -> list[float | None]:
    return [_rounded(value) for value in values.tolist()]


def _rounded(value: float) -> float | None:
    return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
