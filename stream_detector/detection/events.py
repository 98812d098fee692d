"""Anomaly events: schema version 1, published in event.schema.json beside this file.

An event's body is a function of the readings, the model and the settings alone: no clock, host or replica name is in it,
so a replayed reading gives the same bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import numpy as np

from stream_detector.detection.decision import Transition
from stream_detector.detection.explanation import Explanation
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.readings import Float32Array, Message
from stream_detector.timestamps import iso_time

SCHEMA_VERSION = 1
#: Score over threshold from which an event has a severity; below the last it is "low". A score is a logarithm of how
#: rare an error is, so small ratios say much.
SEVERITIES = ((2.5, "critical"), (1.6, "high"), (1.2, "medium"))
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class EventContext:
    """The reading at which an incident changed, and its window."""

    topic: str
    partition: int
    offset: int
    sensor_id: str
    time_ms: int
    values: Float32Array  # [F]
    filled: int  # rows of the window
    window_start_ms: int  # of its first row
    score: float  # NaN: not scored
    threshold: float
    sensor_state: str  # warming, provisional, ready
    rules_version: str = ""  # of the settings that decided
    budget_per_sensor_day: float = math.nan  # false alarms that they accept


def event_message(
    transition: Transition, at: EventContext, explanation: Explanation | None, model: ModelSpec, alerts_topic: str
) -> Message:
    """Build the alert for a change of an incident; the record's key is the sensor's id."""
    body = event_body(transition, at, explanation, model)
    headers = (("event_id", str(body["event_id"]).encode()), ("schema_version", str(SCHEMA_VERSION).encode()))
    return Message(alerts_topic, at.sensor_id.encode(), msgspec.json.encode(body), headers)


def event_body(
    transition: Transition, at: EventContext, explanation: Explanation | None, model: ModelSpec
) -> dict[str, object]:
    """Build the event; without an explanation (the reading was not scored) its attention, features and members are empty."""
    place = f"{at.topic}-{at.partition}"
    attention, step_shares = (explanation.attention, explanation.step_share) if explanation else (_EMPTY, _EMPTY)
    return {
        "schema_version": SCHEMA_VERSION,
        "event_id": f"{place}-{at.offset}-0-{model.version}-{transition.status}",
        "type": "anomaly",
        "status": transition.status,
        "incident_id": f"{place}-{transition.incident_offset}-0",
        "sensor_id": at.sensor_id,
        "timestamp": iso_time(at.time_ms),
        "score": _number(at.score),
        "threshold": _number(at.threshold),
        "severity": severity(transition.peak_score if transition.status == "closed" else at.score, at.threshold),
        "sensor_state": at.sensor_state,
        "model": {"name": model.name, "version": model.version},
        "rules": {"version": at.rules_version, "budget_per_sensor_day": _number(at.budget_per_sensor_day)},
        "window": {
            "topic": at.topic,
            "partition": at.partition,
            "last_offset": at.offset,
            "start": iso_time(at.window_start_ms),
            "end": iso_time(at.time_ms),
            "length": at.filled,
        },
        "attention": [round(weight, _DIGITS) for weight in attention.tolist()],
        "step_shares": [round(share, _DIGITS) for share in step_shares.tolist()],
        "features": _features(at.values, explanation, model.features) if explanation else [],
        "members": _members(explanation, model.members) if explanation else [],
        "incident": {
            "opened_at": iso_time(transition.opened_ms),
            "opened_offset": transition.incident_offset,
            "peak_score": _number(transition.peak_score),
            "accepted": transition.is_accepted,
        },
    }


_EMPTY = np.zeros(0, np.float32)


def severity(score: float, threshold: float) -> str:
    """Grade a score by how many times its threshold it is."""
    ratio = score / max(threshold, 1e-12)
    return next((name for least, name in SEVERITIES if ratio >= least), "low")


def _features(values: Float32Array, explanation: Explanation, names: tuple[str, ...]) -> list[dict[str, object]]:
    """Describe the features, the largest share first; equal shares in the model's order."""
    order = np.argsort(-explanation.feature_share, kind="stable")
    return [
        {
            "name": names[feature],
            "value": _number(float(values[feature])),
            "expected": _number(float(explanation.expected[feature])),
            "share": _number(float(explanation.feature_share[feature])),
            "imputed": bool(explanation.imputed[feature]),
        }
        for feature in order.tolist()
    ]


def _members(explanation: Explanation, names: tuple[str, ...]) -> list[dict[str, object]]:
    """Name the members, the largest share first; equal shares in the model's order."""
    order = np.argsort(-explanation.member_share, kind="stable")
    return [{"name": names[member], "share": _number(float(explanation.member_share[member]))} for member in order.tolist()]


def _number(value: float) -> float | None:
    """Round to six significant digits: float32 has no more; not a number is null."""
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
