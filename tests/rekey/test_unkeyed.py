"""Which topics count as unkeyed, on samples made by hand."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.rekey.unkeyed import Sighting, describe, find_spread, is_spread


def sighted(sensor: str, partitions: str, *, has_key: bool = False) -> list[Sighting]:
    """Return a sensor's sightings, one a second: `0011` is twice in partition 0, then twice in 1."""
    return [Sighting(1000 * second, int(partition), second, sensor, has_key) for second, partition in enumerate(partitions)]


@pytest.mark.parametrize("partitions", ["0000000", "00001111", "000111222", "0" * 50 + "1", "01", "0011", "0000100001"[:7]])
def test_a_sensor_that_stays_or_moves_once_to_each_partition_is_not_spread(partitions: str) -> None:
    assert not is_spread([int(one) for one in partitions])


@pytest.mark.parametrize("partitions", ["0101", "012012", "0000111100001111", "00120102", "000111000111000"])
def test_a_sensor_that_comes_back_twice_is_spread_also_in_long_runs(partitions: str) -> None:
    assert is_spread([int(one) for one in partitions])


def test_a_sensor_that_has_stayed_for_far_longer_than_ever_before_is_mended() -> None:
    before = [0, 0, 1, 1, 0, 1, 0]

    assert is_spread([*before, *[1] * 6])
    assert not is_spread([*before, *[1] * 7])


@given(st.lists(st.integers(0, 3), max_size=30))
def test_a_sensor_that_never_comes_back_is_never_spread(partitions: list[int]) -> None:
    once = [partition for partition, _ in itertools.groupby(sorted(partitions))]

    assert not is_spread(sorted(partitions))
    assert not is_spread(once)


def test_an_unkeyed_topic_is_found_with_the_newest_places_of_a_sensor() -> None:
    sightings = [one for number in range(6) for one in sighted(f"pump-{number}", "0120120")]

    spread = find_spread(sightings, {})

    assert spread is not None
    assert spread.is_topic
    assert (spread.sensors, spread.of, spread.sensor) == (6, 6, "pump-5")
    assert [(one.partition, one.offset) for one in spread.places] == [(0, 3), (1, 4), (2, 5), (0, 6)]
    assert "6 of 6 sensors of topic plant" in describe(spread, "plant")
    assert "partition 2 offset 5" in describe(spread, "plant")
    assert "have no key" in describe(spread, "plant")


def test_a_keyed_topic_whose_partitions_were_added_is_not_unkeyed() -> None:
    moved = [one for number in range(5) for one in sighted(f"pump-{number}", f"{number % 2}" * 8 + "2" * 8, has_key=True)]
    stayed = [one for number in range(5, 10) for one in sighted(f"pump-{number}", f"{number % 2}" * 16, has_key=True)]

    assert find_spread([*moved, *stayed], {}) is None


def test_few_spread_sensors_among_many_are_found_and_do_not_make_the_topic_unkeyed() -> None:
    keyed = [one for number in range(19) for one in sighted(f"pump-{number}", "0" * 9, has_key=True)]

    spread = find_spread([*keyed, *sighted("twin", "010101", has_key=True)], {})

    assert spread is not None
    assert not spread.is_topic
    assert "keys are not the sensor ids" in describe(spread, "plant")


def test_times_that_were_not_looked_at_in_every_partition_do_not_count() -> None:
    sightings = sighted("pump-0", "0101001111")

    assert find_spread(sightings, {}) is not None
    assert find_spread(sightings, {1: 5000}) is None


def test_a_sensor_with_few_readings_shows_nothing() -> None:
    assert find_spread(sighted("pump-0", "010"), {}) is None
    assert find_spread([], {}) is None
