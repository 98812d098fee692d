"""The event of one change of an incident, written out by hand, and its bytes."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest

from stream_detector.detection.event_builder import ChangeContext, build_event, event_message
from stream_detector.detection.events import EventRules, EventWindow
from stream_detector.detection.explanation import Explanation
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.severity import ratio_of, severity_of
from stream_detector.detection.transition import Transition
from stream_detector.timestamps import iso_time
from tests import event_schema

SCHEMA = json.loads(event_schema.PATH.read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
WINDOW = EventWindow(
    topic="plant",
    partition=4,
    last_offset=1000,
    start="2026-11-23T07:11:57.750Z",
    end="2026-11-23T07:12:00.250Z",
    length=3,
)
CONTEXT = ChangeContext(
    sensor_id="pump-7",
    values=np.array([61.25, np.nan, 3.0], np.float32),
    in_window=np.array([61.25, np.nan, 3.0], np.float32),
    window=WINDOW,
    score=4.0000001,
    threshold=2.0,
    margin_factor=1.15,
    sensor_state="ready",
)
RULES = EventRules("5e1f00d5", 0.25, budget_resolved=False)
NO_RISE = {"rise_per_hour": None, "expected_rise_per_hour": None}
SPEC = ModelSpec("pumps", "abc123", ("temperature", "pressure", "flow"), 3, 1.25, ("pca", "autoencoder"))
EXPLANATION = Explanation(
    attention=np.array([0.25, 0.25, 0.5], np.float32),
    expected=np.array([60.0, 1.0 / 3.0, 3.0], np.float32),
    in_window=np.array([60.0, 1.0 / 3.0, 3.0], np.float32),
    feature_share=np.array([0.125, 0.75, 0.125], np.float32),
    step_share=np.array([0.0, 0.25, 0.75], np.float32),
    member_share=np.array([0.375, 0.625], np.float32),
    imputed=np.array([False, True, False]),
)
UPDATED = Transition(
    position=0,
    status="updated",
    incident_offset=990,
    opened_ms=1_795_417_910_000,
    peak_score=7.5,
    peak_ratio=3.75,
    is_accepted=False,
)


def body_of(transition: Transition, context: ChangeContext = CONTEXT) -> dict[str, Any]:
    event = build_event(transition, context, EXPLANATION, SPEC, RULES)
    body: dict[str, Any] = json.loads(msgspec.json.encode(event))
    return body


def test_an_event_as_it_is_written() -> None:
    body = body_of(UPDATED)

    VALIDATOR.validate(body)
    assert body == {
        "schema_version": 1,
        "event_id": "plant-4-1000-0-abc123-updated",
        "type": "anomaly",
        "status": "updated",
        "incident_id": "plant-4-990-0",
        "what": "",
        "sensor_id": "pump-7",
        "timestamp": "2026-11-23T07:12:00.250Z",
        "score": 4.0,
        "threshold": 2.0,
        "margin_factor": 1.15,
        "severity": "high",
        "sensor_state": "ready",
        "model": {"name": "pumps", "version": "abc123"},
        "rules": {"version": "5e1f00d5", "budget_per_sensor_day": 0.25, "budget_resolved": False},
        "window": {
            "topic": "plant",
            "partition": 4,
            "last_offset": 1000,
            "start": "2026-11-23T07:11:57.750Z",
            "end": "2026-11-23T07:12:00.250Z",
            "length": 3,
            "last_index": 0,
        },
        "attention": [0.25, 0.25, 0.5],
        "attention_reason": "",
        "usual_attention": [],
        "step_shares": [0.0, 0.25, 0.75],
        "features": [
            {
                "name": "pressure",
                "value": None,
                "expected": 0.333333,
                "share": 0.75,
                "imputed": True,
                "readings": None,
                **NO_RISE,
            },
            {
                "name": "temperature",
                "value": 61.25,
                "expected": 60.0,
                "share": 0.125,
                "imputed": False,
                "readings": None,
                **NO_RISE,
            },
            {"name": "flow", "value": 3.0, "expected": 3.0, "share": 0.125, "imputed": False, "readings": None, **NO_RISE},
        ],
        "members": [{"name": "autoencoder", "share": 0.625}, {"name": "pca", "share": 0.375}],
        "incident": {
            "opened_at": "2026-11-23T07:11:50.000Z",
            "opened_offset": 990,
            "opened_index": 0,
            "peak_score": 7.5,
            "peak_severity": "critical",
            "accepted": False,
            "reason": "",
        },
    }


def test_the_event_that_closes_an_incident_as_the_new_normal_state_is_marked_and_has_the_severity_of_the_peak() -> None:
    accepted = replace(UPDATED, status="closed", is_accepted=True)

    body = body_of(accepted, replace(CONTEXT, threshold=6.0))  # the threshold has moved since

    VALIDATOR.validate(body)
    assert (body["status"], body["severity"]) == ("closed", "critical")  # the peak was 3.75 times its threshold
    assert body["incident"] == {
        "opened_at": "2026-11-23T07:11:50.000Z",
        "opened_offset": 990,
        "opened_index": 0,
        "peak_score": 7.5,
        "peak_severity": "critical",
        "accepted": True,
        "reason": "accepted",
    }


def test_an_event_has_the_usual_attention_of_its_sensor_where_it_has_attention() -> None:
    without, usual = replace(EXPLANATION, attention=np.zeros(0, np.float32)), np.array([0.5, 0.25, 0.25], np.float32)

    with_both = build_event(UPDATED, CONTEXT, EXPLANATION, SPEC, RULES, usual_attention=usual)
    others = [build_event(UPDATED, CONTEXT, one, SPEC, RULES, usual_attention=usual) for one in (without, None)]

    VALIDATOR.validate(json.loads(msgspec.json.encode(with_both)))
    assert with_both.usual_attention == (0.5, 0.25, 0.25)
    assert [one.usual_attention for one in others] == [(), ()]


def test_an_event_without_attention_says_why() -> None:
    without = replace(EXPLANATION, attention=np.zeros(0, np.float32))

    left_out = build_event(UPDATED, CONTEXT, without, SPEC, RULES)
    not_scored = build_event(UPDATED, CONTEXT, None, SPEC, RULES)

    assert (left_out.attention, left_out.attention_reason) == ((), "not_a_member")
    assert (not_scored.attention, not_scored.attention_reason) == ((), "not_scored")


def test_a_sensor_of_any_name_is_a_key() -> None:
    message = event_message(build_event(UPDATED, replace(CONTEXT, sensor_id="泵 7"), EXPLANATION, SPEC, RULES), "alerts")

    assert (message.topic, message.key) == ("alerts", "泵 7".encode())
    assert json.loads(message.value or b"")["sensor_id"] == "泵 7"


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (2.0, "low"),
        (2.39, "low"),
        (2.4, "medium"),
        (3.19, "medium"),
        (3.2, "high"),
        (4.99, "high"),
        (5.0, "critical"),
        (1e30, "critical"),
    ],
)
def test_severity_is_by_how_many_times_the_threshold_the_score_is(score: float, expected: str) -> None:
    assert severity_of(float(ratio_of(score, 2.0))) == expected


@pytest.mark.parametrize("time_ms", [0, 999, 1_795_417_920_250, 4_102_444_800_000])
def test_times_are_iso_8601_in_utc_to_the_millisecond(time_ms: int) -> None:
    text = iso_time(time_ms)

    assert text.endswith("Z")
    assert round(datetime.fromisoformat(text).timestamp() * 1000) == time_ms


# -- bytes: of these the order of fields, the rounding of numbers and the nulls are part of the contract

NO_RULES = EventRules()
THIRD = np.float32(1 / 3)
OPENED = Transition(
    position=0,
    status="opened",
    incident_offset=1000,
    opened_ms=1_795_417_920_250,
    peak_score=123456.789,
    peak_ratio=2.0,
    is_accepted=False,
)
OPENED_CONTEXT = replace(
    CONTEXT,
    sensor_id='泵 "7"\n',
    values=np.array([1e-9 / 3, 1e20 / 3, -0.0], np.float32),
    window=msgspec.structs.replace(WINDOW, end="2026-11-23T07:12:00.000Z"),
    score=123456.789,
    threshold=1e-7 / 3,
    sensor_state="provisional",
)
OPENED_EXPLANATION = Explanation(
    attention=np.array([THIRD, THIRD, 1 - 2 * THIRD], np.float32),
    expected=np.array([np.inf, -np.inf, 16777217.0], np.float32),
    in_window=np.array([np.inf, -np.inf, 16777217.0], np.float32),
    feature_share=np.array([THIRD, THIRD, THIRD], np.float32),
    step_share=np.array([1e-7, 4.9e-7, 0.9999995], np.float32),
    member_share=np.array([0.5, 0.5], np.float32),
    imputed=np.array([False, False, True]),
)
CLOSED = replace(UPDATED, status="closed", opened_ms=1_795_417_910_001)
CLOSED_CONTEXT = replace(
    CONTEXT,
    window=msgspec.structs.replace(WINDOW, start="2026-11-23T07:12:00.250Z", length=1),
    score=math.nan,
    sensor_state="warming",
)
ACCEPTED = replace(UPDATED, status="closed", opened_ms=0, is_accepted=True)
ACCEPTED_CONTEXT = replace(CONTEXT, score=2.0, threshold=math.inf)
UPDATED_BYTES = (
    '{"schema_version":1,"event_id":"plant-4-1000-0-abc123-updated","type":"anomaly","status":"updated",'
    '"incident_id":"plant-4-990-0","what":"","sensor_id":"pump-7","timestamp":"2026-11-23T07:12:00.250Z","score":4.0,'
    '"threshold":2.0,"margin_factor":1.15,"severity":"high","sensor_state":"ready","model":{"name":"pumps","version":"abc123"},'
    '"rules":{"version":"5e1f00d5","budget_per_sensor_day":0.25,"budget_resolved":false},'
    '"window":{"topic":"plant","partition":4,'
    '"last_offset":1000,"start":"2026-11-23T07:11:57.750Z","end":"2026-11-23T07:12:00.250Z","length":3,"last_index":0},'
    '"attention":[0.25,0.25,0.5],"attention_reason":"","usual_attention":[],"step_shares":[0.0,0.25,0.75],"features":[{"name":"pressure","value":null,'
    '"expected":0.333333,"share":0.75,"imputed":true,"readings":null,'
    '"rise_per_hour":null,"expected_rise_per_hour":null},{"name":"temperature","value":61.25,"expected":60.0,'
    '"share":0.125,"imputed":false,"readings":null,'
    '"rise_per_hour":null,"expected_rise_per_hour":null},{"name":"flow","value":3.0,"expected":3.0,"share":0.125,"imputed":false,"readings":null,'
    '"rise_per_hour":null,"expected_rise_per_hour":null}],'
    '"members":[{"name":"autoencoder","share":0.625},{"name":"pca","share":0.375}],'
    '"incident":{"opened_at":"2026-11-23T07:11:50.000Z","opened_offset":990,"opened_index":0,"peak_score":7.5,"peak_severity":"critical","accepted":false,"reason":""}}'
)
OPENED_BYTES = (
    '{"schema_version":1,"event_id":"plant-4-1000-0-abc123-opened","type":"anomaly","status":"opened",'
    r'"incident_id":"plant-4-1000-0","what":"",'
    r'"sensor_id":"泵 \"7\"\n","timestamp":"2026-11-23T07:12:00.000Z","score":123457.0,'
    '"threshold":3.33333e-8,"margin_factor":1.15,"severity":"critical","sensor_state":"provisional","model":{"name":"pumps",'
    '"version":"abc123"},"rules":{"version":"5e1f00d5","budget_per_sensor_day":0.25,"budget_resolved":false},'
    '"window":{"topic":"plant",'
    '"partition":4,"last_offset":1000,"start":"2026-11-23T07:11:57.750Z","end":"2026-11-23T07:12:00.000Z",'
    '"length":3,"last_index":0},"attention":[0.333333,0.333333,0.333333],"attention_reason":"","usual_attention":[],"step_shares":[0.0,0.0,1.0],'
    '"features":[{"name":"temperature","value":3.33333e-10,"expected":null,"share":0.333333,"imputed":false,"readings":null,'
    '"rise_per_hour":null,"expected_rise_per_hour":null},'
    '{"name":"pressure","value":3.33333e19,"expected":null,"share":0.333333,"imputed":false,"readings":null,'
    '"rise_per_hour":null,"expected_rise_per_hour":null},{"name":"flow",'
    '"value":-0.0,"expected":16777200.0,"share":0.333333,"imputed":true,"readings":null,'
    '"rise_per_hour":null,"expected_rise_per_hour":null}],"members":[{"name":"pca","share":0.5},'
    '{"name":"autoencoder","share":0.5}],"incident":{"opened_at":"2026-11-23T07:12:00.250Z","opened_offset":1000,"opened_index":0,'
    '"peak_score":123457.0,"peak_severity":"high","accepted":false,"reason":""}}'
)
CLOSED_BYTES = (
    '{"schema_version":1,"event_id":"plant-4-1000-0-abc123-closed","type":"anomaly","status":"closed",'
    '"incident_id":"plant-4-990-0","what":"","sensor_id":"pump-7","timestamp":"2026-11-23T07:12:00.250Z","score":null,'
    '"threshold":2.0,"margin_factor":1.15,"severity":"critical","sensor_state":"warming","model":{"name":"pumps","version":"abc123"},'
    '"rules":{"version":"","budget_per_sensor_day":null,"budget_resolved":null},'
    '"window":{"topic":"plant","partition":4,"last_offset":1000,'
    '"start":"2026-11-23T07:12:00.250Z","end":"2026-11-23T07:12:00.250Z","length":1,"last_index":0},"attention":[],"attention_reason":"not_scored","usual_attention":[],"step_shares":[],'
    '"features":[],"members":[],"incident":{"opened_at":"2026-11-23T07:11:50.001Z","opened_offset":990,"opened_index":0,'
    '"peak_score":7.5,"peak_severity":"critical","accepted":false,"reason":"quiet"}}'
)
ACCEPTED_BYTES = (
    '{"schema_version":1,"event_id":"plant-4-1000-0-abc123-closed","type":"anomaly","status":"closed",'
    '"incident_id":"plant-4-990-0","what":"","sensor_id":"pump-7","timestamp":"2026-11-23T07:12:00.250Z","score":2.0,'
    '"threshold":null,"margin_factor":1.15,"severity":"critical","sensor_state":"ready","model":{"name":"pumps","version":"abc123"},'
    '"rules":{"version":"5e1f00d5","budget_per_sensor_day":0.25,"budget_resolved":false},'
    '"window":{"topic":"plant","partition":4,'
    '"last_offset":1000,"start":"2026-11-23T07:11:57.750Z","end":"2026-11-23T07:12:00.250Z","length":3,"last_index":0},'
    '"attention":[0.25,0.25,0.5],"attention_reason":"","usual_attention":[],"step_shares":[0.0,0.25,0.75],"features":[{"name":"pressure","value":null,'
    '"expected":0.333333,"share":0.75,"imputed":true,"readings":null,'
    '"rise_per_hour":null,"expected_rise_per_hour":null},{"name":"temperature","value":61.25,"expected":60.0,'
    '"share":0.125,"imputed":false,"readings":null,'
    '"rise_per_hour":null,"expected_rise_per_hour":null},{"name":"flow","value":3.0,"expected":3.0,"share":0.125,"imputed":false,"readings":null,'
    '"rise_per_hour":null,"expected_rise_per_hour":null}],'
    '"members":[{"name":"autoencoder","share":0.625},{"name":"pca","share":0.375}],'
    '"incident":{"opened_at":"1970-01-01T00:00:00.000Z","opened_offset":990,"opened_index":0,"peak_score":7.5,"peak_severity":"critical","accepted":true,"reason":"accepted"}}'
)


@pytest.mark.parametrize(
    ("transition", "context", "explanation", "rules", "written"),
    [
        pytest.param(UPDATED, CONTEXT, EXPLANATION, RULES, UPDATED_BYTES, id="updated"),
        pytest.param(OPENED, OPENED_CONTEXT, OPENED_EXPLANATION, RULES, OPENED_BYTES, id="opened-provisional"),
        pytest.param(CLOSED, CLOSED_CONTEXT, None, NO_RULES, CLOSED_BYTES, id="closed-not-scored"),
        pytest.param(ACCEPTED, ACCEPTED_CONTEXT, EXPLANATION, RULES, ACCEPTED_BYTES, id="closed-as-accepted"),
    ],
)
def test_an_event_has_these_bytes(
    transition: Transition, context: ChangeContext, explanation: Explanation | None, rules: EventRules, written: str
) -> None:
    message = event_message(build_event(transition, context, explanation, SPEC, rules), "alerts")

    assert (message.value or b"").decode() == written
