"""Single values that jump away and back are told from what a process does."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.readings import Float64Array
from stream_detector.training.jumps import find_jumps

COUNT = 3000
RNG = np.random.default_rng(3)
COURSE = 40 + 5 * np.sin(np.arange(COUNT) / 50) + RNG.normal(0, 0.2, COUNT)


def with_jumps(share: float, smallest: float = 5.0, largest: float = 150.0, sign: int = 0) -> tuple[Float64Array, set[int]]:
    at = np.flatnonzero(RNG.random(COUNT) < share)
    sizes = np.exp(RNG.uniform(np.log(smallest), np.log(largest), len(at)))
    values = COURSE.copy()
    values[at] += sizes * (sign or RNG.choice([-1, 1], len(at)))
    return values, set(at.tolist())


@pytest.mark.parametrize("share", [0.006, 0.01, 0.02])
def test_jumps_by_random_distances_are_found_and_hardly_anything_else(share: float) -> None:
    values, at = with_jumps(share)

    found = set(np.flatnonzero(find_jumps(values)).tolist())

    assert len(found & at) >= 0.95 * len(at)
    assert len(found - at) <= 0.2 * len(at)


@pytest.mark.parametrize(
    "values",
    [
        COURSE,
        np.round(COURSE),
        np.full(COUNT, 4.0),
        COURSE + np.where(np.arange(COUNT) % 100 == 0, 20.0, 0.0),  # a job that runs now and then
        with_jumps(0.02, sign=1)[0],  # bursts
        with_jumps(0.02, 20.0, 25.0)[0],  # of one size
        with_jumps(0.1)[0],  # often
        with_jumps(0.001)[0],  # hardly ever
        np.cumsum(np.random.default_rng(1).standard_t(2, COUNT)),
        np.random.default_rng(2).standard_t(2, COUNT),  # of all sizes
        np.random.default_rng(2).lognormal(0, 1, COUNT),
        np.repeat(RNG.normal(0, 1, COUNT // 10), 10),
        np.where(np.arange(COUNT) // 50 % 2 == 0, 1.0, 80.0) + RNG.normal(0, 0.1, COUNT),
    ],
)
def test_what_a_process_does_is_left_alone(values: Float64Array) -> None:
    assert not find_jumps(values).any()
