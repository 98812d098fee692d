"""The pipeline during a Kafka outage: it logs once, retries at intervals, and keeps its heartbeat going."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

import pytest

from stream_detector.errors import CommitFailedError, RetriableError
from stream_detector.ports import Chunk, Polled
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import SECOND_MS, START_MS
from tests.pipeline.world import World

PARTITIONS = 20
REQUEST_SECONDS = 15.0


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def feed(world: World, count: int) -> None:
    """Append readings of one sensor, a second apart."""
    first = world.ends()[0]
    for second in range(first, first + count):
        world.produce("a", START_MS + second * SECOND_MS, second * 0.37 % 1.0, 1.0)


class Beats:
    """The longest time between two signs of life."""

    def __init__(self, world: World) -> None:
        self._clock = world.clock
        self._last = world.clock()
        self.longest_seconds = 0.0

    def __call__(self) -> None:
        now = self._clock()
        self.longest_seconds, self._last = max(self.longest_seconds, now - self._last), now


def unanswered(world: World) -> Callable[..., None]:
    """Return a Kafka request that fails after the request time-out."""

    def ask(*_: object) -> None:
        world.clock.advance(REQUEST_SECONDS)
        msg = "no answer"
        raise RetriableError(msg)

    return ask


def test_partitions_whose_restoration_waits_for_kafka_do_not_keep_the_loop_from_coming_round(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(PARTITIONS)
    beats = Beats(world)
    replica = Replica(world, on_progress=beats)
    longest_step_seconds = 0.0
    with monkeypatch.context() as kafka_away:
        kafka_away.setattr(replica.source, "committed", unanswered(world))
        for _ in range(PARTITIONS + 2):
            began = world.clock()
            replica.step()
            longest_step_seconds = max(longest_step_seconds, world.clock() - began)

    assert REQUEST_SECONDS <= longest_step_seconds <= REQUEST_SECONDS + 2
    assert beats.longest_seconds <= REQUEST_SECONDS + 2
    assert sum("restoring starts over" in line for line in warnings(caplog)) == 1
    replica.run(until=lambda: replica.pipeline.is_ready)


def test_restorations_take_turns_however_long_a_slice_takes() -> None:
    world = World(3)
    for partition in range(3):
        for second in range(30):
            world.produce(f"pump-{partition}-0", START_MS + second * SECOND_MS, 0.5, 1.0, partition=partition)
    first = Replica(world)
    first.run(until=lambda: world.committed() == world.ends())
    world.store.roll_back(({}, {}, {}))
    first.source.kill()
    replica = Replica(world)  # all windows are filled anew, in slices of three records
    read, counts = replica.source.read, Counter({0: 0, 1: 0, 2: 0})
    spreads = []

    def read_slowly(partition: int, start: int, stop: int, max_records: int) -> Chunk:
        world.clock.advance(10.0)
        counts[partition] += 1
        spreads.append(max(counts.values()) - min(counts.values()))
        return read(partition, start, stop, max_records)

    replica.source.read = read_slowly  # type: ignore[method-assign]
    replica.run(until=lambda: replica.pipeline.is_ready)

    assert counts.total() > 20
    assert max(spreads) <= 2  # the first slice takes one more, to learn where to begin


def test_an_input_that_cannot_be_read_for_long_is_said_once_and_so_is_its_return(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    replica = Replica(world)
    replica.run(until=lambda: replica.pipeline.is_ready)
    with monkeypatch.context() as kafka_away:
        kafka_away.setattr(replica.source, "poll", unanswered(world))
        for _ in range(10):
            replica.step()
        assert not replica.pipeline.is_ready
    replica.step()

    assert replica.pipeline.is_ready
    assert warnings(caplog) == [
        "the input topic cannot be read now: no answer",
        "the input topic is read again after 145.0 s",
    ]


def test_a_sink_that_stays_unusable_is_said_once_and_so_is_its_return(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    replica = Replica(world)
    replica.run(until=lambda: replica.pipeline.is_ready)
    feed(world, 1)

    def fail() -> None:
        msg = "no coordinator"
        raise CommitFailedError(msg)

    replica.sink.fail_next_commit("before")
    with monkeypatch.context() as coordinator_away:
        coordinator_away.setattr(replica.sink, "reset", fail)
        for _ in range(10):
            replica.step()
    replica.run()

    assert warnings(caplog)[1:] == ["the sink is not usable yet: no coordinator", "the sink is usable again after 10.0 s"]


def test_a_refused_membership_is_waited_out_instead_of_being_tried_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The client claims membership until its next heartbeat; until then every attempt would fail like the first."""
    world = World()
    replica = Replica(world)
    replica.run(until=lambda: replica.pipeline.is_ready)
    stale = replica.source.poll(0.0).membership
    replica.source.evict()
    feed(world, 5)

    with monkeypatch.context() as unaware:
        unaware.setattr(replica.source, "poll", lambda _: Polled(replica.source._fetch(500), stale))
        reports = [replica.step() for _ in range(10)]
        was_ready = replica.pipeline.is_ready
    replica.run()

    assert sum(report.failed_commits for report in reports) == 1
    assert sum((report.restores for report in reports), Counter()) == {}
    assert not was_ready
    assert world.committed() == world.ends() == {0: 5}


def test_a_member_without_partitions_and_one_that_is_refused_are_told_apart() -> None:
    world = World(partitions=1)
    one, two = Replica(world), Replica(world)
    one.run(until=lambda: one.pipeline.is_ready)
    two.step()
    one.run(until=lambda: one.pipeline.is_ready and two.step() is not None and two.pipeline.is_ready)

    assert sorted([one.pipeline.assigned, two.pipeline.assigned]) == [0, 1]
