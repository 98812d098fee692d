"""The weights that a training starts from: a network of any number of features takes those of its first 32."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_detector.model.artifact import NetworkSpec
from stream_detector.model.network import build_network, load_weights
from stream_detector.readings import Float32Array
from stream_detector.training.network_fit import STARTED_SHARE, fit
from stream_detector.training.preparation import Prepared, TrainingConfig, prepare
from stream_detector.training.starting_weights import (
    ENCODER,
    HEAD,
    NETWORK,
    PLACE,
    SLOTS,
    WINDOW_LENGTH,
    begin,
    starting_weights,
    starts_from_built_in,
)
from stream_detector.training.trainer import starting_network
from tests.fixtures_model import tiny_dataset


def weights_of(features: int) -> dict[str, Float32Array]:
    network = build_network(WINDOW_LENGTH, features, NETWORK, 5)
    return {variable.path: np.asarray(variable.numpy()) for variable in network.weights}


def inputs(features: int, width: int) -> list[Float32Array]:
    """Return four windows of so many features, the first of `width`."""
    values = np.random.default_rng(features).normal(size=(4, WINDOW_LENGTH, features)).astype(np.float32)
    wide = np.zeros((4, WINDOW_LENGTH, width), np.float32)
    shown = wide.copy()
    wide[:, :, :features], shown[:, :, :features] = values, 1.0
    return [wide, shown, np.ones((4, WINDOW_LENGTH), np.float32), np.zeros((4, 2 * width), np.float32)]


def tiny(config: TrainingConfig) -> Prepared:
    return prepare(tiny_dataset(), config)


@pytest.mark.parametrize("features", [1, 3, 31])
def test_a_network_of_few_features_begins_as_that_of_all_slots_without_the_others(features: int) -> None:
    small, all_slots = (build_network(WINDOW_LENGTH, size, NETWORK, 5) for size in (features, SLOTS))
    for network, size in ((small, features), (all_slots, SLOTS)):
        load_weights(network, begin(weights_of(size), starting_weights(), size))

    head, attention = small(inputs(features, features))
    wide_head, wide_attention = all_slots(inputs(features, SLOTS))

    np.testing.assert_allclose(attention, wide_attention, atol=1e-6)
    np.testing.assert_allclose(head[:, :, :features], wide_head[:, :, :features], atol=1e-5)
    np.testing.assert_allclose(head[:, :, features:], wide_head[:, :, SLOTS : SLOTS + features], atol=1e-5)


def test_features_beyond_the_slots_are_read_at_random_and_expected_to_stay() -> None:
    features, own, start = SLOTS + 3, weights_of(SLOTS + 3), starting_weights()

    begun = begin(own, start, features)

    assert {name: array.shape for name, array in begun.items()} == {name: array.shape for name, array in own.items()}
    np.testing.assert_array_equal(begun[ENCODER][SLOTS:features], own[ENCODER][SLOTS:features])
    np.testing.assert_array_equal(begun[ENCODER][: 2 * features : features], start[ENCODER][::SLOTS])
    assert not begun[ENCODER][2 * features :].any()
    assert not begun[HEAD][:, SLOTS:features].any()
    np.testing.assert_allclose(begun[HEAD][:, -1], start[HEAD][:, SLOTS:].mean(axis=1), rtol=1e-5)


def test_the_weights_of_the_package_are_finite_and_small() -> None:
    assert PLACE.stat().st_size < 200_000
    assert all(np.isfinite(array).all() for array in starting_weights().values())


@pytest.mark.parametrize(
    ("config", "starts"),
    [
        (TrainingConfig(), True),
        (TrainingConfig(network=NetworkSpec(dropout=0.2)), True),
        (TrainingConfig(from_scratch=True), False),
        (TrainingConfig(window_length=32), False),
        (TrainingConfig(network=NetworkSpec(units=32)), False),
        (TrainingConfig(network=NetworkSpec(uniform_attention=True)), False),
        (TrainingConfig(network=NetworkSpec(attention_units=None)), False),
        (TrainingConfig(network=NetworkSpec(decoder="context")), False),
    ],
)
def test_a_training_starts_from_them_unless_told_otherwise_or_of_another_shape(config: TrainingConfig, starts: bool) -> None:
    assert starts_from_built_in(config) is starts


def test_a_network_that_starts_from_them_expects_more_than_a_random_one_and_takes_fewer_steps() -> None:
    usual = TrainingConfig(seed=1, batch_size=8, max_windows=32, max_validation_windows=32, round_steps=1_000)
    scratch = replace(usual, from_scratch=True)

    first = [
        fit(starting_network(tiny(config)), tiny(replace(config, steps=1)), lambda *_: None) for config in (usual, scratch)
    ]
    totals: list[int] = []
    fit(starting_network(tiny(usual)), tiny(usual), lambda _, __, total, ___: totals.append(total))

    assert first[0].validation[0] < first[1].validation[0]
    assert len(totals) == totals[-1] == round(250 * STARTED_SHARE)
