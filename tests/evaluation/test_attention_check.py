"""The check of attention, on networks whose expectation is known: what it shows of true, wrong and even weights."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from stream_detector.evaluation.attention_check import AttentionCheck, check_attention
from stream_detector.evaluation.explanation_words import explanation_lines
from stream_detector.readings import BoolArray, Float32Array
from stream_detector.state.running_scale import Scales

STEPS, HIDDEN, READ = 22, 2, 20  # one of the 20 steps that are read is 5 %
WINDOWS = 60


class OneStep:
    """An Expecter that expects the values of one step of each window [N] in all hidden rows, and 0 without that step."""

    hidden_rows = HIDDEN

    def __init__(self, read: list[int]) -> None:
        self.read = np.array(read)
        self.taken: list[BoolArray] = []

    def expect_without(self, windows: Float32Array, scales: Scales, steps: BoolArray) -> tuple[Float32Array, Float32Array]:
        """See Expecter."""
        assert len(scales.location) == len(windows) == len(steps)
        self.taken.append(steps)
        rows = np.arange(len(windows))
        values = np.where(steps[rows, self.read][:, np.newaxis], 0.0, windows[rows, self.read])
        centre = np.repeat(values[:, np.newaxis].astype(np.float32), HIDDEN, axis=1)
        return centre, np.full_like(centre, 0.5)


def ones(count: int = WINDOWS) -> Float32Array:
    return np.ones((count, STEPS, 3), np.float32)


def all_on(steps: list[int]) -> Float32Array:
    """Return weights [N, T] that are all on one step of each window."""
    return np.asarray(np.eye(STEPS, dtype=np.float32)[steps])


def measure(network: OneStep, attention: Float32Array, windows: Float32Array | None = None) -> AttentionCheck | None:
    windows = ones(len(attention)) if windows is None else windows
    scales = Scales(np.zeros((len(windows), 3), np.float32), np.ones((len(windows), 3), np.float32))
    return check_attention(network, windows, scales, attention, random=np.random.default_rng(0))


def told(found: AttentionCheck | None) -> str:
    assert found is not None
    (line,) = explanation_lines({"attention": asdict(found)})
    return line


def test_attention_to_the_one_step_that_is_read_moves_the_expectation_by_all_of_it() -> None:
    read = [number % READ for number in range(WINDOWS)]

    found = measure(OneStep(read), all_on(read))

    assert found is not None
    assert (found.windows, found.steps) == (WINDOWS, 1)
    assert found.change == 2.0  # a value of 1, in spreads of 0.5
    assert found.random_change == pytest.approx(2.0 / READ, abs=0.05)  # a draw hits the step once in 20
    assert found.newest_change == pytest.approx(2.0 / READ)  # the newest step that is read is that of three windows
    assert found.win_rate == pytest.approx(1.0 - 0.5 / READ, abs=0.02)
    assert found.ratio() == pytest.approx(READ, rel=0.5)
    assert told(found).startswith("Attention shows where the network looks, and not what is wrong:")
    assert told(found).endswith("it follows what is in the window.")


def test_attention_to_a_step_that_is_not_read_is_said_not_to_matter() -> None:
    found = measure(OneStep([3] * WINDOWS), all_on([7] * WINDOWS))

    assert found is not None
    assert found.change == 0.0
    assert found.more < 0.0
    assert told(found).startswith("Leave attention out of account, for the readings with the most of it matter less")


def test_attention_to_the_same_place_in_each_window_is_not_said_to_follow_them() -> None:
    found = measure(OneStep([3] * WINDOWS), all_on([3] * WINDOWS))

    assert found is not None
    assert (found.other_change, found.other_win_rate) == (2.0, 0.5)
    assert told(found).startswith("Attention shows where the network looks, and not what is wrong:")
    assert told(found).endswith("it may look alike in every window, whatever is in it.")


def test_even_weights_tell_nothing() -> None:
    found = measure(OneStep([3] * WINDOWS), np.full((WINDOWS, STEPS), 1.0 / STEPS, np.float32))

    assert found is not None
    assert found.win_rate == pytest.approx(0.5, abs=0.05)
    assert "cannot be told here" in told(found)


def test_a_single_window_does_not_tell() -> None:
    found = measure(OneStep([3]), all_on([3]))

    assert found is not None
    assert (found.more_error, found.win_error, found.other_change) == (None, None, None)
    assert "cannot be told here" in told(found)


def test_only_steps_that_are_read_and_have_a_value_are_taken_away() -> None:
    network, windows = OneStep([3] * 4), ones(4)
    windows[:, 5:19] = np.nan
    windows[0, :5, :2] = np.nan  # a step with a single value has one

    measure(network, np.tile(np.arange(STEPS, dtype=np.float32), (4, 1)), windows)

    taken = np.stack(network.taken[1:])
    assert not taken[:, :, 5:19].any()
    assert not taken[:, :, READ:].any()
    assert (taken.sum(axis=2) == 1).all()
    assert taken[0, :, READ - 1].all()  # the largest weight of a step that is read


def test_windows_without_a_value_before_the_hidden_rows_are_left_out() -> None:
    windows = ones(4)
    windows[:3, :READ] = np.nan

    found = measure(OneStep([3]), all_on([3] * 4), windows)

    assert found is not None
    assert found.windows == 1
    assert measure(OneStep([3]), all_on([3]), windows[:1]) is None


def test_where_nothing_is_read_there_is_no_ratio() -> None:
    found = measure(OneStep([3] * 5), all_on([3] * 5), np.zeros((5, STEPS, 3), np.float32))

    assert found is not None
    assert found.ratio() is None
    assert found.win_rate == 0.5


def test_equal_generators_give_equal_results() -> None:
    assert measure(OneStep([3] * 9), all_on([3] * 9)) == measure(OneStep([3] * 9), all_on([3] * 9))
