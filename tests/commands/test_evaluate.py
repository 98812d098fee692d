"""`stream-detector evaluate` as a user runs it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from stream_detector.cli import main
from stream_detector.evaluation.baselines import BASELINES
from stream_detector.evaluation.scorecard import PRODUCT
from stream_detector.model_store.validation import AUTOENCODER
from tests.fixtures_model import FEATURES, tiny_values

START = 1_767_300_000
ROWS, FAULT = 200, 150
Evaluate = Callable[..., int]


@pytest.fixture
def evaluate(tiny_model_directory: Path, tmp_path: Path, compiled_once: None) -> Evaluate:  # noqa: ARG001
    def run(*options: str | Path) -> int:
        fixed = ["evaluate", "--model", str(tiny_model_directory), "--output", str(tmp_path / "report")]
        return main([*fixed, *(str(option) for option in options)])

    return run


def write_readings(path: Path, *, fault: bool = True, label: str | None = "label") -> Path:
    """Write readings of two sensors in turn, a second apart; the first one is far too hot in 20 rows, which are labelled."""
    values = [tiny_values(ROWS, seed) for seed in range(2)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sensor_id", "timestamp", *FEATURES, *([label] if label else [])])
        for row in range(ROWS):
            for sensor in range(2):
                is_faulty = fault and sensor == 0 and FAULT <= row < FAULT + 20
                temperature, pressure = values[sensor][row].tolist()
                reading = [f"pump-{sensor}", START + row, temperature + 40.0 * is_faulty, pressure]
                writer.writerow([*reading, *([int(is_faulty)] if label else [])])
    return path


def read_report(tmp_path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((tmp_path / "report" / "report.json").read_text())
    return report


def test_a_fault_is_found_and_the_report_has_all_detectors_and_sensors(
    evaluate: Evaluate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--input", write_readings(tmp_path / "in.csv")) == 0

    report = read_report(tmp_path)
    product = report["detectors"][PRODUCT]
    assert list(report["detectors"]) == [PRODUCT, *BASELINES]
    assert [sensor["sensor_id"] for sensor in report["sensors"]] == ["pump-0", "pump-1"]
    assert (product["pooled"]["events"], product["pooled"]["events_found"]) == (1, 1)
    assert product["mean_of_labelled_sensors"]["vus_pr"] > report["detectors"]["random"]["mean_of_labelled_sensors"]["vus_pr"]
    assert report["sensors"][1]["detectors"][PRODUCT]["vus_pr"] is None
    assert report["rows"]["scored"] == 2 * ROWS
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["report.html", "report.json"]
    assert "data:image/png" in (tmp_path / "report" / "report.html").read_text()
    output = capsys.readouterr().out
    assert all(name in output for name in report["detectors"])
    assert "1/1" in output
    told = " ".join(output.split())
    assert "rows were not scored" not in told
    assert "Better than simple detectors?" in told
    assert report["verdict"][1].startswith("Too many false alarms?")
    if AUTOENCODER in report["model"]["members"]:
        assert report["attention"]["windows"] == report["explanations"]["attention"]["windows"]
        assert "ttention shows where the network looks" in told
        assert "ttention shows where the network looks" in (tmp_path / "report" / "report.html").read_text()


def test_what_other_budgets_find_is_the_same_at_whichever_budget_it_is_evaluated(
    evaluate: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, reports = write_readings(tmp_path / "in.csv"), []
    for budget in ("0.1", "1"):
        monkeypatch.setenv("STREAM_DETECTOR_ALERTS__BUDGET_PER_SENSOR_DAY", budget)
        assert evaluate("--input", path) == 0
        reports.append(read_report(tmp_path))

    assert reports[0]["budgets"] == reports[1]["budgets"]
    assert [one["budget_per_sensor_day"] for one in reports[0]["budgets"]] == [0.01, 0.1, 1.0, 10.0]
    for at, report in enumerate(reports, start=1):
        ours = report["detectors"][PRODUCT]["pooled"]
        assert report["budgets"][at].items() <= {"budget_per_sensor_day": report["budget_per_sensor_day"], **ours}.items()


def test_its_scores_and_alarms_are_those_of_score(evaluate: Evaluate, tiny_model_directory: Path, tmp_path: Path) -> None:
    source, target = write_readings(tmp_path / "in.csv"), tmp_path / "scored.csv"
    main(["score", "--model", str(tiny_model_directory), "--input", str(source), "--output", str(target)])

    evaluate("--input", source)

    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with source.open(newline="") as file:
        labels = [row["label"] for row in csv.DictReader(file)]
    alarmed = [label for row, label in zip(rows, labels, strict=True) if row["is_anomaly"] == "1"]
    pooled = read_report(tmp_path)["detectors"][PRODUCT]["pooled"]
    assert alarmed
    assert pooled["precision"] == pytest.approx(alarmed.count("1") / len(alarmed))
    assert pooled["recall"] == pytest.approx(alarmed.count("1") / labels.count("1"))


def test_labels_may_be_in_a_column_in_another_file_or_in_events(evaluate: Evaluate, tmp_path: Path) -> None:
    named, plain = write_readings(tmp_path / "a.csv", label="broken"), write_readings(tmp_path / "b.csv", label=None)
    truth = write_readings(tmp_path / "truth.csv", label="broken")
    (tmp_path / "events.csv").write_text(f"sensor_id,start,end\npump-0,{START + FAULT},{START + FAULT + 20}\n")

    figures = []
    for options in (
        ("--input", named, "--label-column", "broken"),
        ("--input", plain, "--labels", truth, "--label-column", "broken"),
        ("--input", plain, "--events", tmp_path / "events.csv"),
    ):
        assert evaluate(*options) == 0
        figures.append({key: read_report(tmp_path)[key] for key in ("detectors", "sensors", "rows")})

    assert figures[0] == figures[1] == figures[2]


def foreign(path: Path, source: Path) -> Path:
    """Write the readings of a file as a plant would: semicolons, decimal commas, local dates, Windows-1252."""
    with source.open(newline="") as file:
        names, *rows = csv.reader(file)
    lines = [";".join(["Anlage", "Zeit", *names[2:]])]
    for sensor, time, *values in rows:
        local = datetime.fromtimestamp(int(time), UTC).astimezone(ZoneInfo("Europe/Berlin"))
        lines.append(";".join([sensor, f"{local:%d.%m.%Y %H:%M:%S}", *(value.replace(".", ",") for value in values)]))
    path.write_bytes("\r\n".join([*lines, ""]).encode("cp1252"))
    return path


def as_tags(path: Path, source: Path) -> Path:
    """Write the readings of a file as a long table: a row for each value, the label as a tag of its own."""
    with source.open(newline="") as file:
        names, *rows = csv.reader(file)
    lines = ["timestamp,machine,tag,value"]
    lines += [f"{row[1]},{row[0]},{name},{value}" for row in rows for name, value in zip(names[2:], row[2:], strict=True)]
    path.write_text("\n".join([*lines, ""]))
    return path


def test_files_of_other_forms_give_the_same_report(evaluate: Evaluate, tmp_path: Path) -> None:
    source = write_readings(tmp_path / "own.csv")
    wide, long = foreign(tmp_path / "wide.txt", source), as_tags(tmp_path / "long.csv", source)
    truth = write_readings(tmp_path / "truth.csv")

    reports = []
    for options in (
        ("--input", source),
        ("--input", wide, "--time-zone", "Europe/Berlin"),
        ("--input", wide, "--time-zone", "Europe/Berlin", "--labels", truth),
        ("--input", long),
    ):
        assert evaluate(*options) == 0
        reports.append(read_report(tmp_path)["detectors"][PRODUCT])

    assert reports[0]["pooled"]["events_found"] == 1
    assert reports[1:] == [reports[0]] * 3


def test_the_healthy_readings_of_the_baselines_may_be_of_another_form(evaluate: Evaluate, tmp_path: Path) -> None:
    source = write_readings(tmp_path / "own.csv")
    healthy = foreign(tmp_path / "healthy.txt", write_readings(tmp_path / "healthy.csv", fault=False, label=None))

    assert evaluate("--input", source, "--baseline-training", healthy) == 0

    assert {sensor["baselines_fitted_to"] for sensor in read_report(tmp_path)["sensors"]} == {"training file"}


def test_a_foreign_file_without_labels_is_refused_with_what_to_name(
    evaluate: Evaluate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = foreign(tmp_path / "plain.txt", write_readings(tmp_path / "own.csv", label=None))

    assert evaluate("--input", plain) == 1

    assert "plain.txt: no column 'label' with the labels" in capsys.readouterr().err.splitlines()[-1]


def test_a_healthy_file_gives_false_alarm_figures_only(
    evaluate: Evaluate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--input", write_readings(tmp_path / "in.csv", fault=False)) == 0

    product = read_report(tmp_path)["detectors"][PRODUCT]
    assert set(product["mean_of_labelled_sensors"].values()) == {0, None}
    assert (product["pooled"]["event_recall"], product["pooled"]["f1"]) == (None, None)
    assert product["pooled"]["false_alarms_per_1000_rows"] is not None
    assert "2 of 2 sensors have no anomalous row: they give false-alarm figures only" in " ".join(
        capsys.readouterr().out.split()
    )


def test_baselines_are_fitted_to_what_is_given(evaluate: Evaluate, tmp_path: Path) -> None:
    source, healthy = write_readings(tmp_path / "in.csv"), write_readings(tmp_path / "train.csv", fault=False)

    evaluate("--input", source, "--baseline-training", healthy)
    given = read_report(tmp_path)
    evaluate("--input", source)

    assert [sensor["baselines_fitted_to"] for sensor in given["sensors"]] == ["training file"] * 2
    assert {sensor["baselines_fitted_to"] for sensor in read_report(tmp_path)["sensors"]} == {"own rows before the first label"}
    assert given["detectors"][PRODUCT] == read_report(tmp_path)["detectors"][PRODUCT]


def test_settings_window_and_pictures_can_be_given(evaluate: Evaluate, tmp_path: Path) -> None:
    config = tmp_path / "settings.toml"
    config.write_text("[alerts]\nbudget_per_sensor_day = 86400\nquiet_seconds = 30\n")

    options = ("--vus-window", "9", "--pictures", "1", "--config", config)
    assert evaluate("--input", write_readings(tmp_path / "in.csv"), *options) == 0

    report = read_report(tmp_path)
    assert (report["budget_per_sensor_day"], report["quiet_seconds"]) == (86_400, 30)
    assert [sensor["vus_window"] for sensor in report["sensors"]] == [9, 9]
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("<img") == 1
    assert "score of pump-0" in page  # the labelled one


def test_what_is_no_feature_and_no_label_is_named(
    evaluate: Evaluate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = write_readings(tmp_path / "in.csv").read_text().splitlines()
    (tmp_path / "in.csv").write_text("\n".join([f"{lines[0]},site", *(f"{line},Ulm" for line in lines[1:])]) + "\n")

    assert evaluate("--input", tmp_path / "in.csv") == 0

    assert "ignored, unknown to the model: site\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    "case",  # text to replace in the file, further options, expected message
    [
        (("label", "truth"), (), "no column 'label' with the labels"),
        (("150", "150"), ("--label-column", "pressure"), "column pressure is a feature of the model"),
        (("temperature", "heat"), (), "column temperature of the model is missing"),
        ((",0\n", ",2\n"), (), "column label is 2; a label is 0 (normal) or 1 (anomalous)"),
        (("x", "x"), ("--events", "none.csv"), "none.csv: cannot be read"),
        (("x", "x"), ("--labels", "none.csv"), "none.csv: cannot be read"),
        (("x", "x"), ("--baseline-training", "none.csv"), "none.csv: cannot be read"),
        (("x", "x"), ("--output", "in.csv"), "--output in.csv: is a file; the report is a directory"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line_and_nothing_is_written(
    case: tuple[tuple[str, str], tuple[str, ...], str],
    evaluate: Evaluate,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    change, options, said = case
    monkeypatch.chdir(tmp_path)
    source = write_readings(tmp_path / "in.csv")
    source.write_text(source.read_text().replace("\r\n", "\n").replace(*change))

    assert evaluate("--input", source, *options) == 1

    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("stream-detector evaluate: ")
    assert said in error
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_a_report_inside_the_model_or_where_nothing_can_be_written_is_refused(
    evaluate: Evaluate, tiny_model_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_readings(tmp_path / "in.csv")

    assert evaluate("--input", source, "--output", tiny_model_directory / "report") == 1
    assert "is in the model's directory" in capsys.readouterr().err
    assert evaluate("--input", source, "--output", "/proc/report") == 1
    assert "no file can be created in /proc" in capsys.readouterr().err
