"""A training writes nothing into the temporary directory, not even while it runs: a killed process could not delete it."""

from __future__ import annotations

import tempfile

import pytest

from stream_detector.model.artifact import NetworkSpec
from stream_detector.model.network import build_network
from stream_detector.training.network_fit import fit
from stream_detector.training.preparation import TrainingConfig, prepare
from tests.fixtures_model import WINDOW_LENGTH, tiny_dataset


def test_fitting_the_network_makes_no_temporary_file(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    make = tempfile.NamedTemporaryFile

    def noted(*arguments: object, **options: object) -> object:
        made.append(str(options.get("prefix")))
        return make(*arguments, **options)  # type: ignore[call-overload]  # passed on as given

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", noted)
    config = TrainingConfig(name="tiny", window_length=WINDOW_LENGTH, network=NetworkSpec(units=4), steps=2, batch_size=16)

    fit(build_network(WINDOW_LENGTH, 2, config.network), prepare(tiny_dataset(), config), lambda *_: None)

    assert made == []
