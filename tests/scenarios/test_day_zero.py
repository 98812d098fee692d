"""A sensor that was not in the training data: scored from its first full window, on its own scale, provisional at first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.scenarios.plant import FLEET, Sensor, healthy, idle, shifted, spread, table
from tests.scenarios.stream import of, peak, run_stream, scores_of

if TYPE_CHECKING:
    from stream_detector.adapters.keras_scorer import KerasScorer

WINDOW = 64
#: Its scale is learned from 16 windows, and it is ready once that is frozen: at this reading, counted from 0, if no fault is
#: among those that it is learned from.
READY_AT = 16 * WINDOW


def test_a_new_sensor_is_scored_from_its_first_full_window(scorer: KerasScorer) -> None:
    rows = scores_of(scorer, table(Sensor("new", healthy(WINDOW + 20))))["new"]

    assert np.flatnonzero(np.isnan(rows.score)).tolist() == list(range(WINDOW - 1))
    assert np.array_equal(rows.is_warming, np.isnan(rows.score))


@pytest.mark.parametrize(
    ("jump_at", "state"),
    [(WINDOW, "provisional"), (READY_AT - 2, "provisional"), (READY_AT, "ready"), (READY_AT + 40, "ready")],
)
def test_events_of_a_new_sensor_are_provisional_until_its_scale_is_learned(
    scorer: KerasScorer, jump_at: int, state: str
) -> None:
    values = shifted(idle(jump_at + 5), "pressure", 3.0 * spread("pressure"), jump_at)
    events = run_stream(scorer, table(Sensor("new", values)))

    assert [(one["status"], one["sensor_state"], one["incident"]["opened_offset"]) for one in events] == [
        ("opened", state, jump_at)
    ]


@pytest.mark.parametrize("unit", [1000.0, 0.01])
def test_a_new_sensor_in_other_units_is_scored_alike(scorer: KerasScorer, unit: float) -> None:
    """Not exactly: the network also reads how a sensor's scale differs from the fleet's, and levels follow its errors."""
    jump_at, readings = READY_AT + 40, READY_AT + 80
    judged = {}
    for factor in (1.0, unit):
        sensors = [
            Sensor(f"new-{row}", factor * shifted(healthy(readings, row), "flow", 6.0 * spread("flow", row), jump_at))
            for row in range(FLEET.sensors)
        ]
        dataset = table(*sensors)
        judged[factor] = run_stream(scorer, dataset), scores_of(scorer, dataset)

    (events, rows), (other_events, other_rows) = judged[1.0], judged[unit]
    for name in rows:
        assert peak(other_rows[name], jump_at) == pytest.approx(peak(rows[name], jump_at), rel=0.2)
        assert abs(len(of(events, name, "opened")) - len(of(other_events, name, "opened"))) <= 1
    opened, other_opened = (len([one for one in found if one["status"] == "opened"]) for found in (events, other_events))
    assert opened >= FLEET.sensors
    assert abs(opened - other_opened) <= 3
