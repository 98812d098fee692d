"""Births that were sent long before the readings that need them: after restarts, for other models, in a new group."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_detector.pipeline.config import RestoreConfig
from stream_detector.state.bucket_state import Assembly
from tests.ingest.sparkplug_messages import DOUBLE, metric, payload, session
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import INPUT, MINUTE_MS, MODEL, SECOND_MS, START_MS, ReplicaConfig
from tests.pipeline.world import World, stored_counts

CONFIG = ReplicaConfig(preset="sparkplug", lookback_ms=30 * SECOND_MS)
LONG_AFTER_MS = START_MS + 600 * MINUTE_MS


def send(world: World, kind: str, now_ms: int, *metrics: bytes) -> None:
    topic = f"spBv1.0/g/{kind}/n"
    world.log.append(INPUT, 0, payload(metrics, at_ms=now_ms), key=topic.encode(), timestamp=now_ms)


def be_born(world: World, now_ms: int, *, first: int = 1) -> None:
    named = [metric(name, 1.0, alias=first + number) for number, name in enumerate(("a", "b", "c"))]
    send(world, "NBIRTH", now_ms, session(1), *named)


def tell(world: World, now_ms: int, count: int, *, alias: int = 1) -> None:
    for second in range(count):
        values = [metric(value=second * 0.3 % 2, alias=alias + number, datatype=DOUBLE) for number in range(2)]
        send(world, "NDATA", now_ms + second * SECOND_MS, *values)


def reasons(world: World) -> list[bytes | None]:
    return [dict(headers)["stream_detector.reason"] for _, headers in world.dead_letters()]


def test_a_restart_knows_a_birth_that_the_log_no_longer_has() -> None:
    world = World()
    be_born(world, START_MS)
    tell(world, LONG_AFTER_MS, 3)
    replica = Replica(world, CONFIG)
    replica.run()
    tell(world, LONG_AFTER_MS + 10 * SECOND_MS, 3)
    world.log.trim(INPUT, 0, 2)
    replica.crash().run()

    assert (reasons(world), stored_counts(world, ["g/n"])) == ([], [7])


def test_another_model_with_other_features_knows_a_birth_from_before_the_look_back() -> None:
    world = World()
    be_born(world, START_MS)
    tell(world, LONG_AFTER_MS, 5)
    first = Replica(world, CONFIG)
    first.run()
    first.source.kill()
    world.log.trim(INPUT, 0, 1)
    tell(world, LONG_AFTER_MS + 10 * SECOND_MS, 3)
    other = replace(CONFIG, model=replace(MODEL, features=("b", "c"), version="v2"))
    replica = Replica(world, other)
    replica.run()

    assert reasons(world) == []
    assert replica.detector.arena.records["header"]["count"].max() == 8  # five to fill the window, and three


def test_a_new_group_searches_the_log_for_births_before_the_look_back() -> None:
    world = World()
    be_born(world, START_MS, first=5)
    tell(world, LONG_AFTER_MS, 5, alias=5)
    replica = Replica(world, replace(CONFIG, start="latest"))
    replica.run()
    tell(world, LONG_AFTER_MS + 5 * SECOND_MS, 3, alias=5)
    replica.run()

    assert (reasons(world), stored_counts(world, ["g/n"])) == ([], [8])


def test_a_node_whose_birth_nobody_has_goes_to_the_dead_letters_until_it_is_born_and_never_stops_the_service() -> None:
    world = World()
    tell(world, START_MS, 40)
    replica = Replica(world, replace(CONFIG, dead_letter_share=0.1, dead_letter_min_count=10, dead_letter_run=5))
    replica.run()
    be_born(world, START_MS + MINUTE_MS)
    tell(world, START_MS + 2 * MINUTE_MS, 3)
    replica.run()

    assert reasons(world) == [b"alias_unknown"] * 40
    assert stored_counts(world, ["g/n"]) == [4]


def test_births_are_not_used_where_a_part_of_the_log_was_lost_unread() -> None:
    world = World()
    be_born(world, START_MS)
    tell(world, START_MS + SECOND_MS, 3)
    replica = Replica(world, CONFIG)
    replica.run()
    be_born(world, START_MS + MINUTE_MS, first=2)  # the names have moved on by one
    tell(world, START_MS + 2 * MINUTE_MS, 3, alias=2)
    world.log.trim(INPUT, 0, 5)
    replica.crash().run()

    assert reasons(world) == [b"alias_unknown"] * 3


def test_the_search_for_births_is_bounded() -> None:
    world = World()
    be_born(world, START_MS)
    tell(world, LONG_AFTER_MS, 5)
    replica = Replica(world, CONFIG)
    replica.pipeline._assignment._config = RestoreConfig(
        "latest", CONFIG.lookback_ms, max_lookback_records=2, retry_seconds=0.5
    )
    replica.run()
    tell(world, LONG_AFTER_MS + 10 * SECOND_MS, 1)
    replica.run()

    assert reasons(world) == [b"alias_unknown"]


def other_speaks(world: World, now_ms: int, count: int) -> None:
    """Have another node tell that time goes on."""
    for second in range(count):
        value = payload([metric("a", 1.0)], at_ms=now_ms + second * SECOND_MS)
        world.log.append(INPUT, 0, value, key=b"spBv1.0/g/NDATA/other", timestamp=now_ms + second * SECOND_MS)


def silences(world: World) -> list[tuple[str, str, str, str]]:
    """Return the events of silences: sensor, status, what, and the second of their time."""
    events = [event for event in world.events() if event["type"] == "silent"]
    return [(event["sensor_id"], event["status"], event["what"], event["timestamp"][17:19]) for event in events]


LAST_WILL = "Its node is offline: the broker sent the node's Last Will (NDEATH)"


def test_a_death_is_a_silence_at_once_that_says_so_and_the_next_birth_ends_it() -> None:
    world = World()
    replica = Replica(world, replace(CONFIG, silent_s=60))
    be_born(world, START_MS)
    tell(world, START_MS + SECOND_MS, 3)
    send(world, "NDEATH", START_MS + 5 * SECOND_MS, session(1))
    other_speaks(world, START_MS + 5 * SECOND_MS, 4)
    replica.run()
    replica.turn()
    announced = silences(world)
    be_born(world, START_MS + 20 * SECOND_MS)
    replica.crash().run()

    died = (START_MS // SECOND_MS + 5) % 60
    assert announced == [("g/n", "opened", LAST_WILL, f"{died:02}")]
    assert [one[:2] for one in silences(world)] == [("g/n", "opened"), ("g/n", "closed")]


def test_a_silence_is_the_same_whether_it_was_announced_or_seen_at_the_birth_after_it() -> None:
    outcomes = []
    for records in (1, 500):
        world = World()
        replica = Replica(world, replace(CONFIG, silent_s=60))
        be_born(world, START_MS)
        tell(world, START_MS + SECOND_MS, 3)
        send(world, "NDEATH", START_MS + 5 * SECOND_MS, session(1))
        other_speaks(world, START_MS + 5 * SECOND_MS, 4)
        be_born(world, START_MS + 20 * SECOND_MS)
        replica.run(records)
        outcomes.append([event for event in world.events() if event["type"] == "silent"])

    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0]) == 2


def test_a_death_of_an_earlier_connection_and_of_a_node_that_was_never_born_says_nothing() -> None:
    world = World()
    replica = Replica(world, replace(CONFIG, silent_s=60))
    be_born(world, START_MS)
    tell(world, START_MS + SECOND_MS, 3)
    send(world, "NDEATH", START_MS + 5 * SECOND_MS, session(0))
    other_speaks(world, START_MS + 5 * SECOND_MS, 4)
    world.log.append(INPUT, 0, payload([session(0)]), key=b"spBv1.0/g/NDEATH/other", timestamp=START_MS + 9 * SECOND_MS)
    tell(world, START_MS + 10 * SECOND_MS, 4)
    replica.run()
    replica.turn()

    assert silences(world) == []


def test_a_death_survives_a_restart() -> None:
    world = World()
    replica = Replica(world, replace(CONFIG, silent_s=60))
    be_born(world, START_MS)
    tell(world, START_MS + SECOND_MS, 3)
    send(world, "NDEATH", START_MS + 5 * SECOND_MS, session(1))
    replica.run()
    before = silences(world)
    after = replica.crash()
    other_speaks(world, START_MS + 5 * SECOND_MS, 4)
    after.run()
    after.turn()

    assert (before, [one[2] for one in silences(world)]) == ([], [LAST_WILL])


@pytest.mark.parametrize("after", [[metric("b", None, alias=2)], []], ids=["null", "not named"])
@pytest.mark.parametrize("dies", [True, False])
def test_a_birth_ends_a_held_value_that_it_does_not_bring_again(after: list[bytes], dies: bool) -> None:
    world, held = World(), replace(CONFIG, assembly=Assembly(SECOND_MS, 60 * SECOND_MS))
    replica = Replica(world, held)
    be_born(world, START_MS)
    tell(world, START_MS + SECOND_MS, 2)
    if dies:
        send(world, "NDEATH", START_MS + 3 * SECOND_MS, session(1))
    send(world, "NBIRTH", START_MS + 4 * SECOND_MS, session(2), metric("a", 1.0, alias=1), *after)
    for second in range(5, 8):
        send(world, "NDATA", START_MS + second * SECOND_MS, metric(value=second / 10, alias=1))
    replica.run()

    records = replica.detector.arena.records
    assert records["header"]["count"].max() == 6
    newest_three = records["rows"]["values"][0]
    assert np.isnan(newest_three).tolist() == [[False, True]] * 3
