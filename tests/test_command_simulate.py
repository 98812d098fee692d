"""`stream-detector simulate` as a user runs it."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest


def simulate(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stream_detector", "simulate", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_csv_file_has_a_row_per_sensor_and_time_and_labels_match_it(tmp_path: Path) -> None:
    options = ["--sensors", "3", "--duration-seconds", "600", "--faults", "4", "--missing", "0.02"]
    done = simulate("--output", "fleet.csv", "--labels", "truth.csv", *options, cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    rows = rows_of(tmp_path / "fleet.csv")
    truth = rows_of(tmp_path / "truth.csv")
    assert len(rows) == 3 * 600
    assert list(rows[0]) == ["sensor_id", "timestamp", "temperature", "pressure", "flow", "vibration", "current"]
    assert (rows[0]["sensor_id"], rows[0]["timestamp"]) == ("pump-1", "2026-01-01T00:00:00.000Z")
    assert any(row["flow"] == "" for row in rows)
    assert [(row["sensor_id"], row["timestamp"]) for row in truth] == [(row["sensor_id"], row["timestamp"]) for row in rows]
    assert {row["label"] for row in truth} == {"0", "1"}
    assert all((row["label"] == "1") == (row["fault"] != "") for row in truth)
    assert len({row["fault"] for row in truth} - {""}) == 4


def test_a_parquet_file_has_the_same_values_as_the_csv_file(tmp_path: Path) -> None:
    options = ["--sensors", "2", "--duration-seconds", "30", "--start", "2026-11-23T07:00:00Z"]
    assert simulate("--output", "fleet.csv", *options, cwd=tmp_path).returncode == 0
    assert simulate("--output", "fleet.parquet", *options, cwd=tmp_path).returncode == 0

    rows = rows_of(tmp_path / "fleet.csv")
    table = pq.read_table(tmp_path / "fleet.parquet")

    assert str(table["timestamp"].type) == "timestamp[ms, tz=UTC]"
    assert table["sensor_id"].to_pylist() == [row["sensor_id"] for row in rows]
    assert table["flow"].to_pylist() == [float(row["flow"]) for row in rows]


def test_equal_options_give_equal_files(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        simulate("--output", name, "--sensors", "2", "--duration-seconds", "200", "--faults", "1", cwd=tmp_path)

    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--output", "fleet.xlsx"], 1, "must end in .csv or .parquet"),
        (["--output", "nowhere/fleet.csv"], 1, "nowhere/fleet.csv cannot be written: No such file or directory"),
        (["--output", "fleet.csv", "--until-stopped"], 1, "a file needs --duration-seconds"),
        (["--labels", "truth.csv"], 1, "--labels needs --output"),
        (["--output", "fleet.csv", "--sensors", "0"], 2, "'0' is not a whole number of at least 1"),
        (["--output", "fleet.csv", "--missing", "nan"], 2, "'nan' is not a share"),
        (["--start", "2026-11-23T07:00:00"], 2, "is not a time with its zone"),
    ],
)
def test_wrong_options_are_one_message(options: list[str], code: int, message: str, tmp_path: Path) -> None:
    done = simulate(*options, cwd=tmp_path)

    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
