"""Sensors that the model does not know, and whose scale is learnt from part of a slow cycle, by linear members."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.bench_missing_features import LinearScorer
from tests.benchmarks.bench_new_sensors import FOUND_WITHIN, Fleet, detect, fleet_of, trained, with_spikes

WINDOW, ROWS, NEW = 16, 700, 10
NAMES = [f"new-{number}" for number in range(NEW)]


@pytest.fixture(scope="module")
def scorer() -> LinearScorer:
    return trained(fleet_of("sine", 8, 2_000, seed=1), WINDOW)


def new_fleet() -> Fleet:
    return fleet_of("sine", NEW, ROWS, seed=2)


def test_new_sensors_on_a_slow_cycle_raise_no_storm(scorer: LinearScorer) -> None:
    """Each opened an incident at its first full window: on a scale of a few readings, all noise is large."""
    incidents = detect(scorer, new_fleet(), NAMES)

    assert incidents.opened.any(axis=0).sum() <= 1
    assert not incidents.opened[: 4 * WINDOW].any()


def test_spikes_of_new_sensors_are_found_while_their_scale_settles(scorer: LinearScorer) -> None:
    fleet = with_spikes(new_fleet(), 3 * WINDOW, seed=3)

    incidents = detect(scorer, fleet, NAMES)

    spikes = np.argwhere(fleet.spikes).tolist()
    found = [incidents.opened[row : row + FOUND_WITHIN + 1, sensor].any() for row, sensor in spikes]
    assert len(spikes) >= 5
    assert sum(found) >= 0.8 * len(spikes)


def test_a_new_sensor_whose_first_scored_reading_is_a_spike_is_not_blind_afterwards(scorer: LinearScorer) -> None:
    """Its levels started with the error of the spike, and hid what followed for more than a hundred readings."""
    healthy, first = new_fleet(), WINDOW - 1
    deviation = healthy.values.std(axis=0)
    values, later = healthy.values.copy(), first + 3 * WINDOW
    values[later, :, 1] += 16 * deviation[:, 1]
    spiked = values.copy()
    spiked[first, :, 0] += 16 * deviation[:, 0]

    found = [
        detect(scorer, Fleet(one, healthy.spikes), NAMES).opened[later : later + FOUND_WITHIN + 1].any(axis=0).sum()
        for one in (values, spiked)
    ]

    assert found[0] >= 0.8 * NEW
    assert found[1] >= found[0] - 1
