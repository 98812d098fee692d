"""The merge of partitions by time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream_detector.ports import Chunk
from stream_detector.rekey.merge import Merge
from tests.rekey.records import Rec


def chunk(partition: int, start: int, *times: int, stop: int | None = None) -> Chunk:
    records = [Rec(b"", start + place, partition, time) for place, time in enumerate(times)]
    return Chunk(partition, start, start + len(times) if stop is None else stop, records)


def begun(*partitions: int) -> Merge:
    merge = Merge()
    for number in partitions:
        merge.begin(number, 0)
    return merge


def taken(merge: Merge, ends: dict[int, int], most: int = 100, *, waits: bool = True) -> tuple[list[int], dict[int, int]]:
    batch = merge.take(ends, most, waits=waits)
    return ([], {}) if batch is None else ([record.timestamp for record in batch.records], dict(batch.positions))


def test_records_of_partitions_that_are_read_to_their_end_come_in_the_order_of_their_times() -> None:
    merge = begun(0, 1)
    merge.add(chunk(0, 0, 10, 30, 50))
    merge.add(chunk(1, 0, 20, 40))

    assert taken(merge, {0: 3, 1: 2}) == ([10, 20, 30, 40, 50], {0: 3, 1: 2})
    assert taken(merge, {0: 3, 1: 2}) == ([], {})


def test_a_partition_with_more_to_read_keeps_newer_records_of_others_waiting() -> None:
    merge = begun(0, 1)
    merge.add(chunk(0, 0, 10, 30, 50))
    merge.add(chunk(1, 0, 20))

    assert taken(merge, {0: 3, 1: 9}) == ([10, 20], {0: 1, 1: 1})
    assert merge.waiting(0) == 2
    merge.add(chunk(1, 1, 25, 60))
    assert taken(merge, {0: 3, 1: 3}) == ([25, 30, 50, 60], {0: 3, 1: 3})


def test_nothing_goes_on_before_every_partition_with_records_has_shown_one_unless_it_waited_for_long() -> None:
    merge = begun(0, 1)
    merge.add(chunk(0, 0, 10, 30))

    assert taken(merge, {0: 2, 1: 9}) == ([], {})
    assert taken(merge, {0: 2, 1: 9}, waits=False) == ([10, 30], {0: 2})


def test_times_that_go_back_within_a_partition_keep_its_order() -> None:
    merge = begun(0, 1)
    merge.add(chunk(0, 0, 10, 90, 20))
    merge.add(chunk(1, 0, 50, 95))

    assert taken(merge, {0: 3, 1: 2}) == ([10, 50, 90, 20, 95], {0: 3, 1: 2})


def test_equal_times_come_in_the_order_of_partition_and_offset() -> None:
    merge = begun(1, 0)
    merge.add(chunk(1, 0, 5, 5))
    merge.add(chunk(0, 0, 5))

    batch = merge.take({0: 1, 1: 2}, 10)

    assert batch is not None
    assert [(record.partition, record.offset) for record in batch.records] == [(0, 0), (1, 0), (1, 1)]


def test_positions_pass_over_markers_behind_the_last_record_and_stop_before_what_waits() -> None:
    merge = begun(0)
    merge.add(chunk(0, 0, 10, 20, stop=4))

    assert taken(merge, {0: 4}, most=1) == ([10], {0: 1})
    assert taken(merge, {0: 4}, most=1) == ([20], {0: 4})
    merge.add(Chunk(0, 4, 6, ()))
    assert taken(merge, {0: 6}) == ([], {0: 6})


def test_what_was_read_of_a_forgotten_partition_is_gone() -> None:
    merge = begun(0, 1)
    merge.add(chunk(0, 0, 10))
    merge.forget(0)
    merge.add(chunk(0, 1, 20))

    assert taken(merge, {0: 9, 1: 0}) == ([], {})


@given(st.lists(st.lists(st.integers(0, 50), max_size=12), min_size=1, max_size=4), st.integers(1, 5), st.integers(1, 7))
def test_everything_is_taken_once_and_sorted_partitions_come_out_sorted(logs: list[list[int]], step: int, most: int) -> None:
    logs = [sorted(log) for log in logs]
    ends = {number: len(log) for number, log in enumerate(logs)}
    merge = begun(*ends)
    found: list[int] = []
    read = dict.fromkeys(ends, 0)
    while any(position < ends[number] for number, position in merge.positions().items()):
        for number, log in enumerate(logs):
            part = log[read[number] : read[number] + step * (number + 1)]
            merge.add(chunk(number, read[number], *part))
            read[number] += len(part)
        while (times := taken(merge, ends, most)[0]) != []:
            found += times

    assert found == sorted(time for log in logs for time in log)
