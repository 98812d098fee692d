"""The network by its behaviour: what is hidden from it changes nothing that it says."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from functools import partial

import keras
import numpy as np
import pytest
from keras import ops

from stream_detector.model.artifact import NetworkSpec
from stream_detector.model.input_scaling import scale
from stream_detector.model.masked_autoencoder import MaskedAutoencoder, Windows
from stream_detector.model.missing_features import Imputation, RowMoments
from stream_detector.model.network import build_network, decoded_rows, hidden_rows, load_weights, negative_log_likelihood
from stream_detector.model.network_reading import NetworkReading
from stream_detector.model.static_covariates import Fleet
from stream_detector.model.xla_forward import forward
from stream_detector.readings import Float32Array
from stream_detector.state.running_scale import Scales
from stream_detector.training.network_fit import Batch, batch_of
from stream_detector.training.preparation import TrainingConfig, prepare
from tests.fixtures_model import tiny_dataset

FEATURES = 3
SCORED = np.array([True, True, False])
FLEET = Fleet(np.zeros(FEATURES, np.float32), np.ones(FEATURES, np.float32), np.ones(FEATURES, np.float32))
SPECS = {
    "both": NetworkSpec(units=4),
    "context": NetworkSpec(units=4, decoder="context"),
    "sequence": NetworkSpec(units=4, decoder="sequence", bottleneck=1),
    "bias per step": NetworkSpec(units=4, attention_units=None),
    "uniform attention": NetworkSpec(units=4, uniform_attention=True),
}


def network_of(window_length: int, spec: NetworkSpec, seed: int = 0) -> MaskedAutoencoder:
    network = build_network(window_length, FEATURES, spec, seed)
    return MaskedAutoencoder(partial(forward, network), FLEET, SCORED, hidden_rows(window_length))


def some_windows(window_length: int, count: int = 5) -> Float32Array:
    return np.random.default_rng(0).normal(size=(count, window_length, FEATURES)).astype(np.float32)


def expect(
    network: MaskedAutoencoder, values: Float32Array, location: float = 0.0, present: Float32Array | None = None
) -> list[Float32Array]:
    """Return centre, spread and attention of windows; all values are present unless `present` says otherwise."""
    count = len(values)
    scales = np.full((count, FEATURES), location, np.float32), np.ones((count, FEATURES), np.float32)
    known = np.ones_like(values) if present is None else present
    windows = Windows(*map(ops.convert_to_tensor, (values, known, *scales)))
    return [ops.convert_to_numpy(output) for output in network.expect(windows)]


@pytest.mark.parametrize("window_length", [2, 3, 8, 32])
def test_it_says_something_of_the_newest_eighth_of_any_window(window_length: int) -> None:
    rows = max(1, window_length // 8)

    centre, spread, attention = expect(network_of(window_length, SPECS["both"]), some_windows(window_length))

    assert (hidden_rows(window_length), centre.shape, spread.shape) == (rows, (5, rows, FEATURES), (5, rows, FEATURES))
    assert (spread > 0).all()
    assert attention.shape == (5, window_length)
    assert attention.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-5)


@pytest.mark.parametrize("name", SPECS)
def test_hidden_values_change_nothing_and_visible_ones_do(name: str) -> None:
    network, values = network_of(16, SPECS[name]), some_windows(16)
    rows = hidden_rows(16)
    hidden, older, context = values.copy(), values.copy(), values.copy()
    hidden[:, -rows:, :2] += 100.0
    older[:, -rows - 1] += 1.0
    context[:, -1, 2] += 1.0

    before = expect(network, values)

    assert [one.tobytes() for one in expect(network, hidden)] == [one.tobytes() for one in before]
    assert np.abs(expect(network, older)[0] - before[0]).max() > 1e-4
    assert np.abs(expect(network, context)[0][:, :, :2] - before[0][:, :, :2]).max() > 1e-6


def test_it_knows_what_sort_of_sensor_a_window_is_of() -> None:
    network, values = network_of(8, SPECS["both"]), some_windows(8)

    small, large = expect(network, values, location=0.0), expect(network, values, location=5.0)

    assert np.abs(small[0] - large[0]).max() > 1e-4


@pytest.mark.parametrize("name", SPECS)
def test_only_a_step_at_which_nothing_was_read_has_no_attention(name: str) -> None:
    values, present = some_windows(16), np.ones((5, 16, FEATURES), np.float32)
    present[0, 3] = 0.0  # all of its features
    present[0, 5, :2] = 0.0  # two of three
    present[0, -1] = 0.0  # among those that are masked when scoring

    _, _, attention = expect(network_of(16, SPECS[name]), values, present=present)

    assert np.flatnonzero(attention[0] == 0.0).tolist() == [3, 15]
    assert (attention[1:] > 0.0).all()
    assert attention.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-5)


def test_uniform_attention_gives_every_step_the_same() -> None:
    _, _, attention = expect(network_of(8, SPECS["uniform attention"]), some_windows(8))

    assert attention == pytest.approx(np.full((5, 8), 1 / 8))


@pytest.mark.parametrize("name", SPECS)
def test_equal_seeds_give_equal_networks(name: str) -> None:
    first, second, other = (network_of(8, SPECS[name], seed) for seed in (1, 1, 2))

    outputs = [expect(network, some_windows(8)) for network in (first, second, other)]

    assert [one.tobytes() for one in outputs[0]] == [one.tobytes() for one in outputs[1]]
    assert outputs[0][0].tobytes() != outputs[2][0].tobytes()


def test_an_unknown_decoder_is_refused() -> None:
    with pytest.raises(ValueError, match="decoder must be one of both, context, sequence"):
        build_network(8, FEATURES, NetworkSpec(decoder="transformer"))


def test_weights_go_where_they_came_from_and_nowhere_else() -> None:
    first, second = (build_network(8, FEATURES, SPECS["both"], seed) for seed in (1, 2))
    weights = {variable.path: np.asarray(variable.numpy()) for variable in first.weights}

    load_weights(second, weights)

    assert all(np.array_equal(*pair) for pair in zip(first.get_weights(), second.get_weights(), strict=True))
    with pytest.raises(ValueError, match="are not those of the network"):
        load_weights(second, {"other": weights["head/kernel"]})
    with pytest.raises(ValueError, match="shape"):
        load_weights(second, {**weights, "head/kernel": weights["head/kernel"].T})


def test_the_loss_is_the_likelihood_of_what_was_hidden_and_there() -> None:
    target = np.array([[[1.0, 7.0]], [[2.0, 7.0]]], np.float32)
    head = np.array([[[0.0, 0.0, 1.0, 1.0]], [[0.0, 0.0, 2.0, 1.0]]], np.float32)  # centres 0; spreads 1 and 2
    weight = np.array([[[1.0, 0.0]], [[1.0, 0.0]]], np.float32)

    loss = float(negative_log_likelihood(target, weight, head))

    assert loss == pytest.approx((0.5 + (0.5 + math.log(2.0))) / 2)
    assert float(negative_log_likelihood(target, 0.0 * weight, head)) == 0.0


def test_what_a_network_is_fitted_on_holds_nothing_that_is_hidden() -> None:
    dataset = tiny_dataset(sensors=1)
    prepared = prepare(dataset, TrainingConfig(window_length=16))
    ends = prepared.split.fit[:200]
    scaled, _ = prepared.scaled_windows(ends)

    batch = batch_of(prepared, ends, np.random.default_rng(0))

    again = batch_of(prepared, ends, np.random.default_rng(0))
    assert again.values.tobytes() == batch.values.tobytes()
    whole = (batch.visible[:, 0] == 1).all(axis=1)  # the others miss a feature in all rows
    batch, scaled = Batch(*(getattr(batch, field.name)[whole] for field in fields(Batch))), scaled[whole]
    hidden = batch.visible == 0
    rows = decoded_rows(16)
    assert np.array_equal(batch.target, scaled[:, -rows:])
    assert np.array_equal(batch.weight, hidden[:, -rows:])
    assert np.array_equal(batch.values[~hidden], scaled[~hidden])
    assert hidden.any(axis=(1, 2)).all()
    assert not hidden[:, :-rows].any()
    # Where a value is hidden, the row before stands in for it.
    depth = hidden.any(axis=2).sum(axis=1)
    last = scaled[np.arange(len(scaled)), 16 - depth - 1]
    assert np.array_equal(batch.values[hidden], np.broadcast_to(last[:, np.newaxis], scaled.shape)[hidden])


def test_a_quarter_of_the_windows_a_network_is_fitted_on_miss_a_feature_in_all_rows() -> None:
    prepared = prepare(tiny_dataset(sensors=1), TrainingConfig(window_length=16))
    ends = prepared.split.fit[:200]

    batch = batch_of(prepared, ends, np.random.default_rng(0))

    lost = np.asarray(~batch.visible.any(axis=1))  # [N, F]
    assert 0.15 < lost.any(axis=1).mean() < 0.35
    assert not lost.all(axis=1).any()
    expected, present = prepared.scaled_windows(ends, lost)
    assert (present.any(axis=1) == ~lost).all()
    assert np.array_equal(batch.values[:, 0], expected[:, 0])
    assert (batch.weight.sum(axis=1)[lost] == 0).all()


def test_missing_values_and_context_are_not_learned() -> None:
    dataset = tiny_dataset(sensors=1)
    values = dataset.values.copy()
    values[::3, 0] = np.nan
    values[:, 1] = np.arange(len(values)) % 2
    prepared = prepare(replace(dataset, values=values), TrainingConfig(window_length=16))
    ends = prepared.split.fit[:100]
    _, present = prepared.scaled_windows(ends)

    batch = batch_of(prepared, ends, np.random.default_rng(0))

    rows = decoded_rows(16)
    lost = np.asarray(~batch.visible.any(axis=1))
    assert (batch.weight[:, :, 1] == 0).all()
    assert (batch.visible[~lost[:, 1], :, 1] == 1).all()
    assert (batch.weight[~present[:, -rows:]] == 0).all()
    has_both = ~lost.any(axis=1)
    assert (batch.visible[has_both][~present[has_both]] == 0).all()
    assert batch.weight.sum() > 0


def test_the_layers_are_two_lstms_with_attention_between() -> None:
    network = build_network(8, FEATURES, NetworkSpec())

    assert [layer.units for layer in network.layers if isinstance(layer, keras.layers.LSTM)] == [64, 64]


def test_the_value_of_a_step_that_is_taken_away_changes_nothing() -> None:
    reading = NetworkReading(network_of(8, SPECS["both"]), Imputation(RowMoments(np.eye(FEATURES), np.eye(FEATURES))))
    windows = some_windows(8, 50)
    changed, taken = windows.copy(), np.zeros((50, 8), np.bool_)
    changed[::2, 4:6] = 9.0
    changed[1::2, 0] = 9.0  # before it, there is no value to carry
    taken[::2, 4:6] = taken[1::2, 0] = True
    scales = Scales(np.zeros((50, FEATURES), np.float32), np.ones((50, FEATURES), np.float32))

    centre, spread = reading.expect_without(windows, scales, taken)
    other, _ = reading.expect_without(changed, scales, taken)

    assert reading.hidden_rows == 1
    assert centre.shape == spread.shape == (50, 1, 2)  # of the scored features
    np.testing.assert_array_equal(centre, other)
    untouched, _ = reading.expect_without(windows, scales, np.zeros_like(taken))
    assert (np.abs(centre - untouched).max(axis=(1, 2)) > 0).all()


def test_with_nothing_taken_away_the_expectation_is_that_of_the_network() -> None:
    network = network_of(8, SPECS["both"])
    reading = NetworkReading(network, Imputation(RowMoments(np.eye(FEATURES), np.eye(FEATURES))))
    scales = Scales(np.zeros((5, FEATURES), np.float32), np.ones((5, FEATURES), np.float32))
    windows = some_windows(8)

    centre, spread = reading.expect_without(windows, scales, np.zeros((5, 8), np.bool_))

    squashed = np.asarray(scale(windows, scales.location, scales.deviation), np.float32)
    expected = expect(network, squashed)
    np.testing.assert_allclose(centre, expected[0][:, :, SCORED], atol=1e-6)
    np.testing.assert_allclose(spread, expected[1][:, :, SCORED], atol=1e-6)
