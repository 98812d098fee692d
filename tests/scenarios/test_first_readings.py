"""A sensor that the model knows is scored from its first reading, and after a gap; by the same limit as in a full window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stream_detector.tables.dataset import Dataset
from tests.scenarios.plant import FLEET, MINUTE_MS, Sensor, healthy, shifted, spread, table
from tests.scenarios.stream import Event, of, run_stream, scores_of

if TYPE_CHECKING:
    from stream_detector.adapters.keras_scorer import KerasScorer

WINDOW = 64
PUMPS = FLEET.sensor_ids()


def fleet_of(readings: int, first: int = 0) -> Dataset:
    """Return healthy readings of all pumps, from the reading `first` after the training on."""
    return table(*[Sensor(name, healthy(first + readings, row)[first:]) for row, name in enumerate(PUMPS)])


def anomalies(events: list[Event]) -> list[Event]:
    return [one for one in events if one["type"] == "anomaly"]


def test_every_reading_has_a_score(scorer: KerasScorer) -> None:
    rows = scores_of(scorer, fleet_of(WINDOW + 20))

    for of_pump in rows.values():
        assert np.isfinite(of_pump.score).all()
        assert not of_pump.is_warming.any()


def test_healthy_first_readings_raise_no_alarm(scorer: KerasScorer) -> None:
    """Eight pumps start at eight times."""
    for first in range(0, 800, 100):
        assert anomalies(run_stream(scorer, fleet_of(WINDOW, first))) == []


@pytest.mark.parametrize("at", [2, 9, 40])
def test_a_spike_among_the_first_readings_is_found_at_once(scorer: KerasScorer, at: int) -> None:
    values = shifted(healthy(WINDOW - 1), "pressure", 8.0 * spread("pressure"), at, at + 1)

    opened = of(anomalies(run_stream(scorer, table(Sensor(PUMPS[0], values)))), PUMPS[0], "opened")

    assert [(one["incident"]["opened_offset"], one["sensor_state"]) for one in opened] == [(at, "warming")]
    (event,) = opened
    assert event["window"]["length"] == at + 1
    assert event["features"][0]["name"] == "pressure"
    assert event["step_shares"][: WINDOW - at - 1] == [0.0] * (WINDOW - at - 1)
    assert sum(event["step_shares"]) == pytest.approx(1.0, abs=1e-3)


def test_after_a_gap_the_first_readings_are_scored_without_those_before(scorer: KerasScorer) -> None:
    values, gap = healthy(2 * WINDOW + 30), WINDOW + 10
    whole = table(Sensor(PUMPS[0], values))
    late = np.arange(len(values)) >= gap
    after = replace(whole, times_ms=whole.times_ms + np.where(late, 24 * 60 * MINUTE_MS, 0))

    of_both = scores_of(scorer, after)[PUMPS[0]]
    alone = scores_of(scorer, whole.take(late))[PUMPS[0]]

    surprise = 2 * of_both.score[gap:] - of_both.threshold[gap:] * 2  # the memory, in both, cancels
    assert surprise == pytest.approx(2 * alone.score - alone.threshold * 2, abs=0.2)


def test_batches_do_not_matter(scorer: KerasScorer) -> None:
    values = shifted(healthy(WINDOW + 30), "pressure", 8.0 * spread("pressure"), 9, 11)
    dataset = table(Sensor(PUMPS[0], values))

    assert run_stream(scorer, dataset, poll_records=7) == run_stream(scorer, dataset)
