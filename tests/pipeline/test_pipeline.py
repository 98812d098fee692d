"""The pipeline when nothing fails. test_properties.py covers all failures in any order."""

from __future__ import annotations

import pytest

from stream_detector.ports import Polled
from tests.pipeline.replica_config import INPUT, SECOND_MS, START_MS, committing_at_once
from tests.pipeline.scene import ALWAYS, NEVER, feed, opened, ready
from tests.pipeline.world import World


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
    assert (dict(report.alerts), dict(report.dead_letters)) == ({("anomaly", "opened"): 1}, {"not_json": 1})
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

    assert not report.did_work
    assert world.store.persists == persists


def test_offsets_without_records_are_committed_too() -> None:
    world = World()
    replica = ready(world, NEVER)
    feed(world, "a")
    world.log.append_gap(INPUT, 0, 5)

    replica.run()

    assert world.committed() == {0: 6}
