from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stream_detector.cli import main
from stream_detector.model_store.model_directory import load_artifact
from tests.fixtures_model import tiny_values

#: Training that takes seconds.
SMALL = ("--window-length", 8, "--units", 4, "--steps", 3)


def stream_detector(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stream_detector", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=250)


def write_csv(path: Path, readings: int) -> Path:
    rows = [f"{1_767_225_600 + second},{t:.3f},{p:.3f}" for second, (t, p) in enumerate(tiny_values(readings, seed=1))]
    path.write_text("timestamp,temperature,pressure\n" + "\n".join(rows) + "\n")
    return path


def test_a_file_becomes_a_model_with_a_report_and_a_picture(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "readings.csv", 300)
    with source.open("a") as file:
        file.write("1767225600,1,1\n")  # a time repeated, out of order
    output = tmp_path / "models" / "pumps"

    done = stream_detector("train", "--input", source, "--output", output, *SMALL, "--name", "pumps")

    assert (done.returncode, done.stderr) == (0, "")
    artifact = load_artifact(output)
    assert artifact.spec.name == "pumps"
    assert artifact.spec.features == ("temperature", "pressure")
    assert artifact.spec.sampling_interval_seconds == 1.0
    assert artifact.report["seconds"] > 0
    assert (output / "training.png").read_bytes().startswith(b"\x89PNG")
    for said in (
        "300 readings of 1 sensor, 2 features (temperature, pressure)",
        "TOO SHORT: 5 min of history, 300 readings a sensor. Give it 24 h or more",
        "sorted by time",
        "fitting",
        "calibrating",
        "gate trials",
        f"model: {output} (name pumps, version {artifact.spec.version})",
        "windows of 8 readings (8 s), one every 1 s",
        "judging",
        "shift by 4 deviations",
        "1. Is the history enough? No: 5 min, 300 readings a sensor. This model",
        "2. What will it find?",
        "3. What next?",
        f"score --model {output} --input FILE.csv",
        f"--baseline-training {source}",
        f"STREAM_DETECTOR_MODEL__DIRECTORY={output}",
    ):
        assert said in done.stdout
    laboratory = ("both decoder", "loss -", "stride", "AUC-PR", "extrapolated", "calibration", "pca-64")
    assert not [word for word in laboratory if word in done.stdout.split("model: ")[1]]
    verdict = artifact.report["verdict"]
    assert verdict["budget_per_sensor_day"] == 0.1
    assert verdict["history"]["is_short"]
    assert {row["kind"] for row in verdict["alarmed"]} >= {"shift_4", "frozen_all", "silent", "missing_feature"}
    assert "context" not in done.stdout


def test_columns_may_be_ignored_or_seen_without_being_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_csv(tmp_path / "readings.csv", 200)
    header, *rows = source.read_text().splitlines()
    rows = [f"{row},7,{second % 2},{18e6 + 2 * second},{int(second > 190)}" for second, row in enumerate(rows)]
    rows[30:32] = [f"{row.split(',')[0]},-9999,{row.split(',', 2)[2]}" for row in rows[30:32]]
    source.write_text("\n".join([f"{header},note,on,energy_kwh,label", *rows]))
    options = [
        "--ignore-columns",
        "note",
        "--missing-values",
        "Stale,pressure=-1",
        "--context-columns",
        "pressure",
        "--attention-bias",
        "--decoder",
        "context",
    ]

    done = main(["train", "--input", str(source), "--output", str(tmp_path / "model"), *map(str, SMALL), *options])

    assert done == 0
    artifact = load_artifact(tmp_path / "model")
    assert artifact.spec.features == ("temperature", "pressure", "on", "energy_kwh")
    assert artifact.spec.counters == ("energy_kwh",)
    assert artifact.spec.missing_values.to_json() == ["stale", {"pressure": [-1.0], "temperature": [-9999.0]}]
    assert artifact.normalization.scored.tolist() == [True, False, True, True]
    assert artifact.calibration.sensors.location[0, 3] == pytest.approx(7200)  # per hour
    assert (artifact.network.decoder, artifact.network.attention_units, artifact.network.units) == ("context", None, 4)
    assert artifact.report["data"]["context_features"] == ["pressure"]
    said = capsys.readouterr().out
    for what in (
        "context, never scored: pressure",
        "column label looks like a label",
        "temperature: -9999 2 times",
        "column energy_kwh: only rising",
    ):
        assert what in said


def test_its_report_is_plain_json_with_the_gates_result(tiny_model_directory: Path) -> None:
    report = json.loads((tiny_model_directory / "report.json").read_text())

    assert {"data", "windows", "losses", "members", "gate", "budgets", "phase_seconds", "configuration", "versions"} <= set(
        report
    )


def _too_short() -> str:
    rows = [f"{1_767_225_600 + second},{second % 7}.{second % 3}\n" for second in range(60)]
    return "timestamp,x\n" + "".join(rows)


@pytest.mark.parametrize(
    ("value", "rows", "message"),
    [
        (
            "1.5",
            60,
            "The least is 115 readings of a sensor (115 s) without gaps over 10 s; for a model that is worth running, ",
        ),
        ("", 300, "column x has no value in the first 70 % of the readings"),
    ],
)
def test_what_makes_a_training_impossible_is_said_alone(
    tmp_path: Path, value: str, rows: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{1_767_225_600 + second},{value},{second % 7}.{second % 3}\n" for second in range(rows)]
    (tmp_path / "readings.csv").write_text("timestamp,x,y\n" + "".join(lines))

    assert main(["train", "--input", str(tmp_path / "readings.csv"), "--output", str(tmp_path / "model")]) == 1

    told = capsys.readouterr()
    assert message in told.err
    assert not any(word in told.out for word in ("SHORT", "EMPTY", "NEVER SCORED"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("timestamp,x\n1,high\n", "data row 1, column x: 'high' is not a number"),
        (
            "timestamp,x\n" + "".join(f"{1_767_225_600 + second},{second % 7}.{second % 3}\n" for second in range(60)),
            "too little data",
        ),
    ],
)
def test_unusable_data_is_one_line_on_stderr_and_exit_code_1(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "readings.csv").write_text(content)

    done = stream_detector("train", "--input", tmp_path / "readings.csv", "--output", tmp_path / "model")

    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.startswith("stream-detector train: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--window-length", "1"), "a window of 1 reading leaves nothing to predict it from; choose 2 or more"),
        (("--context-columns", "flow"), "context columns: flow is not a feature (features: temperature, pressure)"),
        (("--context-columns", "temperature,pressure"), "no feature is left to be scored"),
        (("--ignore-columns", "flow"), "flow"),
        (("--since", "2026-01-01T00:00:00Z"), "--since, --until and --features are for --from-topic"),
    ],
)
def test_options_that_do_not_match_the_data_are_reported_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, str], message: str
) -> None:
    source = write_csv(tmp_path / "readings.csv", 200)

    assert main(["train", "--input", str(source), "--output", str(tmp_path / "model"), *options]) == 1

    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("stream-detector train: ")
    assert message in error
    assert not (tmp_path / "model").exists()


def test_codes_with_other_separators_are_refused_with_the_cure(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--input", "x.csv", "--output", "model", "--missing-values=-9999;-8888"])

    assert "'-9999;-8888': separate values by commas" in capsys.readouterr().err


def test_a_directory_that_is_not_a_model_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"")

    done = stream_detector("train", "--input", tmp_path / "absent.csv", "--output", tmp_path / "photos")

    assert done.returncode == 1
    assert "holds something other than a model" in done.stderr


@pytest.mark.parametrize("where", ["/proc/absent/model", "file/model"])
def test_an_unwritable_output_is_reported_before_training(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("")

    done = stream_detector("train", "--input", tmp_path / "absent.csv", "--output", tmp_path / where)

    assert done.returncode == 1
    assert f"{tmp_path / where}: cannot be written" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_window_and_coupled_features_are_those_of_the_settings_where_no_option_names_them(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "readings.csv", 300)
    (tmp_path / "detector.toml").write_text("[learning]\nwindow_length = 12\ncoupled_features = true\n")

    done = stream_detector(
        *("train", "--input", source, "--output", tmp_path / "model", "--config", tmp_path / "detector.toml", *SMALL[2:])
    )

    assert (done.returncode, done.stderr) == (0, "")
    spec = load_artifact(tmp_path / "model").spec
    assert spec.window_length == 12
    assert "others-2" in spec.members


def test_help_shows_no_default_where_there_is_none() -> None:
    shown = " ".join(stream_detector("train", "--help").stdout.split())

    assert "readings per window (default: LEARNING__WINDOW_LENGTH)" in shown
    assert "equal seeds and data give equal models (default: 0)" in shown
    assert not {"None)", "())", "False)"} & set(shown.split())


@pytest.mark.parametrize("wrong", [("--unknown",), ("--units", "many")])
def test_wrong_usage_shows_the_usage_of_the_command_in_a_line(wrong: tuple[str, ...]) -> None:
    done = stream_detector("train", "--input", "x.csv", "--output", "model", *wrong)

    assert done.returncode == 2
    usage, error = done.stderr.splitlines()
    assert usage == "usage: stream-detector train [OPTION ...] (stream-detector train --help lists them)"
    assert error.startswith("stream-detector train: error: ")
    assert wrong[0] in error
