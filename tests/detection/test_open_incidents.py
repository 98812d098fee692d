"""Open incidents are read back from the alerts topic when the store has lost them."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from stream_detector.detection.open_incidents import OpenIncident, open_incidents
from stream_detector.detection.severity import severity_of
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import INPUT, ReplicaConfig
from tests.pipeline.world import World

OPENED_AT = "2026-11-23T07:00:00.000Z"
OPENED_MS = 1_795_417_200_000


def event(status: str, sensor: str = "pump-1", offset: int = 10, partition: int = 0, topic: str = INPUT) -> bytes:
    return json.dumps(
        {
            "status": status,
            "sensor_id": sensor,
            "timestamp": "2026-11-23T07:00:01Z",
            "window": {"topic": topic, "partition": partition, "last_offset": offset},
            "incident": {"opened_at": OPENED_AT, "opened_offset": 10, "peak_score": 2.5},
        }
    ).encode()


def test_an_incident_that_was_opened_and_not_closed_is_open() -> None:
    values = [event("opened"), event("updated", offset=12), event("opened", "pump-2"), event("closed", "pump-2", 14)]

    assert open_incidents(values, INPUT, 0, 100) == [OpenIncident("pump-1", 10, OPENED_MS, 2.5, OPENED_MS + 1000)]


def test_the_worst_severity_so_far_is_restored_and_that_of_the_event_if_it_has_no_other() -> None:
    newest = json.loads(event("updated")) | {"severity": "low"}
    with_peak = newest | {"incident": newest["incident"] | {"peak_severity": "high"}}

    found = [open_incidents([json.dumps(one).encode()], INPUT, 0, 100)[0].peak_ratio for one in (with_peak, newest)]

    assert [severity_of(ratio) for ratio in found] == ["high", "low"]


def test_other_partitions_other_topics_and_later_readings_do_not_count() -> None:
    values = [event("opened", partition=1), event("opened", topic="other"), event("opened", offset=100)]

    assert open_incidents(values, INPUT, 0, 100) == []


def test_events_of_a_sensor_count_in_the_order_of_their_readings() -> None:
    values = [event("closed", offset=14), event("opened", offset=10)]

    assert open_incidents(values, INPUT, 0, 100) == []


@given(st.lists(st.one_of(st.none(), st.binary(max_size=40), st.just(b'{"status": "opened"}'))))
def test_values_that_are_not_events_are_skipped(values: list[bytes | None]) -> None:
    found = open_incidents([*values, event("opened")], INPUT, 0, 100)

    assert [incident.sensor_id for incident in found] == ["pump-1"]


def test_an_incident_outlives_the_loss_of_process_and_store() -> None:
    """The windows come from the log, the incident from the alerts: it is closed under its own name."""
    world, plant = World(), ReplicaConfig(quiet_ms=5_000, margin=-10.0)  # everything is anomalous
    replica = Replica(world, plant)
    for second in range(4):
        world.produce("pump-1", OPENED_MS + 1000 * second, 1.0, 2.0)
    replica.run()
    replica.crash()
    world.store.wipe()

    later = Replica(world, ReplicaConfig(quiet_ms=5_000, margin=100.0))  # nothing is
    for second in range(4, 12):
        world.produce("pump-1", OPENED_MS + 1000 * second, 1.0, 2.0)
    later.run()

    events = world.events()
    assert [event["status"] for event in events] == ["opened", "closed"]
    assert events[1]["incident_id"] == events[0]["incident_id"]
    assert events[1]["incident"]["opened_at"] == events[0]["timestamp"]
    assert events[1]["timestamp"] == "2026-11-23T07:00:07.000Z"  # opened at the third reading, 2 s: quiet 5 s later
