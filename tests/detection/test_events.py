"""Events as they stand on the alerts topic: by the published schema, and true."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime
from importlib import resources
from typing import Any

import jsonschema
import numpy as np
import pytest

from stream_detector.detection.decision import Transition
from stream_detector.detection.events import EventContext, event_body, event_message, severity
from stream_detector.detection.explanation import Explanation
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.timestamps import iso_time
from tests.fakes.memory_log import MemoryRecord
from tests.pipeline.harness import ALERTS, INPUT, MODEL, SECOND_MS, START_MS, Plant, Replica, World, checksum_error

SCHEMA = json.loads(resources.files("stream_detector").joinpath("detection", "event.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
#: The margin with which every full window is anomalous.
ALWAYS = -50.0


def alerts_of(world: World) -> list[tuple[MemoryRecord, dict[str, Any]]]:
    return [(record, json.loads(record.value or b"")) for record in world.log.records(ALERTS)]


def busy_world() -> World:
    """Return a world after a run with many events, of every status, of sensors that the model knows and others."""
    world = World(partitions=2)
    random = np.random.default_rng(5)
    for second in range(150):
        for number in range(4):
            values = [None if random.random() < 0.2 else float(random.normal()) for _ in range(2)]
            world.produce(f"s{number}", START_MS + second * SECOND_MS + number, *values, partition=number % 2)
        if random.random() < 0.2:
            world.log.append_gap(INPUT, second % 2, 3)
    Replica(world, Plant(accept_ms=6 * SECOND_MS)).run(50)
    return world


@pytest.fixture(scope="module")
def world() -> World:
    return busy_world()


def test_every_event_follows_the_schema(world: World) -> None:
    events = [event for _, event in alerts_of(world)]

    assert {event["status"] for event in events} == {"opened", "updated", "closed"}
    assert {event["incident"]["accepted"] for event in events} == {False, True}
    assert {event["sensor_id"] for event in events} == {"s0", "s1", "s2", "s3"}
    for event in events:
        VALIDATOR.validate(event)
        assert event.keys() == SCHEMA["properties"].keys()


def test_the_key_is_the_sensor_and_the_headers_name_event_and_schema(world: World) -> None:
    for record, event in alerts_of(world):
        assert record.key == event["sensor_id"].encode()
        assert dict(record.headers) == {"event_id": event["event_id"].encode(), "schema_version": b"1"}


def test_event_ids_are_unique_and_incidents_hold_together(world: World) -> None:
    events = [event for _, event in alerts_of(world)]
    opened = {event["incident_id"] for event in events if event["status"] == "opened"}

    assert len({event["event_id"] for event in events}) == len(events)
    assert {event["incident_id"] for event in events} == opened
    for event in events:
        place = f"{INPUT}-{event['window']['partition']}-{event['window']['last_offset']}-0"
        assert event["event_id"] == f"{place}-v1-{event['status']}"
        if event["status"] == "opened":
            assert event["incident_id"] == place


def test_attention_has_a_weight_per_step_that_sum_to_one(world: World) -> None:
    for _, event in alerts_of(world):
        assert len(event["attention"]) == len(event["step_shares"]) == (3 if event["score"] is not None else 0)
        if event["score"] is not None:
            assert sum(event["attention"]) == pytest.approx(1.0, abs=1e-5)


def test_features_are_named_and_the_largest_share_is_first(world: World) -> None:
    for _, event in alerts_of(world):
        if event["score"] is None:
            continue
        shares = [feature["share"] for feature in event["features"]]
        assert {feature["name"] for feature in event["features"]} == set(MODEL.features)
        assert shares == sorted(shares, reverse=True)
        for feature in event["features"]:
            assert feature["imputed"] == (feature["value"] is None)


def test_the_members_of_the_model_share_the_surprise(world: World) -> None:
    for _, event in alerts_of(world):
        assert event["members"] == ([{"name": "checksum", "share": 1.0}] if event["score"] is not None else [])


def test_the_window_tells_the_times_of_its_first_and_last_reading_and_where_the_last_is(world: World) -> None:
    """And what is expected of the first feature is the checksum of exactly these readings."""
    readings: dict[tuple[int, str], list[tuple[int, dict[str, Any]]]] = {}
    for record in world.log.records(INPUT):
        reading = json.loads(record.value or b"")
        readings.setdefault((record.partition, reading["sensor_id"]), []).append((record.offset, reading))

    events = [event for _, event in alerts_of(world)]
    for event in events:
        window = event["window"]
        of_sensor = readings[window["partition"], event["sensor_id"]]
        inside = [one for one in of_sensor if window["start"] <= iso_time(one[1]["timestamp"]) <= window["end"]]
        assert inside[-1][0] == window["last_offset"]
        assert len(inside) == window["length"] == 3
        assert window["start"] == iso_time(inside[0][1]["timestamp"])
        assert window["end"] == event["timestamp"] == iso_time(inside[-1][1]["timestamp"])
        rows = [[math.nan if number is None else number for number in one["values"].values()] for _, one in inside]
        expected = {feature["name"]: feature["expected"] for feature in event["features"]}
        assert expected["a"] == pytest.approx(checksum_error(rows), rel=1e-5)
    assert events


def test_an_anomalous_score_is_above_its_threshold_and_a_closing_one_is_not_unless_it_is_accepted(world: World) -> None:
    for _, event in alerts_of(world):
        if event["status"] == "closed" and not event["incident"]["accepted"]:
            assert event["score"] is None or event["score"] <= event["threshold"]
        else:
            assert event["score"] > event["threshold"]
        assert event["incident"]["peak_score"] >= (event["score"] or 0) or event["status"] == "closed"


def test_a_replayed_reading_gives_the_same_bytes() -> None:
    assert [record.value for record, _ in alerts_of(busy_world())] == [record.value for record, _ in alerts_of(busy_world())]


def test_an_incident_may_be_closed_by_a_reading_that_was_not_scored() -> None:
    world = World()
    for second in (0, 1, 2, 500):  # the gap starts the window anew
        world.produce("s", START_MS + second * SECOND_MS, 1.0, 2.0)
    Replica(world, Plant(margin=ALWAYS)).run()

    opened, closed = (event for _, event in alerts_of(world))

    VALIDATOR.validate(closed)
    assert (opened["status"], opened["sensor_state"]) == ("opened", "provisional")
    assert (closed["status"], closed["sensor_state"]) == ("closed", "warming")
    assert closed["score"] is None
    assert [closed[name] for name in ("attention", "step_shares", "features", "members")] == [[]] * 4
    assert closed["window"] == {
        "topic": INPUT,
        "partition": 0,
        "last_offset": 3,
        "start": iso_time(START_MS + 500_000),
        "end": iso_time(START_MS + 500_000),
        "length": 1,
    }
    assert closed["incident"] == {
        "opened_at": opened["timestamp"],
        "opened_offset": opened["window"]["last_offset"],
        "peak_score": opened["score"],
        "accepted": False,
    }
    assert closed["severity"] == opened["severity"]


# -- the body of one event, by hand

CONTEXT = EventContext(
    topic="plant",
    partition=4,
    offset=1000,
    sensor_id="pump-7",
    time_ms=1_795_417_920_250,
    values=np.array([61.25, np.nan, 3.0], np.float32),
    filled=3,
    window_start_ms=1_795_417_917_750,
    score=4.0000001,
    threshold=2.0,
    sensor_state="ready",
    rules_version="5e1f00d5",
    budget_per_sensor_day=0.25,
)
SPEC = ModelSpec("pumps", "abc123", ("temperature", "pressure", "flow"), 3, 1.25, ("pca", "autoencoder"))
EXPLANATION = Explanation(
    attention=np.array([0.25, 0.25, 0.5], np.float32),
    expected=np.array([60.0, 1.0 / 3.0, 3.0], np.float32),
    feature_share=np.array([0.125, 0.75, 0.125], np.float32),
    step_share=np.array([0.0, 0.25, 0.75], np.float32),
    member_share=np.array([0.375, 0.625], np.float32),
    imputed=np.array([False, True, False]),
)
UPDATED = Transition(
    position=0, status="updated", incident_offset=990, opened_ms=1_795_417_910_000, peak_score=7.5, is_accepted=False
)


def test_an_event_as_it_is_written() -> None:
    body = event_body(UPDATED, CONTEXT, EXPLANATION, SPEC)

    VALIDATOR.validate(body)
    assert body == {
        "schema_version": 1,
        "event_id": "plant-4-1000-0-abc123-updated",
        "type": "anomaly",
        "status": "updated",
        "incident_id": "plant-4-990-0",
        "sensor_id": "pump-7",
        "timestamp": "2026-11-23T07:12:00.250Z",
        "score": 4.0,
        "threshold": 2.0,
        "severity": "high",
        "sensor_state": "ready",
        "model": {"name": "pumps", "version": "abc123"},
        "rules": {"version": "5e1f00d5", "budget_per_sensor_day": 0.25},
        "window": {
            "topic": "plant",
            "partition": 4,
            "last_offset": 1000,
            "start": "2026-11-23T07:11:57.750Z",
            "end": "2026-11-23T07:12:00.250Z",
            "length": 3,
        },
        "attention": [0.25, 0.25, 0.5],
        "step_shares": [0.0, 0.25, 0.75],
        "features": [
            {"name": "pressure", "value": None, "expected": 0.333333, "share": 0.75, "imputed": True},
            {"name": "temperature", "value": 61.25, "expected": 60.0, "share": 0.125, "imputed": False},
            {"name": "flow", "value": 3.0, "expected": 3.0, "share": 0.125, "imputed": False},
        ],
        "members": [{"name": "autoencoder", "share": 0.625}, {"name": "pca", "share": 0.375}],
        "incident": {"opened_at": "2026-11-23T07:11:50.000Z", "opened_offset": 990, "peak_score": 7.5, "accepted": False},
    }


def test_the_event_that_closes_an_incident_as_the_new_normal_state_says_so_and_has_the_peaks_severity() -> None:
    accepted = replace(UPDATED, status="closed", is_accepted=True)

    body = event_body(accepted, CONTEXT, EXPLANATION, SPEC)

    VALIDATOR.validate(body)
    assert (body["status"], body["severity"]) == ("closed", "critical")  # 7.5 is more than 2.5 times the threshold of 2
    assert body["incident"] == {
        "opened_at": "2026-11-23T07:11:50.000Z",
        "opened_offset": 990,
        "peak_score": 7.5,
        "accepted": True,
    }


def test_a_sensor_of_any_name_is_a_key() -> None:
    message = event_message(UPDATED, replace(CONTEXT, sensor_id="泵 7"), EXPLANATION, SPEC, "alerts")

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
    assert severity(score, 2.0) == expected


@pytest.mark.parametrize("time_ms", [0, 999, 1_795_417_920_250, 4_102_444_800_000])
def test_times_are_iso_8601_in_utc_to_the_millisecond(time_ms: int) -> None:
    text = iso_time(time_ms)

    assert text.endswith("Z")
    assert round(datetime.fromisoformat(text).timestamp() * 1000) == time_ms
