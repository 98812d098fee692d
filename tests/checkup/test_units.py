"""Whether a feature arrives in another unit than the model learned."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.checkup.units import misfit


def of(*medians: float, low: float = 55.0, high: float = 66.0) -> tuple[bool, str]:
    """Return whether these sensors' medians are far off, and what they look like."""
    sensors = len(medians)
    found = misfit(np.array(medians), np.full(sensors, low), np.full(sensors, high))
    if found is None:
        return False, ""
    return True, found.conversion.text if found.conversion else ""


@pytest.mark.parametrize(
    ("median", "says"),
    [
        (60_000.0, "1000 times"),
        (0.06, "divided by 1000"),
        (140.0, "°F in place of °C"),  # 60 °C
        (333.15, "K in place of °C"),
        (600.0, "10 times"),
        (6.0, "divided by 10"),
        (0.6, "divided by 100"),
    ],
)
def test_a_usual_mix_up_of_units_is_named(median: float, says: str) -> None:
    is_off, text = of(median)

    assert is_off
    assert says in text


def test_values_that_no_mix_up_explains_are_said_without_one() -> None:
    assert of(-500.0) == (True, "")


def test_values_within_or_near_the_healthy_range_are_well() -> None:
    assert [of(median)[0] for median in (60.0, 55.0, 48.0, 76.0)] == [False] * 4


def test_one_sensor_of_many_that_is_off_is_a_fault_of_its_own_and_no_other_unit() -> None:
    assert not of(60.0, 61.0, 60_000.0)[0]
    assert of(60.0, 60_000.0, 60_000.0)[0]


def test_a_feature_that_hardly_varies_in_training_may_vary_a_little() -> None:
    assert not of(101.5, low=101.3, high=101.3)[0]
    assert of(1.013, low=101.3, high=101.3)[0]


def test_without_a_value_or_a_range_nothing_is_said() -> None:
    assert misfit(np.array([np.nan, 5.0]), np.array([0.0, np.nan]), np.array([1.0, np.nan])) is None
