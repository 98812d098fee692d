"""`evaluate` without a model, as a user calls it: it measures the built-in model as `score` decides with it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stream_detector.cli import main
from stream_detector.evaluation.scorecard import PRODUCT
from tests.commands.test_score_built_in import FAULT, write_plant

SECONDS = 120.0


def labelled(path: Path, column: str = "label") -> Path:
    """Write the readings of the plant with a label, which is 1 where the pressure of press-0 has left."""
    source = write_plant(path.with_name("plain.csv"))
    with source.open(newline="") as read, path.open("w", newline="") as written:
        names, *rows = csv.reader(read)
        writer = csv.writer(written)
        writer.writerow([*names, column])
        for at, row in enumerate(rows):
            writer.writerow([*row, int(row[0] == "press-0" and at // 2 in FAULT)])
    return path


def report_of(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / "report.json").read_text())
    return found


def test_a_fault_is_found_and_what_cannot_be_checked_is_said(tmp_path: Path) -> None:
    source, output = labelled(tmp_path / "in.csv"), tmp_path / "report"
    command = [sys.executable, "-m", "stream_detector", "evaluate", "--input", str(source), "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)

    assert done.returncode == 0, done.stderr
    report = report_of(output)
    pooled = report["detectors"][PRODUCT]["pooled"]
    assert (pooled["events"], pooled["events_found"]) == (1, 1)
    assert report["model"]["name"] == "built-in"
    assert (report["explanations"], report["attention"]) == (None, None)
    told, errors = " ".join(done.stdout.split()), " ".join(done.stderr.split())
    assert "note: the built-in model knows no sensor" in told
    assert "model: built-in" in errors
    assert "left out, for they look like no measurements: machine_id" in errors
    assert "watched by how fast they rise: pieces" in errors
    assert "data:image/png" in (output / "report.html").read_text()


def test_its_alarms_are_those_of_score(tmp_path: Path) -> None:
    source, target = labelled(tmp_path / "in.csv"), tmp_path / "scored.csv"
    assert main(["score", "--input", str(tmp_path / "plain.csv"), "--output", str(target)]) == 0
    assert main(["evaluate", "--input", str(source), "--output", str(tmp_path / "report")]) == 0

    with target.open(newline="") as file:
        rows = enumerate(csv.DictReader(file))
        alarmed = [row["sensor_id"] == "press-0" and at // 2 in FAULT for at, row in rows if row["is_anomaly"] == "1"]
    pooled = report_of(tmp_path / "report")["detectors"][PRODUCT]["pooled"]
    assert any(alarmed)
    assert pooled["precision"] == pytest.approx(sum(alarmed) / len(alarmed))
    assert pooled["recall"] == pytest.approx(sum(alarmed) / len(FAULT))


def test_the_label_is_never_a_feature_whatever_its_name_and_wherever_it_is_read_from(tmp_path: Path) -> None:
    named = labelled(tmp_path / "named.csv", "broken")
    events = tmp_path / "events.csv"
    first = 1_767_300_000
    events.write_text(f"sensor_id,start,end\npress-0,{first + 60 * FAULT.start},{first + 60 * FAULT.stop}\n")

    figures = []
    for options in (
        ("--input", str(named), "--label-column", "broken"),
        ("--input", str(tmp_path / "plain.csv"), "--labels", str(named), "--label-column", "broken"),
        ("--input", str(tmp_path / "plain.csv"), "--events", str(events)),
    ):
        assert main(["evaluate", *options, "--output", str(tmp_path / "report")]) == 0
        figures.append({key: report_of(tmp_path / "report")[key] for key in ("detectors", "sensors", "rows")})

    assert figures[0] == figures[1] == figures[2]


def test_a_file_without_labels_is_refused_with_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_plant(tmp_path / "plain.csv")

    assert main(["evaluate", "--input", str(source), "--output", str(tmp_path / "report")]) == 1
    assert "--label" in capsys.readouterr().err
