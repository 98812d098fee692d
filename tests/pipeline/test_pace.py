"""A batch is persisted while the next one is polled, and a small batch completes in one step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream_detector.errors import RetriableError
from stream_detector.pipeline.config import AT_ONCE
from stream_detector.ports import Polled
from tests.pipeline.replica_config import INPUT, START_MS
from tests.pipeline.scene import ALWAYS, feed, opened, ready, windows
from tests.pipeline.test_in_flight import lose_one, several
from tests.pipeline.world import World, stored_counts

SMALL_BATCHES = replace(ALWAYS, overlap_records=3, commits=AT_ONCE)
LATE_STORE = replace(ALWAYS, overlap_records=1000, commits=AT_ONCE, stores_late=True)


def test_a_small_batch_is_carried_through_in_one_step_and_a_large_one_is_left_in_flight() -> None:
    world = World()
    replica = ready(world, SMALL_BATCHES)
    feed(world, "aa")
    assert replica.turn().committed_batches == 1
    assert (world.committed(), world.store.positions()) == ({0: 2}, {0: 2})

    feed(world, "aaa", first_second=2)
    assert replica.turn().committed_batches == 0
    feed(world, "a", first_second=5)
    assert replica.turn().committed_batches == 2
    assert (world.committed(), stored_counts(world, "a")) == ({0: 6}, [6])


def test_how_large_a_batch_is_says_what_was_polled_and_not_what_could_be_read_of_it() -> None:
    world = World()
    replica = ready(world, SMALL_BATCHES)
    feed(world, "aa")
    world.log.append(INPUT, 0, b"not a reading", timestamp=START_MS)

    assert replica.turn().committed_batches == 0
    assert replica.turn().committed_batches == 1


def test_the_store_gets_a_batch_while_the_next_one_is_polled() -> None:
    world = World()
    replica = ready(world, LATE_STORE)
    feed(world, "aab")
    replica.turn()
    assert (world.committed(), world.store.positions(), replica.pipeline.store_lag) == ({0: 3}, {0: 0}, 3)

    feed(world, "a", first_second=3)
    replica.turn()

    assert (world.committed(), world.store.positions(), stored_counts(world, "ab")) == ({0: 4}, {0: 3}, [2, 1])
    assert replica.pipeline.settle()
    assert (world.store.positions(), stored_counts(world, "ab")) == ({0: 4}, [3, 1])


def test_nothing_is_asked_of_the_store_before_it_is_known_what_it_did() -> None:
    world = World()
    replica = ready(world, LATE_STORE)
    feed(world, "aab")
    replica.turn()

    with pytest.raises(RuntimeError, match="while the store is lent to another thread"):
        replica.state.guard.answers()


def test_a_partition_is_let_go_of_when_the_store_has_it() -> None:
    world = World(partitions=2)
    replica = ready(world, LATE_STORE)
    feed(world, "aaa", partition=0)
    feed(world, "bbb", partition=1)
    replica.turn()
    assert world.store.positions() == {0: 0, 1: 0}
    lose_one(replica)

    replica.turn(0)

    assert world.store.positions() == {0: 3, 1: 3}
    several(replica)
    assert windows(replica) == [[0.0, 1.0, 2.0]] * 2  # nothing was read again


def test_the_last_batch_is_stored_at_the_end() -> None:
    world = World()
    replica = ready(world, LATE_STORE)
    feed(world, "aaa")
    replica.turn()

    replica.pipeline.finish()

    assert (world.store.positions(), stored_counts(world, "a")) == ({0: 3}, [3])


def test_what_a_dead_process_had_sent_to_the_store_harms_nobody_who_went_on() -> None:
    world = World()
    first = ready(world, LATE_STORE)
    feed(world, "aaab")
    first.turn()
    second = first.crash()
    feed(world, "aab", first_second=4)
    second.turn()
    second.turn()

    world.in_transit.arrive()

    second.run()
    assert (opened(world), stored_counts(world, "ab")) == ([("a", 2)], [5, 2])


def test_what_the_store_did_is_learned_though_nothing_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    replica = ready(world, LATE_STORE)
    feed(world, "aaa")
    replica.turn()

    def failing_poll(timeout_seconds: float) -> Polled:
        raise RetriableError(f"no broker within {timeout_seconds} s")

    monkeypatch.setattr(replica.source, "poll", failing_poll)
    world.store.unavailable = True
    assert (replica.turn().store_errors, replica.state.guard.is_away) == (1, True)


def test_a_failure_of_the_store_that_is_learned_between_two_steps_is_counted() -> None:
    world = World()
    replica = ready(world, LATE_STORE)
    feed(world, "aaa")
    replica.turn()
    world.store.unavailable = True

    assert not replica.pipeline.settle()

    world.store.unavailable = False
    assert replica.turn().store_errors == 1
    assert replica.pipeline.settle()
    assert stored_counts(world, "a") == [3]
