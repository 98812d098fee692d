"""The events of clocks that jump: one opens, one closes, the same whatever the batches; incidents of the score go on."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from stream_detector.detection.rules.changes import RuleChange
from stream_detector.readings import Readings
from tests.pipeline.replica_config import MINUTE_MS, SECOND_MS, ReplicaConfig, some_rules

START_MS = 20_000 * 1440 * MINUTE_MS
#: One reading a second; the clock is 50 minutes ahead for 20 readings.
AHEAD_MS = 50 * MINUTE_MS


def readings_of(clocks_ms: list[int]) -> Readings:
    stamps = START_MS + SECOND_MS * np.arange(len(clocks_ms))
    count = len(clocks_ms)
    values = np.random.default_rng(1).normal(size=(count, 2))
    return Readings(
        ["pump-2"] * count, np.zeros(count, np.int32), np.arange(count), stamps + np.array(clocks_ms), values, stamps
    )


def changes_of(readings: Readings, bounds: list[int], scoring: bool = True) -> list[RuleChange]:
    detector = ReplicaConfig(quiet_ms=5_000, rule_config=some_rules()).detector()
    detector.admit_new(0, ["pump-2"])
    found: list[RuleChange] = []
    for start, stop in itertools.pairwise(bounds):
        part = slice(start, stop)
        batch = Readings(
            readings.sensors[part],
            readings.partitions[part],
            readings.places[part],
            readings.times_ms[part],
            readings.values[part],
            None if readings.stamps_ms is None else readings.stamps_ms[part],
        )
        found += detector.detect(batch, scoring=scoring).rule_changes
    return [one for one in found if one.type == "clock"]


@pytest.mark.parametrize("bounds", [[0, 100], [0, 41, 45, 67, 100], [*range(101)]])
def test_a_clock_that_jumps_is_one_incident_until_it_is_right_again(bounds: list[int]) -> None:
    readings = readings_of([0] * 40 + [AHEAD_MS + 60_000] * 20 + [0] * 40)

    opened, *updated, closed = changes_of(readings, bounds)

    assert [(one.status, one.offset) for one in updated] == [("updated", 45), ("updated", 50)]

    assert (opened.status, opened.offset, opened.incident_offset) == ("opened", 40, 40)
    assert opened.what == "The clock of pump-2 is 51 min ahead of its records"
    assert (closed.status, closed.offset, closed.incident_offset) == ("closed", 67, 40)
    assert closed.what == "The clock of pump-2 is right again: it went back by 51 min"
    assert (closed.opened_ms, closed.reason) == (opened.time_ms, "clock_right")


def test_a_clock_that_is_lost_says_by_how_much() -> None:
    opened, *updated = changes_of(readings_of([0] * 40 + [-26 * 365 * 1440 * MINUTE_MS] * 40), [0, 80])

    assert {one.what for one in (opened, *updated)} == {"The clock of pump-2 is 26 years behind its records"}
