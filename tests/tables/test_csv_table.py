"""CSV: what is accepted, and what an error advises."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from stream_detector.errors import InputDataError
from stream_detector.ingest.parsing import Parsing
from stream_detector.tables.dataset import read_dataset
from stream_detector.values import NOT_A_NUMBER, MissingValues
from tests.value_texts import MEANS_MISSING, NUMBERS, UNUSABLE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "readings.csv"


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_and_a_byte_order_mark_are_taken(path: Path, delimiter: str) -> None:
    path.write_text(f"\ufefftimestamp{delimiter}x\n1800000005{delimiter}1\n")

    assert read_dataset([path]).values.tolist() == [[1.0]]


def test_a_compressed_csv_is_read(tmp_path: Path) -> None:
    path = tmp_path / "readings.csv.gz"
    path.write_bytes(gzip.compress(b"timestamp,x\n1800000005,1\n"))

    assert read_dataset([path]).values.tolist() == [[1.0]]


TEXT = (
    "if it is not a feature, exclude it with --ignore-columns; if it is a state, such as RUN and STOP, write 1 and 0; "
    "if it means that a value is missing, name it in --missing-values"
)
LONG = "if it says which feature value holds (long format), give each feature a column; "
NAMES = "if it names the machines, read it with --sensor-column "


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        (
            "timestamp,site,x,y",
            ["1800000001,north,1,2", "1800000002,south,1,2"],
            f"data row 1, column site: 'north' is not a number ({NAMES}site; {TEXT})",
        ),
        (
            "timestamp,site,x,y",
            ["1800000001,,1,2", "1800000002,south,1,2"],
            f"data row 2, column site: 'south' is not a number ({NAMES}site; {TEXT})",
        ),
        ("sensor_id,timestamp,site,x,y", ["a,1800000001,north,1,2"], f"column site: 'north' is not a number ({TEXT})"),
        (
            "sensor_id,timestamp,tag,value",
            ["a,1800000001,flow,1", "a,1800000001,level,2"],
            f"column tag: 'flow' is not a number ({LONG}{TEXT})",
        ),
        ("sensor,timestamp,tag,value", ["a,1800000001,flow,1"], f"column sensor: 'a' is not a number ({NAMES}sensor; {TEXT})"),
        (
            "sensor,time,tag,value",
            ["a,1,flow,1"],
            "columns: timestamp, sensor_id (optional for a single sensor), and one for each feature",
        ),
        (
            "timestamp,x,y",
            [",degC,bar", "1800000001,2,3"],
            "'degC' is not a number (the rows below have numbers there: if this is a row",
        ),
        (
            "timestamp,x,y",
            ["1800000001,2,3", "1800000002,high,3", "1800000003,low,3"],
            "data row 2, column x: 'high' is not a number (if it names",
        ),
        (
            "timestamp;x;y",
            ["1800000001;39,736;2"],
            "'39,736' is not a number (write numbers with a decimal point, not a comma,",
        ),
        ("timestamp,x,y", ["1800000001,2.5 bar,3", "1800000002,3 bar,3"], "'2.5 bar' is not a number (write numbers without"),
        ("timestamp;x;y", ["1800000001;2\u202f450,7;3"], "is not a number (write numbers with a decimal point, not a comma,"),
        (
            "timestamp,x,y",
            ["1800000001,2,3", '1800000002,"1,234.5",3'],
            "'1,234.5' is not a number (write numbers with a decimal point",
        ),
    ],
)
def test_a_cell_that_is_no_number_is_refused_with_what_its_column_looks_like(
    path: Path, header: str, rows: list[str], message: str
) -> None:
    path.write_text("\n".join([header, *rows]) + "\n")

    with pytest.raises(InputDataError, match=re.escape(message)):
        read_dataset([path])


def test_a_column_is_named_rightly_beside_ignored_ones(path: Path) -> None:
    path.write_text("note,timestamp,label,x,site\na,1800000001,b,1,north\n")

    with pytest.raises(InputDataError, match=r"data row 1, column site: 'north'"):
        read_dataset([path], ignore=("note", "label"))


def test_a_feature_of_the_model_cannot_be_left_out(path: Path) -> None:
    path.write_text("timestamp,x\n1800000001,high\n1800000002,low\n")

    with pytest.raises(InputDataError, match=r"'high' is not a number \(numbers are needed there; an empty cell") as caught:
        read_dataset([path], features=("x",))
    assert "--ignore-columns" not in str(caught.value)


def test_rows_are_counted_without_blank_lines(path: Path) -> None:
    path.write_text("timestamp,x\n1800000001,1\n\n\n1800000002,high\n1800000003,low\n")

    with pytest.raises(InputDataError, match="data row 2, column x"):
        read_dataset([path])


def test_single_cells_of_text_are_missing_and_said(path: Path) -> None:
    path.write_text(
        "sensor_id,timestamp,x,y\na,1800000001,Bad,1\na,1800000002,2.5,True\nb,1800000003,Bad,FALSE\nb,1800000004,half,1e60\nb,1800000005,7,inf\nb,1800000006,,nan\n"
    )

    dataset = read_dataset([path])

    nan = np.nan
    np.testing.assert_array_equal(dataset.values, [[nan, 1], [2.5, 1], [nan, 0], [nan, nan], [7, nan], [nan, nan]])
    assert dataset.notes == (
        f"taken as missing: x of a and 1 more: 'Bad' 2 times, first in data row 1 of {path.name}",
        "taken as missing: y of b: '1e60' 1 time, 'inf' 1 time (infinite, or beyond 32-bit floating point), '1e60' first "
        f"in data row 4 of {path.name}",
        f"taken as missing: x of b: 'half' 1 time (not a number), first in data row 4 of {path.name}",
    )


def test_words_and_codes_of_a_plant_are_missing_where_they_are_listed(path: Path) -> None:
    path.write_text("timestamp,x,y\n1800000001,-9999,-9999\n1800000002,stale,-1\n1800000003,4,off\n")

    dataset = read_dataset([path], parsing=Parsing(MissingValues.of(["Stale", -9999, {"y": [-1, "off"]}])))

    np.testing.assert_array_equal(dataset.values, [[np.nan, np.nan], [np.nan, np.nan], [4, np.nan]])
    assert [note.partition(": ")[2] for note in dataset.notes] == [
        "y of sensor: 'off' 1 time, -9999 1 time, -1 1 time, 'off' first in data row 3 of readings.csv",
        "x of sensor: 'stale' 1 time, -9999 1 time, 'stale' first in data row 2 of readings.csv",
    ]


@pytest.mark.parametrize("text", [text for text, _ in NUMBERS])
def test_a_cell_is_the_number_that_the_parser_of_values_makes_of_it(path: Path, text: str) -> None:
    path.write_text(f'timestamp;x\n1800000001;"{text}"\n1800000002;1\n')

    assert read_dataset([path]).values[0, 0] == dict(NUMBERS)[text]


@pytest.mark.parametrize("text", MEANS_MISSING)
def test_a_cell_with_a_word_for_missing_is_missing(path: Path, text: str) -> None:
    path.write_text(f"timestamp;x\n1800000001;{text}\n1800000002;1\n")

    assert np.isnan(read_dataset([path]).values[0, 0])


@pytest.mark.parametrize(("text", "reason"), [(text, reason) for text, reason in UNUSABLE if "," not in text])
def test_a_cell_that_is_no_number_is_missing(path: Path, text: str, reason: str) -> None:
    path.write_text(f"timestamp;x\n1800000000;1\n1800000001;{text}\n1800000002;1\n")

    dataset = read_dataset([path])

    assert np.isnan(dataset.values[1, 0])
    assert ("(not a number)" in dataset.notes[0]) == (reason == NOT_A_NUMBER)
