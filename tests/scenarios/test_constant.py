"""A sensor whose values were constant raises an incident when they jump."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.scenarios.plant import IDLE, Sensor, idle, shifted, spread, table
from tests.scenarios.stream import of, run_stream

if TYPE_CHECKING:
    from stream_detector.adapters.keras_scorer import KerasScorer

JUMP = 200


@pytest.mark.parametrize("name", [IDLE, "new"])
@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_a_jump_after_constant_values_opens_an_incident_at_once(scorer: KerasScorer, name: str, direction: float) -> None:
    jump = direction * 3.0 * spread("pressure")
    events = run_stream(scorer, table(Sensor(name, shifted(idle(JUMP + 20), "pressure", jump, JUMP))))

    assert [one["incident"]["opened_offset"] for one in of(events, name, "opened")] == [JUMP]
    assert events[0]["features"][0]["name"] == "pressure"


@pytest.mark.parametrize("name", [IDLE, "new"])
def test_constant_values_are_no_anomaly(scorer: KerasScorer, name: str) -> None:
    assert not run_stream(scorer, table(Sensor(name, idle(3 * JUMP))))
