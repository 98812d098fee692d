"""Batches without output are committed in groups; an event, a dead letter, elapsed time or their number ends the wait."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream_detector.pipeline.config import CommitPolicy
from stream_detector.ports import Polled
from stream_detector.settings.schema import Settings
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import INPUT, ReplicaConfig, committing_at_once
from tests.pipeline.scene import ALWAYS, NEVER, feed, opened, ready, windows
from tests.pipeline.test_in_flight import lose_one
from tests.pipeline.world import World, stored_counts

RARE = CommitPolicy(seconds=60.0, records=100)
MUCH = 1_000_000  # records, so that every batch is carried through in one step
QUIET = replace(NEVER, overlap_records=MUCH, commits=RARE)
LOUD = replace(ALWAYS, overlap_records=MUCH, commits=RARE)


def poll_without_membership(monkeypatch: pytest.MonkeyPatch, replica: Replica, revoked: frozenset[int] = frozenset()) -> None:
    """Make all further polls report that the replica is no group member and that these partitions are revoked."""
    poll = replica.source.poll
    monkeypatch.setattr(replica.source, "poll", lambda seconds: replace(poll(seconds), membership=None, revoked=revoked))


def test_batches_that_say_nothing_wait_and_the_store_with_them() -> None:
    world = World()
    replica = ready(world, QUIET)
    for second in range(3):
        feed(world, "ab", first_second=2 * second)
        assert replica.turn().committed_batches == 0

    assert (world.committed(), world.store.positions(), replica.pipeline.store_lag) == ({0: 0}, {0: 0}, 0)
    assert replica.detector.arena.unsaved_count == 2


def test_an_event_is_committed_at_once_and_takes_along_what_waited() -> None:
    world = World()
    replica = ready(world, LOUD)
    feed(world, "ab")
    replica.turn()
    feed(world, "ab", first_second=2)
    replica.turn()
    assert world.committed() == {0: 0}

    feed(world, "a", first_second=4)
    report = replica.turn()

    assert opened(world) == [("a", 4)]
    assert (report.committed_batches, report.readings, report.scored) == (3, 5, 1)
    assert (world.committed(), world.store.positions(), stored_counts(world, "ab")) == ({0: 5}, {0: 5}, [3, 2])


def test_a_dead_letter_is_committed_at_once() -> None:
    world = World()
    replica = ready(world, QUIET)
    feed(world, "a")
    replica.turn()
    world.log.append(INPUT, 0, b"not a reading", timestamp=0)

    assert replica.turn().committed_batches == 2
    assert (len(world.dead_letters()), world.committed()) == (1, {0: 2})


def test_what_waits_is_committed_when_it_is_old() -> None:
    world = World()
    replica = ready(world, QUIET)
    feed(world, "a")
    replica.turn()
    feed(world, "a", first_second=1)
    replica.turn()
    world.clock.advance(60.0)
    feed(world, "a", first_second=2)

    replica.turn()

    assert (world.committed(), world.store.positions(), stored_counts(world, "a")) == ({0: 2}, {0: 2}, [2])  # beside the third


def test_what_waits_is_committed_when_it_is_much() -> None:
    world = World()
    replica = ready(world, replace(QUIET, commits=CommitPolicy(seconds=60.0, records=4)))
    feed(world, "aaa")
    assert replica.turn().committed_batches == 0
    feed(world, "a", first_second=3)

    assert replica.turn().committed_batches == 2
    assert world.committed() == {0: 4}


def test_what_waits_is_committed_when_nothing_comes() -> None:
    world = World()
    replica = ready(world, QUIET)
    feed(world, "a")
    replica.turn()

    assert replica.turn(0).committed_batches == 1
    assert (world.committed(), world.store.positions(), stored_counts(world, "a")) == ({0: 1}, {0: 1}, [1])


def test_what_waits_is_committed_and_stored_at_the_end() -> None:
    world = World()
    replica = ready(world, QUIET)
    feed(world, "aab")
    replica.turn()

    assert replica.pipeline.finish().committed_batches == 1
    assert (world.committed(), stored_counts(world, "ab")) == ({0: 3}, [2, 1])


def test_what_waits_makes_room_when_room_is_needed() -> None:
    world = World()
    replica = ready(world, replace(QUIET, max_sensors=2))
    feed(world, "ab")
    replica.turn()
    assert world.committed() == {0: 0}
    feed(world, "cd", first_second=2)

    replica.turn()

    assert (world.committed(), stored_counts(world, "ab")) == ({0: 2}, [1, 1])
    assert not replica.pipeline.holding


def test_nothing_waits_while_the_store_does_not_keep_up() -> None:
    world = World()
    replica = ready(world, QUIET)
    feed(world, "a")
    replica.turn()
    world.store.unavailable = True
    replica.turn(0)
    feed(world, "a", first_second=1)

    assert replica.turn().committed_batches == 1
    assert (world.committed(), replica.state.guard.is_away) == ({0: 2}, True)


def test_what_waits_when_a_process_dies_is_read_again() -> None:
    world = World()
    first = ready(world, LOUD)
    feed(world, "aab")
    first.turn()
    feed(world, "b", first_second=3)
    first.turn()
    second = first.crash()
    feed(world, "ab", first_second=4)

    second.run()

    assert opened(world) == [("a", 4), ("b", 5)]
    assert (world.committed(), stored_counts(world, "ab")) == ({0: 6}, [3, 3])


def test_what_waits_of_a_partition_given_away_is_left_to_the_next_owner() -> None:
    world = World(partitions=2)
    replica = ready(world, QUIET)
    feed(world, "aa", partition=0)
    feed(world, "bb", partition=1)
    replica.turn()
    lose_one(replica)

    report = replica.turn(0)

    assert report.readings == 2
    assert world.committed() == {0: 2, 1: 0}


def test_what_waits_behind_a_failed_commit_is_read_again_and_published_once() -> None:
    world = World()
    replica = ready(world, LOUD)
    feed(world, "aa")
    replica.turn()
    feed(world, "a", first_second=2)
    replica.sink.fail_next_commit("before")
    assert replica.turn().failed_commits == 1
    assert world.committed() == {0: 0}

    replica.run()

    assert (opened(world), world.committed(), stored_counts(world, "a")) == ([("a", 2)], {0: 3}, [3])


def test_what_waits_without_a_membership_goes_on_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    replica = ready(world, QUIET)
    feed(world, "aa")
    replica.turn()
    with monkeypatch.context() as patched:
        poll_without_membership(patched, replica)
        report = replica.turn(0)
    assert (report.failed_commits, report.committed_batches, world.committed()) == (0, 0, {0: 0})

    assert replica.turn(0).committed_batches == 1
    assert windows(replica) == []  # nothing was read again: each was scored once, before its window was full


def test_what_waits_at_the_end_without_a_membership_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    replica = ready(world, QUIET)
    feed(world, "aa")
    replica.turn()
    poll_without_membership(monkeypatch, replica)
    replica.turn(0)

    assert replica.pipeline.finish().failed_commits == 1
    assert (world.committed(), world.store.positions()) == ({0: 0}, {0: 0})


def test_a_poll_waits_no_longer_than_what_waits_to_be_committed_may(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    replica = ready(world, replace(QUIET, commits=CommitPolicy(seconds=1.25, records=100)))
    poll, waited = replica.source.poll, list[float]()

    def noted(seconds: float) -> Polled:
        waited.append(seconds)
        return poll(seconds)

    monkeypatch.setattr(replica.source, "poll", noted)
    for second in range(2):
        feed(world, "a", first_second=second)
        replica.turn()  # a turn takes a second
    assert world.committed() == {0: 0}
    replica.turn(0)

    assert (waited, world.committed()) == ([0.5, 0.25, 0.0], {0: 2})


def test_an_end_without_a_membership_is_in_order_if_all_that_waited_was_given_away(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    replica = ready(world, QUIET)
    feed(world, "aa")
    replica.turn()
    poll_without_membership(monkeypatch, replica, revoked=frozenset({0}))
    replica.turn(0)

    assert replica.pipeline.finish().failed_commits == 0
    assert (world.committed(), world.store.positions()) == ({0: 0}, {0: 0})


def test_settling_commits_what_waits() -> None:
    world = World()
    replica = ready(world, QUIET)
    feed(world, "aab")
    replica.turn()

    assert replica.pipeline.settle()
    assert (world.committed(), stored_counts(world, "ab")) == ({0: 3}, [2, 1])
    assert replica.turn(0).committed_batches == 1  # counted with what came after


def test_a_commit_that_fails_while_settling_starts_over() -> None:
    world = World()
    replica = ready(world, QUIET)
    feed(world, "aab")
    replica.turn()
    replica.sink.fail_next_commit("before")

    assert not replica.pipeline.settle()
    replica.run()
    assert (world.committed(), stored_counts(world, "ab")) == ({0: 3}, [2, 1])


def test_the_default_is_what_ships_and_each_batch_can_be_committed_at_once() -> None:
    kafka, default = Settings().kafka, ReplicaConfig()
    assert default.commits == CommitPolicy(kafka.commit_seconds, kafka.max_poll_records)
    assert default.overlap_records == kafka.max_poll_records
    world = World()
    replica = ready(world, committing_at_once(default))
    feed(world, "a")

    assert replica.turn().committed_batches == 1
