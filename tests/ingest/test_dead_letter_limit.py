"""When bad input stops the service, and what happens to the batch that exceeds the limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_detector.errors import DeadLetterLimitError
from stream_detector.ingest.dead_letters import DeadLetterLimit
from stream_detector.readings import Decoded, Readings, Rejected
from tests.fakes.memory_log import MemoryRecord
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import INPUT, SECOND_MS, START_MS, ReplicaConfig
from tests.pipeline.world import World


def batch(records: str, partition: int = 0, first_offset: int = 0) -> Decoded:
    """Return what a decoder made of records, one per letter: g is good, b is bad."""
    return join((records, partition, first_offset))


def join(*parts: tuple[str, int, int]) -> Decoded:
    """Return one batch of several partitions: (records, partition, first offset)."""
    good: list[tuple[int, int]] = []
    bad: list[tuple[int, int]] = []
    for records, partition, first_offset in parts:
        for offset, kind in enumerate(records, start=first_offset):
            (good if kind == "g" else bad).append((partition, offset))
    readings = Readings(
        ["s"] * len(good),
        np.array([partition for partition, _ in good], np.int32),
        np.array([offset for _, offset in good], np.int64),
        np.zeros(len(good), np.int64),
        np.zeros((len(good), 1), np.float32),
    )
    return Decoded(
        readings, [Rejected(MemoryRecord("in", place[0], place[1], 0, None, b"?"), "not_json", "broken") for place in bad]
    )


def by_share(max_share: float = 0.5, min_count: int = 10) -> DeadLetterLimit:
    return DeadLetterLimit(max_share, min_count, max_run=1000)


def by_run(max_run: int = 3) -> DeadLetterLimit:
    return DeadLetterLimit(1.0, 1_000_000, max_run)


def test_a_share_above_the_limit_over_enough_records_stops() -> None:
    limit = by_share()

    limit.check(batch("gbbb"))  # too few records to judge
    with pytest.raises(DeadLetterLimitError, match="6 of the last 10 records"):
        limit.check(batch("gggbbb"))


def test_sensors_that_say_that_they_have_no_value_do_not_stop_the_service() -> None:
    decoded = batch("b" * 20)
    says_missing = Decoded(decoded.readings, [replace(one, reason="no_value") for one in decoded.rejected])

    by_share().check(says_missing)
    by_run().check(says_missing)


def test_a_share_at_the_limit_does_not_stop() -> None:
    by_share().check(batch("gb" * 5))


def test_a_share_that_is_judged_at_a_good_record_stops_with_an_example_from_before() -> None:
    limit = by_share()
    limit.check(batch("gggbbbbbb"))

    with pytest.raises(DeadLetterLimitError, match=r"6 of the last 10 records.*offset 8"):
        limit.check(batch("g", first_offset=9))


def test_no_bad_records_in_any_number_stop_nothing() -> None:
    limit = by_share()

    for _ in range(100):
        limit.check(batch("g" * 7))


def test_the_share_is_that_of_recent_records() -> None:
    limit = by_share()
    for _ in range(100):
        limit.check(batch("g" * 20))

    # What was seen is halved at every judgement: 19 are left of 2000 good ones. 9 of 28 are bad, halved 4 of 14.
    limit.check(batch("b" * 9))
    with pytest.raises(DeadLetterLimitError, match="13 of the last 23"):
        limit.check(batch("b" * 9))


def test_a_run_within_one_batch_stops() -> None:
    by_run().check(batch("gbbbg"))
    with pytest.raises(DeadLetterLimitError, match="4 records in a row of partition 2"):
        by_run().check(batch("gbbbbg", partition=2))


def test_a_run_is_counted_over_batches() -> None:
    limit = by_run()

    limit.check(batch("gbb"))
    limit.check(batch("b", first_offset=3))
    with pytest.raises(DeadLetterLimitError, match="4 records in a row"):
        limit.check(batch("bg", first_offset=4))


def test_a_good_record_ends_a_run() -> None:
    limit = by_run()

    limit.check(batch("bbb"))
    limit.check(batch("g", first_offset=3))
    limit.check(batch("bbb", first_offset=4))


def test_a_good_record_ends_a_run_also_when_another_partitions_records_are_bad() -> None:
    limit = by_run()

    limit.check(batch("bbb", partition=1))
    limit.check(join(("g", 1, 3), ("b", 0, 0)))
    limit.check(batch("bbb", partition=1, first_offset=4))


def test_a_good_record_of_another_partition_does_not_end_a_run() -> None:
    limit = by_run()

    limit.check(batch("bb", partition=1))
    limit.check(batch("gg", partition=0))
    with pytest.raises(DeadLetterLimitError, match="4 records in a row of partition 1"):
        limit.check(join(("g", 0, 2), ("bb", 1, 2)))


def test_runs_of_two_partitions_are_not_one() -> None:
    by_run().check(join(("bb", 0, 0), ("bb", 1, 0)))


def test_what_was_counted_can_be_forgotten() -> None:
    limit = by_run()
    limit.check(batch("bbb"))

    limit.forget()

    limit.check(batch("bbb"))


def test_the_error_names_a_record_and_what_to_do() -> None:
    with pytest.raises(DeadLetterLimitError, match=r"in partition 0 offset 3: not_json, broken.*MAX_RUN"):
        by_run().check(batch("bbbb"))


def test_the_error_says_how_to_go_on_with_the_bad_records_still_in_the_topic() -> None:
    with pytest.raises(DeadLetterLimitError) as raised:
        by_run(3).check(batch("bbbb"))

    said = str(raised.value)
    assert "the bad records are still in the topic" in said
    assert "STREAM_DETECTOR_DEAD_LETTERS__MAX_SHARE=1 and raise STREAM_DETECTOR_DEAD_LETTERS__MAX_RUN (now 3)" in said
    assert "move the consumer group past them" in said


def test_the_error_names_the_setting_that_reads_records_without_features_that_are_unknown() -> None:
    bad = batch("bbbb")
    unknown = Decoded(bad.readings, [Rejected(one.record, "unknown_features", "not features: 'x'") for one in bad.rejected])

    with pytest.raises(DeadLetterLimitError, match="STREAM_DETECTOR_INPUT__UNKNOWN_FEATURES=ignore"):
        by_run().check(unknown)
    with pytest.raises(DeadLetterLimitError) as raised:
        by_run().check(bad)
    assert "INPUT__UNKNOWN_FEATURES" not in str(raised.value)


# -- through the pipeline


def feed(world: World, records: str) -> None:
    for kind in records:
        if kind == "g":
            world.produce("s", START_MS + world.ends()[0] * SECOND_MS, 1.0, 2.0)
        else:
            world.log.append(INPUT, 0, b"{broken", key=b"k", timestamp=START_MS)


def test_the_tripping_batch_is_neither_committed_nor_published() -> None:
    world = World()
    feed(world, "gbg")
    replica = Replica(world, ReplicaConfig(dead_letter_run=2))
    replica.run()
    feed(world, "gbbbg")

    with pytest.raises(DeadLetterLimitError):
        replica.step()

    assert world.committed() == {0: 3}
    assert len(world.dead_letters()) == 1


def test_bad_records_read_again_after_a_failed_commit_count_once() -> None:
    world = World()
    feed(world, "gbb")
    replica = Replica(world, ReplicaConfig(dead_letter_run=3))
    replica.run(until=lambda: replica.pipeline.is_ready)
    for _ in range(3):
        feed(world, "")
        replica.sink.fail_next_commit("before")
        replica.step()
        replica.step()

    replica.run()

    assert len(world.dead_letters()) == 2
