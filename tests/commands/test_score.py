"""`stream-detector score` as a user runs it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from stream_detector.cli import main
from tests.fixtures_model import FEATURES, WINDOW_LENGTH, tiny_values

START = 1_767_300_000
WARMING = WINDOW_LENGTH - 1
Score = Callable[..., int]


@pytest.fixture
def score(tiny_model_directory: Path, compiled_once: None) -> Score:  # noqa: ARG001
    def run(source: Path, target: Path, *options: str) -> int:
        return main(["score", "--model", str(tiny_model_directory), "--input", str(source), "--output", str(target), *options])

    return run


def write_readings(path: Path, rows: int, fault_at: int | None = None) -> None:
    """Write readings of two sensors in turn, a second apart; the first one is far too hot from row `fault_at`."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sensor_id", "timestamp", *FEATURES])
        values = [tiny_values(rows, seed) for seed in range(2)]
        for row in range(rows):
            for sensor in range(2):
                temperature, pressure = values[sensor][row].tolist()
                heat = 40.0 if sensor == 0 and fault_at is not None and row >= fault_at else 0.0
                moment = datetime.fromtimestamp(START + row, UTC).isoformat()
                writer.writerow([f"pump-{sensor}", moment, temperature + heat, pressure])


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_row_in_has_a_row_out_and_a_fault_is_an_anomaly(score: Score, tmp_path: Path) -> None:
    write_readings(tmp_path / "in.csv", 60, fault_at=50)

    assert score(tmp_path / "in.csv", tmp_path / "out.csv") == 0

    rows = read_rows(tmp_path / "out.csv")
    assert list(rows[0]) == ["sensor_id", "timestamp", "score", "threshold", "is_anomaly", "rule"]
    assert [row["sensor_id"] for row in rows] == ["pump-0", "pump-1"] * 60
    assert [datetime.fromisoformat(row["timestamp"]).timestamp() for row in rows[::2]] == [START + row for row in range(60)]
    assert all(row["score"] and row["threshold"] for row in rows)  # the model knows both, so from the first reading on
    anomalous = [(row["sensor_id"], int(row["timestamp"][-7:-5])) for row in rows if row["is_anomaly"] == "1"]
    fault_second = datetime.fromtimestamp(START + 50, UTC).second
    assert ("pump-0", fault_second) in anomalous
    assert {sensor for sensor, _ in anomalous} == {"pump-0"}


def test_incidents_are_listed_in_the_zone_that_is_named_or_in_that_of_the_input(
    score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_readings(tmp_path / "in.csv", 60, fault_at=50)
    opened = datetime.fromtimestamp(START + 50, UTC)  # in winter, when Berlin is an hour ahead

    score(tmp_path / "in.csv", tmp_path / "out.csv", "--time-zone", "Europe/Berlin")
    named = capsys.readouterr().err
    monkeypatch.setenv("STREAM_DETECTOR_INPUT__TIME_ZONE", "Europe/Berlin")
    score(tmp_path / "in.csv", tmp_path / "out.csv")
    of_input = capsys.readouterr().err

    berlin = (opened + timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S+01:00")
    assert f"pump-0  {berlin}" in named
    assert f"pump-0  {berlin}" in of_input
    assert read_rows(tmp_path / "out.csv")[0]["timestamp"].endswith("Z")


def test_csv_and_parquet_hold_the_same(score: Score, tmp_path: Path) -> None:
    write_readings(tmp_path / "in.csv", 30, fault_at=20)

    score(tmp_path / "in.csv", tmp_path / "out.csv")
    score(tmp_path / "in.csv", tmp_path / "out.parquet")

    table = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist()
    rows = read_rows(tmp_path / "out.csv")
    assert [row["sensor_id"] for row in table] == [row["sensor_id"] for row in rows]
    assert [row["score"] for row in table] == [np.float32(row["score"]) if row["score"] else None for row in rows]
    assert [row["is_anomaly"] for row in table] == [int(row["is_anomaly"]) for row in rows]


def test_a_larger_budget_finds_more_and_scores_alike_until_then(score: Score, tmp_path: Path) -> None:
    write_readings(tmp_path / "in.csv", 60)
    config = tmp_path / "settings.toml"
    config.write_text("[alerts]\nbudget_per_sensor_day = 86400\n")

    score(tmp_path / "in.csv", tmp_path / "few.csv")
    score(tmp_path / "in.csv", tmp_path / "many.csv", "--config", str(config))

    few, many = (read_rows(tmp_path / name) for name in ("few.csv", "many.csv"))
    assert all(float(m["threshold"]) < float(f["threshold"]) for f, m in zip(few, many, strict=True) if f["threshold"])
    # Levels do not learn from anomalous readings, so scores may differ after the first alarm.
    assert sum(row["is_anomaly"] == "1" for row in few) < sum(row["is_anomaly"] == "1" for row in many)
    until = [row["is_anomaly"] for row in many].index("1") + 1
    assert [row["score"] for row in few[:until]] == [row["score"] for row in many[:until]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "in.csv"),
        ("sensor_id,timestamp,temperature,pressure\n", "in.csv"),
        ("sensor_id,timestamp,temperature\na,2026-01-01T00:00:00Z,1\n", "pressure"),
        ("sensor_id,timestamp,temperature,pressure\na,yesterday,1,2\n", "yesterday"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_one_line_and_nothing_is_written(
    content: str, said: str, score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.csv").write_text(content)

    assert score(tmp_path / "in.csv", tmp_path / "out.csv") == 1

    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("stream-detector score: ")]
    assert "in.csv" in error
    assert said in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv"]


def test_a_missing_file_and_a_place_that_cannot_be_written_are_named(
    score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(tmp_path / "none.csv", tmp_path / "out.csv") == 1
    assert "none.csv" in capsys.readouterr().err

    write_readings(tmp_path / "in.csv", 20)
    assert score(tmp_path / "in.csv", tmp_path / "no" / "out.csv") == 1
    error = capsys.readouterr().err
    assert error == f"stream-detector score: --output {tmp_path}/no/out.csv: there is no directory {tmp_path}/no\n"
    assert score(tmp_path / "in.csv", Path("/proc/out.csv")) == 1
    assert "no file can be created in /proc" in capsys.readouterr().err


def test_an_output_in_place_of_the_input_or_in_the_model_is_refused(
    score: Score, tmp_path: Path, tiny_model_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_readings(tmp_path / "in.csv", 20)
    before = (tmp_path / "in.csv").read_bytes()
    (tmp_path / "link.csv").symlink_to("in.csv")
    (tmp_path / "other").mkdir()

    for target in ("in.csv", "link.csv", "other/../in.csv"):
        assert score(tmp_path / "in.csv", tmp_path / target) == 1
        assert "is the input file" in capsys.readouterr().err
    assert score(tmp_path / "link.csv", tmp_path / "in.csv") == 1
    assert "is the input file" in capsys.readouterr().err
    assert (tmp_path / "in.csv").read_bytes() == before

    assert score(tmp_path / "in.csv", tiny_model_directory / "out.csv") == 1
    assert "is in the model's directory" in capsys.readouterr().err
    assert not (tiny_model_directory / "out.csv").exists()


def test_columns_that_the_model_does_not_know_are_ignored_and_named(
    score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_readings(tmp_path / "in.csv", 20)
    lines = (tmp_path / "in.csv").read_text().splitlines()
    labelled = [f"label,{lines[0]},site", *(f"good,{line},Ulm" for line in lines[1:])]
    (tmp_path / "labelled.csv").write_text("\n".join(labelled) + "\n")

    assert score(tmp_path / "in.csv", tmp_path / "a.csv") == 0
    assert "ignored" not in capsys.readouterr().err
    assert score(tmp_path / "labelled.csv", tmp_path / "b.csv") == 0

    assert "ignored, unknown to the model: label, site\n" in capsys.readouterr().err
    assert read_rows(tmp_path / "a.csv") == read_rows(tmp_path / "b.csv")


def test_the_last_line_counts_the_rows_that_were_not_scored_and_says_why(
    score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_readings(tmp_path / "in.csv", 30)
    with (tmp_path / "in.csv").open("a") as file:
        for sensor, second in (("pump-0", START), ("pump-1", START + 29)):  # late; repeated
            file.write(f"{sensor},{datetime.fromtimestamp(second, UTC).isoformat()},1,1\n")
        for second in range(WINDOW_LENGTH + 1):  # its first full windows hold no value
            file.write(f"pump-2,{datetime.fromtimestamp(START + second, UTC).isoformat()},,\n")

    assert score(tmp_path / "in.csv", tmp_path / "out.csv") == 0

    rows = read_rows(tmp_path / "out.csv")
    scored = 60
    anomalous = sum(row["is_anomaly"] == "1" for row in rows)
    assert sum(row["score"] != "" for row in rows) == scored
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"{62 + WINDOW_LENGTH + 1} rows: {scored} scored, {anomalous} anomalous; {WARMING} before their window was full, "
        "2 late or repeated (not newer than their sensor's newest), "
        "2 without a value in their window"
    )


def test_whether_training_checked_the_budget_is_told_before_the_last_line(
    score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_readings(tmp_path / "in.csv", 30)

    told = []
    for budget in ("0.1", "80000"):
        monkeypatch.setenv("STREAM_DETECTOR_ALERTS__BUDGET_PER_SENSOR_DAY", budget)
        assert score(tmp_path / "in.csv", tmp_path / "out.csv") == 0
        told.append(capsys.readouterr().err.splitlines()[-3:-1])

    # The tiny model's limit was fitted to 240 readings, a second apart.
    assert told[0][0] == (
        "The alarm limit for 0.1 false alarms per sensor and day (one in 10 days) is an estimate: training set it on 4 min of "
        "readings, all sensors together, and would need 100 days of them to check it."
    )
    assert told[0][1].startswith("You need to set nothing: ")
    assert told[1][1] == (
        "The alarm limit for 80000 false alarms per sensor and day is checked: training set it on 4 min of readings, all "
        "sensors together, which allow 220."
    )


def test_the_budget_is_told_with_whether_it_is_the_settings_or_the_default(
    score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_readings(tmp_path / "in.csv", 30)
    config = tmp_path / "detector.toml"
    config.write_text("[alerts]\nbudget_per_sensor_day = 2\n")

    assert score(tmp_path / "in.csv", tmp_path / "out.csv") == 0
    without = capsys.readouterr().err
    assert score(tmp_path / "in.csv", tmp_path / "out.csv", "--config", str(config)) == 0

    assert (
        "decided at 0.1 false alarms per sensor and day, the default: no settings with another were given (--config FILE, or "
        "STREAM_DETECTOR_ALERTS__BUDGET_PER_SENSOR_DAY)\n"
    ) in without
    assert "decided at 2 false alarms per sensor and day, as the settings say\n" in capsys.readouterr().err


def test_an_output_of_an_unknown_kind_is_refused_before_anything_is_scored(
    score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(tmp_path / "none.csv", tmp_path / "out.xlsx") == 1

    assert "must end in .csv or .parquet" in capsys.readouterr().err
