"""The picture of a training."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from stream_detector.training.network_fit import Losses
from stream_detector.training.plot import FEATURES_DRAWN, draw_training
from stream_detector.training.trainer import Example

LOSSES = Losses([10, 20], [1.0, 0.5], [1.0, 0.7], 0.9)


def texts_of(example: Example, features: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return every text of the picture."""
    figures: list[Figure] = []
    save = Figure.savefig

    def kept(figure: Figure, *arguments: object, **options: object) -> None:
        figures.append(figure)
        save(figure, *arguments, **options)  # type: ignore[arg-type]  # passed on as given

    monkeypatch.setattr(Figure, "savefig", kept)
    picture = draw_training(LOSSES, example, tuple(f"f{number} [$]" for number in range(features)))
    assert picture.startswith(b"\x89PNG")
    (figure,) = figures
    parts = [figure.get_suptitle()]
    for axes in figure.axes:
        parts += [axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel(), *axes.get_legend_handles_labels()[1]]
    return [part for part in parts if part]


def example(features: int, *, has_network: bool, dropout: float = 0.0) -> Example:
    window = np.random.default_rng(0).normal(size=(8, features)).astype(np.float32)
    usual = np.full(features, 0.25)
    usual[1] = np.nan
    return Example("pump-$2", window, window[-2:] + 1.5, has_network, dropout, usual, 3.0 * usual)


def test_all_features_are_drawn_with_the_sensors_name_and_the_network_only_if_it_is_scored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    linear_only = texts_of(example(3, has_network=False), 3, monkeypatch)
    with_network = texts_of(example(3, has_network=True, dropout=0.2), 3, monkeypatch)

    title = linear_only[0].replace("\n", " ")
    assert title.startswith(r"pump-\$2: healthy readings that were kept back, and what the model expected Nine in ten healthy")
    assert [text for text in linear_only if text.startswith("f")] == [
        r"f0 [\$]: off by 1.5 here, usually by 0.25",
        r"f1 [\$]",  # never measured
        r"f2 [\$]: off by 1.5 here, usually by 0.25",
    ]
    assert "nine in ten healthy readings" in linear_only
    assert not any("loss" in text or "dropout" in text for text in linear_only)
    assert "loss (lower is better)" in with_network
    assert "on the readings it learns from (with dropout)" in with_network


def test_many_features_are_cut_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = texts_of(example(50, has_network=True), 50, monkeypatch)

    assert f"({FEATURES_DRAWN} of 50 features)" in texts[0].replace("\n", " ")
    assert sum(text.startswith("f") for text in texts) == FEATURES_DRAWN == 48
    assert texts.count("reading before the newest one (0)") == 4  # below each column
    assert not any("dropout" in text for text in texts)
