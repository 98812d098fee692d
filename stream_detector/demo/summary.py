"""Compares the injected faults with the alerts, as a table and as JSON."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from stream_detector.demo.run_demo import DemoOutcome, DemoPlan
from stream_detector.simulation.fault_matching import FaultOutcome
from stream_detector.timestamps import SECONDS_PER_DAY, duration, iso_time


def print_summary(plan: DemoPlan, outcome: DemoOutcome, console: Console) -> None:
    """Print a line per fault, then the totals."""
    console.print("\nInjected faults and their alerts", style="bold")
    rows = [_cells(finding) for finding in outcome.match.findings]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for finding, row in zip(outcome.match.findings, rows, strict=True):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        console.print(line, style="" if finding.is_found() else "dim", soft_wrap=True)
    console.print()
    for line in _lines(plan, outcome):
        console.print(line, soft_wrap=True)


def summary(plan: DemoPlan, outcome: DemoOutcome) -> dict[str, Any]:
    """Return the results as JSON-like data."""
    match = outcome.match
    return {
        "faults": [
            {
                "sensor_id": finding.fault.sensor_id(),
                "kind": finding.fault.kind,
                "features": finding.fault.features,
                "start": iso_time(finding.fault.start_ms),
                "end": iso_time(finding.fault.end_ms),
                "found": finding.is_found(),
                "delay_seconds": finding.delay_seconds(),
                "blamed": finding.opened.features if finding.opened else (),
            }
            for finding in match.findings
        ],
        "found": len(match.found()),
        "missed": len(match.findings) - len(match.found()),
        "false": len(match.false_alarms),
        "false_alarms": [{"sensor_id": opened.sensor_id, "at": iso_time(opened.time_ms)} for opened in match.false_alarms],
        "median_delay_seconds": match.median_delay_seconds(),
        "budget_per_sensor_day": plan.budget_per_sensor_day,
        "is_budget_resolved": outcome.resolution.is_resolved if outcome.resolution else None,
        "alerts": outcome.alerts,
        "readings": outcome.readings,
    }


def _cells(finding: FaultOutcome) -> tuple[str, ...]:
    """Return pump, start time, fault, duration and result."""
    fault, opened, delay = finding.fault, finding.opened, finding.delay_seconds()
    if opened is None or delay is None:
        result = "missed"
    elif not finding.is_found():
        result = f"missed: alarmed only after {duration(delay)}"
    else:
        blamed = opened.features[0] if opened.features else "nothing"
        result = f"found after {duration(delay)}, blames {blamed}{'' if finding.ranks_faulty_feature_first() else ' (wrongly)'}"
    return (
        fault.sensor_id(),
        iso_time(fault.start_ms)[11:19],
        f"{fault.kind.replace('_', ' ')} of {', '.join(fault.features)}",
        duration((fault.end_ms - fault.start_ms) / 1000.0),
        result,
    )


def _lines(plan: DemoPlan, outcome: DemoOutcome) -> list[str]:
    match = outcome.match
    found, total = len(match.found()), len(match.findings)
    correct = sum(finding.ranks_faulty_feature_first() for finding in match.found())
    late = sum(finding.opened is not None for finding in match.findings) - found
    delay = match.median_delay_seconds()
    sensor_days = plan.fleet.sensors * plan.stream_seconds / SECONDS_PER_DAY
    known = outcome.resolution.lines() if outcome.resolution else ()
    return [
        f"found    {found} of {total}" + (f", after {duration(delay)} of event time (median)" if delay is not None else ""),
        f"missed   {total - found}" + (f", {late} of them alarmed after more than half of the fault" if late else ""),
        f"false    {len(match.false_alarms)}; the budget of {plan.budget_per_sensor_day:g} per sensor and day allows"
        f" {plan.budget_per_sensor_day * sensor_days:.1f} in this stream",
        *(f"{'' if number else 'limit':<9}{line}" for number, line in enumerate(known)),
        f"blame    the faulty feature came first in {correct} of {found}",
    ]
