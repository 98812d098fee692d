"""A few lost readings make no healthy pump alarm, and a fault that begins while they are lost is found like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from stream_detector.tables.dataset import Dataset
from tests.scenarios.plant import FLEET, Sensor, healthy, shifted, spread, table
from tests.scenarios.stream import of, run_stream, scores_of

if TYPE_CHECKING:
    from stream_detector.adapters.keras_scorer import KerasScorer

READINGS, LOST_FROM, LARGEST = 700, (100, 250, 400, 550), 9


def without(dataset: Dataset, first: int, count: int) -> Dataset:
    """Return the readings of all pumps but some in a row; pump k loses k fewer of those than the first, but two or more."""
    pumps = len(dataset.sensors)
    number = np.arange(len(dataset)) // pumps
    return dataset.take((number < first) | (number >= first + np.maximum(count - dataset.codes, 2)))


def test_no_healthy_pump_alarms_after_two_to_nine_lost_readings(scorer: KerasScorer) -> None:
    fleet = table(*[Sensor(name, healthy(READINGS, row)) for row, name in enumerate(FLEET.sensor_ids())])
    lossy = fleet
    for lost, first in enumerate(LOST_FROM):
        lossy = without(lossy, first - lost * 2, LARGEST)

    assert len(fleet) - len(lossy) == len(LOST_FROM) * sum(range(2, LARGEST + 1))
    assert of(run_stream(scorer, lossy), FLEET.sensor_ids()[0], "opened") == []
    for name, rows in scores_of(scorer, lossy).items():
        assert not rows.is_anomaly.any(), name
        assert np.isfinite(rows.score[64:]).all(), name


@pytest.mark.parametrize("lost", [3, 9])
@pytest.mark.parametrize("later", [0, 2])
@pytest.mark.parametrize("feature", ["flow", "temperature"])
def test_a_fault_that_begins_while_readings_are_lost_is_found_at_its_first_readings(
    scorer: KerasScorer, feature: str, later: int, lost: int
) -> None:
    """`later` readings after the last that was lost, at most two readings after its own first one."""
    first = 100
    begins = first + lost + later
    pumps = [
        Sensor(name, shifted(healthy(180, row), feature, 5.0 * spread(feature, row), begins))
        for row, name in enumerate(FLEET.sensor_ids())
    ]
    whole = table(*pumps)
    lossy = whole.take((np.arange(len(whole)) // len(pumps) < first) | (np.arange(len(whole)) // len(pumps) >= first + lost))

    delays = [int(np.flatnonzero(rows.is_anomaly)[0]) - (begins - lost) for rows in scores_of(scorer, lossy).values()]

    assert min(delays) >= 0
    assert max(delays) <= 2
