"""Messages of known tags without a value, where readings are assembled: dead letters, and no life of their sensor."""

from __future__ import annotations

import json

from stream_detector.state.bucket_state import Assembly
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import INPUT, SECOND_MS, START_MS, ReplicaConfig, reading, some_rules
from tests.pipeline.world import World

#: A value stands for three buckets, and a feature that is gone for two readings has an incident.
PLANT = ReplicaConfig(margin=50.0, rule_config=some_rules(), assembly=Assembly(5 * SECOND_MS, 15 * SECOND_MS))


def send(world: World, seconds: range, value: float | None, *names: str) -> None:
    """Send each of these features, in a message of its own, every five seconds."""
    for second in seconds[::5]:
        for at, name in enumerate(names):
            time_ms = START_MS + (second + at) * SECOND_MS
            written = json.loads(reading("pump-1", time_ms, float(second % 4), features=(name,)))
            if value is None:
                written["values"] = {name: None}
            world.log.append(INPUT, 0, json.dumps(written).encode(), key=b"pump-1", timestamp=time_ms)


def run(*nulls: str) -> World:
    """Send a and b for a minute, then a alone, and nulls of these."""
    world = World()
    send(world, range(60), 1.0, "a", "b")
    replica = Replica(world, PLANT)
    replica.run()
    for second in range(60, 100, 5):
        send(world, range(second, second + 1), 1.0, "a")
        send(world, range(second, second + 1), None, *nulls)
    replica.run()
    return world


def test_nulls_are_dead_letters_and_the_tag_is_missed_as_if_it_had_sent_nothing() -> None:
    quiet, empty = run(), run("b")

    assert [event["what"] for event in empty.events()] == [event["what"] for event in quiet.events()]
    assert empty.events()[0]["what"] == (
        "b has given no value for about 10 s (2 readings) beyond the hold of up to 15 s; healthy data always have one"
    )
    assert (len(quiet.dead_letters()), len(empty.dead_letters())) == (0, 8)


def test_nulls_alone_complete_no_bucket() -> None:
    world = World()
    send(world, range(60), 1.0, "a", "b")
    replica = Replica(world, PLANT)
    replica.run()
    before = world.events()
    send(world, range(60, 200), None, "a", "b")
    replica.run()

    assert world.events() == before  # a reading without a value, twice, would have opened missing_feature
    assert len(world.dead_letters()) == 56
