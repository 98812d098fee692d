"""What the network usually attends to, by sensor."""

from __future__ import annotations

from functools import partial

import numpy as np

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.model.artifact import Artifact, NetworkSpec
from stream_detector.model.masked_autoencoder import MaskedAutoencoder, Windows
from stream_detector.model.network import build_network, hidden_rows
from stream_detector.model.tiles import Tiles
from stream_detector.model.xla_forward import forward
from stream_detector.model_store.validation import AUTOENCODER
from stream_detector.readings import Float32Array, Int64Array
from stream_detector.training.attention_fit import MOST_WINDOWS, fit_usual_attention
from stream_detector.training.data_split import timed_windows
from stream_detector.training.preparation import Prepared, TrainingConfig, prepare
from tests.fixtures_model import WINDOW_LENGTH, tiny_dataset

SENSORS = ("pump-0", "pump-2", "pump-1")


def prepared_fleet() -> Prepared:
    return prepare(tiny_dataset(sensors=3), TrainingConfig(window_length=WINDOW_LENGTH, network=NetworkSpec(units=4)))


def network_of(prepared: Prepared) -> MaskedAutoencoder:
    network = build_network(WINDOW_LENGTH, 2, prepared.config.network, seed=5)
    return MaskedAutoencoder(partial(forward, network), prepared.scales.fleet, prepared.scored, hidden_rows(WINDOW_LENGTH))


def fitted(prepared: Prepared, ends: Int64Array) -> Float32Array:
    tiles = Tiles(WINDOW_LENGTH, 2, 48, prepared.imputation)
    return fit_usual_attention(network_of(prepared), tiles, prepared, ends, SENSORS)


def test_it_is_the_mean_attention_over_windows_of_the_sensor_that_nothing_was_fitted_on() -> None:
    prepared = prepared_fleet()
    ends = prepared.split.calibration
    codes = prepared.dataset.codes[ends]
    few = np.concatenate([ends[codes == code][:5] for code in range(3)])

    usual = fitted(prepared, few)

    assert usual.shape == (3, WINDOW_LENGTH)
    np.testing.assert_allclose(usual.sum(axis=1), 1.0, atol=2e-3)
    for row, code in enumerate((0, 2, 1)):
        chosen = ends[codes == code][:5]
        windows = timed_windows(prepared.dataset, chosen, WINDOW_LENGTH)
        scales = prepared.scales.of(prepared.dataset.codes[chosen])
        read = Windows.of(*prepared.imputation.fill(windows, scales), scales.location, scales.deviation)
        expected = np.array(network_of(prepared).expect(read)[2]).mean(axis=0)
        np.testing.assert_allclose(usual[row], expected, atol=5e-4)
    assert np.array_equal(usual, usual.astype(np.float16))


def test_more_windows_than_are_needed_change_little_and_not_the_sum() -> None:
    prepared = prepared_fleet()
    assert np.bincount(prepared.dataset.codes[prepared.split.calibration]).min() > MOST_WINDOWS

    usual = fitted(prepared, prepared.split.calibration)

    np.testing.assert_allclose(usual.sum(axis=1), 1.0, atol=2e-3)


def test_a_trained_model_has_it_for_each_sensor_only_if_the_network_is_a_member(tiny_artifact: Artifact) -> None:
    table = tiny_artifact.calibration.sensors

    has_network = AUTOENCODER in tiny_artifact.spec.members
    assert table.attention.shape == ((len(table), WINDOW_LENGTH) if has_network else (0, 0))
    assert (KerasScorer(tiny_artifact).network is not None) == has_network
