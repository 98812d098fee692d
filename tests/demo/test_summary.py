"""What the demo says at its end."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from stream_detector.demo.run_demo import DemoOutcome, DemoPlan
from stream_detector.demo.summary import print_summary, summary
from stream_detector.detection.budget_resolution import resolve_budget
from stream_detector.simulation.fault_matching import FaultOutcome, MatchResult, OpenedIncident
from stream_detector.simulation.faults import Fault
from stream_detector.simulation.fleet import Fleet

PLAN = DemoPlan(Fleet(4, 7), 900.0, 600.0, 80.0, 1, 5.0, 120)
FAULT = Fault("spike", 0, ("flow",), 1_000_000, 1_010_000, 4.0)
MATCH = MatchResult((FaultOutcome(FAULT, OpenedIncident("pump-1", 1_001_000, ("flow",))),), ())
OUTCOME = DemoOutcome(MATCH, alerts=2, readings=2_400)


def printed(outcome: DemoOutcome) -> list[str]:
    page = io.StringIO()
    print_summary(PLAN, outcome, Console(file=page, width=80))
    return page.getvalue().splitlines()


def test_whether_the_limit_is_checked_follows_the_false_alarms() -> None:
    # 4 pumps, a reading a second: 1,080 readings are 18 minutes, in which 5 a day allow .06.
    known = resolve_budget(5.0, 1_080, 4, 1.0)

    lines = printed(replace(OUTCOME, resolution=known))

    at = next(number for number, line in enumerate(lines) if line.startswith("false "))
    assert lines[at + 1] == f"limit    {known.lines()[0]}"
    assert lines[at + 2] == f"         {known.lines()[1]}"
    assert summary(PLAN, replace(OUTCOME, resolution=known))["is_budget_resolved"] is False
    assert not any(line.startswith("limit") for line in printed(OUTCOME))
