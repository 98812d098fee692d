from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.judge.__main__ import main
from tests.judge.fleets import STEADY, fleets
from tests.judge.results import save
from tests.judge.samples import alarms, result, sensor


def judged(directory: Path, vus: float) -> Path:
    """Write results of the steady fleets."""
    for ref in fleets():
        if ref.family == STEADY:
            save(directory, ref, result(STEADY, ref.name, sensor(vus, 0.5, alarms([True], false=6), ("stuck",))))
    return directory


def test_what_is_judged_already_is_only_shown_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judged(tmp_path / "now", 0.7)
    before = judged(tmp_path / "before", 0.6)

    options = ["--only", STEADY, "--set", "all", "--results", str(tmp_path), "--label", "now", "--compare", str(before)]
    assert main(options) == 0

    said = capsys.readouterr().out
    assert said.startswith("2 cases, 2 of them done")
    assert "| fleet-steady | stuck | 2 of 2, 4 min | 2 of 2, 4 min | 2 of 2, 4 min |" in said
    assert "The change stays: VUS-PR +0.1000 in the mean of 1 families" in said
    assert "Some of these results were measured with other code or settings: v1" in said
    assert "| fleet-steady | 2 | .700 | .500 |" in (tmp_path / "now.md").read_text()
    assert [one["name"] for one in json.loads((tmp_path / "now.json").read_text())] == ["seed-11", "seed-7"]


def test_candidates_are_compared_without_judging(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(judged(tmp_path / name, vus)) for name, vus in (("one", 0.7), ("two", 0.6))]

    assert main(["--choose", *paths]) == 0
    assert f"| family | {paths[0]} | {paths[1]} | the others choose | left out |" in capsys.readouterr().out


def test_an_unknown_family_is_no_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "no-such", "--results", str(tmp_path)]) == 1
    assert "No cases: name a directory" in capsys.readouterr().out
