"""Files as plants write them: encodings, packings, delimiters, lines around the table, and the names of its columns."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from stream_detector.errors import InputDataError
from stream_detector.tables.dataset import read_dataset
from stream_detector.tables.foreign.read import read_files
from tests.tables.foreign.files import notes, read

GERMAN = "Zeit;Temperatur Süd [°C];Druck (bar)\n28.11.2026 10:00:00;61,2;1.234,5\n28.11.2026 10:00:01;-0,5;1.234,625\n"
AT_MS = 1_795_860_000_000  # 2026-11-28T10:00:00Z


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "export.txt"


def zstd(content: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(content, asbytes=True))


def archive(content: bytes, name: str = "a/export.csv") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, content)
        file.writestr("readme.md", "no table")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8 with a byte order mark"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("cp1252", "Windows-1252"),
    ],
)
def test_the_encoding_is_seen_from_the_bytes(path: Path, encoding: str, said: str) -> None:
    found = read(path, GERMAN.encode(encoding))

    assert found.dataset.features == ("Temperatur Süd [°C]", "Druck (bar)")
    assert found.dataset.values.tolist() == [[61.2, 1234.5], [-0.5, 1234.625]]
    assert found.dataset.times_ms.tolist() == [AT_MS, AT_MS + 1000]
    assert found.files[0].facts["encoding"] == said


@pytest.mark.parametrize("pack", [gzip.compress, zstd, archive])
def test_packed_files_are_known_by_their_content_and_not_by_their_name(path: Path, pack: Callable[[bytes], bytes]) -> None:
    found = read(path, pack(GERMAN.encode()))

    assert found.dataset.values.tolist() == [[61.2, 1234.5], [-0.5, 1234.625]]
    assert " in " in found.files[0].facts["format"]


@pytest.mark.parametrize(("delimiter", "said"), [(";", "semicolon"), (",", "comma"), ("\t", "tab"), ("|", "vertical bar")])
def test_the_delimiter_is_the_one_that_splits_all_lines_alike(path: Path, delimiter: str, said: str) -> None:
    rows = [["Time", "a", "b"], ["2026-11-28 10:00:00", "1.5", "2"], ["2026-11-28 10:00:01", "2.5", "3"]]

    found = read(path, "\n".join(delimiter.join(row) for row in rows))

    assert found.dataset.values.tolist() == [[1.5, 2.0], [2.5, 3.0]]
    assert found.files[0].facts["delimiter"] == said


def test_lines_before_the_table_a_row_of_units_and_empty_rows_are_left_out_and_said(path: Path) -> None:
    found = read(path, "Plant 7 export\n\nTime;Temp;State\n;°C;-\n2026-11-28 10:00:00;1,5;1\n;;\n2026-11-28 10:00:05;2,5;0\n")

    assert found.dataset.values.tolist() == [[1.5, 1.0], [2.5, 0.0]]
    said = notes(found)
    assert "skipped: 2 lines before the one that names the columns" in said
    assert "left out: the first row, which holds units (°C, -)" in said
    assert "left out: 1 rows without any value" in said


def test_a_line_that_names_the_delimiter_and_a_delimiter_at_each_end_are_no_columns(path: Path) -> None:
    found = read(path, "sep=;\nDatum;Uhrzeit;x;\n28.11.2026;10:00:00;1,5;\n28.11.2026;10:00:05;2,5;\n")

    assert found.dataset.times_ms.tolist() == [AT_MS, AT_MS + 5000]
    assert found.dataset.features == ("x",)


def test_a_first_row_of_words_for_missing_is_no_row_of_units(path: Path) -> None:
    found = read(path, "Time;Temp\n28.11.2026 10:00:00;Bad Input\n28.11.2026 10:00:01;7\n")

    np.testing.assert_array_equal(found.dataset.values, [[np.nan], [7.0]])
    assert "'Bad Input' 1 time" in notes(found)


def test_folders_and_several_files_are_one_dataset(tmp_path: Path) -> None:
    (tmp_path / "in" / "more").mkdir(parents=True)
    (tmp_path / "in" / "b.csv").write_text("Zeit;x\n28.11.2026 11:00:00;2,5\n")
    (tmp_path / "in" / "more" / "a.csv").write_text("Zeit;x\n28.11.2026 12:00:00;3,5\n")
    (tmp_path / "in" / "notes.md").write_text("not a table")
    (tmp_path / "first.csv").write_text("timestamp,x\n2026-11-28T10:00:00Z,1.5\n")

    dataset = read_files([tmp_path / "first.csv", tmp_path / "in"]).dataset

    assert dataset.values.tolist() == [[1.5], [2.5], [3.5]]
    assert np.diff(dataset.times_ms).tolist() == [3_600_000, 3_600_000]


def test_parquet_with_names_of_a_plant_is_read(tmp_path: Path) -> None:
    table = pa.table({"Time": pa.array([AT_MS], pa.timestamp("ms")), "machine": ["M1"], "Temp [°C]": [61.5]})
    parquet.write_table(table, tmp_path / "in")

    dataset = read_files([tmp_path / "in"]).dataset

    assert (dataset.sensors, dataset.features, dataset.values.tolist()) == (("M1",), ("Temp [°C]",), [[61.5]])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\x00\x01\x02\x03" * 100, "neither a table in text nor Parquet"),
        (archive(b"x", "xl/workbook.xml"), "an Excel workbook: save the sheet as CSV UTF-8"),
        (archive(b"x", "picture.png"), "the archive has no file that ends in"),
        (b"PK\x03\x04 cut off", "a damaged zip archive"),
        (b"Zeit;x\n", "the file has a header but no rows"),
        (b"a;b\n1,5;2,5\n", "no column looks like the time (found: a, b); name it with --time-column"),
        (b"Zeit;x\n28.11.2026 10:00:00;1,5\n28.11.2026 10:00:01;1,5;7\n", "data row 2 has 3 cells, the header 2"),
        (b"Zeit;x;x\n28.11.2026 10:00:00;1,5;1,5\n", "column x appears twice"),
        (b"Zeit;x\n28.11.2026 10:00:00;hoch\n28.11.2026 10:00:01;tief\n", "data row 1, column x: 'hoch' is not a number"),
    ],
)
def test_what_cannot_be_read_is_named_with_the_cure(path: Path, content: bytes, said: str) -> None:
    with pytest.raises(InputDataError) as caught:
        read(path, content)

    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_in_the_products_own_form_is_read_as_ever(path: Path) -> None:
    content = "timestamp,sensor_id,value,tag\n1800000001,a,1,5\n1800000002,b,Bad,6\n"
    path.write_text(content.replace("tag", "other"))

    found = read_files([path])

    expected = read_dataset([path])
    assert found.dataset.features == expected.features
    assert found.dataset.notes == expected.notes
    np.testing.assert_array_equal(found.dataset.values, expected.values)
    assert found.lines() == []
