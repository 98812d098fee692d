"""`--only-while` as a user gives it: the model keeps the condition, and `score` and `evaluate` judge only in that state."""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stream_detector.commands.train_input import follow_setting
from stream_detector.model_store.model_directory import load_artifact
from stream_detector.state.condition import Condition
from tests.fixtures_model import tiny_values

START = 1_767_300_000
ROWS, STOPS = 900, 150  # the machine stands still in 50 of each 150 rows
SECONDS = 300.0


def write_plant(path: Path, rows: int = ROWS, *, fault_at: int | None = None, label: bool = False) -> Path:
    """Write readings of two pumps, a second apart: `running` is said where it changes, and all else is 0 while it is 0."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sensor_id", "timestamp", "running", "temperature", "pressure", *(["label"] if label else [])])
        values = [tiny_values(rows, seed) for seed in range(2)]
        for row in range(rows):
            for sensor in range(2):
                is_running = row % STOPS < 100
                is_faulty = sensor == 0 and fault_at is not None and fault_at <= row < fault_at + 20
                flag = int(is_running) if row % 10 == 0 else ""
                temperature, pressure = values[sensor][row].tolist() if is_running else (0.0, 0.0)
                cells = [f"pump-{sensor}", START + row, flag, temperature + 40.0 * is_faulty, pressure]
                writer.writerow([*cells, *([int(is_faulty)] if label else [])])
    return path


def detector(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stream_detector", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("plant")
    history = write_plant(directory / "history.csv")
    small = ("--window-length", "8", "--units", "8", "--steps", "30", "--context-columns", "running")
    done = detector("train", "--input", history, "--output", directory / "model", "--only-while", "running == 1", *small)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "in the history: pump-0 gave no readings" not in said
    assert "only while running == 1: 600 of 1,800 readings are left out; the model keeps the condition" in said
    return directory / "model"


def test_the_model_keeps_the_condition(model: Path) -> None:
    spec = load_artifact(model).spec

    assert (spec.only_while, spec.features) == ("running == 1", ("running", "temperature", "pressure"))
    assert json.loads((model / "spec.json").read_text())["only_while"] == "running == 1"


def test_score_leaves_idle_rows_without_a_score_and_finds_a_fault_while_it_runs(model: Path, tmp_path: Path) -> None:
    source = write_plant(tmp_path / "in.csv", 450, fault_at=330)

    done = detector("score", "--model", model, "--input", source, "--output", tmp_path / "out.csv")

    assert done.returncode == 0, done.stderr
    assert "idle, for running == 1 does not hold: 300 of 900 readings" in done.stderr
    assert "300 idle" in done.stderr.splitlines()[-1]
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    is_running = np.repeat([row % STOPS < 100 for row in range(450)], 2)
    assert [bool(row["score"]) for row in rows] == is_running.tolist()
    idle = [row for row, running in zip(rows, is_running.tolist(), strict=True) if not running]
    assert {(row["is_anomaly"], row["rule"]) for row in idle} == {("0", "")}
    assert any(row["is_anomaly"] == "1" for row in rows[660:700:2])


def test_evaluate_measures_all_detectors_in_that_state_only(model: Path, tmp_path: Path) -> None:
    source = write_plant(tmp_path / "in.csv", 450, fault_at=330, label=True)

    done = detector("evaluate", "--model", model, "--input", source, "--output", tmp_path / "report")

    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["rows"]["total"] == 600
    assert report["detectors"]["stream-detector"]["pooled"]["events_found"] == 1
    assert any("300 of 900 readings: not measured, by no detector" in note for note in report["notes"])


@pytest.mark.parametrize(
    ("condition", "said"),
    [("flow == 1", "no feature of the model (features: running, temperature, pressure)"), ("running == 7", "holds in none of")],
)
def test_a_state_that_the_model_cannot_tell_or_that_never_is_is_refused(
    model: Path, tmp_path: Path, condition: str, said: str
) -> None:
    source = write_plant(tmp_path / "in.csv", 60)

    done = detector("score", "--model", model, "--input", source, "--output", tmp_path / "out.csv", "--only-while", condition)

    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]


def test_train_follows_the_setting_unless_the_command_line_says_otherwise() -> None:
    silent, told = (argparse.Namespace(only_while=one) for one in (None, Condition.parse("speed > 5")))

    for arguments in (silent, told):
        follow_setting(arguments, "running == 1")

    assert (silent.only_while.text, silent.says_only_while) == ("running == 1", "STREAM_DETECTOR_LEARNING__ONLY_WHILE")
    assert (told.only_while.text, told.says_only_while) == ("speed > 5", "--only-while")
    follow_setting(unset := argparse.Namespace(only_while=None), None)
    assert unset.only_while is None
