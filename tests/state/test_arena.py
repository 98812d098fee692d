"""The arena: which sensors have slots, which it evicts, and which are not stored yet."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.pipeline.state_snapshot import unsaved_updates
from stream_detector.ports import Updates
from stream_detector.readings import Readings
from stream_detector.state.arena import NOT_STORED, Arena
from stream_detector.state.codec.decode import decode
from stream_detector.state.codec.encode import encode, encode_uncompressed
from stream_detector.state.known_sensors import UNKNOWN
from stream_detector.state.record_layout import new_records
from stream_detector.state.running_scale import ScaleConfig, learn
from stream_detector.state.windows import append
from tests.fakes.sensor_table import no_sensors

LENGTH, FEATURES, MEMBERS = 3, 1, 2
MAX_GAP_MS = 10**6
SCALES = ScaleConfig(no_sensors(FEATURES, MEMBERS), np.ones(FEATURES, np.float32), learned_count=100)


def arena_of(max_sensors: int) -> Arena:
    return Arena(max_sensors, LENGTH, FEATURES, MEMBERS)


def readings(sensors: list[str], times_ms: list[int], partition: int = 0) -> Readings:
    count = len(sensors)
    return Readings(
        sensors,
        np.full(count, partition, np.int32),
        np.array(times_ms, np.int64),
        np.array(times_ms, np.int64),
        np.array(times_ms, np.float32).reshape(count, 1),
    )


def insert(arena: Arena, sensors: list[str], partition: int = 0, *, stored: bool = True) -> None:
    """Insert sensors, the n-th of them as row n of the table; stored ones have one reading."""
    records = new_records(len(sensors), LENGTH, FEATURES, MEMBERS)
    if stored:
        records["header"]["last_time_ms"] = 0
    arena.insert(partition, sensors, records, np.full(len(sensors), stored), np.arange(len(sensors), dtype=np.int32))


def add(arena: Arena, sensors: list[str], times_ms: list[int]) -> None:
    """Append readings, learn their scales and record the change, as the detector does."""
    batch = readings(sensors, times_ms)
    appended = append(arena.records, arena.slots(batch), batch, MAX_GAP_MS)
    unknown = np.full(len(appended.reading), UNKNOWN, np.int32)
    learn(arena.records, appended, batch.values[appended.reading], unknown, SCALES)
    arena.mark_changed(*np.unique(appended.slot, return_counts=True))


def set_turns(arena: Arena, sensor: str, turns: int) -> None:
    """Change the rules' state of a sensor; 0: it has none."""
    slots = np.array([arena.slot(0, sensor)], np.int32)
    state = arena.rules.read(slots)
    state["turns"] = turns
    arena.rules.write(slots, state)


def names(arena: Arena, partition: int = 0) -> set[str]:
    return {arena.sensors[slot] for slot in arena.held(partition).tolist()}


def test_touch_returns_a_sensor_that_is_not_held_once() -> None:
    arena = arena_of(4)
    insert(arena, ["a"])

    assert arena.touch(0, ["b", "a", "b", "c"]) == ["b", "c"]
    assert arena.touch(1, ["a"]) == ["a"]  # the same name in another partition is a different sensor


def test_readings_find_the_slot_of_their_sensor_and_partition() -> None:
    arena = arena_of(4)
    insert(arena, ["a", "b"])
    insert(arena, ["a"], partition=1)

    in_0, in_1 = arena.slots(readings(["b", "a", "b"], [1, 2, 3])), arena.slots(readings(["a"], [1], partition=1))

    assert [arena.sensors[slot] for slot in [*in_0, *in_1]] == ["b", "a", "b", "a"]
    assert [arena.partitions[slot] for slot in [*in_0, *in_1]] == [0, 0, 0, 1]
    assert in_0[1] != in_1[0]


def test_a_slot_knows_its_sensors_row_in_the_models_table() -> None:
    arena = arena_of(5000)
    sensors = [f"s{number}" for number in range(2000)]
    assert arena.make_room(2000)

    insert(arena, sensors)

    slots = arena.slots(readings(["s1999", "s0", "s7"], [1, 2, 3]))
    assert arena.table_rows[slots].tolist() == [1999, 0, 7]


def test_sensors_keep_their_records_while_the_arena_grows() -> None:
    arena = arena_of(5000)
    for partition in range(4):
        assert arena.make_room(1000)
        insert(arena, ["a", *(f"s{number}" for number in range(999))], partition)
        arena.records["header"]["last_time_ms"][arena.slot(partition, "a")] = 100 + partition

    kept = [arena.records["header"]["last_time_ms"][arena.slot(partition, "a")] for partition in range(4)]

    assert kept == [100, 101, 102, 103]


def test_the_least_recently_seen_stored_sensor_is_evicted() -> None:
    arena = arena_of(3)
    insert(arena, ["a", "b", "c"])
    arena.next_batch()
    arena.touch(0, ["a", "c"])
    arena.next_batch()
    arena.touch(0, ["a"])

    assert arena.make_room(1)
    insert(arena, ["d"])

    assert names(arena) == {"a", "c", "d"}
    assert len(arena) == 3


def test_sensors_of_the_current_batch_are_not_evicted() -> None:
    arena = arena_of(2)
    insert(arena, ["a", "b"])
    arena.next_batch()
    arena.touch(0, ["a"])

    assert arena.make_room(1)
    assert not arena.make_room(2)
    assert "a" in names(arena)


def test_sensors_with_unstored_changes_are_not_evicted_until_they_are_stored() -> None:
    arena = arena_of(1)
    insert(arena, ["a"])
    add(arena, ["a"], [5])
    arena.next_batch()

    assert not arena.make_room(1)
    arena.mark_saved(0, arena.progress(arena.unsaved(0)))
    assert arena.make_room(1)


def test_changes_are_stored_in_parts() -> None:
    arena = arena_of(8)
    insert(arena, ["a", "b", "c", "d"])
    insert(arena, ["e"], partition=1)
    add(arena, ["a", "b"], [5, 5])
    add(arena, ["b", "c"], [6, 6])
    arena.mark_changed(arena.held(1), np.ones(1, np.int64))

    first = arena.unsaved(0, 2)
    arena.mark_saved(0, arena.progress(first))
    second = arena.unsaved(0, 2)

    assert [arena.sensors[slot] for slot in first] == ["a", "b"]
    assert [arena.sensors[slot] for slot in second] == ["c"]
    assert arena.unsaved_count == 2
    arena.mark_saved(0, arena.progress(second))
    assert arena.unsaved(0).tolist() == []
    assert arena.unsaved(1).tolist() == arena.held(1).tolist()


def test_a_sensor_that_changes_again_after_it_was_stored_is_stored_again() -> None:
    arena = arena_of(8)
    insert(arena, ["a", "b"])
    add(arena, ["a", "b"], [5, 5])
    arena.mark_saved(0, arena.progress(arena.unsaved(0, 1)))
    add(arena, ["a", "b"], [6, 6])

    assert [arena.sensors[slot] for slot in arena.unsaved(0)] == ["a", "b"]


def test_a_change_after_marking_and_before_storing_does_not_count_as_stored() -> None:
    arena = arena_of(2)
    insert(arena, ["a", "b"])
    add(arena, ["a", "b"], [5, 5])
    taken = arena.progress(arena.unsaved(0))
    add(arena, ["a", "a"], [6, 7])
    arena.mark_saved(0, taken)
    arena.next_batch()

    assert [arena.sensors[slot] for slot in arena.unsaved(0)] == ["a"]
    (slot,) = arena.unsaved(0).tolist()
    assert (arena.unsaved_rows[slot], arena.stored_time_ms[slot]) == (2, taken.last_time_ms[0])
    assert arena.make_room(1)
    assert names(arena) == {"a"}  # b was evicted


def test_sensors_that_the_store_has_lost_are_not_evicted() -> None:
    arena = arena_of(1)
    insert(arena, ["a"])
    arena.mark_lost(0)
    arena.next_batch()

    assert not arena.make_room(1)
    arena.mark_saved(0, arena.progress(arena.held(0)))
    assert arena.make_room(1)


def test_growing_keeps_the_held_sensors() -> None:
    arena = arena_of(5000)
    first = [f"s{number}" for number in range(1000)]
    insert(arena, first)
    add(arena, first, list(range(1, 1001)))
    more = [f"t{number}" for number in range(4000)]

    assert arena.make_room(4000)
    insert(arena, more)

    assert len(arena) == 5000
    slots = arena.slots(readings(first, [0] * 1000))
    assert arena.records["header"]["last_time_ms"][slots].tolist() == list(range(1, 1001))
    assert not arena.make_room(1)  # all are of this batch


def test_a_dropped_partition_leaves_the_others_alone() -> None:
    arena = arena_of(4)
    insert(arena, ["a", "b"])
    insert(arena, ["a"], partition=1)
    add(arena, ["a"], [5])

    arena.drop(0)

    assert names(arena) == set()
    assert names(arena, 1) == {"a"}
    assert len(arena) == 1
    assert arena.unsaved(0).tolist() == []


def test_a_slot_used_again_starts_with_the_record_it_is_given() -> None:
    arena = arena_of(1)
    insert(arena, ["a"])
    add(arena, ["a"], [5])
    set_turns(arena, "a", 3)
    arena.drop(0)

    insert(arena, ["b"], stored=False)

    assert arena.copy_records(arena.held(0)).tobytes() == new_records(1, LENGTH, FEATURES, MEMBERS).tobytes()
    assert (arena.stored_time_ms[0], arena.unsaved_rows[0]) == (NOT_STORED, 0)


def apply(stored: dict[str, bytes], updates: Updates) -> None:
    """Write updates to a store, by the contract of ports.SensorUpdate."""
    stored |= updates.whole
    for update in updates.changed:
        written = bytearray(stored[update.sensor])
        assert written.startswith(update.expected_prefix)
        for start, stop in update.spans:
            written[start:stop] = update.record[start:stop]
        stored[update.sensor] = bytes(written)


@settings(deadline=None)
@given(
    batches=st.lists(st.lists(st.sampled_from("abc"), max_size=8), max_size=10),
    whole_bytes=st.sampled_from([0, 1024]),
    turns=st.lists(st.integers(0, 2), min_size=10, max_size=10),
)
def test_updates_bring_the_store_to_the_arenas_state(batches: list[list[str]], whole_bytes: int, turns: list[int]) -> None:
    arena, store = arena_of(3), dict[str, bytes]()
    insert(arena, ["a", "b", "c"], stored=False)
    time_ms = 0

    for batch, turned in zip(batches, turns, strict=False):
        times_ms = list(range(time_ms + 1, time_ms + 1 + len(batch)))
        time_ms += len(batch)
        add(arena, batch, times_ms)
        for sensor in set(batch):
            set_turns(arena, sensor, turned)
        slots = arena.unsaved(0)
        apply(store, unsaved_updates(arena, slots, whole_bytes))
        arena.mark_saved(0, arena.progress(slots))

    held = {arena.sensors[slot]: arena.copy_records(np.array([slot], np.int32)).tobytes() for slot in arena.held(0).tolist()}
    found, is_decoded = decode(list(store.values()), LENGTH, FEATURES, MEMBERS)
    assert is_decoded.all()
    assert {sensor: one.tobytes() for sensor, one in zip(store, found, strict=True)} == {
        sensor: held[sensor] for batch in batches for sensor in batch
    }


def test_an_update_of_a_large_record_writes_only_the_parts_of_fixed_size_and_new_rows() -> None:
    arena = arena_of(1)
    insert(arena, ["a"], stored=False)
    add(arena, ["a", "a"], [1, 2])
    arena.mark_saved(0, arena.progress(arena.unsaved(0)))
    add(arena, ["a", "a"], [3, 4])  # rows 2 and 0 of the ring

    updates = unsaved_updates(arena, arena.unsaved(0), whole_bytes=arena.layout.itemsize - 1)

    assert not updates.whole
    (update,) = updates.changed
    # A byte for the format, 156 of header and 8 shifts of 4, 26 of moments,
    # 2 of runs; a row is one float32 and a uint16.
    head, row = 1 + 156 + 8 * 4 + 26 + 2, 6
    assert update.expected_prefix == b"\xff" + (2).to_bytes(8, "little")
    assert update.spans == ((0, head), (head, head + row), (head + 2 * row, head + 3 * row))


def test_the_rules_state_of_a_large_record_is_written_once_there_is_one() -> None:
    arena = arena_of(1)
    insert(arena, ["a"], stored=False)
    spans: list[tuple[int, int]] = []
    for turns in (0, 3, 0):
        add(arena, ["a"], [1 + len(spans)])
        set_turns(arena, "a", turns)
        arena.mark_saved(0, arena.progress(arena.unsaved(0)))
        add(arena, ["a"], [10 * (1 + len(spans))])
        updates = unsaved_updates(arena, arena.unsaved(0), whole_bytes=0)
        spans.append(updates.changed[0].spans[-1])
        arena.mark_saved(0, arena.progress(arena.unsaved(0)))

    end = 1 + arena.layout.itemsize
    assert [stop == end for _, stop in spans] == [False, True, True]
    assert spans[1] == (1 + arena.records.dtype.itemsize, end)


def test_a_record_whose_rows_are_all_new_is_written_in_full_and_uncompressed() -> None:
    arena = arena_of(1)
    insert(arena, ["a"])
    add(arena, ["a"] * LENGTH, list(range(1, LENGTH + 1)))

    updates = unsaved_updates(arena, arena.unsaved(0), whole_bytes=0)

    assert updates == Updates({"a": encode_uncompressed(arena.copy_records(arena.held(0)))[: 1 + arena.records.itemsize]}, [])


def test_a_small_record_is_written_in_full_and_compressed() -> None:
    arena = arena_of(1)
    insert(arena, ["a"])
    add(arena, ["a"], [1])

    updates = unsaved_updates(arena, arena.unsaved(0), whole_bytes=arena.layout.itemsize)

    assert updates == Updates({"a": encode(arena.copy_records(arena.held(0)))[0]})
