"""A feature that goes back and forth far more often than healthy data is found, and one that healthily does so is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.detection.rules.limits import LimitOptions, rule_limits
from stream_detector.readings import Float32Array
from stream_detector.state.known_sensors import UNKNOWN
from tests.detection.rules.rule_cases import Rules, assert_cuts_change_nothing, healthy_of, noise, read_in_turn


def opened_at(rules: Rules, values: Float32Array) -> list[int]:
    """Return at which readings flapping opened."""
    return [one.offset for one in rules.read(values) if (one.type, one.status) == ("flapping", "opened")]


def with_switch(count: int, held: int, seed: int = 0) -> Float32Array:
    """Return readings of a continuous signal and a switch that is held for so many readings, on and off."""
    values = noise(count, 2, seed)
    values[:, 1] = np.arange(count) // held % 2
    return values


def test_a_switch_that_goes_on_and_off_all_the_time_is_one_incident_until_it_rests() -> None:
    values = with_switch(400, held=1000)
    values[100:200, 1] = np.arange(100) // 5 % 2  # on for 5 readings, off for 5

    opened, *_, closed = Rules(healthy_of(with_switch(4000, held=500))).read(values)

    assert (opened.type, opened.status, opened.offset) == ("flapping", "opened", 140)  # the eighth change after that at 105
    assert opened.what == (
        "b goes back and forth: 8 times, each within about 32 s (32 readings) of the time before; healthy data do so at most "
        "2 times"
    )
    assert [(feature.name, feature.readings) for feature in opened.features] == [("b", 8)]
    assert (closed.status, closed.reason, closed.offset) == ("closed", "quiet", 200 + 32)


@pytest.mark.parametrize("held", [1, 2, 6, 20, 40])
def test_a_switch_that_healthily_goes_on_and_off_is_quiet(held: int) -> None:
    assert opened_at(Rules(healthy_of(with_switch(4000, held))), with_switch(2000, held, seed=1)) == []


def test_a_switch_that_cycles_is_found_when_it_does_so_much_faster() -> None:
    rules = Rules(healthy_of(with_switch(4000, held=20)))

    assert opened_at(rules, with_switch(400, held=4)) == [32]


def test_a_loose_contact_is_found_in_a_noisy_signal() -> None:
    values = noise(300, seed=1)
    values[100:140:2, 0] = 0.0  # ten deviations off, and back

    (at,) = opened_at(Rules(healthy_of(noise(4000))), values)

    assert 104 <= at <= 120


def test_values_that_come_and_go_are_found_and_those_that_healthily_do_are_not() -> None:
    values = noise(300, seed=1)
    values[100:160:2, 1] = np.nan
    rare = noise(4000)
    rare[np.random.default_rng(2).random(4000) < 0.3, 1] = np.nan

    assert opened_at(Rules(healthy_of(noise(4000))), values) == [106]
    assert opened_at(Rules(healthy_of(rare[:2000])), rare[2000:]) == []


def test_a_ramp_is_no_flapping() -> None:
    values = noise(300, seed=1)
    values[100:, 0] += 20.0 * np.arange(200)

    assert opened_at(Rules(healthy_of(noise(4000))), values) == []


def test_a_set_point_that_operators_move_is_no_flapping() -> None:
    values = with_switch(1000, held=50)

    assert opened_at(Rules(healthy_of(with_switch(4000, held=900))), values) == []


def test_a_sensor_that_the_model_does_not_know_needs_larger_steps() -> None:
    healthy = healthy_of(noise(4000))
    limits = rule_limits(healthy, ("a", "b"), LimitOptions()).flapping

    assert np.allclose(limits.step[UNKNOWN], 3 * limits.step[0])
    assert opened_at(Rules(healthy, rows=[UNKNOWN]), noise(2000, seed=1) * 2) == []


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), digits=st.integers(0, 4), smooth=st.sampled_from([0.0, 0.9, 0.99]))
def test_healthy_signals_of_any_kind_are_quiet(seed: int, digits: int, smooth: float) -> None:
    values = noise(9000, 2, seed)
    for at in range(1, len(values)):
        values[at] = smooth * values[at - 1] + (1 - smooth) * values[at]
    values = np.round(values, digits)

    assert opened_at(Rules(healthy_of(values[:6000])), values[6000:]) == []


value = st.sampled_from([0.0, 0.5, 1.0, np.nan])


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 2), st.lists(value, min_size=2, max_size=2)), max_size=60),
    cuts=st.sets(st.integers(0, 60)),
)
def test_the_outcome_does_not_depend_on_the_batches(rows: list[tuple[int, list[float]]], cuts: set[int]) -> None:
    healthy, options = healthy_of(with_switch(3000, held=20)), LimitOptions(flapping_turns=3, healthy_factor=1.0)
    whole, parts = (Rules(healthy, options, rows=[0, 0, UNKNOWN], quiet_readings=3) for _ in range(2))

    assert_cuts_change_nothing(whole, parts, *read_in_turn(rows), cuts)
