"""Commits and polls fail, and memberships end: nothing is lost or duplicated."""

from __future__ import annotations

import pytest

from stream_detector.errors import CommitFailedError, PermanentDeliveryError, RetriableError
from stream_detector.ports import Polled
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import INPUT, ReplicaConfig, every_batch_in_flight
from tests.pipeline.scene import ALWAYS, NEVER, feed, opened, ready
from tests.pipeline.world import World


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
        assert (report.did_work, report.source_errors) == (False, 1)
        assert not replica.pipeline.is_ready
    replica.run()

    assert opened(world) == [("a", 2)]
