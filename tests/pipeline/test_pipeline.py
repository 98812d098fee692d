"""The hot path, one failure at a time. test_properties.py has all of them in any order."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from stream_detector.errors import CommitFailedError, PermanentDeliveryError, RetriableError
from stream_detector.pipeline.config import LagBounds
from stream_detector.ports import Polled
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import INPUT, SECOND_MS, START_MS, ReplicaConfig, committing_at_once, every_batch_in_flight
from tests.pipeline.world import World

#: Every full window is anomalous: each sensor opens one incident at its third reading.
ALWAYS = ReplicaConfig(margin=-50.0, update_ms=3600 * SECOND_MS)
NEVER = ReplicaConfig(margin=50.0)


def feed(world: World, sensors: str, first_second: int = 0, partition: int = 0) -> None:
    """Write one reading per letter, a second apart; the first feature is the second."""
    for second, sensor in enumerate(sensors, start=first_second):
        world.produce(sensor, START_MS + second * SECOND_MS, float(second), 1.0, partition=partition)


def opened(world: World) -> list[tuple[str, int]]:
    """Return sensor and offset of the readings that opened incidents."""
    events = [json.loads(value) for value in world.alerts()]
    return [(event["sensor_id"], event["window"]["last_offset"]) for event in events if event["status"] == "opened"]


def ready(world: World, plant: ReplicaConfig) -> Replica:
    """Return a replica that has restored its partitions."""
    replica = Replica(world, plant)
    replica.run(0, until=lambda: replica.pipeline.is_ready)
    return replica


def windows(replica: Replica) -> list[list[float]]:
    return [window[:, 0].tolist() for window in replica.scorer.windows_seen]


# -- a quiet run


def test_readings_in_alerts_dead_letters_and_positions_out() -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aab")
    world.log.append(INPUT, 0, b"{broken", timestamp=START_MS)
    feed(world, "ab", first_second=4)

    report = replica.step()

    assert opened(world) == [("a", 4)]
    assert [value for value, _ in world.dead_letters()] == [b"{broken"]
    assert world.committed() == {0: 6}
    assert (report.records, report.readings, report.scored, report.committed_batches) == (6, 5, 1, 1)
    assert (dict(report.alerts), dict(report.dead_letters)) == ({"opened": 1}, {"not_json": 1})
    assert report.newest_time_ms == START_MS + 5 * SECOND_MS
    meta = world.store.meta(0)
    assert meta is not None
    assert meta.next_position == 6


def test_offsets_that_the_source_passed_over_are_counted_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    replica = ready(World(), NEVER)
    monkeypatch.setattr(replica.source, "poll", lambda _: Polled((), None, lost_readings=4))

    assert replica.step().lost_readings == 4


def test_late_readings_and_restarted_windows_are_counted() -> None:
    world = World()
    replica = ready(world, committing_at_once(NEVER))
    for second in (0, 5, 5, 3, 100):
        world.produce("a", START_MS + second * SECOND_MS, 1.0, 1.0)

    report = replica.step()

    assert (report.readings, report.late, report.restarted_windows) == (5, 2, 1)


def test_nothing_to_read_moves_nothing() -> None:
    world = World()
    replica = ready(world, NEVER)
    persists = world.store.persists

    report = replica.step()

    assert not report.moved
    assert world.store.persists == persists


def test_offsets_without_records_are_committed_too() -> None:
    world = World()
    replica = ready(world, NEVER)
    feed(world, "a")
    world.log.append_gap(INPUT, 0, 5)

    replica.run()

    assert world.committed() == {0: 6}


# -- commits that fail


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_batch_whose_commit_failed_is_published_once(when: str) -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aaabbb")
    replica.sink.fail_next_commit("before" if when == "before" else "after")

    report = replica.step()
    assert report.failed_commits == 1
    replica.run()

    assert opened(world) == [("a", 2), ("b", 5)]


def test_a_sink_that_cannot_be_mended_at_once_is_tried_again_and_nothing_is_read_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aaa")
    replica.sink.fail_next_commit("before")
    answers = iter([CommitFailedError("no coordinator"), CommitFailedError("no coordinator"), None])
    reset = replica.sink.reset

    def failing_reset() -> None:
        error = next(answers)
        if error:
            raise error
        reset()

    monkeypatch.setattr(replica.sink, "reset", failing_reset)

    for _ in range(2):
        replica.step()
        assert not replica.pipeline.is_ready
    replica.run()

    assert opened(world) == [("a", 2)]


def test_a_member_that_was_evicted_drops_its_batch_and_joins_again() -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aaa")
    replica.evict()

    report = replica.step()
    assert (report.failed_commits, world.committed(), replica.pipeline.is_ready) == (1, {0: 0}, False)
    replica.run()

    assert opened(world) == [("a", 2)]


def test_a_member_that_was_evicted_leaves_the_stored_state_alone() -> None:
    world = World()
    feed(world, "a" * 30)
    replica = Replica(world, ReplicaConfig(start="latest"))
    replica.step()
    replica.evict()
    before = world.store.snapshot()

    replica.step()

    assert world.store.snapshot() == before
    replica.run()


def test_a_run_of_bad_records_does_not_go_on_over_what_another_owner_read() -> None:
    world = World()
    first = ready(world, ReplicaConfig(margin=50.0, dead_letter_run=5))
    for _ in range(4):
        world.log.append(INPUT, 0, b"broken")
    first.step()
    first.evict()
    second = ready(world, NEVER)
    feed(world, "aaa")
    second.step()
    second.pipeline.finish()
    second.source.kill()
    first.run(0, until=lambda: first.pipeline.is_ready)
    for _ in range(3):
        world.log.append(INPUT, 0, b"broken")

    first.step()

    assert world.committed() == {0: 10}


def test_who_is_no_member_now_waits_in_its_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    world, waited = World(), list[float]()
    replica = ready(world, every_batch_in_flight(ALWAYS))
    feed(world, "aaa")
    replica.turn()

    def no_member(timeout_seconds: float) -> Polled:
        waited.append(timeout_seconds)
        return Polled((), None)

    monkeypatch.setattr(replica.source, "poll", no_member)
    for _ in range(5):
        replica.turn()  # the batch in flight is given up, and a restoration is due

    assert waited[0] == 0.0
    assert min(waited[1:]) > 0.0


def test_a_refusal_for_good_is_raised() -> None:
    world = World()
    world.log.max_message_bytes = 100
    replica = ready(world, ALWAYS)
    feed(world, "aaa")

    with pytest.raises(PermanentDeliveryError):
        replica.step()

    assert world.committed() == {0: 0}


def test_a_poll_that_fails_for_now_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aaa")

    def failing_poll(timeout_seconds: float) -> Polled:
        raise RetriableError(f"no broker within {timeout_seconds} s")

    with monkeypatch.context() as patched:
        patched.setattr(replica.source, "poll", failing_poll)
        report = replica.step()
        assert (report.moved, report.source_errors) == (False, 1)
        assert not replica.pipeline.is_ready
    replica.run()

    assert opened(world) == [("a", 2)]


# -- crashes


def test_a_crash_between_two_partitions_persists_loses_and_doubles_nothing() -> None:
    world = World(partitions=2)
    replica = ready(world, ALWAYS)
    feed(world, "aa", partition=0)
    feed(world, "bb", partition=1)
    world.store.healthy_persists = 1
    replica.step()
    assert sorted(world.store.positions().values()) == [0, 2]
    world.store.unavailable = False

    replica = replica.crash()
    feed(world, "a", first_second=2, partition=0)
    feed(world, "b", first_second=2, partition=1)
    replica.run()

    assert sorted(opened(world)) == [("a", 2), ("b", 2)]


def test_a_replay_publishes_nothing_and_counts_what_it_read() -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aaaa")
    world.store.healthy_persists = 0
    replica.step()
    world.store.unavailable = False

    replica = replica.crash()
    reports = [replica.step() for _ in range(6)]

    assert opened(world) == [("a", 2)]
    assert sum(report.replayed for report in reports) == 4
    assert sum(report.restores["replay"] for report in reports) == 1
    assert sum(report.records for report in reports) == 0


def test_other_partitions_go_on_while_one_is_replayed() -> None:
    world = World(partitions=2)
    replica = ready(world, NEVER)
    feed(world, "a" * 30, partition=0)
    world.store.healthy_persists = 0
    replica.run(until=lambda: world.committed() == world.ends())
    world.store.unavailable = False
    replica = replica.crash()  # partition 0 is to be replayed, in slices of three records
    feed(world, "bbb", partition=1)

    for _ in range(4):
        replica.step()

    assert world.committed()[1] == 3
    assert not replica.pipeline.is_ready
    replica.run()


def test_a_revoked_partition_is_forgotten() -> None:
    world = World(partitions=2)
    first = ready(world, ALWAYS)
    feed(world, "aa", partition=0)
    feed(world, "bb", partition=1)
    first.run()

    second = Replica(world, ALWAYS)
    for _ in range(8):
        first.step()
        second.step()
    feed(world, "a", first_second=2, partition=0)
    feed(world, "b", first_second=2, partition=1)
    for _ in range(2):
        first.step()
        second.step()

    assert (first.pipeline.assigned, second.pipeline.assigned) == (1, 1)
    assert (len(first.detector.arena), len(second.detector.arena)) == (1, 1)
    assert sorted(opened(world)) == [("a", 2), ("b", 2)]


def test_a_chunk_that_does_not_continue_the_state_restores_the_partition() -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aaaa")
    replica.source.seek(0, 1)  # as a client that skips a record would

    replica.step()
    assert world.committed() == {0: 0}
    replica.run()

    assert opened(world) == [("a", 2)]


# -- the store is away

BOUNDED = LagBounds(readings=4, seconds=1e9, retry_seconds=0.5)


def test_sensors_in_memory_are_scored_while_the_store_is_away() -> None:
    world = World()
    replica = ready(world, every_batch_in_flight(ALWAYS))
    feed(world, "aa")
    replica.step()
    world.store.unavailable = True
    feed(world, "aa", first_second=2)

    report = replica.step()

    assert opened(world) == [("a", 2)]
    assert (report.store_errors, replica.pipeline.store_lag, replica.pipeline.is_ready) == (1, 2, True)


def test_beyond_the_bound_nothing_is_read_it_is_said_once_and_reading_goes_on_by_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    replica = ready(world, ReplicaConfig(margin=50.0, bounds=BOUNDED))
    feed(world, "aaa")
    replica.step()
    world.store.unavailable = True
    caplog.set_level(logging.INFO)
    for second in range(3, 40):
        feed(world, "a", first_second=second)
        replica.step()

    held_at = world.committed()[0]
    assert held_at == 3 + 5  # the bound is passed by the fifth
    assert (replica.pipeline.holding, replica.pipeline.is_ready) == (1, False)
    assert sum("holding partitions [0]" in record.getMessage() for record in caplog.records) == 1
    assert sum("store is away" in record.getMessage() for record in caplog.records) == 1

    world.store.unavailable = False
    replica.run()

    assert (world.committed(), replica.pipeline.holding) == ({0: 40}, 0)
    assert windows(replica) == [[float(second + step) for step in range(3)] for second in range(38)]


def test_a_store_away_for_longer_than_the_bound_holds_a_quiet_stream_too() -> None:
    world = World()
    replica = ready(world, ReplicaConfig(margin=50.0, bounds=LagBounds(readings=10**9, seconds=5.0, retry_seconds=0.5)))
    feed(world, "aaa")
    replica.step()
    world.store.unavailable = True
    feed(world, "a", first_second=3)
    replica.step()
    assert replica.pipeline.holding == 0

    for _ in range(7):
        replica.step()

    assert replica.pipeline.holding == 1
    world.store.unavailable = False
    replica.run()
    assert replica.pipeline.holding == 0


def test_a_store_away_for_longer_than_the_bound_is_asked_again_though_nothing_is_left_to_store() -> None:
    world = World()
    bounds = LagBounds(readings=1_000_000, seconds=60.0, retry_seconds=1.0)
    replica = ready(world, ReplicaConfig(margin=-50.0, update_ms=3600 * SECOND_MS, bounds=bounds))
    world.store.unavailable = True
    feed(world, "aaa")  # it is not in memory, and so waits
    for _ in range(90):
        replica.step()
    assert replica.pipeline.holding == 1

    world.store.unavailable = False
    replica.run()

    assert (replica.pipeline.holding, opened(world)) == (0, [("a", 2)])


def test_a_sensor_that_was_loaded_from_a_store_that_fell_back_is_restored() -> None:
    world = World()
    replica = ready(world, ReplicaConfig(margin=-50.0, update_ms=3600 * SECOND_MS, max_sensors=2, slice_records=2))
    feed(world, "aa")
    replica.step()
    earlier = world.store.snapshot()
    feed(world, "aa", first_second=2)
    replica.step()
    feed(world, "bc", first_second=4)
    replica.step()  # a makes room
    world.store.roll_back(earlier)

    feed(world, "a", first_second=6)
    replica.run()

    assert [0.0, 1.0, 6.0] not in windows(replica)
    assert opened(world) == [("a", 2)]


def test_sensors_that_are_not_in_memory_wait_while_other_partitions_go_on() -> None:
    world = World(partitions=2)
    replica = ready(world, ALWAYS)
    feed(world, "aa", partition=0)
    feed(world, "bb", partition=1)
    replica.run()
    replica = replica.crash()
    replica.run(0, until=lambda: replica.pipeline.is_ready)
    feed(world, "a", first_second=2, partition=0)
    replica.step()  # a is in memory, b is not
    world.store.unavailable = True
    feed(world, "a", first_second=3, partition=0)
    feed(world, "b", first_second=2, partition=1)

    for _ in range(5):
        replica.step()
    assert world.committed() == {0: 4, 1: 2}
    assert replica.pipeline.holding == 1

    world.store.unavailable = False
    replica.run()
    assert sorted(opened(world)) == [("a", 2), ("b", 2)]
    assert windows(replica) == [[0, 1, 2], [1, 2, 3], [0, 1, 2]]


def test_a_store_that_does_not_give_sensors_is_counted_as_one_that_does_not_take_them() -> None:
    world = World()
    replica = ready(world, ALWAYS)
    world.store.unavailable = True
    feed(world, "a")

    assert (replica.step().store_errors, replica.pipeline.holding) == (1, 1)


def test_a_sensor_that_is_not_in_memory_is_never_taken_for_a_new_one() -> None:
    world = World()
    replica = ready(world, NEVER)
    feed(world, "aaa")
    replica.run()
    replica = replica.crash()
    replica.run(0, until=lambda: replica.pipeline.is_ready)
    world.store.unavailable = True
    feed(world, "a", first_second=3)
    for _ in range(3):
        replica.step()

    world.store.unavailable = False
    replica.run()

    assert windows(replica) == [[1, 2, 3]]


def test_a_partition_that_is_taken_away_while_it_is_held_is_not_held_by_the_next_owner() -> None:
    world = World()
    replica = ready(world, ReplicaConfig(margin=50.0, bounds=BOUNDED))
    feed(world, "aaa")
    replica.step()
    world.store.unavailable = True
    for second in range(3, 10):
        feed(world, "a", first_second=second)
        replica.step()
    assert replica.pipeline.holding == 1

    replica.rebalance()
    replica.step()
    assert replica.pipeline.holding == 0
    world.store.unavailable = False
    replica.run()

    assert world.committed() == {0: 10}
    # What was not stored is replayed: each window is scored twice at most, and always the same.
    assert {tuple(window) for window in windows(replica)} == {(second, second + 1, second + 2) for second in range(8)}


def test_a_partition_that_passes_to_another_replica_is_no_longer_held() -> None:
    world = World(partitions=2)
    plant = ReplicaConfig(margin=50.0, bounds=BOUNDED)
    first = ready(world, plant)
    feed(world, "aaa", partition=0)
    feed(world, "bbb", partition=1)
    first.run()
    world.store.unavailable = True
    for second in range(3, 10):
        feed(world, "a", first_second=second, partition=0)
        feed(world, "b", first_second=second, partition=1)
        first.step()
    assert first.pipeline.holding == 2

    second_replica = Replica(world, plant)
    for _ in range(4):
        first.step()
        second_replica.step()
    assert first.pipeline.holding == 1
    world.store.unavailable = False
    for _ in range(30):
        first.step()
        second_replica.step()

    assert world.committed() == {0: 10, 1: 10}
    assert (first.pipeline.is_ready, second_replica.pipeline.is_ready) == (True, True)


def test_a_restart_without_a_store_waits_for_it_and_reads_nothing() -> None:
    world = World()
    ready(world, ALWAYS).crash()
    world.store.unavailable = True
    feed(world, "aaa")
    replica = Replica(world, ALWAYS)

    for _ in range(5):
        replica.step()
    assert (world.committed(), replica.pipeline.is_ready) == ({0: 0}, False)

    world.store.unavailable = False
    replica.run()
    assert opened(world) == [("a", 2)]


def test_a_store_wiped_between_two_runs_gives_no_event_from_a_wrong_window() -> None:
    world = World()
    replica = ready(world, NEVER)
    feed(world, "aaaaa")
    replica.run()
    world.store.wipe()
    replica = replica.crash()
    feed(world, "aa", first_second=5)

    replica.run()

    assert windows(replica) == [[3, 4, 5], [4, 5, 6]]  # windows were filled again from the log


def test_a_wipe_that_meets_evicted_sensors_gives_no_event_from_a_wrong_window() -> None:
    world = World()
    replica = ready(world, ReplicaConfig(margin=50.0, max_sensors=2, slice_records=2))
    feed(world, "aaabbbccc")
    replica.run(2)
    world.store.wipe()  # a is nowhere now

    feed(world, "caaaa", first_second=9)
    replica.run(1)

    assert windows(replica) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [7, 8, 9], [10, 11, 12], [11, 12, 13]]


def test_a_full_arena_does_not_keep_a_partition_from_being_restored() -> None:
    world = World(partitions=2)
    plant = ReplicaConfig(margin=50.0, max_sensors=2, slice_records=2)
    replica = ready(world, plant)
    feed(world, "ab" * 4, partition=0)
    replica.run(2)
    world.store.roll_back(({0: replace(world.store.snapshot()[0][0], layout="another"), 1: world.store.snapshot()[0][1]}, {}))
    replica = replica.crash()  # partition 0 is to be rebuilt, two sensors at a time

    for second in range(40):  # and each poll of partition 1 fills the arena
        feed(world, "cd", first_second=2 * second, partition=1)
        replica.step(2)

    assert replica.pipeline.is_ready
    assert world.store.positions()[0] == 8


def test_a_loss_that_one_partition_meets_is_made_good_in_all() -> None:
    world = World(partitions=2)
    replica = ready(world, ALWAYS)
    feed(world, "aaa", partition=0)
    feed(world, "bbb", partition=1)
    replica.run()
    world.store.wipe()

    feed(world, "b", first_second=3, partition=1)
    replica.run()
    replica.step()

    assert world.store.positions() == {0: 3, 1: 4}


def test_a_loss_is_made_good_when_the_store_answers_again_and_when_the_replica_stops() -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aaa")
    replica.run()

    world.store.wipe()
    replica.pipeline.finish()
    assert world.store.positions() == {0: 3}

    world.store.unavailable = True
    replica.pipeline.finish()  # does not answer: nothing to be done
    world.store.unavailable = False
    world.store.wipe()
    for _ in range(3):
        replica.step()
    replica.pipeline.finish()
    assert world.store.positions() == {0: 3}
