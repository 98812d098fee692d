from __future__ import annotations

import keras
import numpy as np
import pytest

from stream_detector.model import build_autoencoder
from stream_detector.model.reference_autoencoder import masked_mean_absolute_error, with_attention
from stream_detector.readings import Float32Array

NAN = np.float32(np.nan)


def some_windows() -> Float32Array:
    return np.random.default_rng(0).normal(size=(6, 5, 3)).astype(np.float32)


def eager(model: keras.Model) -> keras.Model:
    """Let a model train without being compiled to a graph first, which takes longer than a few steps."""
    model.run_eagerly = True
    return model


def test_defaults_are_the_questions_layers_loss_and_optimiser() -> None:
    model = build_autoencoder(5, 3)

    assert [layer.units for layer in model.layers if isinstance(layer, keras.layers.LSTM)] == [64, 64]
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.2, 0.2]
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert model.output.shape == (None, 5, 3)


def test_without_missing_values_the_loss_is_the_mean_absolute_error() -> None:
    target, reconstruction = some_windows(), some_windows()[::-1]

    loss = masked_mean_absolute_error(target, reconstruction)

    assert float(loss) == pytest.approx(float(np.abs(target - reconstruction).mean()), rel=1e-6)


def test_missing_values_do_not_count_in_the_loss() -> None:
    target = np.array([[[1.0, NAN], [NAN, 4.0]]], np.float32)
    reconstruction = np.array([[[2.0, 1e6], [-1e6, 7.0]]], np.float32)

    assert float(masked_mean_absolute_error(target, reconstruction)) == 2.0  # (|1 - 2| + |4 - 7|) / 2


def test_the_loss_of_nothing_is_zero() -> None:
    assert float(masked_mean_absolute_error(np.full((1, 2, 2), NAN), np.ones((1, 2, 2), np.float32))) == 0.0


@pytest.mark.parametrize("decoder", ["context", "sequence"])
def test_what_stands_in_the_target_for_a_missing_value_changes_no_weight(decoder: str) -> None:
    values = some_windows()
    present = np.ones_like(values)
    present[:, 2, 1] = 0.0
    target = np.where(present > 0, values, NAN)
    weights = []
    for _ in range(2):
        model = eager(build_autoencoder(5, 3, units=4, decoder=decoder))
        model.train_on_batch([values, present], target)
        weights.append(model.get_weights())

    for first, second in zip(*weights, strict=True):
        assert np.isfinite(first).all()
        assert first.tolist() == second.tolist()


def test_a_step_gets_no_attention_only_if_all_its_features_are_missing() -> None:
    values = some_windows()[:1]
    present = np.ones_like(values)
    present[0, 1, :2] = 0.0
    present[0, 3] = 0.0

    _, weights = with_attention(build_autoencoder(5, 3, units=4))([values, present])

    assert (weights.numpy()[0] > 0).tolist() == [True, True, True, False, True]
    assert weights.numpy().sum() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("decoder", ["context", "sequence"])
def test_equal_seeds_give_equal_networks(decoder: str) -> None:
    first, second, other = (eager(build_autoencoder(5, 3, units=4, decoder=decoder, seed=seed)) for seed in (1, 1, 2))
    windows = some_windows()
    inputs = [windows, np.ones_like(windows)]

    losses = [[float(model.train_on_batch(inputs, windows)) for _ in range(3)] for model in (first, second, other)]

    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_the_sequence_decoder_sees_a_narrower_sequence() -> None:
    model = build_autoencoder(5, 8, decoder="sequence")

    assert model.get_layer("bottleneck").output.shape == (None, 5, 4)


def test_an_unknown_decoder_is_refused() -> None:
    with pytest.raises(ValueError, match="decoder must be one of context, sequence"):
        build_autoencoder(5, 3, decoder="transformer")
