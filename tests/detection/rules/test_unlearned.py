"""What stands still or is missing is found without a training, from what the sensor itself showed before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream_detector.detection.rules.changes import RuleChange
from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.detection.rules.limits import LimitOptions
from stream_detector.readings import Float32Array, Int64Array
from stream_detector.state.known_sensors import UNKNOWN
from tests.detection.rules.rule_cases import Rules, assert_cuts_change_nothing, healthy_of, noise
from tests.examples import examples

OWN = LimitOptions()
WINDOW = 64


def rules(features: int = 2, own: LimitOptions = OWN, sensors: int = 1) -> Rules:
    return Rules(HealthyData.none(1, features), rows=[UNKNOWN] * sensors, length=WINDOW, own=own)


def story(changes: Sequence[RuleChange]) -> list[tuple[str, str, int, str]]:
    return [(one.type, one.status, one.offset, " ".join(each.name for each in one.features)) for one in changes]


def ends(changes: Sequence[RuleChange]) -> list[tuple[str, str, int, str]]:
    return [one for one in story(changes) if one[1] != "updated"]


def test_a_lively_feature_that_stops_is_found_after_20_readings_until_it_moves_however_long_that_takes() -> None:
    values = noise(700, seed=1)
    values[100:600, 0] = values[100, 0]

    changes = rules().read(values)

    assert ends(changes) == [("frozen", "opened", 120, "a"), ("frozen", "closed", 603, "a")]
    assert changes[0].what == "a has not changed for about 20 s (20 readings); before, no value repeated"
    assert changes[0].features[0].readings == 20


def test_a_machine_that_stops_as_a_whole_is_found_after_8_readings_until_a_value_moves() -> None:
    values = noise(700, features=3, seed=1)
    values[:, 2] = 5.0  # a set point
    values[100:600] = values[100]

    changes = rules(3).read(values)

    assert ends(changes) == [("frozen", "opened", 108, "a b c"), ("frozen", "closed", 603, "a b c")]
    assert changes[0].what.startswith("no value has changed for about 8 s (8 readings); before, nearly every reading")


def test_a_reading_without_any_value_does_not_end_the_incident_of_a_frozen_machine() -> None:
    values = noise(400, seed=1)
    values[100:300] = values[100]
    values[[200, 202]] = np.nan

    assert ends(rules().read(values)) == [("frozen", "opened", 108, "a b"), ("frozen", "closed", 303, "a b")]


@pytest.mark.parametrize("at", [10, 20, 22, 30])
def test_nothing_is_claimed_before_a_sensor_has_shown_that_its_values_change(at: int) -> None:
    values = noise(300, seed=1)
    values[at:] = values[at]

    assert (rules().read(values) == []) == (at < 22)


HELD: dict[str, Callable[[np.random.Generator], NDArray[Any]]] = {
    "a flag": lambda random: random.random(1200) < 0.01,
    "a set point": lambda random: np.cumsum(random.random(1200) < 0.003),
    "a coarse value": lambda random: np.round(random.normal(size=1200) / 1.5),
    "a slow coarse value": lambda random: np.round(np.cumsum(random.normal(size=1200)) / 3),
    "a value held by exception": lambda random: np.repeat(random.normal(size=1200), random.integers(1, 30, 1200))[:1200],
    "a value that is held for two readings": lambda random: np.repeat(random.normal(size=600), 2),
    "a constant": lambda random: np.repeat(random.normal(size=1), 1200),
}


@pytest.mark.parametrize("kind", HELD)
@pytest.mark.parametrize("seed", range(3))
def test_values_that_stand_still_by_themselves_never_count_as_frozen(kind: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = np.column_stack([HELD[kind](random), HELD[kind](random), HELD[kind](random)]).astype(np.float32)

    assert rules(3).read(values) == []
    values[:, 2] = random.normal(size=len(values))  # beside one that is lively
    assert rules(3).read(values) == []


def test_a_sensor_that_stood_still_before_needs_three_times_as_long() -> None:
    values = noise(700, features=1, seed=1)
    values[100:130] = values[100]
    values[200:280] = values[200]
    values[300:600] = values[300]

    changes = rules(1).read(values)

    assert [one[1:3] for one in ends(changes)] == [("opened", 120), ("closed", 133), ("opened", 537), ("closed", 603)]
    assert changes[2].what.endswith("before, values repeated at most 79 times in a row")


def test_a_feature_without_values_is_found_after_20_readings_until_it_is_back() -> None:
    values = noise(700, seed=1)
    values[100:600, 1] = np.nan

    changes = rules().read(values)

    assert ends(changes) == [("missing_feature", "opened", 119, "b"), ("missing_feature", "closed", 603, "b")]
    assert changes[0].what == "b has given no value for about 20 s (20 readings); before, every reading had one"


def test_a_feature_that_never_had_a_value_is_not_missing() -> None:
    values = noise(700, seed=1)
    values[:, 1] = np.nan

    assert rules().read(values) == []


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_values_that_come_and_go_are_not_missing(share: float) -> None:
    values = noise(3000, seed=1)
    values[np.random.default_rng(4).random(3000) < share, 1] = np.nan
    values[1000:1060, 1] = np.nan

    assert rules().read(values) == []


def test_a_feature_that_is_there_only_while_the_machine_runs_is_named_at_its_first_stop_only() -> None:
    values = noise(3000, seed=1)
    values[(np.arange(3000) // 150) % 2 == 1, 1] = np.nan

    assert ends(rules().read(values)) == [("missing_feature", "opened", 169, "b"), ("missing_feature", "closed", 303, "b")]


def test_a_model_closes_the_incidents_under_its_own_limits_with_their_ids() -> None:
    values = noise(400, seed=1)
    values[100:300, 0] = values[100, 0]
    values[150:300, 1] = np.nan
    both = rules()
    opened = [one for one in both.read(values[:200]) if one.status == "opened"]
    both.config = replace(Rules(healthy_of(noise(2000)), length=WINDOW).config, own=None)

    closed = [one for one in both.read(values[200:]) if one.status != "updated"]

    assert [one.type for one in opened] == ["frozen", "missing_feature"]
    assert [(one.type, one.status, one.incident_offset) for one in closed] == [
        (one.type, "closed", one.incident_offset) for one in opened
    ]
    assert not both.states.read(np.zeros(1, np.int32))["longest_absent"].any()


def test_runs_that_were_read_again_without_emitting_are_found_too() -> None:
    values = noise(300, seed=1)
    values[100:, 0] = values[100, 0]
    again = rules()

    assert again.read(values[:290], emits=False) == []
    assert story(again.read(values[290:])) == [("frozen", "opened", 290, "a")]


SOON = LimitOptions(frozen_readings=5, frozen_row_readings=4, missing_readings=4, healthy_factor=1.0, chance=0.5)


@st.composite
def streams(draw: st.DrawFn) -> tuple[Float32Array, Int64Array]:
    """Draw readings of two sensors that are lively, but for stretches in which some features stand still or are missing."""
    count = draw(st.integers(60, 320))
    values = noise(count, 3, draw(st.integers(0, 1000)))
    sensors = np.arange(count, dtype=np.int64) % draw(st.integers(1, 2))
    for _ in range(draw(st.integers(0, 6))):
        first, length = draw(st.integers(0, count - 1)), draw(st.integers(1, 150))
        chosen = np.flatnonzero((sensors == draw(st.integers(0, 1))) & (np.arange(count) >= first))[:length]
        columns = sorted(draw(st.sets(st.integers(0, 2), min_size=1)))
        if len(chosen):
            held = values[chosen[0], columns] if draw(st.booleans()) else np.float32(np.nan)
            values[chosen[:, None], columns] = held
    return values, sensors


@settings(deadline=None, max_examples=examples(60))
@given(stream=streams(), cuts=st.sets(st.integers(0, 320)), limits=st.sampled_from([OWN, SOON]))
def test_the_outcome_does_not_depend_on_the_batches(
    stream: tuple[Float32Array, Int64Array], cuts: set[int], limits: LimitOptions
) -> None:
    whole, parts = (rules(3, limits, sensors=2) for _ in range(2))

    assert_cuts_change_nothing(whole, parts, *stream, cuts)
