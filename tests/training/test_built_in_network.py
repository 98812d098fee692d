"""The fit of the weights that a training starts from: deterministic, and those of the package have the recipe's shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream_detector.model_store.arrays import read_arrays, write_arrays
from stream_detector.simulation.random_mixtures import SeriesPool
from stream_detector.training.built_in_network import Recipe, draw_batch, fit_starting_network, main
from stream_detector.training.starting_weights import PLACE, SLOTS, WINDOW_LENGTH, packed

SHORT = Recipe(series=12, readings=100, steps=3, batch_size=8, seed=2)


def test_equal_recipes_give_equal_bytes_of_the_shapes_of_the_package() -> None:
    first, again = (write_arrays(packed(fit_starting_network(SHORT))) for _ in range(2))

    shipped = read_arrays(PLACE.read_bytes())
    assert first == again
    assert {name: array.shape for name, array in read_arrays(first).items()} == {
        name: array.shape for name, array in shipped.items()
    }
    assert {str(array.dtype) for array in shipped.values()} == {"float16"}


def test_a_batch_shows_and_asks_for_its_own_features_only() -> None:
    pool, rng = SeriesPool.draw(3, range(6), 100), np.random.default_rng(4)

    batches = [draw_batch(pool, rng, 8) for _ in range(12)]

    counts = [int(batch.visible.any(axis=(0, 1)).sum()) for batch in batches]
    assert len(set(counts)) > 3
    for batch, count in zip(batches, counts, strict=True):
        assert batch.values.shape == (8, WINDOW_LENGTH, SLOTS)
        assert not batch.values[:, :, count:].any()
        assert not batch.weight[:, :, count:].any()
        assert batch.weight.any()


def test_the_command_writes_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "network.safetensors"
    options = ["--output", str(target), "--series", "5", "--readings", "80", "--steps", "2", "--batch-size", "4"]
    monkeypatch.setattr("sys.argv", ["built_in_network", *options])

    main()

    assert sorted(read_arrays(target.read_bytes())) == sorted(read_arrays(PLACE.read_bytes()))
    assert "bytes" in capsys.readouterr().out
