"""Events on the alerts topic after a run: they follow the published schema and agree with the readings."""

from __future__ import annotations

import json
import math
from typing import Any

import jsonschema
import numpy as np
import pytest

from stream_detector.timestamps import iso_time
from tests import event_schema
from tests.fakes.memory_log import MemoryRecord
from tests.fakes.scorer import checksum_error
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import ALERTS, INPUT, MODEL, SECOND_MS, START_MS, ReplicaConfig
from tests.pipeline.world import World

SCHEMA = json.loads(event_schema.PATH.read_text(encoding="utf-8"))
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
    Replica(world, ReplicaConfig(accept_ms=6 * SECOND_MS)).run(50)
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


def test_event_ids_are_unique_and_every_incident_has_an_opening(world: World) -> None:
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


def test_the_window_has_the_times_of_its_first_and_last_reading_and_the_offset_of_the_last(world: World) -> None:
    """And the expected value of the first feature is the checksum of exactly these readings."""
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
        if event["score"] is None:  # no value at this reading
            assert expected == {}
        else:
            assert expected["a"] == pytest.approx(checksum_error(rows), rel=1e-5)
    assert sum(event["score"] is not None for event in events) > len(events) / 2


def test_a_score_that_opens_or_updates_is_above_its_threshold_and_one_that_closes_by_quiet_is_not(world: World) -> None:
    for _, event in alerts_of(world):
        if event["status"] != "closed":
            assert event["score"] > event["threshold"]
        elif not event["incident"]["accepted"]:
            assert event["score"] is None or event["score"] <= event["threshold"]
        assert event["incident"]["peak_score"] >= (event["score"] or 0) or event["status"] == "closed"


def test_a_replayed_reading_gives_the_same_bytes() -> None:
    assert [record.value for record, _ in alerts_of(busy_world())] == [record.value for record, _ in alerts_of(busy_world())]


def test_an_incident_may_be_closed_by_a_reading_that_was_not_scored() -> None:
    world = World()
    for second in (0, 1, 2, 500):  # the window restarts after the gap, and by then the incident would be accepted
        world.produce("s", START_MS + second * SECOND_MS, 1.0, 2.0)
    Replica(world, ReplicaConfig(margin=ALWAYS, accept_ms=498 * SECOND_MS)).run()

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
        "last_index": 0,
    }
    assert closed["incident"] == {
        "opened_at": opened["timestamp"],
        "opened_offset": opened["window"]["last_offset"],
        "opened_index": 0,
        "peak_score": opened["score"],
        "peak_severity": opened["severity"],
        "accepted": False,
        "reason": "quiet",
    }
    assert closed["severity"] == opened["severity"]
