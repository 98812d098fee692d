"""Clocks in a sample: a zone that is not named is proposed with its candidates, a clock that is wrong is named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from stream_detector.commands.init_topic import understand
from stream_detector.discovery.clocks import compare_clocks, zones_ahead
from tests.discovery.records import proposal_of, sample, steps

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
#: 2026-11-23T07:12:00Z: winter in Berlin, summer in Sydney.
WINTER_MS = 1_795_417_920_000
SUMMER_MS = WINTER_MS - 150 * 24 * HOUR_MS


def text(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def at(stamp: Callable[[int, str], object]) -> Callable[[int, int, str, dict[str, float]], list[object]]:
    return lambda _, time_ms, machine, values: [{"machine": machine, "time": stamp(time_ms, machine), **values}]


@pytest.mark.parametrize(
    ("ahead_ms", "at_ms", "expected"),
    [
        (HOUR_MS, WINTER_MS, ["Europe/Berlin", "Africa/Lagos", "Etc/GMT-1"]),
        (2 * HOUR_MS, SUMMER_MS, ["Europe/Berlin", "Africa/Johannesburg", "Etc/GMT-2"]),
        (11 * HOUR_MS // 2, WINTER_MS, ["Asia/Kolkata"]),
        (-5 * HOUR_MS, WINTER_MS, ["America/New_York", "America/Bogota", "Etc/GMT+5"]),
        (-7 * HOUR_MS, WINTER_MS, ["America/Denver", "America/Phoenix", "Etc/GMT+7"]),
        (HOUR_MS // 4, WINTER_MS, []),
    ],
)
def test_zones_are_those_whose_clocks_are_ahead_by_so_much_at_that_time(ahead_ms: int, at_ms: int, expected: list[str]) -> None:
    assert zones_ahead(ahead_ms, at_ms) == expected


@pytest.mark.parametrize(("lag_ms", "zone_ms"), [(0, HOUR_MS), (119_000, HOUR_MS), (-29_000, HOUR_MS), (400_000, 0)])
def test_readings_that_take_a_while_to_arrive_are_in_the_zone_all_the_same(lag_ms: int, zone_ms: int) -> None:
    assert compare_clocks({"a": [HOUR_MS - lag_ms] * 9, "b": [HOUR_MS - lag_ms] * 9}).zone_ms == zone_ms


def test_a_history_that_was_written_at_once_does_not_tell() -> None:
    assert compare_clocks({"a": list(range(-900_000, 0, 10_000))}).common_ms is None
    assert compare_clocks({}).common_ms is None


def test_local_times_get_the_zone_that_fits_and_the_doubt_says_which_others_do() -> None:
    records = sample(at(lambda time_ms, _: text(time_ms + HOUR_MS)))

    proposal = proposal_of(records)

    assert proposal.settings()["input"]["time_zone"] == "Europe/Berlin"
    (doubt,) = [one for one in proposal.doubts if one.startswith("which zone")]
    assert "60 min ahead of those of their records, as in Europe/Berlin, Africa/Lagos, Etc/GMT-1" in doubt
    _, profile, _ = understand(records)
    assert profile.sensors["press-1"].times_ms[0] == next(time_ms for _, time_ms, _, _ in steps())


def test_local_times_hours_ahead_are_read_although_such_readings_would_be_refused() -> None:
    records = sample(at(lambda time_ms, _: text(time_ms + 9 * HOUR_MS)))

    _, profile, _ = understand(records)

    assert proposal_of(records).settings()["input"]["time_zone"] == "Asia/Tokyo"
    assert not profile.rejected


def test_numbers_that_are_hours_ahead_are_let_in_and_said() -> None:
    proposal = proposal_of(sample(at(lambda time_ms, _: time_ms + 2 * HOUR_MS)))

    assert proposal.settings()["input"]["max_future_seconds"] == 4 * 3600
    assert any("2 h ahead of those of their records" in one and "as if it were UTC" in one for one in proposal.doubts)


def test_times_without_a_zone_that_agree_with_their_records_raise_no_doubt() -> None:
    proposal = proposal_of(sample(at(lambda time_ms, _: text(time_ms))))

    assert proposal.doubts == []
    assert any("a text without a zone is taken as UTC; records are written 0.02 s after" in one for one in proposal.found)


def test_times_without_a_zone_in_a_history_that_was_written_at_once_are_a_doubt() -> None:
    records = sample(at(lambda time_ms, _: text((time_ms - WINTER_MS) // 3 + WINTER_MS - HOUR_MS)))

    assert any("those of the records do not tell which" in one for one in proposal_of(records).doubts)


def test_a_clock_that_differs_by_minutes_is_named() -> None:
    wrong = {"press-3": 7 * MINUTE_MS, "press-5": -12 * MINUTE_MS}

    proposal = proposal_of(sample(at(lambda time_ms, machine: time_ms + wrong.get(machine, 0))))

    (doubt,) = proposal.doubts
    assert "press-3 7 min ahead, press-5 12 min behind. Set them right" in doubt
