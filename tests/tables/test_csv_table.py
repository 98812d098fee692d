"""CSV: what is accepted, and what an error advises."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from stream_detector.errors import InputDataError
from stream_detector.tables.dataset import read_dataset


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "readings.csv"


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_and_a_byte_order_mark_are_taken(path: Path, delimiter: str) -> None:
    path.write_text(f"\ufefftimestamp{delimiter}x\n5{delimiter}1\n")

    assert read_dataset([path]).values.tolist() == [[1.0]]


def test_a_compressed_csv_is_read(tmp_path: Path) -> None:
    path = tmp_path / "readings.csv.gz"
    path.write_bytes(gzip.compress(b"timestamp,x\n5,1\n"))

    assert read_dataset([path]).times_ms.tolist() == [5000]


TEXT = "if it is not a feature, exclude it with --ignore-columns"
LONG = "if it says which feature value holds (long format), give each feature a column; "
NAMES = "if it names the sensors, rename it to sensor_id; "


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        (
            "timestamp,site,x,y",
            ["1,north,1,2", "2,south,1,2"],
            f"data row 1, column site: 'north' is not a number ({NAMES}{TEXT})",
        ),
        ("timestamp,site,x,y", ["1,,1,2", "2,south,1,2"], f"data row 2, column site: 'south' is not a number ({NAMES}{TEXT})"),
        ("sensor_id,timestamp,site,x,y", ["a,1,north,1,2"], f"column site: 'north' is not a number ({TEXT})"),
        ("sensor_id,timestamp,tag,value", ["a,1,flow,1", "a,1,level,2"], f"column tag: 'flow' is not a number ({LONG}{TEXT})"),
        ("sensor,timestamp,tag,value", ["a,1,flow,1"], f"column sensor: 'a' is not a number ({NAMES}{TEXT})"),
        (
            "sensor,time,tag,value",
            ["a,1,flow,1"],
            "columns: timestamp, sensor_id (optional for a single sensor), and one for each feature",
        ),
        (
            "timestamp,x,y",
            [",degC,bar", "1,2,3"],
            "'degC' is not a number (the rows below have numbers there: if this is a row",
        ),
        ("timestamp,x,y", ["1,2,3", "2,No Data,3"], "'No Data' is not a number (leave a cell empty if a value is missing)"),
        ("timestamp;x;y", ["1;39,736;2"], "'39,736' is not a number (write numbers with a decimal point, not a comma,"),
        ("timestamp,x,y", ["1,2,3", '2,"1,234.5",3'], "'1,234.5' is not a number (write numbers with a decimal point"),
    ],
)
def test_a_cell_that_is_no_number_is_refused_with_what_its_column_looks_like(
    path: Path, header: str, rows: list[str], message: str
) -> None:
    path.write_text("\n".join([header, *rows]) + "\n")

    with pytest.raises(InputDataError, match=re.escape(message)):
        read_dataset([path])


def test_a_column_is_named_rightly_beside_ignored_ones(path: Path) -> None:
    path.write_text("note,timestamp,label,x,site\na,1,b,1,north\n")

    with pytest.raises(InputDataError, match=r"data row 1, column site: 'north'"):
        read_dataset([path], ignore=("note", "label"))


def test_a_feature_of_the_model_cannot_be_left_out(path: Path) -> None:
    path.write_text("timestamp,x\n1,high\n2,low\n")

    with pytest.raises(InputDataError, match=r"'high' is not a number \(numbers are needed there; an empty cell") as caught:
        read_dataset([path], features=("x",))
    assert "--ignore-columns" not in str(caught.value)


def test_rows_are_counted_without_blank_lines(path: Path) -> None:
    path.write_text("timestamp,x\n1,1\n\n\n2,high\n")

    with pytest.raises(InputDataError, match="data row 2, column x"):
        read_dataset([path])
