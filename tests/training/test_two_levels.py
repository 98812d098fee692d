"""Which features run at two levels, and how much of the time at each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_detector.readings import Float64Array
from stream_detector.tables.dataset import Dataset
from stream_detector.training.two_levels import find_two_levels
from tests.fixtures_model import tiny_dataset

ROWS = 1000
RNG = np.random.default_rng(3)
#: Off for 100 of 500 readings, with a few on the way between.
ON = np.interp(np.arange(ROWS) % 500, [0, 5, 395, 400, 499], [0.0, 1.0, 1.0, 0.0, 0.0])


def with_first(*signals: Float64Array) -> Dataset:
    """Return a sensor for each signal, as its first feature; the second is noise."""
    dataset = tiny_dataset(sensors=len(signals), readings=ROWS)
    return replace(dataset, values=np.column_stack([np.concatenate(signals), RNG.normal(size=ROWS * len(signals))]))


def test_a_machine_that_is_on_or_off_is_told_by_the_levels_of_its_sensors() -> None:
    pumps = [40.0 + 5 * n for n in range(3)]

    (found,) = find_two_levels(with_first(*(level * ON + RNG.normal(0, 1, ROWS) for level in pumps)), np.ones(2, np.bool_))

    assert found.feature == "temperature"
    assert found.low == pytest.approx(0.0, abs=0.5)
    assert found.high == pytest.approx(45.0, abs=0.5)
    assert found.low_share == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(
    "signal",
    [
        pytest.param(RNG.normal(size=ROWS), id="noise"),
        pytest.param(np.sin(np.arange(ROWS) / 30), id="a wave"),
        pytest.param(np.cumsum(RNG.normal(size=ROWS)), id="a random walk"),
        pytest.param(np.full(ROWS, 7.0), id="a constant"),
        pytest.param(np.where(np.arange(ROWS) < 10, 100.0, 0.0) + RNG.normal(size=ROWS), id="a rare level"),
        pytest.param(np.full(ROWS, np.nan), id="nothing"),
        pytest.param(RNG.uniform(size=ROWS), id="anything between"),
        pytest.param(RNG.integers(0, 3, ROWS).astype(float), id="three levels"),
    ],
)
def test_what_runs_at_any_level_has_no_two(signal: Float64Array) -> None:
    assert find_two_levels(with_first(signal), np.ones(2, np.bool_)) == ()


def test_context_features_and_a_minority_of_the_sensors_do_not_count() -> None:
    pump = 40.0 * ON + RNG.normal(0, 1, ROWS)

    assert find_two_levels(with_first(pump), np.array([False, True])) == ()
    assert find_two_levels(with_first(pump, RNG.normal(size=ROWS), RNG.normal(size=ROWS)), np.ones(2, np.bool_)) == ()
