"""Incidents of rules travel through the pipeline: once, whatever is replayed, lost or cut in other batches."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.detection.rules.fold import RuleConfig
from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.detection.rules.incidents import Pace
from stream_detector.detection.rules.limits import LimitOptions, rule_limits
from stream_detector.detection.transition import FROZEN, MISSING_FEATURE
from tests.detection.rules.rule_cases import healthy_of, noise
from tests.detection.test_event_builder import VALIDATOR
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import MODEL, SECOND_MS, START_MS, ReplicaConfig
from tests.pipeline.world import World

RULES = RuleConfig(
    rule_limits(healthy_of(noise(2000), sensors=2), ("a", "b"), LimitOptions(frozen_readings=6, missing_readings=5)),
    frozenset({FROZEN, MISSING_FEATURE}),
    Pace(quiet_readings=3, update_ms=60 * SECOND_MS),
    healthy_factor=3.0,
)


def produce(world: World, first: int, last: int) -> None:
    """Write a reading a second: sensor x freezes from second 20 to 50, y loses b from 30 to 45."""
    values = noise(70, 2, seed=3).astype(float)
    for second in range(first, last):
        frozen = values[20] if 20 <= second < 50 else values[second]
        world.produce("x", START_MS + second * SECOND_MS, *frozen.tolist())
        gone = None if 30 <= second < 45 else float(values[second, 1])
        world.produce("y", START_MS + second * SECOND_MS, float(values[second, 0]), gone)


def story(world: World) -> list[tuple[str, str, str, int]]:
    found = [
        (one["sensor_id"], one["type"], one["status"], (one["window"]["last_offset"] - one["incident"]["opened_offset"]) // 2)
        for one in world.events()
    ]
    return sorted(found)


EXPECTED = [
    ("x", "frozen", "closed", 26),
    ("x", "frozen", "opened", 0),
    ("y", "missing_feature", "closed", 13),
    ("y", "missing_feature", "opened", 0),
]
QUIET = ReplicaConfig(margin=50.0, rule_config=RULES)


def test_a_frozen_sensor_and_a_missing_feature_are_events_on_the_alerts_topic() -> None:
    world = World()
    produce(world, 0, 70)

    Replica(world, QUIET).run()

    assert story(world) == EXPECTED
    assert len({one["event_id"] for one in world.events()}) == 4
    opened = next(one for one in world.events() if one["type"] == "frozen")
    VALIDATOR.validate(opened)
    assert opened["event_id"] == f"readings-0-{opened['window']['last_offset']}-0-frozen-v1-opened"
    assert opened["incident_id"] == f"readings-0-{opened['window']['last_offset']}-0-frozen"


def test_events_are_counted_by_type() -> None:
    world = World()
    produce(world, 0, 35)
    replica = Replica(world, QUIET)
    while not replica.pipeline.is_ready:
        replica.step(0)

    report = replica.step()

    assert dict(report.alerts) == {("frozen", "opened"): 1, ("missing_feature", "opened"): 1}


@settings(deadline=None, max_examples=20)
@given(polls=st.lists(st.integers(1, 25), min_size=1, max_size=12), crashes=st.sets(st.integers(0, 12), max_size=3))
def test_whatever_the_batches_and_crashes_the_same_events_are_sent_once(polls: list[int], crashes: set[int]) -> None:
    whole, world = World(), World()
    produce(whole, 0, 70)
    produce(world, 0, 70)
    Replica(whole, QUIET).run()

    run_with_crashes(world, QUIET, polls, crashes)

    assert sorted(world.alerts()) == sorted(whole.alerts())


def run_with_crashes(world: World, config: ReplicaConfig, polls: list[int], crashes: set[int]) -> None:
    """Read so many records at a time, with a crash before some turns, and then the rest."""
    replica = Replica(world, config)
    for number, records in enumerate(polls):
        if number in crashes:
            replica.crash()
            replica = Replica(world, config)
        replica.turn(records)
    replica.run()


def test_incidents_of_several_types_outlive_the_loss_of_process_and_store() -> None:
    world = World()
    produce(world, 0, 40)
    replica = Replica(world, QUIET)
    replica.run()
    replica.crash()
    world.store.wipe()

    produce(world, 40, 70)
    Replica(world, replace(QUIET, lookback_ms=4 * SECOND_MS)).run()

    assert story(world) == EXPECTED
    assert len({one["incident_id"] for one in world.events()}) == 2


#: As without a model: nothing was learned, and no sensor is known.
UNLEARNED = replace(
    QUIET,
    model=replace(MODEL, window_length=48),
    known=(),
    rule_config=replace(
        RULES,
        limits=rule_limits(HealthyData.none(1, 2), ("a", "b"), LimitOptions()),
        own=LimitOptions(),
    ),
)
FOUND = [
    ("x", "frozen", "closed", 144),
    ("x", "frozen", "opened", 0),
    ("y", "missing_feature", "closed", 73),
    ("y", "missing_feature", "opened", 0),
    ("z", "frozen", "closed", 132),
    ("z", "frozen", "opened", 0),
]


def produce_unlearned(world: World, first: int, last: int) -> None:
    """Write a reading a second: from second 60, x freezes and y loses b, both for longer than a window, and a of z freezes."""
    values = noise(240, 2, seed=3).astype(float)
    for second in range(first, last):
        a, b = values[second].tolist()
        stops = values[60].tolist()
        time_ms = START_MS + second * SECOND_MS
        world.produce("x", time_ms, *(stops if 60 <= second < 210 else (a, b)))
        world.produce("y", time_ms, a, None if 60 <= second < 150 else b)
        world.produce("z", time_ms, stops[0] if 60 <= second < 210 else a, b)


def found_unlearned(world: World) -> list[tuple[str, str, str, int]]:
    found = [
        (one["sensor_id"], one["type"], one["status"], (one["window"]["last_offset"] - one["incident"]["opened_offset"]) // 3)
        for one in world.events()
        if one["status"] != "updated"
    ]
    return sorted(found)


@settings(deadline=None, max_examples=10)
@given(polls=st.lists(st.integers(1, 90), min_size=1, max_size=12), crashes=st.sets(st.integers(0, 12), max_size=3))
def test_without_a_model_the_same_events_are_sent_once_whatever_the_batches_and_crashes(
    polls: list[int], crashes: set[int]
) -> None:
    whole, world = World(), World()
    produce_unlearned(whole, 0, 240)
    produce_unlearned(world, 0, 240)
    Replica(whole, UNLEARNED).run()

    run_with_crashes(world, UNLEARNED, polls, crashes)

    assert sorted(world.alerts()) == sorted(whole.alerts())
    assert found_unlearned(world) == FOUND


def test_without_a_model_incidents_outlive_the_loss_of_process_and_store_until_their_runs_end() -> None:
    world = World()
    produce_unlearned(world, 0, 130)
    replica = Replica(world, UNLEARNED)
    replica.run()
    replica.crash()
    world.store.wipe()

    produce_unlearned(world, 130, 240)
    Replica(world, replace(UNLEARNED, lookback_ms=4 * SECOND_MS)).run()

    assert found_unlearned(world) == FOUND
