"""`stream-detector convert` as a user runs it, and the same files in `train` and `score`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

from stream_detector.cli import main
from stream_detector.tables.dataset import read_dataset

GERMAN = "Zeit;Temperatur Süd [°C]\n" + "".join(f"28.11.2026 10:00:{second:02};{second},5\n" for second in range(30))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "export.txt"
    path.write_bytes(GERMAN.encode("cp1252"))
    return path


def test_a_foreign_file_becomes_one_in_the_products_form_and_it_says_what_it_understood(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "history.csv"
    command = [sys.executable, "-m", "stream_detector", "convert", "--input", source, "--output", target]

    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    for said in ("Windows-1252", "semicolon", "decimal mark:  comma", "day.month.year", "taken as UTC", "1 s in the median"):
        assert said in done.stdout
    dataset = read_dataset([target])
    assert dataset.features == ("Temperatur Süd [°C]",)
    assert dataset.sensors == ("sensor",)
    assert dataset.values[:, 0].tolist() == [second + 0.5 for second in range(30)]
    assert target.read_text(encoding="utf-8").splitlines()[1] == '"2026-11-28T10:00:00.000Z","sensor",0.5'


def test_parquet_is_written_by_its_name_and_json_says_the_same(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "history.parquet"
    exclude = ["--exclude", "2026-11-28T10:00:10Z/"]

    assert main(["convert", "--input", str(source), "--output", str(target), "--json", *exclude]) == 0

    said = json.loads(capsys.readouterr().out)
    assert said["files"][0]["encoding"] == "Windows-1252"
    assert (said["readings"], said["interval_seconds"], said["output"]) == (10, 1.0, str(target))
    assert said["sensors"] == {"sensor": 10}
    assert "excluded: 20 of 30 readings" in said["notes"][0]
    assert pyarrow.parquet.read_table(target).num_rows == 10


def test_a_dry_run_writes_nothing(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "--input", str(source), "--dry-run"]) == 0

    assert "written:  nothing (--dry-run)" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [source]


def test_tags_of_two_machines_become_rows_of_two_sensors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{1_795_860_000 + 5 * k},P{p}.{tag},{k}" for k in range(4) for p in (1, 2) for tag in ("T", "F")]
    (tmp_path / "long.csv").write_text("\n".join(["timestamp,tag,value", *rows]))
    options = ["--sensor-from", "{sensor}.{feature}", "--every", "10s", "--hold", "20s"]

    assert main(["convert", "--input", str(tmp_path / "long.csv"), "--output", str(tmp_path / "out.csv"), *options]) == 0

    dataset = read_dataset([tmp_path / "out.csv"])
    assert (sorted(dataset.sensors), dataset.features) == (["P1", "P2"], ("T", "F"))
    assert "one every 10 s, each with the last value of each tag" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "name a file with --output, or only look with --dry-run"),
        (["--output", "out.txt"], "the name must end in .csv or .parquet"),
        (["--dry-run", "--time-column", "nope"], "no column nope, which --time-column names"),
        (["--dry-run", "--every", "10s", "--hold", "1s"], "--hold is shorter than --every"),
        (["--dry-run", "--long", "a,b,c", "--time-column", "a"], "leave out --time-column and --sensor-column"),
        (["--dry-run", "--repeated-hour", "first"], "--repeated-hour is of local times: name their zone with --time-zone"),
        (["--dry-run", "--exclude", "2020-01-01/"], "--exclude leaves none of the 30 readings"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    source: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", "--input", str(source), *options]) == 1

    (error,) = capsys.readouterr().err.splitlines()
    assert said in error


@pytest.mark.parametrize(
    ("option", "text"),
    [("--every", "soon"), ("--exclude", "yesterday"), ("--long", "a,b"), ("--encoding", "morse"), ("--delimiter", "ab")],
)
def test_an_option_that_cannot_be_understood_is_wrong_usage(
    source: Path, option: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["convert", "--input", str(source), "--dry-run", option, text])

    assert ended.value.code == 2
    assert repr(text) in capsys.readouterr().err
