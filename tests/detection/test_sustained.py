"""Small deviations that last: while the running mean of the surprise is above its limit, half the margin opens an incident."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from stream_detector.detection.calibration import Calibration, SurpriseTail
from stream_detector.detection.scored_readings import Decisions
from stream_detector.detection.sustained import HORIZON_COUNT, LOWERED, NEVER, SHARE
from stream_detector.detection.transition import CLOSED, OPENED
from stream_detector.state.known_sensors import SensorTable
from tests.detection.decision_cases import RULES, decided, headers, readings_of, straight_tails

#: A reading is anomalous above a surprise of 2; above 1.5 while the running mean is above 1.3.
LASTING = replace(RULES, sustained_margin=0.3, sustained_cap=3.0)


def decide(surprises: list[float]) -> Decisions:
    return decided(headers(LASTING), readings_of(surprises, list(range(0, 10 * len(surprises), 10))), LASTING)


def readings_until(excess: float) -> int:
    """Return after how many readings that exceed the typical surprise by `excess` the running mean is above .3."""
    return math.ceil(math.log(1.0 - 0.3 / excess) / math.log(1.0 - SHARE))


@pytest.mark.parametrize("excess", [0.6, 0.9])
def test_a_small_deviation_that_lasts_opens_one_incident_after_so_many_readings(excess: float) -> None:
    found = decide([1.0 + excess] * 400)

    assert [(one.status, one.position) for one in found.transitions if one.status in (OPENED, CLOSED)] == [
        (OPENED, readings_until(excess) - 1)
    ]
    assert np.flatnonzero(found.anomalous).tolist() == [readings_until(excess) - 1]
    assert found.holding[readings_until(excess) :].all()
    assert found.factors[readings_until(excess) - 1] == LOWERED


def test_half_the_margin_is_needed_however_long_it_lasts() -> None:
    assert not decide([1.45] * 1000).anomalous.any()


def test_a_spike_is_no_deviation_that_lasts() -> None:
    found = decide([*[1.0] * 200, 1000.0, *[1.0] * 20, *[1.7] * 3])

    assert np.flatnonzero(found.anomalous).tolist() == [200]


def test_after_an_incident_the_running_mean_starts_again() -> None:
    first = readings_until(0.6)
    found = decide([*[1.6] * first, *[1.0] * 10, *[1.6] * (first + 5)])

    opened = [one.position for one in found.transitions if one.status == OPENED]
    assert opened == [first - 1, first + 10 + first - 1]


def test_a_budget_that_the_readings_show_belongs_to_single_readings() -> None:
    none = SensorTable({}, np.empty((0, 1), np.float32), np.empty((0, 1), np.float32), np.empty((0, 1)), np.empty(0))
    calibration = Calibration(
        members=("a",),
        weights=np.ones(1),
        tails=straight_tails(1),
        pooled_level=np.zeros(1),
        typical=1.0,
        tail_start=1.0,
        tail_rate=0.01,
        tail_scale=0.5,
        tail_shape=0.0,
        readings=1000,
        sensors=none,
        sustained=SurpriseTail(0.1, 0.004, 0.05, 0.0),
    )

    shown, rare = calibration.margins(0.001), calibration.margins(0.0001)

    assert (shown.single, shown.sustained) == (calibration.margin(0.001), NEVER)
    assert rare.single == calibration.margin(0.00005)
    assert rare.sustained == pytest.approx(0.1 + 0.05 * math.log(0.004 / 0.00005))
    assert replace(calibration, sustained=None).margins(0.0001).single == calibration.margin(0.0001)


def test_the_horizon_is_two_windows_of_the_default_length() -> None:
    assert HORIZON_COUNT == 2 * 64
