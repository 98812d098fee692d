"""Files read as one dataset: sensors, columns, refused files, and the repairs of `clean`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from stream_detector.errors import InputDataError
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.tables.dataset import clean, read_dataset, sampling_interval_seconds
from tests.fakes.memory_log import MemoryRecord
from tests.fixtures_model import tiny_dataset


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "readings.csv"


def test_sensors_times_and_missing_values_are_read_in_the_files_order(path: Path) -> None:
    path.write_text(
        "sensor_id,timestamp,temperature,pressure\n"
        "pump-2,2026-01-01T00:00:01Z,1.5,\n"
        "7,2026-01-01T00:00:00.250Z,nan,2\n"
        "pump-2,2026-01-01T00:00:00Z,3,4\n"
    )

    dataset = read_dataset([path])

    assert dataset.features == ("temperature", "pressure")
    assert dataset.sensors == ("pump-2", "7")
    assert dataset.codes.tolist() == [0, 1, 0]
    assert dataset.times_ms.tolist() == [1_767_225_601_000, 1_767_225_600_250, 1_767_225_600_000]
    assert dataset.rows.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(dataset.values, [[1.5, np.nan], [np.nan, 2.0], [3.0, 4.0]])


def test_a_number_in_a_file_is_the_one_it_is_on_the_wire(path: Path) -> None:
    text = "89.16522598266602"  # half-way between two float32 as a double, slightly above as written
    path.write_text(f"timestamp,x\n1767225600,{text}\n")
    record = MemoryRecord("t", 0, 0, 1, None, f'{{"sensor_id": "a", "values": {{"x": {text}}}}}'.encode(), ())

    (read,) = read_dataset([path]).values[:, 0].tolist()

    assert read == JsonDecoder(("x",), InputLimits()).decode([record]).readings.values[0, 0]


def test_without_a_column_of_sensors_there_is_one(path: Path) -> None:
    path.write_text("timestamp,x\n1800000001,1\n1800000002,2\n")

    dataset = read_dataset([path])

    assert dataset.sensors == ("sensor",)
    assert dataset.codes.tolist() == [0, 0]


def test_parquet_is_read_whatever_its_name_and_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "sensor_id": [7, 8],
            "timestamp": pa.array([1_767_225_600_250, 1_767_225_600_251], pa.timestamp("ms", "Europe/Berlin")),
            "level": pa.array([1.5, None]),
            "count": pa.array([3, 4], pa.int16()),
            "on": [True, None],
            "text": ["2,5", "Bad"],
            "category": pa.array(["1", "off"]).dictionary_encode(),
            "exact": pa.array([Decimal("61.25"), None], pa.decimal128(9, 3)),
            "half": pa.array([1.5, np.inf], pa.float16()),
        }
    )
    parquet.write_table(table, tmp_path / "readings")

    dataset = read_dataset([tmp_path / "readings"])

    assert dataset.sensors == ("7", "8")
    assert dataset.times_ms.tolist() == [1_767_225_600_250, 1_767_225_600_251]
    np.testing.assert_array_equal(
        dataset.values, [[1.5, 3, 1, 2.5, 1, 61.25, 1.5], [np.nan, 4, np.nan, np.nan, 0, np.nan, np.nan]]
    )


def test_several_files_are_one_dataset_with_the_columns_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sensor_id,timestamp,x,y\na,1800000001,1,2\n")
    (tmp_path / "b.csv").write_text("y,x,timestamp,sensor_id\n4,3,1800000002,b\n6,5,1800000003,a\n")

    dataset = read_dataset([tmp_path / "a.csv", tmp_path / "b.csv"])

    assert dataset.sensors == ("a", "b")
    assert dataset.codes.tolist() == [0, 1, 0]
    assert dataset.values.tolist() == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    assert dataset.rows.tolist() == [0, 1, 2]


def test_a_models_features_decide_columns_and_order(path: Path) -> None:
    path.write_text("timestamp,y,label,x\n1800000001,1,faulty,2\n")

    dataset = read_dataset([path], features=("x", "y"))

    assert dataset.values.tolist() == [[2.0, 1.0]]
    assert dataset.unread == ("label",)
    with pytest.raises(InputDataError, match=r"column z of the model is missing \(found: x, y, label\)"):
        read_dataset([path], features=("x", "z"))


def test_ignored_columns_are_not_read_and_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("timestamp,label,x\n1800000001,faulty,2\n")
    (tmp_path / "b.csv").write_text("timestamp,x\n1800000002,3\n")
    parquet.write_table(pa.table({"timestamp": [1_800_000_003], "label": ["faulty"], "x": [4.0]}), tmp_path / "c.parquet")
    paths = [tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.parquet"]

    assert read_dataset(paths, ignore=("label",)).values.tolist() == [[2.0], [3.0], [4.0]]
    with pytest.raises(InputDataError, match=r"b\.csv: no column nope, which --ignore-columns names \(found: timestamp, x\)"):
        read_dataset([tmp_path / "b.csv"], ignore=("nope",))
    with pytest.raises(InputDataError, match=r"the files: no column nope, .* \(found: timestamp, label, x\)"):
        read_dataset(paths, ignore=("nope", "label"))


def fleet(sensors: int, readings: int, name: str) -> str:
    """Return a file of sensors read at the same times, with their number in a column of this name."""
    rows = [
        f"{number},{1_800_000_000 + second},{number + second / 8}" for second in range(readings) for number in range(sensors)
    ]
    return "\n".join([f"{name},timestamp,x", *rows]) + "\n"


@pytest.mark.parametrize("sensors", [2, 5])
@pytest.mark.parametrize(("ignore", "features"), [((), None), (("asset_no",), None), ((), ("x",))])
def test_a_fleet_without_a_column_of_sensors_is_refused(
    path: Path, sensors: int, ignore: tuple[str, ...], features: tuple[str, ...] | None
) -> None:
    path.write_text(fleet(sensors, 40, "asset_no"))

    with pytest.raises(InputDataError) as caught:
        read_dataset([path], features, ignore)

    said = str(caught.value)
    assert (
        f"without a column sensor_id all rows belong to one sensor, but {40 * (sensors - 1)} of {40 * sensors} rows have"
        in said
    )
    assert "Rename the column that names the sensors to sensor_id (found: asset_no, timestamp, x)" in said


def test_a_file_for_each_sensor_without_its_name_is_refused(tmp_path: Path) -> None:
    for number in range(2):
        rows = "".join(f"{1_800_000_000 + second},{number + second / 8}\n" for second in range(40))
        (tmp_path / f"{number}.csv").write_text(f"timestamp,x\n{rows}")

    assert len(read_dataset([tmp_path / "0.csv", tmp_path / "0.csv"])) == 80  # equal rows do not contradict each other
    with pytest.raises(
        InputDataError, match=r"the files: without a column sensor_id .* 40 of 80 rows have the time of another row"
    ):
        read_dataset([tmp_path / "0.csv", tmp_path / "1.csv"])


def test_the_rows_of_one_time_that_one_sensor_may_have_are_read(path: Path) -> None:
    path.write_text(fleet(5, 40, "sensor_id"))
    assert read_dataset([path]).sensors == ("0", "1", "2", "3", "4")

    rows = [f"{1_800_000_000 + second},{second}" for second in range(70)]
    rows += [f"{1_800_000_000 + second},7.5" for second in range(20)]
    path.write_text("\n".join(["timestamp,x", *rows]))
    assert len(read_dataset([path])) == 90  # a clock that was set back: 20 rows of 90


def test_a_second_file_with_another_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("timestamp,x\n1800000001,1\n")
    (tmp_path / "b.csv").write_text("timestamp,x,y\n1800000002,1,1\n")

    with pytest.raises(InputDataError, match="column y is unknown to the first file; name it in --ignore-columns"):
        read_dataset([tmp_path / "a.csv", tmp_path / "b.csv"])


def test_files_with_other_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("timestamp,x\n1800000001,1\n")
    (tmp_path / "b.csv").write_text("timestamp,z\n1800000001,1\n")

    with pytest.raises(InputDataError, match=r"b\.csv: column x of the first file is missing \(found: z\)"):
        read_dataset([tmp_path / "a.csv", tmp_path / "b.csv"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"timestamp,x\n", "a header but no rows"),
        (b"\n\n", "no column 'timestamp'"),
        (bytes(range(256)), "neither CSV nor Parquet"),
        (b"timestamp,x\n\xff\xfe,1\n", r"neither CSV in UTF-8 nor Parquet \(byte 12"),
        (b"PAR1 but no more", "a damaged Parquet file"),
        (b"\x1f\x8b but no gzip", "not"),
        (b"1,2,3\n4,5,6\n", r"no column 'timestamp'.*\(found: 1, 2, 3\)"),
        (b"timestamp\n1800000001\n", "no feature columns"),
        (b"timestamp,x,x\n1800000001,2,3\n", "column x appears twice"),
        (b"timestamp,x,\n1800000001,2,3\n", "a column has no name"),
        (b"timestamp,x\n1800000001,1\n1800000002,high\n1800000003,low\n", "data row 2, column x: 'high' is not a number"),
        (b"timestamp,x\n1800000001,1\n1800000002,1,5\n", "data row 2 has 3 cells, the header 2"),
        (b"timestamp,x\n1800000001,1\n,1\n", "data row 2 has no timestamp"),
        (
            b"timestamp,x\n2026-01-01,1\nyesterday,1\n",
            "data row 2: timestamp is not ISO 8601, such as 2026-11-23T07:12:00Z: 'yesterday'",
        ),
        (b"timestamp,x\n1800000001,1\n-5,1\n", "data row 2: timestamp -5 is before 1970"),
        (b"timestamp,x\n2201-01-01,1\n", "data row 1: timestamp 2201-01-01 is not between"),
        (b"timestamp,x\n2301-01-01,1\n", "data row 1: not between 1970 and 2100: 2301-01-01"),
        (
            b"timestamp,x\n46083.0007,1\n",
            r"data row 1: timestamp 46083.0007 looks like a day number of a spreadsheet \(Excel\): it would be 2026-03-02",
        ),
        (
            b"timestamp,x\n1800000000,1\n17,1\n",
            "data row 2: timestamp 17 is in the first years from 1970: it looks like seconds",
        ),
        (b"timestamp,x\n20260302,1\n", "data row 1: timestamp 20260302 looks like a date written without separators"),
        (b"sensor_id,timestamp,x\na,1800000001,1\n,1800000002,1\n", "data row 2 has no sensor_id"),
    ],
)
def test_bad_files_are_refused_with_the_place_and_the_reason(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)

    with pytest.raises(InputDataError, match=message) as caught:
        read_dataset([path])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"x": ["a"]}, "column x: 'a' is not a number"),
        ({"x": [datetime(2026, 1, 1, tzinfo=UTC)]}, r"column x holds timestamp\[us, tz=UTC\], not numbers"),
        ({"x": [[1.0]]}, r"column x holds list<.*>, not numbers"),
        ({"x": [1.0], "sensor_id": [1.5]}, "column sensor_id holds double, not names"),
        ({"x": [1.0], "timestamp": [None]}, "data row 1 has no timestamp"),
        ({"x": [1.0], "timestamp": [[1]]}, r"column timestamp holds list<.*>, not times"),
    ],
)
def test_parquet_of_wrong_types_is_refused(tmp_path: Path, column: dict[str, list[object]], message: str) -> None:
    parquet.write_table(pa.table({"timestamp": [1_800_000_001], **column}), tmp_path / "x.parquet")

    with pytest.raises(InputDataError, match=message):
        read_dataset([tmp_path / "x.parquet"])


def test_names_of_sensors_may_be_whole_numbers_even_as_floats(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    parquet.write_table(pa.table({"sensor_id": [7.0, 8.0], "timestamp": [1_800_000_001, 1_800_000_002], "x": [1.0, 2.0]}), path)

    assert read_dataset([path]).sensors == ("7", "8")


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match=r"absent\.csv: cannot be read: No such file"):
        read_dataset([tmp_path / "absent.csv"])
    with pytest.raises(InputDataError, match="cannot be read: Is a directory"):
        read_dataset([tmp_path])


def test_cleaning_sorts_and_keeps_the_first_of_equal_times_and_says_so(path: Path) -> None:
    path.write_text("sensor_id,timestamp,x\nb,1800000003,1\na,1800000002,2\nb,1800000001,3\na,1800000002,4\nb,1800000002,5\n")

    dataset, repairs = clean(read_dataset([path]))

    assert [dataset.sensors[code] for code in dataset.codes] == ["b", "b", "b", "a"]
    assert dataset.times_ms.tolist() == [1_800_000_000_000 + 1000 * second for second in (1, 2, 3, 2)]
    assert dataset.values[:, 0].tolist() == [3.0, 5.0, 1.0, 2.0]
    assert dataset.rows.tolist() == [2, 4, 0, 1]
    assert repairs == [
        "times go backwards at 1 of 5 readings: sorted by time",
        "1 of 5 readings repeat a time of their sensor: the first of each time was kept",
    ]


def test_interleaved_sensors_need_no_repair(path: Path) -> None:
    path.write_text("sensor_id,timestamp,x\na,1800000005,1\nb,1800000001,2\na,1800000006,3\nb,1800000002,4\n")

    assert clean(read_dataset([path]))[1] == []


def test_the_sampling_interval_is_the_median_within_sensors() -> None:
    dataset = tiny_dataset(sensors=3, readings=5)
    times = dataset.times_ms.copy()
    times[4] += 3_600_000

    assert sampling_interval_seconds(replace(dataset, times_ms=times)) == 1.0
    with pytest.raises(InputDataError, match="no sensor has two readings"):
        sampling_interval_seconds(tiny_dataset(sensors=3, readings=1))
