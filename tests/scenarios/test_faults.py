"""A fault raises the score: more if it is larger, only of its own sensor, and whatever else is scored or polled with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from stream_detector.simulation.faults import apply_faults, plan_faults
from tests.scenarios.plant import FLEET, MINUTE_MS, TEST_START_MS, Sensor, healthy, shifted, spread, table
from tests.scenarios.stream import of, peak, run_stream, scores_of

if TYPE_CHECKING:
    from stream_detector.adapters.keras_scorer import KerasScorer

READINGS, FIRST, LAST = 240, 100, 130


def with_fault(size: float, sensor: int = 0, feature: str = "flow") -> Sensor:
    """Return a pump with a feature shifted by `size` of its standard deviations for half an hour."""
    values = shifted(healthy(READINGS, sensor), feature, size * spread(feature, sensor), FIRST, LAST)
    return Sensor(f"pump-{sensor + 1}", values)


@pytest.mark.parametrize("feature", ["temperature", "flow"])
def test_a_larger_fault_has_a_larger_score(scorer: KerasScorer, feature: str) -> None:
    tables = [table(with_fault(size, feature=feature)) for size in (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)]

    peaks = [peak(scores_of(scorer, one)["pump-1"], FIRST) for one in tables]

    assert np.all(np.diff(peaks) > 0)


def test_a_larger_fault_has_a_larger_peak_in_its_events(scorer: KerasScorer) -> None:
    peaks = []
    for size in (4.0, 8.0, 16.0):
        events = run_stream(scorer, table(with_fault(size)))
        assert [one["status"] for one in of(events, "pump-1", "opened")] == ["opened"]
        (closed,) = of(events, "pump-1", "closed")
        peaks.append(closed["incident"]["peak_score"])

    assert peaks == sorted(set(peaks))


def test_every_kind_of_fault_scores_above_what_is_healthy(scorer: KerasScorer) -> None:
    readings = 500
    times_ms = TEST_START_MS + MINUTE_MS * np.arange(readings)
    faults = plan_faults(FLEET, TEST_START_MS + 100 * MINUTE_MS, int(times_ms[-1]), 14)
    values = apply_faults(FLEET, times_ms, FLEET.readings(TEST_START_MS, readings)[1], faults)
    names = FLEET.sensor_ids()
    healthy_rows = scores_of(scorer, table(*[Sensor(name, healthy(readings, row)) for row, name in enumerate(names)]))

    rows = scores_of(scorer, table(*[Sensor(name, values[row]) for row, name in enumerate(names)]))

    assert len({fault.kind for fault in faults}) == 7
    for fault in faults:
        first, last = ((time_ms - TEST_START_MS) // MINUTE_MS for time_ms in (fault.start_ms, fault.end_ms))
        usual = float(np.nanmedian(healthy_rows[fault.sensor_id()].score))
        assert peak(rows[fault.sensor_id()], first, last) > usual, fault


def test_a_fault_in_one_sensor_changes_no_other_sensors_score(scorer: KerasScorer) -> None:
    others = [Sensor(f"pump-{sensor + 1}", healthy(READINGS, sensor)) for sensor in (1, 2, 3)]
    new = Sensor("new", healthy(READINGS, 4))
    calm, faulty = table(with_fault(0.0), *others, new), table(with_fault(16.0), *others, new)

    rows, rows_with_a_fault = scores_of(scorer, calm), scores_of(scorer, faulty)

    assert peak(rows_with_a_fault["pump-1"], FIRST) > 2 * peak(rows["pump-1"], FIRST)
    for name in ("pump-2", "pump-3", "pump-4", "new"):
        assert np.array_equal(rows[name].score, rows_with_a_fault[name].score, equal_nan=True)
        assert np.array_equal(rows[name].threshold, rows_with_a_fault[name].threshold, equal_nan=True)


def test_a_score_does_not_depend_on_what_is_scored_with_it(scorer: KerasScorer) -> None:
    alone = table(with_fault(4.0))
    among_others = table(
        with_fault(8.0, sensor=5), with_fault(4.0), *[Sensor(f"new-{k}", healthy(READINGS, k)) for k in range(5)]
    )

    score, score_among_others = (scores_of(scorer, one)["pump-1"].score for one in (alone, among_others))

    assert np.array_equal(score, score_among_others, equal_nan=True)


def test_one_reading_at_a_time_gives_the_events_of_large_polls(scorer: KerasScorer) -> None:
    short = table(Sensor("pump-1", shifted(healthy(84), "flow", 8 * spread("flow"), 70, 80)))

    one_by_one = run_stream(scorer, short, poll_records=1)

    opened = of(one_by_one, "pump-1", "opened")
    assert [one["sensor_state"] for one in opened] == ["ready"]
    assert 70 <= opened[0]["incident"]["opened_offset"] < 74
    assert one_by_one == run_stream(scorer, short, poll_records=13) == run_stream(scorer, short)
