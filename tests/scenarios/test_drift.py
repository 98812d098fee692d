"""A normal state that changes: followed without a storm of alarms, without hiding a slow fault, and accepted in the end.

Measured, for what counts as slow: a drift of 0.3 standard deviations a day raised no incident in four days, one of 1 a day two
after three days, one of 3 a day two incidents a day; one of 4 within a window was found in every pump.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from stream_detector.readings import Float64Array
from stream_detector.settings.schema import AlertSettings
from stream_detector.simulation.fleet import FEATURES
from tests.scenarios.plant import DAY, FLEET, MINUTE_MS, TEST_START_MS, Sensor, healthy, shifted, spread, table
from tests.scenarios.stream import Event, of, run_stream

if TYPE_CHECKING:
    from stream_detector.adapters.keras_scorer import KerasScorer

FIRST = 300


def drifting(readings: int, feature: str, size: float, over: int, sensor: int = 0) -> Float64Array:
    """Return a pump's values with a feature that drifts by `size` standard deviations in `over` readings and stays there."""
    progress = np.clip((np.arange(readings) - FIRST) / over, 0.0, 1.0)
    values = healthy(readings, sensor)
    values[:, FEATURES.index(feature)] += progress * size * spread(feature, sensor)
    return values


def reading_of(event: Event) -> int:
    """Return the reading at which an event was raised, if there is one sensor only."""
    return round((datetime.fromisoformat(event["timestamp"]).timestamp() * 1000 - TEST_START_MS) / MINUTE_MS)


def test_a_slow_drift_is_followed_without_an_alarm(scorer: KerasScorer) -> None:
    events = run_stream(scorer, table(Sensor("pump-1", drifting(FIRST + 2 * DAY, "temperature", 0.4, 2 * DAY))))

    assert not events


def test_a_faster_drift_is_an_incident_and_no_storm(scorer: KerasScorer) -> None:
    days = 2
    events = run_stream(scorer, table(Sensor("pump-1", drifting(FIRST + days * DAY, "temperature", 6.0, days * DAY))))

    assert 1 <= len(of(events, "pump-1", "opened")) <= 5 * days


def test_a_drift_within_a_window_is_found_in_every_pump(scorer: KerasScorer) -> None:
    pumps = [Sensor(name, drifting(FIRST + 100, "flow", 5.0, 64, row)) for row, name in enumerate(FLEET.sensor_ids())]
    events = run_stream(scorer, table(*pumps))

    for name in FLEET.sensor_ids():
        opened = of(events, name, "opened")
        assert opened, name
        assert all(reading_of(one) >= FIRST for one in opened)


def test_a_lasting_shift_is_one_incident_that_is_accepted(scorer: KerasScorer) -> None:
    accepted_after = round(AlertSettings().accept_seconds * 1000 / MINUTE_MS)
    shift = 6.0 * spread("temperature")
    values = shifted(healthy(FIRST + accepted_after + DAY), "temperature", shift, FIRST)

    events = run_stream(scorer, table(Sensor("pump-1", values)))

    changes = [(one["status"], one["incident"]["accepted"], reading_of(one)) for one in events if one["status"] != "updated"]
    (opened, closed), later = changes[:2], changes[2:]
    assert opened[:2] == ("opened", False)
    assert FIRST <= opened[2] < FIRST + 5
    assert closed == ("closed", True, opened[2] + accepted_after)
    assert len([one for one in later if one[0] == "opened"]) <= 1
