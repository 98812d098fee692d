"""Windows: `append` against a reference that keeps a list of rows per sensor, and examples worked out by hand."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.readings import Readings
from stream_detector.state.appended import Appended
from stream_detector.state.record_layout import Records, layout_name, new_records, record_dtype, step_codes, steps_of
from stream_detector.state.windows import append

MAX_GAP_MS = 1000
FEATURES, MEMBERS = 2, 1


@dataclass(frozen=True, slots=True)
class Reading:
    sensor: int
    time_ms: int
    values: tuple[float, float]


@dataclass(slots=True)
class ReferenceSensor:
    """A sensor's accepted rows since its window last restarted: (time, values)."""

    rows: list[tuple[int, tuple[float, float]]] = field(default_factory=list)
    count: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What `append` returns for one accepted reading."""

    offset: int
    sensor: int
    count: int
    filled: int
    window: tuple[tuple[float, float], ...]  # its `filled` rows
    start_ms: int


def stored_step(before_ms: int, time_ms: int) -> int:
    """Return the time between two rows as a record keeps it: 11 significant bits of both times."""
    exponent = max(0, (time_ms - before_ms).bit_length() - 11)
    if (time_ms >> exponent) - (before_ms >> exponent) >= 2048:
        exponent += 1
    return ((time_ms >> exponent) - (before_ms >> exponent)) << exponent


def reference(readings: list[Reading], length: int, max_gap_ms: int) -> list[Seen]:
    sensors: dict[int, ReferenceSensor] = {}
    seen = []
    for offset, reading in enumerate(readings):
        sensor = sensors.setdefault(reading.sensor, ReferenceSensor())
        if sensor.rows:
            newest_ms = sensor.rows[-1][0]
            if reading.time_ms <= newest_ms:
                continue
            if reading.time_ms - newest_ms > max_gap_ms:
                sensor.rows.clear()
        sensor.rows.append((reading.time_ms, reading.values))
        sensor.count += 1
        window = sensor.rows[-length:]
        seen.append(
            Seen(
                offset,
                reading.sensor,
                sensor.count,
                len(window),
                tuple(row[1] for row in window),
                reading.time_ms - sum(stored_step(*between) for between in itertools.pairwise(row[0] for row in window)),
            )
        )
    return seen


def columns(readings: list[Reading], first_offset: int = 0) -> Readings:
    count = len(readings)
    return Readings(
        sensors=[str(reading.sensor) for reading in readings],
        partitions=np.zeros(count, np.int32),
        places=np.arange(first_offset, first_offset + count, dtype=np.int64),
        times_ms=np.array([reading.time_ms for reading in readings], np.int64),
        values=np.array([reading.values for reading in readings], np.float32).reshape(count, FEATURES),
    )


def append_all(records: Records, readings: list[Reading], first_offset: int = 0, max_gap_ms: int = MAX_GAP_MS) -> Appended:
    slots = np.array([reading.sensor for reading in readings], np.int32)
    return append(records, slots, columns(readings, first_offset), max_gap_ms)


def seen_by(appended: Appended, first_offset: int = 0) -> list[Seen]:
    everything = np.arange(len(appended.reading))
    windows = appended.windows(everything)
    starts_ms = appended.starts_ms(everything)
    return [
        Seen(
            first_offset + int(appended.reading[m]),
            int(appended.slot[m]),
            int(appended.count[m]),
            int(appended.filled[m]),
            tuple(tuple(row) for row in windows[m, len(windows[m]) - appended.filled[m] :].tolist()),
            int(starts_ms[m]),
        )
        for m in everything.tolist()
    ]


_readings = st.lists(
    st.builds(
        Reading,
        sensor=st.sampled_from([0, 1, 2, 2, 2, 2]),
        time_ms=st.one_of(st.integers(0, 60), st.integers(0, 30).map(lambda step: step * 400)),
        values=st.tuples(st.integers(0, 9).map(float), st.integers(0, 9).map(float)),
    ),
    max_size=60,
).map(lambda readings: [Reading(r.sensor, r.time_ms + 40 * place, r.values) for place, r in enumerate(readings)])


@settings(deadline=None)
@given(readings=_readings, length=st.integers(1, 7), slower=st.sampled_from([1, 61, 7001]), data=st.data())
def test_any_division_into_batches_matches_the_reference(
    readings: list[Reading], length: int, slower: int, data: st.DataObject
) -> None:
    """This includes readings and gaps so far apart that their times are rounded."""
    readings = [Reading(one.sensor, one.time_ms * slower, one.values) for one in readings]
    max_gap_ms = MAX_GAP_MS * slower
    cuts = data.draw(st.lists(st.integers(0, len(readings)), max_size=8).map(sorted))
    whole, in_parts = new_records(3, length, FEATURES, MEMBERS), new_records(3, length, FEATURES, MEMBERS)
    bounds = [0, *cuts, len(readings)]

    append_all(whole, readings, max_gap_ms=max_gap_ms)
    seen, late = [], 0
    for start, stop in itertools.pairwise(bounds):
        appended = append_all(in_parts, readings[start:stop], start, max_gap_ms)
        seen += seen_by(appended, first_offset=start)
        late += appended.late

    expected = reference(readings, length, max_gap_ms)
    assert sorted(seen, key=lambda one: one.offset) == expected
    assert late == len(readings) - len(expected)
    assert in_parts.tobytes() == whole.tobytes()


def values_of(*numbers: float) -> list[Reading]:
    """Return readings of sensor 0, 10 ms apart from 100 ms on."""
    return [Reading(0, 100 + 10 * place, (number, -number)) for place, number in enumerate(numbers)]


def first_feature(windows: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> list[list[float]]:
    return [[row[0] for row in window] for window in windows.tolist()]


def test_more_readings_of_one_sensor_than_the_window_is_long_have_a_window_each() -> None:
    records = new_records(1, 3, FEATURES, MEMBERS)

    appended = append_all(records, values_of(1, 2, 3, 4, 5))

    assert first_feature(appended.windows(np.arange(2, 5))) == [[1, 2, 3], [2, 3, 4], [3, 4, 5]]
    assert appended.filled.tolist() == [1, 2, 3, 3, 3]
    assert appended.count.tolist() == [1, 2, 3, 4, 5]
    assert records["rows"]["values"][0, :, 0].tolist() == [4, 5, 3]  # a ring: reading n is in row (n - 1) mod 3
    assert records["rows"]["step"][0].tolist() == [10, 10, 10]


def test_late_and_equal_time_readings_are_dropped_and_counted() -> None:
    records = new_records(1, 3, FEATURES, MEMBERS)
    readings = [Reading(0, time_ms, (float(time_ms), 0.0)) for time_ms in (200, 200, 150, 201, 200)]

    appended = append_all(records, readings)

    assert appended.reading.tolist() == [0, 3]
    assert appended.late == 3
    assert records["header"]["last_time_ms"].tolist() == [201]


def test_a_reading_at_time_zero_is_not_late() -> None:
    assert append_all(new_records(1, 3, FEATURES, MEMBERS), [Reading(0, 0, (1.0, 1.0))]).late == 0


@pytest.mark.parametrize(("gap_ms", "filled", "restarted"), [(MAX_GAP_MS, 3, 0), (MAX_GAP_MS + 1, 1, 1)])
def test_a_gap_longer_than_the_limit_restarts_the_window(gap_ms: int, filled: int, restarted: int) -> None:
    records = new_records(1, 3, FEATURES, MEMBERS)
    append_all(records, values_of(1, 2))  # the last at 110 ms

    appended = append_all(records, [Reading(0, 110 + gap_ms, (3.0, 3.0))], first_offset=2)

    assert appended.filled.tolist() == [filled]
    assert appended.restarted == restarted
    assert records["header"]["count"].tolist() == [3]


def test_a_gap_within_a_batch_restarts_the_window_for_the_readings_after_it() -> None:
    readings = [Reading(0, time_ms, (float(time_ms), 0.0)) for time_ms in (10, 20, 30, 5000, 5010)]

    appended = append_all(new_records(1, 3, FEATURES, MEMBERS), readings)

    assert appended.filled.tolist() == [1, 2, 3, 1, 2]
    assert appended.restarted == 1
    assert appended.starts_ms(np.arange(5)).tolist() == [10, 10, 10, 5000, 5000]


@given(before_ms=st.integers(0, 2**42), step_ms=st.one_of(st.integers(-5, 2047), st.integers(0, 2**41)))
def test_the_time_between_two_rows_is_kept_to_within_a_1024th_and_exactly_below_two_seconds(
    before_ms: int, step_ms: int
) -> None:
    codes = step_codes(np.array([before_ms]), np.array([before_ms + step_ms]))

    kept = int(steps_of(codes)[0])

    assert kept == stored_step(before_ms, before_ms + step_ms) if step_ms > 0 else kept == 0
    assert abs(kept - max(step_ms, 0)) <= max(step_ms, 0) / 1024
    assert kept == max(step_ms, 0) or step_ms > 2047


def test_the_start_of_a_window_has_no_error_that_adds_up_over_many_rows_and_long_gaps() -> None:
    """A reading a minute or so; most gaps are not a multiple of the 32 ms unit, and one is the longest allowed."""
    max_gap_ms, length = 600_000, 64
    times_ms = [1_700_000_000_007 + 60_003 * step + (539_997 if step >= 90 else 0) for step in range(200)]
    records = new_records(1, length, FEATURES, MEMBERS)

    starts_ms = [
        int(append_all(records, [Reading(0, time_ms, (1.0, 1.0))], offset, max_gap_ms).starts_ms(np.array([0]))[0])
        for offset, time_ms in enumerate(times_ms)
    ]

    true_ms = np.array([times_ms[max(0, last - length + 1)] for last in range(200)])
    assert np.abs(np.array(starts_ms) - true_ms).max() <= 600_000 / 1024


def test_a_count_that_gets_too_large_for_the_record_continues_from_a_smaller_one_in_the_same_row() -> None:
    whole, in_parts = (new_records(1, 3, FEATURES, MEMBERS) for _ in range(2))
    readings = values_of(1, 2, 3, 4, 5)
    for records in (whole, in_parts):
        append_all(records, values_of(-2, -1, 0))
        records["header"]["last_time_ms"] = 99
        records["header"]["count"] += np.uint32(2**31 - 5)  # a multiple of 3; two more readings reach 2**31

    appended = append_all(whole, readings)
    for offset, reading in enumerate(readings):
        window = append_all(in_parts, [reading], offset).windows(np.array([0]))

    assert appended.filled.tolist() == [3] * 5
    assert first_feature(appended.windows(np.arange(5))) == [[-1, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]
    assert first_feature(window) == [[3, 4, 5]]
    assert 2**30 <= whole["header"]["count"][0] < 2**31 - 5
    assert in_parts["header"]["count"] == whole["header"]["count"]
    assert in_parts["rows"].tobytes() == whole["rows"].tobytes()


def test_a_missing_value_stays_missing_in_the_window() -> None:
    records = new_records(1, 2, FEATURES, MEMBERS)
    append_all(records, [Reading(0, 10, (float("nan"), 1.0))])

    window = append_all(records, [Reading(0, 20, (2.0, 3.0))], first_offset=1).windows(np.array([0]))[0]

    assert np.array_equal(window, np.array([[np.nan, 1], [2, 3]], np.float32), equal_nan=True)


def test_an_empty_batch_changes_nothing() -> None:
    records = new_records(2, 3, FEATURES, MEMBERS)
    append_all(records, values_of(1, 2))
    before = records.tobytes()

    appended = append_all(records, [])

    assert len(appended.reading) == appended.late == appended.restarted == 0
    assert records.tobytes() == before


def test_later_batches_do_not_change_windows_of_earlier_ones() -> None:
    records = new_records(1, 2, FEATURES, MEMBERS)
    window = append_all(records, values_of(1, 2)).windows(np.array([1]))

    append_all(records, [Reading(0, 200, (9.0, 9.0))], first_offset=2)

    assert first_feature(window) == [[1, 2]]


def test_the_layout_is_named_by_window_length_room_for_members_and_features_in_order() -> None:
    assert layout_name(64, ("temperature", "pressure"), 3) == "9:64:8:temperature,pressure"
    assert layout_name(64, ("pressure", "temperature"), 3) != layout_name(64, ("temperature", "pressure"), 3)


def test_models_of_other_members_have_the_same_layout_as_long_as_there_is_room() -> None:
    layouts = {layout_name(64, ("temperature",), members) for members in (1, 2, 6, 7, 8)}

    assert len(layouts) == 1
    assert layout_name(64, ("temperature",), 9) not in layouts
    assert record_dtype(5, 2, 1) == record_dtype(5, 2, 8) != record_dtype(5, 2, 9)


def test_a_record_is_a_header_with_room_for_shifts_moments_per_feature_rules_and_a_ring_of_rows() -> None:
    record = record_dtype(window_length=5, features=2, members=3)

    # 12 columns of 8 bytes, 13 of 4, 2 of 2, 4 of 1, 8 float32; two float64, a uint16 and two float32 per feature; a uint16
    # per feature; 2 float32 and a uint16 per row; two int64 and a uint16 per rule, three uint16 and two bytes per feature,
    # full words.
    header = 12 * 8 + 13 * 4 + 2 * 2 + 4 + 8 * 4
    sizes = [header, 2 * 26, 0, 2 * 2, 0, 5 * 10, 5 * 18 + 2 * 8 + 6]
    assert [record[name].itemsize for name in record.names or ()] == sizes
    assert record.itemsize == sum(sizes)
    assert record.fields is not None
    assert [record.fields[name][1] for name in ("header", "moments", "rows")] == [0, header, header + 52 + 4]


def test_counters_add_their_state_to_a_record_and_their_names_to_the_layout() -> None:
    assert record_dtype(5, 2, 3, counters=2).itemsize == record_dtype(5, 2, 3).itemsize + 2 * 24
    assert layout_name(64, ("power", "energy"), 3, ("energy",)) == "9:64:8:power,energy:rise of energy"


ENERGY = 18_228_934.25


def metered(records: Records, energies: list[float], times_ms: list[int]) -> Appended:
    """Append readings of one sensor, whose second feature is a counter."""
    count = len(energies)
    values = np.column_stack([np.arange(count), energies]).astype(np.float64)
    readings = Readings(["m"] * count, np.zeros(count, np.int32), np.arange(count), np.array(times_ms, np.int64), values)
    return append(records, np.zeros(count, np.int32), readings, max_gap_ms=10_000, counters=(1,))


def test_a_window_holds_the_rises_of_counters_in_full_precision() -> None:
    records = new_records(1, 4, FEATURES, MEMBERS, counters=1)
    energies = [ENERGY, ENERGY + 1.5, ENERGY + 1.25, ENERGY + 3, ENERGY + 3, ENERGY + 9]  # the third is late

    appended = metered(records, energies, [0, 1000, 500, 2000, 3000, 60_000])

    assert appended.reading.tolist() == [0, 1, 3, 4, 5]
    np.testing.assert_array_equal(appended.newest_values()[:, 1], np.array([np.nan, 5400, 5400, 0, np.nan], np.float32))
    assert appended.newest_values()[:, 0].tolist() == [0, 1, 3, 4, 5]


def test_a_counter_in_batches_gives_the_same_record() -> None:
    whole, cut = (new_records(1, 4, FEATURES, MEMBERS, counters=1) for _ in range(2))
    energies = [ENERGY + 1.5 * at for at in range(6)]
    times_ms = [1000 * at for at in range(1, 7)]
    metered(whole, energies, times_ms)
    for at in range(6):
        readings = Readings(
            ["m"], np.zeros(1, np.int32), np.array([at]), np.array(times_ms[at : at + 1]), np.array([[at, energies[at]]], float)
        )
        append(cut, np.zeros(1, np.int32), readings, max_gap_ms=10_000, counters=(1,))

    assert whole.tobytes() == cut.tobytes()


def test_a_sensor_that_was_never_seen_has_neither_rows_nor_moments_nor_an_incident() -> None:
    (record,) = new_records(1, 3, FEATURES, MEMBERS)

    header = record["header"]
    assert (header["last_time_ms"], header["incident_offset"]) == (-1, -1)
    assert not any(header[name] for name in ("count", "filled", "model", "level_count", "memory", "accepted"))
    assert not record["moments"].tobytes().strip(b"\0")
    assert not header["shift"].any()
