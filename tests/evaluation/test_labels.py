"""Labels from a column, from another file, and from events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream_detector.errors import InputDataError
from stream_detector.evaluation.labels import labels_of_column, labels_of_events, labels_of_file
from stream_detector.tables.dataset import Dataset, read_dataset

#: Two sensors in turn, at seconds 1 and 2 of 1970 times a thousand.
INPUT = """sensor_id,timestamp,x,label
a,1800001000,1,0
b,1800001000,2,1
a,1800002000,3,1
b,1800002000,4,0
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return read_dataset([write(tmp_path / "in.csv", INPUT)], ["x"])


def test_a_column_of_several_files_gives_labels_in_their_order(tmp_path: Path) -> None:
    first, second = write(tmp_path / "1.csv", INPUT), write(tmp_path / "2.csv", "timestamp,label,x\n1800003000,1,5\n")

    truth = labels_of_column([first, second], "label")

    assert truth.labels.tolist() == [False, True, True, False, True]
    assert truth.source == "column label"


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        (INPUT, "truth", "no column 'truth' with the labels (found: x, label); name it with --label-column"),
        (INPUT.replace("2000,3,1", "2000,3,2"), "label", "data row 3, column label is 2; a label is 0 (normal) or 1"),
        (INPUT.replace("1000,2,1", "1000,2,"), "label", "data row 2, column label is empty"),
        (INPUT.replace("1000,2,1", "1000,2,maybe"), "label", "data row 2, column label is empty or not a number"),
    ],
)
def test_what_is_no_label_is_named(text: str, column: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputDataError) as raised:
        labels_of_column([write(tmp_path / "in.csv", text)], column)

    assert str(raised.value).startswith(f"{tmp_path}/in.csv: ")
    assert said in str(raised.value)


def test_labels_of_another_file_are_found_by_sensor_and_time(dataset: Dataset, tmp_path: Path) -> None:
    path = write(
        tmp_path / "truth.csv",
        "sensor_id,timestamp,label,fault\nb,1800002000,1,spike\nb,1800001000,0,\na,1800002000,0,\na,1800001000,0,\na,1800002000,1,x\nc,1800001000,1,x\n",
    )

    truth = labels_of_file(path, "label", dataset)

    assert truth.labels.tolist() == [False, False, True, True]  # of two labels the anomalous one counts
    assert truth.notes == ("1 labels belong to sensors that are not in the input",)


def test_a_reading_without_a_label_in_the_other_file_is_an_error(dataset: Dataset, tmp_path: Path) -> None:
    path = write(tmp_path / "truth.csv", "sensor_id,timestamp,label\na,1800001000,0\nb,1800002000,0\n")

    with pytest.raises(InputDataError, match=r"no label for b at 2027-01-15T08:16:40.000Z and 1 other readings"):
        labels_of_file(path, "label", dataset)


def test_events_include_their_start_and_not_their_end(dataset: Dataset, tmp_path: Path) -> None:
    path = write(
        tmp_path / "events.csv",
        "sensor_id,start,end\n"
        "a,2027-01-15T08:16:40Z,2027-01-15T08:33:20+00:00\n"  # second 1000 to 2000
        "b,1800001500,1800002000.5\n"
        "b,1800005000,1800006000\n"
        "c,1800000000,1800000001\n",
    )

    truth = labels_of_events(path, dataset)

    assert truth.labels.tolist() == [True, False, False, True]
    assert truth.notes == (
        "1 event of sensors that are not in the input: left out",
        "1 event before the sensor's first reading or after the end of the input: left out "
        "(b 2027-01-15T09:23:20Z to 2027-01-15T09:40:00Z)",
    )


def test_times_of_events_are_iso_or_epoch_and_utc(tmp_path: Path) -> None:
    data = read_dataset([write(tmp_path / "in.csv", "timestamp,x\n2026-01-01T00:00:00Z,1\n2026-01-01T00:00:01Z,2\n")], ["x"])
    forms = ("2026-01-01T00:00:01", "2026-01-01 01:00:01+01:00", "1767225601", "1767225601000", "1767225600.5")

    found = [
        labels_of_events(write(tmp_path / "events.csv", f"start,end\n{form},2026-01-02\n"), data).labels.tolist()
        for form in forms
    ]

    assert found == [[False, True]] * len(forms)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sensor_id,start\na,1\n", "no column end; events have sensor_id,start,end (found: sensor_id, start)"),
        ("", "no column start and end"),
        ("sensor_id,start,end\na,1800002000,1800002000\n", "line 2: the event ends at 1800002000, which is not after"),
        ("sensor_id,start,end\na,1800000001,soon\n", "line 2: end 'soon' is no time (timestamp is not ISO 8601"),
        ("sensor_id,start,end\na,-1,2\n", "line 2: start '-1' is no time"),
        ("sensor_id,start,end\na,nan,2\n", "line 2: start 'nan' is no time"),
        ("sensor_id,start,end\na,1800000001\n", "line 2: end '' is no time"),
        ("sensor_id,start,end\n,1,2\n", "line 2 has no sensor_id"),
    ],
)
def test_an_event_that_cannot_be_used_is_named(text: str, said: str, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputDataError) as raised:
        labels_of_events(write(tmp_path / "events.csv", text), dataset)

    assert str(raised.value).startswith(f"{tmp_path}/events.csv: ")
    assert said in str(raised.value)


def test_a_file_of_events_that_cannot_be_read_is_named(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"start,end\n\xff\xfe,1\n")

    with pytest.raises(InputDataError, match=r"none\.csv: cannot be read: No such file"):
        labels_of_events(tmp_path / "none.csv", dataset)
    with pytest.raises(InputDataError, match="binary: not CSV in UTF-8"):
        labels_of_events(tmp_path / "binary", dataset)


def test_labels_are_by_row_also_for_rows_of_one_time(tmp_path: Path) -> None:
    data = read_dataset([write(tmp_path / "in.csv", "timestamp,x\n1800001000,1\n1800001000,2\n")], ["x"])
    path = write(tmp_path / "truth.csv", "timestamp,label\n1800001000,1\n")

    assert labels_of_file(path, "label", data).labels.tolist() == [True, True]
    assert np.count_nonzero(labels_of_events(write(tmp_path / "e.csv", "start,end\n1800000999,1800001001\n"), data).labels) == 2
