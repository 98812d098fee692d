"""The training of the built-in model: deterministic, and the one in the package is that of the recipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream_detector.built_in.model import PLACE, BuiltInModel
from stream_detector.training.built_in import READINGS, SEED, SERIES, main, train_built_in


def test_equal_arguments_give_equal_figures_that_are_about_those_of_the_package() -> None:
    found = train_built_in(80, 900, 3)

    model, shipped = BuiltInModel.parse(json.dumps(found)), BuiltInModel.parse(PLACE.read_text(encoding="utf-8"))
    assert found == train_built_in(80, 900, 3)
    assert model.version != shipped.version
    assert model.variance == pytest.approx(shipped.variance, rel=0.7)
    assert model.scale == pytest.approx(shipped.scale, rel=0.7)


def test_the_package_has_the_model_of_the_recipe() -> None:
    assert json.loads(PLACE.read_text(encoding="utf-8"))["recipe"] == {"series": SERIES, "readings": READINGS, "seed": SEED}


def test_the_command_writes_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "model.json"
    options = ["built_in", "--output", str(target), "--series", "4", "--readings", "700", "--seed", "2"]
    monkeypatch.setattr("sys.argv", options)

    main()

    assert json.loads(target.read_text())["recipe"] == {"series": 4, "readings": 700, "seed": 2}
    assert "bytes" in capsys.readouterr().out
