"""What each rule finds, when its incident opens and closes, and that the outcome does not depend on the batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.detection.rules.changes import RuleChange
from stream_detector.detection.rules.limits import NEVER, LimitOptions, rule_limits
from stream_detector.readings import Float32Array
from stream_detector.state.known_sensors import UNKNOWN
from tests.detection.rules.rule_cases import Rules, assert_cuts_change_nothing, healthy_of, noise, read_in_turn

HEALTHY = healthy_of(noise(2000))


def story(changes: list[RuleChange]) -> list[tuple[str, str, int, str]]:
    return [(one.type, one.status, one.offset, " ".join(feature.name for feature in one.features)) for one in changes]


def test_a_reading_that_repeats_is_one_incident_of_all_features_within_seconds() -> None:
    values = noise(100, seed=1)
    values[50:80] = values[50]

    changes = Rules(HEALTHY).read(values)

    assert story(changes) == [("frozen", "opened", 58, "a b"), ("frozen", "closed", 83, "a b")]
    assert changes[0].what == "no value has changed for about 8 s (8 readings); healthy data never repeat a whole reading"
    assert [feature.readings for feature in changes[0].features] == [8, 8]
    assert changes[1].reason == "quiet"


def test_a_meter_that_stands_still_is_found_at_18_million_and_shown_as_it_reads() -> None:
    rises = np.abs(noise(120, features=1, seed=1)[:, 0].astype(np.float64)) / 3600  # so that they are as large per hour
    rises[50:90] = 0.0
    values = np.column_stack([noise(120, features=1, seed=2)[:, 0], 18_228_934.25 + np.cumsum(rises)])
    healthy = healthy_of(np.abs(noise(2000)))  # of the other feature, and of rises

    changes = Rules(healthy, counters=(1,)).read(values)

    assert story(changes) == [("frozen", "opened", 70, "b"), ("frozen", "closed", 93, "b")]
    assert changes[0].features[0].value == pytest.approx(values[70, 1], abs=1e-4)


def test_a_feature_that_repeats_is_found_alone_and_another_joins_its_incident() -> None:
    values = noise(150, seed=1)
    values[50:120, 0] = values[50, 0]
    values[80:120, 1] = values[80, 1]

    changes = Rules(HEALTHY).read(values)

    assert story(changes) == [
        ("frozen", "opened", 70, "a"),
        ("frozen", "updated", 88, "a b"),
        ("frozen", "closed", 123, "a b"),
    ]
    assert changes[0].what.startswith("a has not changed for about 20 s (20 readings); healthy data never repeat a value")
    assert {one.incident_offset for one in changes} == {70}


def test_a_value_that_moves_once_and_sticks_again_is_one_incident() -> None:
    values = noise(200, seed=1)
    values[50:150, 0] = 7.0
    values[[75, 80, 110], 0] = 8.0

    assert [one.status for one in Rules(HEALTHY, quiet_readings=40).read(values)] == ["opened", "updated", "closed"]


def test_a_missing_value_neither_ends_nor_extends_a_run() -> None:
    values = noise(150, seed=1)
    values[50:120, 0] = values[50, 0]
    values[51:120:2, 0] = np.nan

    (opened, *_) = [one for one in Rules(HEALTHY).read(values) if one.type == "frozen"]

    assert (opened.offset, [f.readings for f in opened.features]) == (90, [20])


def test_a_coarse_value_has_the_limit_that_its_healthy_repeats_need() -> None:
    coarse = np.round(noise(4000) / 1.5)
    longest = int(healthy_of(coarse).longest[0, 0])
    rules = Rules(healthy_of(coarse))

    assert rules.config.limits.unchanged[0, 0] >= 3 * longest > 9
    assert rules.read(np.round(noise(4000, seed=5) / 1.5)) == []


@pytest.mark.parametrize("changes", [0, 1, 15])
def test_a_flag_or_set_point_never_raises_the_rule_alone_but_freezes_with_the_others(changes: int) -> None:
    values = noise(2000)
    values[:, 1] = np.sort(np.random.default_rng(3).integers(0, changes + 1, 2000))
    rules, later = Rules(healthy_of(values)), noise(500, seed=1)
    later[:, 1] = 5.0

    assert rules.config.limits.unchanged[0, 1] == NEVER
    assert rules.read(later) == []
    later[:] = later[0]
    assert story(rules.read(later))[0][1] == "opened"


def test_context_features_never_raise_the_rule_alone() -> None:
    assert rule_limits(healthy_of(noise(2000), scored=[True, False]), ("a", "b"), LimitOptions()).unchanged[0].tolist() == [
        20,
        NEVER,
    ]


def test_a_feature_without_values_is_named_and_closes_when_it_is_back() -> None:
    values = noise(100, seed=1)
    values[30:70, 1] = np.nan

    changes = Rules(HEALTHY).read(values)

    assert story(changes) == [("missing_feature", "opened", 49, "b"), ("missing_feature", "closed", 73, "b")]
    assert changes[0].what == "b has given no value for about 20 s (20 readings); healthy data always have one"
    assert changes[1].what == "b gave values again about 4 s (4 readings) ago"


def test_a_feature_that_is_gone_is_told_beside_the_one_that_came_in_its_place() -> None:
    values = noise(60, seed=1)
    values[30:, 1] = np.nan
    came = dict.fromkeys(range(30, 60), ("bb", "bb"))

    (opened,) = Rules(HEALTHY).read(values, strangers={**came, 49: ("bb", "x")})
    (other,) = Rules(HEALTHY).read(values, strangers={**came, 49: ()})
    cut = Rules(HEALTHY)
    first = cut.read(values[:40])
    (second,) = cut.read(values[40:], strangers={9: ("bb", "x")})

    assert opened.offset == other.offset == 49
    assert other.what == "b has given no value for about 20 s (20 readings); healthy data always have one"
    assert opened.what == f"{other.what}; b is gone, and this reading has bb: renamed?"
    assert (first, second.what) == ([], opened.what)  # of the reading alone, wherever its batch begins


def test_only_what_changed_is_said_to_have_changed_again() -> None:
    """A flag is 1 before, while and after the machine stands still."""
    values = np.column_stack([noise(2100), np.repeat([0.0, 1.0], 1050)]).astype(np.float32)
    later = values[2000:]
    later[50:80] = later[50]

    changes = Rules(healthy_of(values[:2000])).read(later)

    assert story(changes) == [("frozen", "opened", 58, "a b c"), ("frozen", "closed", 83, "a b c")]
    assert changes[-1].what == "a, b changed again about 4 s (4 readings) ago"


def test_a_value_that_is_missing_is_not_said_to_be_back_in_range() -> None:
    values = noise(60, seed=1)
    values[30:40, 0] = 500.0
    values[40:, 0] = np.nan

    closed = next(one for one in Rules(HEALTHY).read(values) if one.type == "out_of_range" and one.status == "closed")

    assert closed.what == "The rule last applied about 4 s (4 readings) ago"


def test_an_update_after_the_last_fault_says_since_when_all_is_well() -> None:
    values = noise(200, seed=1)
    values[30:105, 1] = np.nan

    updates = [change.what for change in Rules(HEALTHY, quiet_readings=30).read(values) if change.status == "updated"]

    assert updates == ["b gave values again about 5 s (5 readings) ago"]


def test_a_feature_that_is_often_missing_in_healthy_data_needs_a_longer_gap() -> None:
    values = noise(4000)
    values[np.random.default_rng(4).random(4000) < 0.4, 1] = np.nan
    values[1000:1060, 1] = np.nan
    rules, later = Rules(healthy_of(values)), noise(300, seed=1)

    later[10:150, 1] = np.nan

    assert rules.read(later) == []
    assert rules.config.limits.absent[0, 1] >= 180


def test_error_codes_that_training_took_out_do_not_lengthen_the_healthy_gap() -> None:
    values, codes = noise(4000), np.zeros((4000, 2), np.bool_)
    codes[1000:1060, 1] = codes[np.random.default_rng(4).random(4000) < 0.2, 1] = True

    limits = rule_limits(healthy_of(values, removed=codes), ("a", "b"), LimitOptions())

    assert limits.absent[0, 1] == 20
    assert limits.longest_absent[0, 1] == 0


def test_a_feature_that_is_nearly_always_an_error_code_is_not_expected() -> None:
    codes = np.zeros((4000, 2), np.bool_)
    codes[:3000, 1] = True

    assert rule_limits(healthy_of(noise(4000), removed=codes), ("a", "b"), LimitOptions()).absent[0, 1] == NEVER


def test_limits_set_by_hand_apply_at_once_and_name_the_unit() -> None:
    options = LimitOptions(ranges={"a": (None, 15.0)}, units={"a": "bar"})
    values = noise(40, seed=1)
    values[20, 0] = 15.5

    opened, closed = Rules(HEALTHY, options).read(values)

    assert opened.what == "a is 15.5 bar, above 15 bar, the limit that is set for it"
    assert (opened.offset, closed.offset) == (20, 24)


def test_a_learned_range_is_left_by_values_far_beyond_it_only() -> None:
    values = noise(60, seed=1)
    values[20, 0], values[40, 0] = 20.0, -9999.0

    assert story(Rules(HEALTHY).read(values)) == [("out_of_range", "opened", 40, "a"), ("out_of_range", "closed", 44, "a")]


def test_a_sensor_that_the_model_does_not_know_has_the_largest_limit_and_learns_its_own_runs() -> None:
    rules = Rules(HEALTHY, rows=[UNKNOWN])
    coarse = np.repeat(noise(40, seed=2), 15, axis=0)  # every value is held for 15 readings: a healthy stranger

    changes = rules.read(coarse)

    assert story(changes)[0] == ("frozen", "opened", 8, "a b")
    assert all(one.offset < 60 for one in changes)
    assert rules.read(coarse) == []


def test_without_emitting_runs_are_counted_and_no_incident_opens() -> None:
    rules, values = Rules(HEALTHY), noise(60, seed=1)
    values[20:] = values[20]

    assert rules.read(values[:50], emits=False) == []
    assert story(rules.read(values[50:]))[0] == ("frozen", "opened", 50, "a b")


def test_updates_come_after_one_interval_then_twice_and_four_times_as_long_and_daily() -> None:
    values = np.repeat(noise(1, seed=1), 1000, axis=0)

    changes = Rules(HEALTHY).read(values)

    assert [(one.time_ms - changes[0].opened_ms) // 1000 for one in changes] == [0, 60, 120, 240, 480, 960]


reading = st.lists(st.sampled_from([1.0, 2.0, 3.0, np.nan, 50.0]), min_size=2, max_size=2)


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 2), reading), max_size=60),
    cuts=st.sets(st.integers(0, 60)),
    rows_of=st.lists(st.sampled_from([0, UNKNOWN]), min_size=3, max_size=3),
)
def test_the_outcome_does_not_depend_on_the_batches(
    rows: list[tuple[int, list[float]]], cuts: set[int], rows_of: list[int]
) -> None:
    options = LimitOptions(frozen_readings=5, frozen_row_readings=4, missing_readings=4, ranges={"a": (0.0, 40.0)})
    whole, parts = (Rules(HEALTHY, options, rows=rows_of, quiet_readings=3) for _ in range(2))

    assert_cuts_change_nothing(whole, parts, *read_in_turn(rows), cuts)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), digits=st.integers(0, 4), features=st.integers(1, 4))
def test_healthy_readings_of_any_resolution_are_quiet(seed: int, digits: int, features: int) -> None:
    values: Float32Array = np.round(noise(6000, features, seed), digits)

    assert Rules(healthy_of(values[:4000])).read(values[4000:]) == []


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), at=st.integers(1, 150), features=st.integers(2, 4))
def test_a_full_row_that_freezes_is_found_within_seconds(seed: int, at: int, features: int) -> None:
    values = noise(200, features, seed)
    values[at:] = values[at]

    (opened, *_) = Rules(healthy_of(noise(2000, features, seed + 1))).read(values)

    assert (opened.type, opened.offset, len(opened.features)) == ("frozen", at + 8, features)
