"""Times of files: every way to write one, as the stream reads it, what is refused, and zones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from stream_detector.errors import InputDataError
from stream_detector.ingest.parsing import Parsing
from stream_detector.tables.dataset import Dataset, read_dataset
from stream_detector.tables.time_checks import check_order
from tests.examples import examples
from tests.ingest.records import decode_one, document
from tests.time_texts import AT_MS, NO_TIMES, TIMES

BERLIN = ZoneInfo("Europe/Berlin")
#: 2026-10-25T00:00Z, when it is 02:00 in Berlin, and again 02:00 an hour later.
AUTUMN = datetime(2026, 10, 25, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "readings.csv"


@pytest.mark.parametrize(("written", "time_ms"), TIMES)
def test_a_time_is_the_same_in_a_file_and_in_the_stream(path: Path, written: str, time_ms: int) -> None:
    path.write_text(f'timestamp;x\n{written};1\n"{written}";1\n')
    alone = read_dataset([path]).times_ms.tolist()
    path.write_text(f"timestamp;x\n2027-01-15T00:00:00Z;1\n{written};1\n")  # beside a time of another form

    assert alone == [time_ms] * 2
    assert read_dataset([path]).times_ms[1] == time_ms
    assert decode_one(document(timestamp=written)).readings.times_ms.tolist() == [time_ms]


@pytest.mark.parametrize(("written", "said"), NO_TIMES)
def test_what_is_no_time_is_refused_with_the_same_reason_in_a_file_and_in_the_stream(
    path: Path, written: str, said: str
) -> None:
    path.write_text(f"timestamp;x\n2027-01-15T00:00:00Z;1\n{written};1\n")

    with pytest.raises(InputDataError) as caught:
        read_dataset([path])
    assert said in str(caught.value)
    assert "data row 2" in str(caught.value)
    (rejected,) = decode_one(document(timestamp=written)).rejected
    assert said in rejected.detail
    assert rejected.reason in {"time_out_of_range", "wrong_type"}


@pytest.mark.parametrize("unit", [1000, 1, 1e-3, 1e-6])
@settings(deadline=None, max_examples=examples(30))
@given(time_ms=st.integers(1_100_000_000_000, 3_400_000_000_000))
def test_numbers_of_every_unit_are_the_same_in_a_table_and_in_the_stream(
    tmp_path_factory: pytest.TempPathFactory, unit: float, time_ms: int
) -> None:
    numbers = [round(time_ms / unit), time_ms / unit]
    path = tmp_path_factory.mktemp("times") / "x.parquet"
    for number in numbers:
        parquet.write_table(pa.table({"timestamp": [number], "x": [1.0]}), path)
        expected = decode_one(document(timestamp=number), timestamp=-1).readings.times_ms.tolist()
        assert read_dataset([path]).times_ms.tolist() == expected
    assert expected == [time_ms]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_of_parquet_are_read_in_every_unit(tmp_path: Path, unit: str) -> None:
    times = pa.array([datetime(2027, 1, 15, 7, 59, 59, tzinfo=UTC)], pa.timestamp(unit, "UTC"))
    parquet.write_table(pa.table({"timestamp": times, "x": [1.0]}), tmp_path / "x.parquet")

    assert read_dataset([tmp_path / "x.parquet"]).times_ms.tolist() == [AT_MS - 250]


def test_times_with_and_without_a_zone_may_be_mixed(path: Path) -> None:
    path.write_text("timestamp,x\n2026-01-01T02:00:00+02:00,1\n2026-01-01T00:00:01,2\n1767225602,3\n")
    expected = [1_767_225_600_000, 1_767_225_601_000, 1_767_225_602_000]

    assert read_dataset([path]).times_ms.tolist() == expected
    in_berlin = read_dataset([path], parsing=Parsing(zone=BERLIN)).times_ms.tolist()
    assert in_berlin == [expected[0], expected[1] - 3_600_000, expected[2]]


def autumn(path: Path, minutes: list[int], zone: ZoneInfo | None = BERLIN, sensor: str = "a") -> Dataset:
    """Read a file of local times without a zone, at minutes after AUTUMN."""
    moments = [(AUTUMN + timedelta(minutes=minute)).astimezone(BERLIN) for minute in minutes]
    rows = [f"{sensor},{moment:%Y-%m-%d %H:%M:%S},{number}" for number, moment in enumerate(moments)]
    path.write_text("\n".join(["sensor_id,timestamp,x", *rows, ""]))
    return read_dataset([path], parsing=Parsing(zone=zone))


def minutes_of(dataset: Dataset) -> list[int]:
    minutes: list[int] = ((dataset.times_ms - int(AUTUMN.timestamp() * 1000)) // 60_000).tolist()
    return minutes


@pytest.mark.parametrize(
    "minutes",
    [
        list(range(-60, 180)),
        list(range(-60, 180, 20)),
        list(range(-60, 180, 30)),
        list(range(-60, 180, 60)),  # 02:00 twice, and no step back
        list(range(180, -60, -5)),  # newest first
        list(range(60, 180, 5)),  # begins in the second pass
        list(range(-60, 50, 5)),  # ends in the first
    ],
)
def test_the_hour_that_comes_twice_is_told_apart_by_order(path: Path, minutes: list[int]) -> None:
    assert minutes_of(autumn(path, minutes)) == minutes


def test_a_file_sorted_by_local_time_has_each_time_of_the_hour_twice(path: Path) -> None:
    minutes = [minute for one in range(60) for minute in (one, one + 60)]

    assert minutes_of(autumn(path, [*range(-30, 0), *minutes, 120])) == [*range(-30, 0), *minutes, 120]


def test_each_sensor_has_its_own_second_pass(path: Path) -> None:
    minutes = list(range(-10, 130))
    moments = [(AUTUMN + timedelta(minutes=minute)).astimezone(BERLIN) for minute in minutes]
    rows = [f"{sensor},{moment:%Y-%m-%d %H:%M},1" for moment in moments for sensor in ("a", "b")]
    path.write_text("\n".join(["sensor_id,timestamp,x", *rows, ""]))

    dataset = read_dataset([path], parsing=Parsing(zone=BERLIN))

    assert minutes_of(dataset) == [minute for minute in minutes for _ in "ab"]
    assert dataset.notes == (
        f"{path}: 120 local times are in the second pass of the hour that Europe/Berlin repeats, by order",
    )


def test_local_times_that_do_not_exist_are_said(path: Path) -> None:
    path.write_text("timestamp,x\n2026-03-29 01:59:00,1\n2026-03-29 02:30:00,2\n2026-03-29 03:31:00,3\n")

    dataset = read_dataset([path], parsing=Parsing(zone=BERLIN))

    assert np.diff(dataset.times_ms).tolist() == [31 * 60_000, 60_000]
    assert "1 local times do not exist in Europe/Berlin, which skips them (first: data row 2)" in dataset.notes[0]


def test_without_a_zone_a_step_back_of_an_hour_is_said_with_the_cure(path: Path) -> None:
    dataset = autumn(path, list(range(-60, 180)), zone=None)

    (note,) = dataset.notes
    assert "times of a go back by an hour at data row 121 (2026-10-25T02:00:00)" in note
    assert "--time-zone Europe/Berlin" in note
    assert autumn(path, list(range(-60, 0)), zone=None).notes == ()


def test_readings_finer_than_a_millisecond_are_refused_with_the_cure(path: Path) -> None:
    rows = [f"2026-01-01T00:00:00.{number:04d}Z,{number}" for number in range(100)]
    path.write_text("\n".join(["timestamp,x", *rows, ""]))

    with pytest.raises(InputDataError, match="90 of 100 readings follow another of their sensor within the same millisecond"):
        read_dataset([path])


def test_one_reading_in_the_millisecond_of_another_is_said(path: Path) -> None:
    rows = [f"{1_800_000_000_000_000 + 1000 * number},1" for number in range(200)]
    path.write_text("\n".join(["timestamp,x", *rows, "1800000000000007,1", ""]))

    assert read_dataset([path]).notes[0].startswith(f"{path}: 1 of 201 readings follow another of their sensor")


def test_rows_that_are_not_in_order_are_refused_and_a_clock_set_back_is_said() -> None:
    codes, sensors = np.zeros(2000, np.int32), ("pump-1",)
    in_order = np.arange(2000, dtype=np.int64) * 1000
    set_back = np.where(in_order >= 1_000_000, in_order - 60_000, in_order)

    assert check_order("x.csv", codes, in_order, sensors) == []
    assert check_order("x.csv", codes, set_back, sensors) == [
        "times of pump-1 go back by 59 s at data row 1001: rows that are not newer than the newest of their sensor are "
        "dropped, as in the stream; if the file is not in order, sort it by timestamp"
    ]
    autumn = np.where(in_order >= 1_000_000, in_order - 3_600_000, in_order) + 3_600_000
    assert check_order("x.csv", codes, autumn, sensors)[0].endswith("as in the stream; sorting it would mix the two hours")
    for mixed in (in_order[::-1], np.random.default_rng(0).permutation(in_order)):
        with pytest.raises(
            InputDataError, match=r"x\.csv: the rows of 1 of 1 sensors are not in order of time: .* Sort the file"
        ):
            check_order("x.csv", codes, mixed, sensors)


def test_a_clock_that_was_not_set_for_a_while_is_said(path: Path) -> None:
    rows = ["sensor_id,timestamp,x", "a,2026-03-02T00:00:00Z,1", "a,1970-01-01T00:00:03Z,1", "a,2026-03-02T00:02:00Z,1"]
    path.write_text("\n".join(rows) + "\n")

    assert read_dataset([path]).notes == (
        f"{path}: 56.2 years lie between a reading of a at 1970-01-01T00:00:03 (data row 2) and its next at "
        "2026-03-02T00:00:00 (data row 1): was a clock not set?",
    )


def test_a_file_of_the_first_years_from_1970_is_refused_with_the_cause(tmp_path: Path) -> None:
    seconds = pa.array([1_772_409_600 + 60 * row for row in range(40)], pa.timestamp("ns"))  # read in a wrong unit
    parquet.write_table(pa.table({"timestamp": seconds, "x": [1.0] * 40}), tmp_path / "x.parquet")

    with pytest.raises(InputDataError, match=r"first years from 1970 \(data row 1: 1970-01-01T00:00:01.* in a wrong unit"):
        read_dataset([tmp_path / "x.parquet"])
