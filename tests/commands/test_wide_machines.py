"""A wide table of several machines: what `train` is told of its form, `score` and `evaluate` take with the same options."""

from __future__ import annotations

import csv
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.commands.test_init_files import START_S, next_commands, typed
from tests.fixtures_model import tiny_values

FORM = ["--sensor-from", "{sensor} {feature}"]
READINGS = 400
SMALL = ("--window-length", "8", "--units", "4", "--steps", "3")


def write_wide(path: Path, sign: str = " ") -> None:
    """Write two pumps with two measurements each, with units, as a German spreadsheet has them."""
    names = [f"{pump}{sign}{name}" for pump in ("P1", "P2") for name in ("Vorlauf Temp [°C]", "Druck [bar]")]
    lines = [";".join(["Zeit", *names])]
    for step, (first, second) in enumerate(zip(tiny_values(READINGS, seed=1), tiny_values(READINGS, seed=2), strict=True)):
        time = datetime.fromtimestamp(START_S + 10 * step, UTC).strftime("%d.%m.%Y %H:%M:%S")
        lines.append(";".join([time, *(f"{value:.2f}".replace(".", ",") for value in (*first, *second))]))
    path.write_text("\n".join(lines), encoding="cp1252")


@pytest.mark.parametrize("every", [[], ["--every", "10s"]])
def test_a_wide_table_that_train_reads_is_read_by_score_and_evaluate_with_the_commands_it_prints(
    tmp_path: Path, every: list[str]
) -> None:
    write_wide(tmp_path / "wide.csv")
    (tmp_path / "events.csv").write_text("sensor_id,start,end\n")

    trained = typed(
        tmp_path, "train", "--input", "wide.csv", "--output", "model", "--window-length", "8", *SMALL, *FORM, *every
    )

    assert (trained.returncode, trained.stderr) == (0, "")
    assert "800 readings of 2 sensors, 2 features (Vorlauf Temp [°C], Druck [bar])" in trained.stdout
    printed = trained.stdout.replace("\\\n", " ").replace("FILE.csv", "wide.csv").replace("LABELLED.csv", "wide.csv")
    commands = [shlex.split(line)[1:] for line in printed.splitlines() if line.startswith("   stream-detector ")]
    score, evaluate = commands[:2]
    assert [one for one in score if one in ("--sensor-from", "--every", "--hold")] == (
        ["--sensor-from", "--every", "--hold"] if every else ["--sensor-from"]
    )
    scored = typed(tmp_path, *score)
    assert scored.returncode == 0, scored.stderr
    with (tmp_path / "scored.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["sensor_id"] for row in rows] == ["P1", "P2"] * READINGS
    evaluated = typed(tmp_path, *evaluate, "--events", "events.csv")
    assert evaluated.returncode == 0, evaluated.stderr


@pytest.mark.parametrize("sign", [" ", "_"])
def test_init_finds_the_machines_of_a_wide_table_and_its_commands_have_them(tmp_path: Path, sign: str) -> None:
    write_wide(tmp_path / "wide.csv", sign)

    said = typed(tmp_path, "init", "--input", "wide.csv")

    assert (
        "Proposed: --sensor-from '{sensor}" + sign + "{feature}', for nearly each of P1, P2 has nearly each of" in said.stdout
    )
    assert "2 sensors: P1, P2." in said.stdout
    for command in next_commands(said.stdout):
        assert command[-2:] == ["--sensor-from", "{sensor}" + sign + "{feature}"]


def test_columns_that_may_be_of_several_machines_are_a_doubt_and_no_condition_is_proposed_for_all(tmp_path: Path) -> None:
    lines = ["timestamp,oil running,oil speed,water running,water speed"]
    for step in range(600):
        runs = int(step % 150 < 100)
        lines.append(f"{START_S + 10 * step},{runs},{runs * (400 + step % 7)},1,{300 + step % 5}")
    (tmp_path / "wide.csv").write_text("\n".join(lines))

    said = typed(tmp_path, "init", "--input", "wide.csv")

    assert "Not sure: nearly each of oil, water has nearly each of running, speed: are these several machines?" in said.stdout
    assert "add --sensor-from '{sensor} {feature}' to this command" in said.stdout
    assert not any("--only-while" in command for command in next_commands(said.stdout))
    told = typed(tmp_path, "init", "--input", "wide.csv", "--sensor-from", "{sensor} {feature}", "--force")
    assert "2 sensors: oil, water." in told.stdout
