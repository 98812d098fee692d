"""A batch in flight is scored while the previous one is committed and persisted and the next one is polled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from stream_detector.errors import RetriableError
from stream_detector.pipeline.step_report import StepReport
from stream_detector.ports import Polled
from stream_detector.readings import Float32Array
from stream_detector.state.running_scale import Scales
from tests.fakes.scorer import ChecksumScorer
from tests.pipeline import scene
from tests.pipeline.replica import Replica, merged
from tests.pipeline.replica_config import INPUT, SECOND_MS, ReplicaConfig, every_batch_in_flight
from tests.pipeline.scene import feed, opened, ready, windows
from tests.pipeline.world import World, stored_counts

ALWAYS, NEVER = every_batch_in_flight(scene.ALWAYS), every_batch_in_flight(scene.NEVER)


def test_the_next_batch_is_in_memory_while_one_is_committed_and_only_that_one_is_stored() -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aab")
    replica.turn()
    assert (world.committed(), world.store.positions(), replica.pipeline.store_lag) == ({0: 0}, {0: 0}, 0)

    feed(world, "ab", first_second=3)
    report = replica.turn()

    assert (report.committed_batches, report.readings) == (1, 3)
    assert (world.committed(), world.store.positions(), stored_counts(world, "ab")) == ({0: 3}, {0: 3}, [2, 1])
    assert replica.detector.arena.unsaved(0).tolist() == replica.detector.arena.held(0).tolist()  # both, by the second batch
    replica.turn()
    assert (world.committed(), world.store.positions(), stored_counts(world, "ab")) == ({0: 5}, {0: 5}, [3, 2])
    assert opened(world) == [("a", 3)]


def test_windows_are_being_scored_when_the_batch_before_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    world, order = World(), list[str]()
    replica = ready(world, NEVER)

    def noted(scorer: ChecksumScorer, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        order.append("start")
        errors = start(scorer, windows, scales)

        def wait() -> Float32Array:
            order.append("wait")
            return errors()

        return wait

    def noted_commit(*arguments: Any) -> None:  # noqa: ANN401 - passed on
        order.append("commit")
        commit(*arguments)

    start, commit = ChecksumScorer.start, replica.sink.commit
    monkeypatch.setattr(ChecksumScorer, "start", noted)
    monkeypatch.setattr(replica.sink, "commit", noted_commit)
    for second in range(5):
        feed(world, "a", first_second=second)
        replica.turn()

    # The third reading fills the window; the fifth's batch is in flight at the end.
    assert order == ["commit", "start", "commit", "wait", "start", "commit", "wait", "start", "commit"]


def test_an_idle_poll_completes_the_batch() -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aaa")
    replica.turn()
    assert opened(world) == []

    replica.turn()

    assert (opened(world), world.committed(), replica.is_done()) == ([("a", 2)], {0: 3}, True)


def test_a_partition_given_away_while_its_batch_is_in_flight_is_left_to_the_next_owner() -> None:
    world = World(partitions=2)
    first = ready(world, ALWAYS)
    feed(world, "aaa", partition=0)
    feed(world, "bbb", partition=1)
    first.turn()

    second = Replica(world, ALWAYS)
    second.turn(0)
    report = first.turn(0)

    assert (report.failed_commits, report.restores) == (0, {})
    (kept,) = first.pipeline._assignment.ready()
    assert world.committed() == {kept: 3, 1 - kept: 0}
    assert opened(world) == [("ab"[kept], 2)]
    for _ in range(10):
        first.turn()
        second.turn()
    assert sorted(opened(world)) == [("a", 2), ("b", 2)]
    assert windows(first).count([0.0, 1.0, 2.0]) == 2  # the kept partition's was not scored again


def test_dead_letters_of_a_partition_given_away_are_left_to_the_next_owner() -> None:
    world = World(partitions=2)
    first = ready(world, ALWAYS)
    world.log.append(INPUT, 0, b"of 0")
    world.log.append(INPUT, 1, b"of 1")
    first.turn()

    second = Replica(world, ALWAYS)
    second.turn(0)
    first.turn(0)

    (kept,) = first.pipeline._assignment.ready()
    assert [value for value, _ in world.dead_letters()] == [f"of {kept}".encode()]
    for _ in range(10):
        first.turn()
        second.turn()
    assert sorted(value or b"" for value, _ in world.dead_letters()) == [b"of 0", b"of 1"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_is_in_flight_behind_a_failed_commit_is_read_again_and_published_once(when: str) -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aaa")
    replica.turn()
    feed(world, "bbb", first_second=3)
    replica.sink.fail_next_commit("before" if when == "before" else "after")

    report = replica.turn()

    assert (report.failed_commits, replica.pipeline.is_ready) == (1, False)
    replica.run()
    assert opened(world) == [("a", 2), ("b", 5)]
    assert stored_counts(world, "ab") == [3, 3]


def test_an_evicted_members_batch_in_flight_is_not_committed() -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aaa")
    replica.turn()
    replica.evict()

    report = replica.turn(0)

    assert (report.failed_commits, world.committed(), opened(world)) == (1, {0: 0}, [])
    replica.run()
    assert opened(world) == [("a", 2)]


def test_a_batch_in_flight_outlives_a_poll_that_fails_for_now(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aaa")
    replica.turn()

    def failing_poll(timeout_seconds: float) -> Polled:
        raise RetriableError(f"no broker within {timeout_seconds} s")

    with monkeypatch.context() as patched:
        patched.setattr(replica.source, "poll", failing_poll)
        assert replica.turn().source_errors == 1
    replica.turn()

    assert (opened(world), world.committed()) == ([("a", 2)], {0: 3})
    assert windows(replica) == [[0.0, 1.0, 2.0]]


def test_sensors_that_find_no_room_beside_a_batch_in_flight_come_after_it() -> None:
    world = World()
    replica = ready(world, every_batch_in_flight(ReplicaConfig(margin=-50.0, max_sensors=2)))
    for second, pair in enumerate(["ab", "cd", "ab", "cd", "ab", "cd"]):
        feed(world, pair, first_second=2 * second)
        replica.turn()
    replica.run()

    assert stored_counts(world, "abcd") == [3, 3, 3, 3]
    assert [sensor for sensor, _ in opened(world)] == ["a", "b", "c", "d"]
    assert replica.pipeline.holding == 0


def test_a_store_that_fails_under_a_batch_in_flight_is_given_all_later() -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aab")
    replica.turn()
    world.store.healthy_persists = 0
    feed(world, "ab", first_second=3)
    replica.turn()
    assert not replica.pipeline.settle()
    assert (world.committed(), world.store.positions(), replica.pipeline.store_lag) == ({0: 3}, {0: 0}, 3)

    world.store.unavailable = False
    replica.run()

    assert (opened(world), stored_counts(world, "ab")) == ([("a", 3)], [3, 2])


def test_a_store_wiped_under_a_batch_in_flight_is_written_anew_from_what_is_committed() -> None:
    world = World()
    replica = ready(world, NEVER)
    feed(world, "aab")
    replica.turn()
    world.store.wipe()
    feed(world, "ab", first_second=3)
    assert replica.turn().rewritten_partitions == 0  # memory is ahead of what is committed
    assert world.store.positions() == {}
    feed(world, "a", first_second=5)

    report = replica.turn()

    assert report.rewritten_partitions == 1
    assert (world.committed(), world.store.positions(), stored_counts(world, "ab")) == ({0: 5}, {0: 5}, [3, 2])
    replica.run()
    assert stored_counts(world, "ab") == [4, 2]


def test_an_answer_lost_under_a_batch_in_flight_is_found_out() -> None:
    world = World()
    replica = ready(world, NEVER)
    feed(world, "aab")
    replica.turn()
    world.store.lost_answers = 1
    feed(world, "ab", first_second=3)
    replica.turn()
    assert (world.store.positions(), stored_counts(world, "ab")) == ({0: 3}, [2, 1])

    assert replica.turn().store_errors == 2  # the answer that was lost, and that the store is not asked again at once
    replica.run()

    assert (world.store.positions(), stored_counts(world, "ab")) == ({0: 5}, [3, 2])


def test_a_batch_in_flight_is_not_decided_yet_so_rules_may_change() -> None:
    world = World()
    replica = ready(world, NEVER)
    feed(world, "aaa")
    replica.turn()
    assert replica.pipeline.settle()

    replica.pipeline.use_rules(ALWAYS.rules())
    replica.turn()

    assert opened(world) == [("a", 2)]


def test_the_batch_in_flight_is_completed_at_the_end() -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aaa")
    replica.turn()

    report = replica.pipeline.finish()

    assert (report.committed_batches, report.failed_commits) == (1, 0)
    assert (opened(world), world.committed(), stored_counts(world, "a")) == ([("a", 2)], {0: 3}, [3])


def test_a_last_batch_that_cannot_be_committed_is_read_again_by_the_next_owner(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aaa")
    replica.turn()
    replica.sink.fail_next_commit("before")

    with caplog.at_level(logging.WARNING):
        report = replica.pipeline.finish()

    assert (report.failed_commits, world.committed(), stored_counts(world, "a")) == (1, {0: 0}, [0])
    assert "the last batch is not committed and will be read again" in caplog.text
    replica.crash().run()
    assert opened(world) == [("a", 2)]


def lose_one(replica: Replica) -> None:
    """Revoke partition 1 and assign it again while a batch is in flight."""
    replica.source.rebalance([1])


def several(replica: Replica, turns: int = 12) -> StepReport:
    return merged(*[replica.turn() for _ in range(turns)])


def test_what_is_read_again_of_a_partition_that_was_given_away_is_counted_once() -> None:
    world = World(partitions=2)
    replica = ready(world, ALWAYS)
    feed(world, "aaa", partition=0)
    feed(world, "bbb", partition=1)
    world.log.append(INPUT, 1, b"broken")
    first = replica.turn()
    lose_one(replica)

    report = merged(first, several(replica))

    assert (sorted(opened(world)), world.committed()) == ([("a", 2), ("b", 2)], {0: 3, 1: 4})
    assert (report.records, report.readings, report.scored, dict(report.alerts)) == (7, 6, 2, {("anomaly", "opened"): 2})
    assert (len(world.dead_letters()), dict(report.dead_letters)) == (1, {"not_json": 1})


def test_a_run_of_bad_records_that_is_read_twice_is_not_twice_as_long() -> None:
    world = World(partitions=2)
    replica = ready(world, every_batch_in_flight(ReplicaConfig(margin=50.0, dead_letter_run=5)))
    feed(world, "a", partition=0)
    for _ in range(4):
        world.log.append(INPUT, 1, b"broken")
    replica.turn()
    lose_one(replica)

    several(replica)

    assert len(world.dead_letters()) == 4


def test_bad_records_of_a_partition_that_was_given_away_are_the_next_owners_matter() -> None:
    world = World(partitions=2)
    replica = ready(world, every_batch_in_flight(ReplicaConfig(margin=50.0, dead_letter_run=5)))
    feed(world, "a", partition=0)
    for _ in range(8):
        world.log.append(INPUT, 1, b"broken")
    replica.turn()
    Replica(world, replica.config).turn(0)

    replica.turn(0)

    assert list(replica.pipeline._assignment.ready()) == [0]
    assert world.committed() == {0: 1, 1: 0}


def test_a_sensor_loaded_beside_a_batch_from_a_store_that_fell_back_is_restored() -> None:
    world = World()
    replica = ready(
        world, every_batch_in_flight(ReplicaConfig(margin=-50.0, update_ms=3600 * SECOND_MS, max_sensors=3, slice_records=2))
    )
    feed(world, "aa")
    replica.step()
    earlier = world.store.snapshot()
    feed(world, "aa", first_second=2)
    replica.step()
    feed(world, "bcd", first_second=4)
    replica.step()  # a makes room
    feed(world, "b", first_second=7)
    replica.turn()
    world.store.roll_back(earlier)

    feed(world, "a", first_second=8)
    replica.run()

    assert [0.0, 1.0, 8.0] not in windows(replica)
    assert opened(world) == [("a", 2)]
