from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from stream_detector.model import Attention

# One sequence of two steps: h1 = (1, 0), h2 = (0, 2).
SEQUENCE = np.array([[[1.0, 0.0], [0.0, 2.0]]], np.float32)


def attention_per_step() -> Attention:
    """W = (0.5, 0.25), b = (0.5, 0): e = (tanh(0.5 + 0.5), tanh(0.5 + 0)) = (0.761594, 0.462117)."""
    layer = Attention()
    layer.build((None, 2, 2))
    layer.set_weights([np.array([[0.5], [0.25]]), np.array([[0.5], [0.0]])])
    return layer


def additive_attention() -> Attention:
    """W = identity, b = 0, v = (1, 2): e = (tanh 1 + 2 tanh 0, tanh 0 + 2 tanh 2) = (0.761594, 1.928055)."""
    layer = Attention(units=2)
    layer.build((None, 2, 2))
    layer.set_weights([np.eye(2), np.zeros(2), np.array([[1.0], [2.0]])])
    return layer


def arrays(outputs: tuple[keras.KerasTensor, keras.KerasTensor]) -> list[np.ndarray]:
    return [output.numpy() for output in outputs]


def test_scores_are_tanh_of_the_projection_plus_the_steps_bias() -> None:
    scores = attention_per_step().scores(keras.ops.convert_to_tensor(SEQUENCE)).numpy()

    assert scores == pytest.approx(np.array([[0.7615942, 0.4621172]]), abs=1e-6)


def test_weights_are_the_softmax_of_the_scores_and_the_context_their_weighted_sum() -> None:
    context, weights = arrays(attention_per_step()(SEQUENCE))

    # 1 / (1 + exp(0.4621172 - 0.7615942)) = 0.574315; context = (0.574315 * 1, 0.425685 * 2)
    assert weights == pytest.approx(np.array([[0.5743146, 0.4256854]]), abs=1e-6)
    assert context == pytest.approx(np.array([[0.5743146, 0.8513707]]), abs=1e-6)


def test_an_offset_is_added_to_the_score_of_its_step() -> None:
    layer = Attention(units=2, offsets=True)
    layer.build((None, 2, 2))
    layer.set_weights([np.array([0.25, 0.0]), np.eye(2), np.zeros(2), np.array([[1.0], [2.0]])])

    scores = layer.scores(keras.ops.convert_to_tensor(SEQUENCE)).numpy()

    # The additive form below, and 4 x 0.25 at the first step.
    assert scores == pytest.approx(np.array([[1.7615942, 1.9280552]]), abs=1e-6)


def test_additive_form_by_hand() -> None:
    context, weights = arrays(additive_attention()(SEQUENCE))

    # 1 / (1 + exp(1.928055 - 0.761594)) = 0.2374953
    assert weights == pytest.approx(np.array([[0.2374953, 0.7625047]]), abs=1e-6)
    assert context == pytest.approx(np.array([[0.2374953, 1.5250095]]), abs=1e-6)


@pytest.mark.parametrize("layer", [attention_per_step(), additive_attention()], ids=["bias per step", "additive"])
def test_a_masked_step_has_no_weight_and_the_others_sum_to_one(layer: Attention) -> None:
    context, weights = arrays(layer(SEQUENCE, mask=np.array([[False, True]])))

    assert weights.tolist() == [[0.0, 1.0]]
    assert context.tolist() == [[0.0, 2.0]]


@pytest.mark.parametrize("layer", [attention_per_step(), additive_attention()], ids=["bias per step", "additive"])
def test_with_all_steps_masked_weights_and_context_are_zero(layer: Attention) -> None:
    context, weights = arrays(layer(SEQUENCE, mask=np.array([[False, False]])))

    assert weights.tolist() == [[0.0, 0.0]]
    assert context.tolist() == [[0.0, 0.0]]


def test_uniform_attention_is_the_mean_over_the_steps_that_are_there() -> None:
    layer = Attention(uniform=True)

    _, weights = arrays(layer(np.ones((2, 4, 3), np.float32), mask=np.array([[True] * 4, [True, True, False, False]])))

    assert weights.tolist() == [[0.25] * 4, [0.5, 0.5, 0.0, 0.0]]
    assert layer.weights == []


def test_the_mask_of_a_masking_layer_is_taken_and_ends_here() -> None:
    inputs = keras.Input((3, 2))
    context, weights = Attention(units=4)(keras.layers.Masking()(inputs))
    model = keras.Model(inputs, [keras.layers.Dense(1)(context), weights])

    _, given = model(np.array([[[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]]], np.float32))

    assert given.numpy()[0, 0] == 0.0
    assert given.numpy().sum() == pytest.approx(1.0, abs=1e-6)


def test_two_dimensional_input_is_refused_with_the_cure_and_the_reason() -> None:
    last_state = keras.layers.LSTM(4)(keras.Input((5, 2)))

    with pytest.raises(ValueError, match=r"return_sequences=True.*batch axis"):
        Attention()(last_state)


def test_unknown_length_is_refused_where_each_step_has_a_bias_and_taken_by_the_additive_form() -> None:
    inputs = keras.Input((None, 2))

    with pytest.raises(ValueError, match="number of steps must be known"):
        Attention()(inputs)
    with pytest.raises(ValueError, match="number of steps must be known"):
        Attention(units=3, offsets=True)(inputs)
    _, weights = Attention(units=3)(inputs)
    assert weights.shape == (None, None)


def test_units_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="units must be at least 1"):
        Attention(units=0)


@pytest.mark.parametrize(("units", "offsets"), [(None, False), (3, False), (3, True)])
def test_a_saved_layer_loads_without_being_named_again(units: int | None, offsets: bool, tmp_path: Path) -> None:
    inputs = keras.Input((5, 2))
    layer = Attention(units, seed=4, offsets=offsets, name="attention")
    model = keras.Model(inputs, layer(inputs))
    layer.set_weights([weights + 0.1 for weights in layer.get_weights()])
    windows = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)

    model.save(tmp_path / "layer.keras")
    loaded = keras.models.load_model(tmp_path / "layer.keras")

    for before, after in zip(model(windows), loaded(windows), strict=True):
        assert before.numpy().tolist() == after.numpy().tolist()


def test_equal_seeds_give_equal_initial_weights() -> None:
    first, second, other = (Attention(units=3, seed=seed) for seed in (1, 1, 2))
    for layer in (first, second, other):
        layer.build((None, 4, 2))

    assert first.kernel.numpy().tolist() == second.kernel.numpy().tolist()
    assert first.kernel.numpy().tolist() != other.kernel.numpy().tolist()
