"""What was injected against what was alerted, as a table and as JSON."""

from __future__ import annotations

import sys
from typing import Any

from rich.box import ASCII2, SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from stream_detector.demo.performance import Outcome, Plan
from stream_detector.events import iso_time
from stream_detector.rendering import UNICODE, Palette, duration
from stream_detector.simulation.verdict import Finding


def print_summary(plan: Plan, outcome: Outcome, console: Console) -> None:
    """Print a line per fault, and what it comes to."""
    verdict = outcome.verdict
    blocks = Palette.for_encoding(sys.stdout.encoding) is UNICODE
    table = Table(box=SIMPLE_HEAD if blocks else ASCII2)
    for name in ("pump", "fault", "begins", "lasts", "found after", "most blamed"):
        table.add_column(name, no_wrap=name != "fault")
    for finding in verdict.findings:
        table.add_row(*_cells(finding))
    console.print("\nInjected faults against alerts", style="bold")
    console.print(table)
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


def _cells(finding: Finding) -> tuple[str, ...]:
    fault, opened, delay = finding.fault, finding.opened, finding.delay_seconds()
    blamed = opened.blamed[0] if opened and opened.blamed else ""
    return (
        fault.sensor_id(),
        f"{fault.kind.replace('_', ' ')} of {', '.join(fault.features)}",
        iso_time(fault.start_ms)[11:19],
        duration((fault.end_ms - fault.start_ms) / 1000.0),
        "missed" if delay is None else duration(delay),
        f"{blamed}{'' if finding.blames_rightly() or not blamed else ' (not it)'}",
    )


def _lines(plan: Plan, outcome: Outcome) -> list[str]:
    verdict = outcome.verdict
    found, total = len(verdict.found()), len(verdict.findings)
    rightly = sum(finding.blames_rightly() for finding in verdict.findings)
    delay = verdict.median_delay_seconds()
    sensor_days = plan.fleet.sensors * plan.stream_seconds / 86_400.0
    return [
        f"found    {found} of {total}"
        + (f", after {duration(delay)} of event time in the median" if delay is not None else ""),
        f"missed   {total - found}",
        f"false    {len(verdict.false_alarms)}; the budget of {plan.budget_per_sensor_day:g} per sensor and day allows"
        f" {plan.budget_per_sensor_day * sensor_days:.1f} in this stream",
        f"blame    the faulty feature came first in {rightly} of {found}",
    ]
