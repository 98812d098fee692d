"""`score` without a model, as a user calls it: the built-in model judges each sensor by its own past."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np

SECONDS = 120.0
ROWS, FAULT = 1_200, range(1_000, 1_030)


def write_plant(path: Path) -> Path:
    """Write readings of two machines a minute apart, with a counter and an identifier; the pressure of one leaves."""
    random = np.random.default_rng(2)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sensor_id", "timestamp", "pressure", "temperature", "pieces", "machine_id"])
        for row in range(ROWS):
            for machine in range(2):
                pressure = 2.5 + random.normal(0.0, 0.05) + 0.4 * (machine == 0 and row in FAULT)
                values = f"{pressure:.3f}", f"{random.normal(40.0, 1.0):.3f}", 7 * row, 4711
                writer.writerow([f"press-{machine}", 1_767_300_000 + 60 * row, *values])
    return path


def score(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stream_detector", "score", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


def test_a_fault_is_found_without_any_training(tmp_path: Path) -> None:
    done = score("--input", write_plant(tmp_path / "plant.csv"), "--output", tmp_path / "scored.csv")

    assert done.returncode == 0, done.stderr
    said = " ".join(done.stderr.split())
    assert "1 incident in 1 sensor" in said
    assert "pressure" in said
    assert "model: built-in" in said
    assert "left out, for they look like no measurements: machine_id" in said
    assert "watched by how fast they rise: pieces" in said
    assert "--keep-columns" not in said
    with (tmp_path / "scored.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * ROWS
    alarmed = {(row["sensor_id"], at // 2 in FAULT) for at, row in enumerate(rows) if row["is_anomaly"] == "1"}
    assert ("press-0", True) in alarmed
    assert {sensor for sensor, _ in alarmed} == {"press-0"}
    assert all(row["score"] == "" for row in rows[: 2 * 63])
    assert all(row["score"] != "" for row in rows[2 * 63 :])


def test_a_file_without_measurements_is_refused_with_the_reason(tmp_path: Path) -> None:
    source = tmp_path / "plant.csv"
    source.write_text("sensor_id,timestamp,note\n" + "".join(f"a,{1_767_300_000 + at},text\n" for at in range(100)))

    done = score("--input", source, "--output", tmp_path / "scored.csv")

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "note" in done.stderr
