"""What was injected against what was alerted, as a table and as JSON."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from stream_detector.demo.run_demo import Outcome, Plan
from stream_detector.simulation.fault_matching import FaultOutcome
from stream_detector.timestamps import SECONDS_PER_DAY, duration, iso_time


def print_summary(plan: Plan, outcome: Outcome, console: Console) -> None:
    """Print a line per fault, and what it comes to."""
    console.print("\nFaults injected, and what was alerted", style="bold")
    rows = [_cells(finding) for finding in outcome.verdict.findings]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for finding, row in zip(outcome.verdict.findings, rows, strict=True):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        console.print(line, style="" if finding.opened else "dim", soft_wrap=True)
    console.print()
    for line in _lines(plan, outcome):
        console.print(line, soft_wrap=True)


def summary(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """Return the same for programs."""
    verdict = outcome.verdict
    return {
        "faults": [
            {
                "sensor_id": finding.fault.sensor_id(),
                "kind": finding.fault.kind,
                "features": finding.fault.features,
                "start": iso_time(finding.fault.start_ms),
                "end": iso_time(finding.fault.end_ms),
                "found": finding.opened is not None,
                "delay_seconds": finding.delay_seconds(),
                "blamed": finding.opened.blamed if finding.opened else (),
            }
            for finding in verdict.findings
        ],
        "found": len(verdict.found()),
        "missed": len(verdict.findings) - len(verdict.found()),
        "false": len(verdict.false_alarms),
        "false_alarms": [{"sensor_id": opened.sensor_id, "at": iso_time(opened.time_ms)} for opened in verdict.false_alarms],
        "median_delay_seconds": verdict.median_delay_seconds(),
        "budget_per_sensor_day": plan.budget_per_sensor_day,
        "alerts": outcome.alerts,
        "readings": outcome.readings,
    }


def _cells(finding: FaultOutcome) -> tuple[str, ...]:
    """Return pump, time, fault, how long it lasted, and what became of it."""
    fault, opened, delay = finding.fault, finding.opened, finding.delay_seconds()
    if opened is None or delay is None:
        became = "missed"
    else:
        blamed = opened.blamed[0] if opened.blamed else "nothing"
        became = f"found after {duration(delay)}, blames {blamed}{'' if finding.blames_faulty_feature() else ' (wrongly)'}"
    return (
        fault.sensor_id(),
        iso_time(fault.start_ms)[11:19],
        f"{fault.kind.replace('_', ' ')} of {', '.join(fault.features)}",
        duration((fault.end_ms - fault.start_ms) / 1000.0),
        became,
    )


def _lines(plan: Plan, outcome: Outcome) -> list[str]:
    verdict = outcome.verdict
    found, total = len(verdict.found()), len(verdict.findings)
    rightly = sum(finding.blames_faulty_feature() for finding in verdict.findings)
    delay = verdict.median_delay_seconds()
    sensor_days = plan.fleet.sensors * plan.stream_seconds / SECONDS_PER_DAY
    return [
        f"found    {found} of {total}"
        + (f", after {duration(delay)} of event time in the median" if delay is not None else ""),
        f"missed   {total - found}",
        f"false    {len(verdict.false_alarms)}; the budget of {plan.budget_per_sensor_day:g} per sensor and day allows"
        f" {plan.budget_per_sensor_day * sensor_days:.1f} in this stream",
        f"blame    the faulty feature came first in {rightly} of {found}",
    ]
