"""`stream-detector init --input`: what files hold, settings to train on them, and the commands to type next."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from stream_detector.model_store.model_directory import load_artifact
from stream_detector.settings.sources import load_settings
from tests.fixtures_model import tiny_values

START_S = 1_795_417_920
#: Training that takes seconds.
SMALL = ("--units", "4", "--steps", "3")


def typed(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "stream_detector", *arguments]
    return subprocess.run(program, cwd=directory, capture_output=True, text=True, check=False, timeout=250)


def next_commands(shown: str) -> list[list[str]]:
    """Return the commands that the output says to type next, without the program's name."""
    return [shlex.split(line)[1:] for line in shown.splitlines() if line.startswith("  stream-detector ")]


def write_german(path: Path, readings: int = 400) -> None:
    """Write a wide table as a German spreadsheet has it: local dates, decimal commas, names with units."""
    lines = ["Zeit;Anlage;Temp [°C];Druck [bar];Zähler"]
    for step, (temperature, pressure) in enumerate(tiny_values(readings, seed=1)):
        time = datetime.fromtimestamp(START_S + 10 * step, UTC).strftime("%d.%m.%Y %H:%M:%S")
        for machine in ("Presse 1", "Presse 2"):
            cells = f"{temperature:.2f};{pressure:.2f};{1000 + step}".replace(".", ",")
            lines.append(f"{time};{machine};{cells}")
    path.write_text("\n".join(lines), encoding="cp1252")


def write_long(path: Path, machines: Sequence[str] = ("L1.P1", "L1.P2"), readings: int = 400) -> None:
    """Write a value in each row, each tag at times of its own."""
    lines = ["timestamp,tag,value"]
    for step, values in enumerate(tiny_values(readings, seed=1)):
        for number, machine in enumerate(machines):
            for at, (name, value) in enumerate(zip(("temp", "pressure"), values, strict=True)):
                lines.append(f"{START_S + 10 * step + 2 * number + at},{machine}.{name},{value:.3f}")
    path.write_text("\n".join(lines))


def test_settings_for_a_foreign_table_are_used_unedited_by_train_and_score(tmp_path: Path) -> None:
    write_german(tmp_path / "export.txt")

    said = typed(tmp_path, "init", "--input", "export.txt")

    assert (said.returncode, said.stderr) == (0, "")
    for part in (
        "encoding Windows-1252; delimiter semicolon; decimal mark comma; time column Zeit, day.month.year",
        "800 readings over 66.5 min",
        "2 sensors: Presse 1, Presse 2.",
        "A sensor speaks every 10 s",
        "Measurements: Druck [bar], Temp [°C].",
        "Zähler: rise all the time",
        "Not sure: the times have no zone and are taken as UTC. If the plant writes local time, name it with --time-zone",
        "Not sure: TOO SHORT: 66.7 min of history",
    ):
        assert part in said.stdout
    written = tomllib.loads((tmp_path / "detector.toml").read_text())
    assert written["learning"] == {"window_length": 64}
    assert written["state"] == {"max_gap_seconds": 100.0}
    train, score = next_commands(said.stdout)
    assert train == ["train", "--input", "export.txt", "--config", "detector.toml", "--output", "model"]
    trained = typed(tmp_path, *train, *SMALL)
    assert (trained.returncode, trained.stderr) == (0, "")
    assert load_artifact(tmp_path / "model").spec.window_length == 64
    scored = typed(tmp_path, *("export.txt" if one == "FILE" else one for one in score))
    assert scored.returncode == 0, scored.stderr
    assert len((tmp_path / "scored.csv").read_text().splitlines()) == 801


def test_tags_are_split_by_their_machines_and_score_gets_the_interval_and_hold_of_train(tmp_path: Path) -> None:
    write_long(tmp_path / "long.csv")

    said = typed(tmp_path, "init", "--input", "long.csv", "--json")

    found = json.loads(said.stdout)
    assert any("What is before the last '.' of a tag is its machine: L1.P1, L1.P2" in line for line in found["found"])
    assert "2 sensors: L1.P1, L1.P2." in found["found"]
    pattern = r"(?P<sensor>.+)\.(?P<feature>[^\.]+)"
    rows = ["--sensor-from", pattern, "--every", "10s", "--hold", "100s"]
    train, score = (shlex.split(line)[1:] for line in found["next"])
    assert train[-6:] == rows
    assert score[-6:] == rows
    trained = typed(tmp_path, *train, *SMALL)
    assert (trained.returncode, trained.stderr) == (0, "")
    assert set(load_artifact(tmp_path / "model").spec.features) == {"temp", "pressure"}


def test_tags_that_tell_no_machines_apart_are_of_one_machine_and_that_is_a_doubt(tmp_path: Path) -> None:
    lines = [f"{START_S + 10 * step},{name},{step % 7}" for step in range(200) for name in ("temp", "speed")]
    (tmp_path / "long.csv").write_text("\n".join(["timestamp,tag,value", *lines]))

    said = typed(tmp_path, "init", "--input", "long.csv")

    assert "Not sure: all tags count as those of one machine" in said.stdout
    assert "--sensor-from" not in next_commands(said.stdout)[0]


def test_options_that_say_how_to_read_are_typed_again_and_the_zone_is_a_setting(tmp_path: Path) -> None:
    write_german(tmp_path / "a file.txt")
    options = ["--time-column", "Zeit", "--decimal", "comma", "--encoding", "cp1252", "--ignore-columns", "Zähler"]

    said = typed(tmp_path, "init", "--input", "a file.txt", *options, "--time-zone", "Europe/Berlin", "--output", "d.toml")

    assert (said.returncode, said.stderr) == (0, "")
    train, score = next_commands(said.stdout)
    assert train == ["train", "--input", "a file.txt", "--config", "d.toml", "--output", "model", *options]
    assert score[-6:] == options[:6]
    assert tomllib.loads((tmp_path / "d.toml").read_text())["input"] == {"time_zone": "Europe/Berlin"}
    assert "no zone" not in said.stdout


def test_local_times_in_the_own_form_are_a_doubt_too(tmp_path: Path) -> None:
    rows = [f"2026-11-23 07:{step // 60:02d}:{step % 60:02d},{step % 7}" for step in range(300)]
    (tmp_path / "own.csv").write_text("\n".join(["timestamp,temp", *rows]))
    (tmp_path / "zoned.csv").write_text("\n".join(["timestamp,temp", *(row.replace(",", "Z,") for row in rows)]))

    assert "the times have no zone" in typed(tmp_path, "init", "--input", "own.csv").stdout
    assert "the times have no zone" not in typed(tmp_path, "init", "--input", "zoned.csv", "--force").stdout


def test_neither_both_and_what_cannot_be_read_are_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "broken.csv").write_text("a,b\n1,2\n3,4\n")

    for arguments, message in (
        ((), "Give --brokers HOST:PORT and --topic, or --input FILE"),
        (("--topic", "plant"), "Give --brokers HOST:PORT and --topic, or --input FILE"),
        (("--input", "broken.csv", "--topic", "plant"), "give either --brokers and --topic, or --input"),
        (("--input", "none.csv"), "none.csv"),
        (("--input", "broken.csv"), "--time-column"),
    ):
        said = typed(tmp_path, "init", *arguments)

        assert said.returncode in (1, 2)
        assert message in said.stderr
        assert "Traceback" not in said.stderr
        assert not (tmp_path / "detector.toml").exists()


def write_shifts(path: Path, flag: str) -> None:
    """Write a machine that stands in 50 of each 150 readings, with a column that says so."""
    lines = [f"timestamp,{flag},speed,temperature"]
    for step, (temperature, speed) in enumerate(tiny_values(600, seed=1)):
        runs = step % 150 < 100
        lines.append(f"{START_S + 10 * step},{int(runs)},{400 + 200 * speed if runs else 0.01 * speed:.2f},{temperature:.2f}")
    path.write_text("\n".join(lines))


def test_a_state_that_a_column_tells_is_proposed_with_its_reason_and_train_keeps_it(tmp_path: Path) -> None:
    write_shifts(tmp_path / "shifts.csv", "Betrieb")

    said = typed(tmp_path, "init", "--input", "shifts.csv")

    assert "Proposed: --only-while 'Betrieb == 1', for Betrieb is 0 in 33 % of the readings, and then speed is" in said.stdout
    train, _ = next_commands(said.stdout)
    assert train[-2:] == ["--only-while", "Betrieb == 1"]
    trained = typed(tmp_path, *train, *SMALL)
    assert (trained.returncode, trained.stderr) == (0, "")
    assert load_artifact(tmp_path / "model").spec.only_while == "Betrieb == 1"


def test_where_no_column_tells_the_state_the_way_to_leave_it_out_is_said(tmp_path: Path) -> None:
    write_shifts(tmp_path / "shifts.csv", "valve")

    said = typed(tmp_path, "init", "--input", "shifts.csv")

    assert "Not sure: speed is near 0 (about 0.0" in said.stdout
    assert "add --only-while 'speed > " in said.stdout
    assert "--only-while" not in next_commands(said.stdout)[0]


def test_pumps_without_a_state_are_at_work_by_their_speed_and_current_and_never_by_their_pressure_alone(tmp_path: Path) -> None:
    rows = [(START_S + 10 * step, 0.001 if step % 150 >= 100 else 1.0 + step % 7 / 100) for step in range(600)]
    full = [f"{time},{6.2 * share:.5f},{42 * share:.5f},{1450 * share:.5f}" for time, share in rows]
    (tmp_path / "full.csv").write_text("\n".join(["timestamp,Druck,Strom,Drehzahl", *full]))
    (tmp_path / "pressure.csv").write_text("\n".join(["timestamp,Druck", *(row.rsplit(",", 2)[0] for row in full)]))

    by_drive = typed(tmp_path, "init", "--input", "full.csv")
    by_pressure = typed(tmp_path, "init", "--input", "pressure.csv", "--force")

    condition = "Drehzahl > 530 or Strom > 15"  # 35 % of 1450 x 1.05 and 42 x 1.05
    assert f"Proposed: --only-while '{condition}', for Drehzahl is near 0 (about 1." in by_drive.stdout
    train, _ = next_commands(by_drive.stdout)
    assert train[-2:] == ["--only-while", condition]
    assert "Not sure: Druck is near 0 (about 0.00" in by_pressure.stdout
    assert "so no condition is proposed" in by_pressure.stdout
    assert "--only-while" not in by_pressure.stdout


def test_a_settings_file_in_another_folder_and_the_commands_name_the_same_model(tmp_path: Path) -> None:
    write_german(tmp_path / "export.txt")
    (tmp_path / "plant 1").mkdir()

    said = typed(tmp_path, "init", "--input", "export.txt", "--output", "plant 1/detector.toml")

    train, score = next_commands(said.stdout)
    assert train[-4:] == ["--config", "plant 1/detector.toml", "--output", "plant 1/model"]
    assert score[:3] == ["score", "--model", "plant 1/model"]
    assert load_settings(tmp_path / "plant 1" / "detector.toml").model.directory == tmp_path / "plant 1" / "model"


def test_an_option_of_files_beside_a_topic_is_refused_with_what_to_do_instead() -> None:
    topic = ("init", "--brokers", "kafka:9092", "--topic", "plant")

    done = subprocess.run(
        [sys.executable, "-m", "stream_detector", *topic, "--sensor-column", "asset", "--every", "10s"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 1
    assert "--sensor-column, --every: of files only, and not used with --topic" in done.stderr
    assert "input.sensor is where the machine is" in done.stderr
