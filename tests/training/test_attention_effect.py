"""Attention learns how far the expectation moves without a step."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from stream_detector.evaluation.attention_check import AttentionCheck, check_attention
from stream_detector.model.artifact import NetworkSpec
from stream_detector.model.masked_autoencoder import MaskedAutoencoder, Windows
from stream_detector.model.network import build_network, hidden_rows
from stream_detector.model.network_reading import NetworkReading
from stream_detector.model.xla_forward import compile_forward
from stream_detector.readings import BoolArray, Float32Array
from stream_detector.training.attention_effect import TRIED_WINDOWS, effect_loss, without_a_step
from stream_detector.training.data_split import gather
from stream_detector.training.network_fit import fit
from stream_detector.training.preparation import TrainingConfig, prepare
from tests.fixtures_model import FEATURES as TINY_FEATURES
from tests.fixtures_model import WINDOW_LENGTH, tiny_dataset

STEPS, FEATURES = 6, 2
HIDDEN = 2  # of the newest rows


def shown(count: int) -> tuple[list[Float32Array], BoolArray]:
    """Return the inputs of windows whose steps count up from 0, with the newest rows hidden."""
    steps = np.minimum(np.arange(STEPS, dtype=np.float32), STEPS - HIDDEN - 1)
    values = np.tile(steps[:, np.newaxis], (count, 1, FEATURES)).reshape(count, STEPS, FEATURES)
    hidden = np.zeros((count, STEPS, FEATURES), np.bool_)
    hidden[:, -HIDDEN:] = True
    visible = np.asarray(~hidden, np.float32)
    return [values, visible, np.ones((count, STEPS), np.float32), np.zeros((count, 4), np.float32)], hidden


def test_one_visible_step_is_taken_from_each_window_and_carries_the_one_before_it() -> None:
    inputs, hidden = shown(TRIED_WINDOWS)

    (values, visible, observed, _), taken = without_a_step(inputs, hidden, np.random.default_rng(0))

    assert taken.sum(axis=1).tolist() == [1.0] * TRIED_WINDOWS
    steps = taken.argmax(axis=1)
    assert set(steps.tolist()) == {0, 1, 2, 3}
    for window, step in enumerate(steps.tolist()):
        expected = np.minimum(np.arange(STEPS), 3)
        expected[step] = step - 1 if step else 1
        if step == 3:
            expected[4:] = 2  # what is hidden carries the last visible one
        assert values[window, :, 0].tolist() == values[window, :, 1].tolist() == expected.tolist()
        assert visible[window, :, 0].tolist() == [float(at < 4 and at != step) for at in range(STEPS)]
        assert observed[window].tolist() == [float(at != step) for at in range(STEPS)]


def test_only_some_windows_are_tried_and_one_without_a_visible_step_not_at_all() -> None:
    inputs, hidden = shown(TRIED_WINDOWS + 5)
    inputs[1][3] = 0.0

    (values, *_), taken = without_a_step(inputs, hidden, np.random.default_rng(0))

    assert len(values) == len(taken) == TRIED_WINDOWS
    assert taken.sum(axis=1).tolist() == [1.0] * 3 + [0.0] + [1.0] * (TRIED_WINDOWS - 4)


def test_a_step_of_which_a_part_is_hidden_keeps_that_part() -> None:
    inputs, hidden = shown(TRIED_WINDOWS)
    hidden[:, :, 1] = False
    inputs[0][:, -HIDDEN:, 1], inputs[1][:] = [4.0, 5.0], ~hidden

    (values, visible, *_), taken = without_a_step(inputs, hidden, np.random.default_rng(0))

    newest = np.flatnonzero(taken[:, -1])
    assert len(newest)
    assert (values[newest, -1] == [3.0, 4.0]).all()
    assert not visible[newest, -1].any()


def test_the_least_loss_is_at_weights_in_proportion_to_how_far_the_expectation_moves() -> None:
    """Without step t of three, the centre moves by 0.3, 0.1 and 0 spreads: the weights go to 3/4, 1/4 and 0."""
    moves = np.array([0.3, 0.1, 0.0], np.float32)
    head, taken = np.zeros((3, 1, 2), np.float32), np.eye(3, dtype=np.float32)
    head[:, :, 1] = 2.0  # spread
    other = head.copy()
    other[:, 0, 0] = 2.0 * moves
    scores = tf.Variable(tf.zeros(3))

    for _ in range(400):
        with tf.GradientTape() as tape:
            attention = tf.tile(tf.nn.softmax(scores)[tf.newaxis], (3, 1))
            loss = effect_loss(tf.constant(head), other, np.ones((3, 1, 1), np.float32), attention, taken)
        scores.assign_sub(1.0 * tape.gradient(loss, scores))

    assert tf.nn.softmax(scores).numpy() == pytest.approx([0.75, 0.25, 0.0], abs=0.01)


def test_only_attention_learns_by_it() -> None:
    head = tf.Variable(np.ones((2, 1, 2), np.float32))
    attention = tf.Variable(np.full((2, 3), 1 / 3, np.float32))

    with tf.GradientTape() as tape:
        loss = effect_loss(head, 2.0 * head, np.ones((2, 1, 1), np.float32), attention, np.eye(3, dtype=np.float32)[:2])
    of_head, of_attention = tape.gradient(loss, [head, attention])

    assert of_head is None or not np.any(of_head)
    assert np.count_nonzero(of_attention) == 2


def checked(*, free: bool) -> AttentionCheck:
    """Fit a small network, and check its attention on windows that it was not fitted on."""
    config = TrainingConfig(
        window_length=WINDOW_LENGTH, network=NetworkSpec(units=8), steps=150, batch_size=64, free_attention=free
    )
    prepared = prepare(tiny_dataset(), config)
    network = build_network(WINDOW_LENGTH, len(TINY_FEATURES), config.network)
    fit(network, prepared, lambda *_: None)
    rows = hidden_rows(WINDOW_LENGTH)
    autoencoder = MaskedAutoencoder(compile_forward(network), prepared.scales.fleet, prepared.scored, rows)
    ends = prepared.split.calibration
    scales, windows = prepared.scales.of(prepared.dataset.codes[ends]), gather(prepared.dataset.values, ends, WINDOW_LENGTH)
    read = Windows.of(*prepared.imputation.fill(windows, scales), scales.location, scales.deviation)
    attention = np.array(autoencoder.expect(read)[2])
    reading = NetworkReading(autoencoder, prepared.imputation)
    found = check_attention(reading, windows, scales, attention, random=np.random.default_rng(0))
    assert found is not None
    return found


def test_what_a_trained_network_attends_to_moves_its_expectation_more_than_where_attention_is_free() -> None:
    fitted, free = checked(free=False), checked(free=True)

    assert fitted.win_rate > 0.8 > free.win_rate
    assert fitted.change > 2.0 * fitted.random_change
