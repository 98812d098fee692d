"""Limits of `frozen` where values are held: report by exception is quiet while nothing changes, and that is no repeat."""

from __future__ import annotations

import numpy as np

from stream_detector.detection.rules.limits import NEVER, LimitOptions, rule_limits
from stream_detector.readings import BoolArray, Float32Array
from tests.detection.rules.rule_cases import healthy_of

ROWS = 3000


def limit_of(values: Float32Array, held: BoolArray | None) -> int:
    """Return the limit of the first feature, of ROWS readings [N], some held."""
    healthy = healthy_of(values[:, None], held=None if held is None else held[:, None])
    return int(rule_limits(healthy, ("a",), LimitOptions()).unchanged[0, 0])


def steps(length: int) -> Float32Array:
    """Return values that change every so many readings."""
    return (np.arange(ROWS) // length).astype(np.float32)


def test_a_feature_that_is_sent_when_it_changes_is_frozen_after_the_fewest_repeats_that_are_sent() -> None:
    values, is_held = steps(30), np.arange(ROWS) % 30 != 0

    assert limit_of(values, is_held) == 20
    assert limit_of(values, None) > 3 * 29  # sent each time, the same values are runs of 29 repeats


def test_repeats_that_are_sent_while_it_is_quiet_count() -> None:
    # Every tenth reading is sent: of 299 pairs of sent values 200 repeat, and ln(1e-8) / ln(203 / 302) is 46.4.
    assert limit_of(steps(30), np.arange(ROWS) % 10 != 0) == 47


def test_a_flag_that_is_sent_when_it_changes_is_still_a_flag() -> None:
    values, is_held = steps(60), np.arange(ROWS) % 60 != 0  # 49 changes are 1.6 % of the readings

    assert limit_of(values, is_held) == limit_of(values, None) == NEVER
