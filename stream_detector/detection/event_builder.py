"""Builds an event from a change of an incident, the reading at which it happened, and the explanation of its score.

An event is a function of the readings, the model and the settings alone. It holds no clock time, host or replica, so a
replayed reading gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from stream_detector.amounts import COUNTER_DIGITS, DIGITS, rounded
from stream_detector.detection.events import (
    NOT_A_MEMBER,
    NOT_SCORED,
    SCHEMA_VERSION,
    Event,
    EventFeature,
    EventIncident,
    EventMember,
    EventModel,
    EventRules,
    EventWindow,
)
from stream_detector.detection.explanation import Explanation
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.scored_readings import Decisions
from stream_detector.detection.severity import ratio_of, severity_of
from stream_detector.detection.transition import ACCEPTED, CLOSED, QUIET, Transition
from stream_detector.places import place_name, place_of, places_of
from stream_detector.readings import Float32Array, FloatArray, Int64Array, Message, Readings
from stream_detector.state.appended import Appended
from stream_detector.timestamps import iso_time


@dataclass(frozen=True, slots=True)
class ChangeContext:
    """The reading at which an incident changed, and its window."""

    sensor_id: str
    values: FloatArray  # [F]
    in_window: FloatArray  # [F] the same as windows hold them: of counters, the rises per hour
    window: EventWindow
    score: float  # NaN: not scored
    threshold: float
    margin_factor: float
    sensor_state: str


def change_contexts(
    readings: Readings, appended: Appended, decisions: Decisions, positions: Int64Array, *, states: list[str], topic: str
) -> list[ChangeContext]:
    """Describe accepted readings [K] of a topic, whose sensors are in these states [K], for their events."""
    is_scored = ~np.isnan(decisions.scores[positions])
    lengths = np.where(is_scored, appended.rows[positions], appended.filled[positions])
    starts_ms, rows = appended.starts_ms(positions, lengths).tolist(), appended.newest_values()[positions]
    at = appended.reading[positions]
    places = [place_of(place) for place in readings.places[at].tolist()]
    return [
        ChangeContext(
            sensor_id=readings.sensors[reading],
            values=readings.values[reading],
            in_window=newest,
            window=EventWindow(
                topic=topic,
                partition=int(readings.partitions[reading]),
                last_offset=place.offset,
                last_index=place.index,
                start=iso_time(start_ms),
                end=iso_time(int(readings.times_ms[reading])),
                length=length,
            ),
            score=float(decisions.scores[position]),
            threshold=float(decisions.thresholds[position]),
            margin_factor=float(decisions.factors[position]),
            sensor_state=state,
        )
        for position, reading, place, newest, start_ms, length, state in zip(
            positions.tolist(), at.tolist(), places, rows, starts_ms, lengths.tolist(), states, strict=True
        )
    ]


def event_message(event: Event, alerts_topic: str) -> Message:
    """Encode an event; the record's key is the sensor's ID."""
    headers = (("event_id", event.event_id.encode()), ("schema_version", str(SCHEMA_VERSION).encode()))
    return Message(alerts_topic, event.sensor_id.encode(), msgspec.json.encode(event), headers)


def build_event(
    transition: Transition,
    at: ChangeContext,
    explanation: Explanation | None,
    model: ModelSpec,
    rules: EventRules,
    *,
    usual_attention: Float32Array | None = None,
) -> Event:
    """Build an event. Without an explanation, the reading was not scored: attention, shares, features and members are empty.

    `usual_attention` [T] is that of the sensor; None, or without entries: not known.
    """
    window = at.window
    place = places_of(window.last_offset, window.last_index)
    opened = place_of(transition.incident_offset)
    ratio = transition.peak_ratio if transition.status == CLOSED else float(ratio_of(at.score, at.threshold))
    return Event(
        event_id=f"{place_name(window.topic, window.partition, place)}-{model.version}-{transition.status}",
        status=transition.status,
        incident_id=place_name(window.topic, window.partition, transition.incident_offset),
        sensor_id=at.sensor_id,
        timestamp=window.end,
        score=rounded(at.score),
        threshold=rounded(at.threshold),
        margin_factor=rounded(at.margin_factor),
        severity=severity_of(ratio),
        sensor_state=at.sensor_state,
        model=EventModel(model.name, model.version),
        rules=rules,
        window=window,
        attention=_decimals(explanation.attention) if explanation else (),
        attention_reason=_attention_reason(explanation),
        usual_attention=_usual(explanation, usual_attention),
        step_shares=_decimals(explanation.step_share) if explanation else (),
        features=_features(at, explanation, model) if explanation else (),
        members=_members(explanation, model.members) if explanation else (),
        incident=EventIncident(
            opened_at=iso_time(transition.opened_ms),
            opened_offset=opened.offset,
            opened_index=opened.index,
            peak_score=rounded(transition.peak_score),
            peak_severity=severity_of(transition.peak_ratio),
            accepted=transition.is_accepted,
            reason=_reason(transition),
        ),
    )


def _reason(transition: Transition) -> str:
    if transition.status != CLOSED:
        return ""
    return ACCEPTED if transition.is_accepted else QUIET


def _attention_reason(explanation: Explanation | None) -> str:
    if explanation is None:
        return NOT_SCORED
    return "" if len(explanation.attention) else NOT_A_MEMBER


def _usual(explanation: Explanation | None, usual_attention: Float32Array | None) -> tuple[float, ...]:
    has_attention = explanation is not None and len(explanation.attention) > 0
    return _decimals(usual_attention) if has_attention and usual_attention is not None else ()


def _decimals(shares: Float32Array) -> tuple[float, ...]:
    return tuple([round(share, DIGITS) for share in shares.tolist()])


def _features(at: ChangeContext, explanation: Explanation, model: ModelSpec) -> tuple[EventFeature, ...]:
    """Describe the features, largest share first; equal shares are in the model's order."""
    order = np.argsort(-explanation.feature_share, kind="stable").tolist()
    return tuple(
        [
            EventFeature(
                name=name,
                value=rounded(float(at.values[feature]), digits),
                expected=rounded(float(explanation.expected[feature]), digits),
                share=rounded(float(explanation.feature_share[feature])),
                imputed=bool(explanation.imputed[feature]),
                rise_per_hour=rounded(float(at.in_window[feature])) if is_counter else None,
                expected_rise_per_hour=rounded(float(explanation.in_window[feature])) if is_counter else None,
            )
            for feature in order
            for name in [model.features[feature]]
            for is_counter in [name in model.counters]
            for digits in [COUNTER_DIGITS if is_counter else DIGITS]
        ]
    )


def _members(explanation: Explanation, names: tuple[str, ...]) -> tuple[EventMember, ...]:
    """Describe the members, largest share first; equal shares are in the model's order."""
    order = np.argsort(-explanation.member_share, kind="stable").tolist()
    return tuple([EventMember(names[member], rounded(float(explanation.member_share[member]))) for member in order])
