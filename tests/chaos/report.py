"""The campaign's table: one row for each fault and plant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from tests.chaos.checker import Findings
from tests.chaos.round import RoundResult

HEADINGS = ("fault", "plant", "count", "readings", "events", "missing", "duplicated", "wrong", "longest stall, s", "read again")


def merged(rows: Iterable[RoundResult]) -> list[RoundResult]:
    """Add up the rows of the same fault and plant."""
    by_kind: dict[tuple[str, str], RoundResult] = {}
    for row in rows:
        kind = row.fault, row.plant
        by_kind[kind] = _sum(by_kind[kind], row) if kind in by_kind else row
    return list(by_kind.values())


def _sum(one: RoundResult, other: RoundResult) -> RoundResult:
    findings = Findings(
        **{part.name: getattr(one.findings, part.name) + getattr(other.findings, part.name) for part in fields(Findings)}
    )
    return replace(
        one,
        count=one.count + other.count,
        readings=one.readings + other.readings,
        events=one.events + other.events,
        findings=findings,
        longest_stall_seconds=max(one.longest_stall_seconds, other.longest_stall_seconds),
        read_again=one.read_again + other.read_again,
        seconds=one.seconds + other.seconds,
        steps=one.steps + other.steps,
        crashes=one.crashes + other.crashes,
    )


def table(rows: Sequence[RoundResult]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + " --- |" * len(HEADINGS)]
    for row in rows:
        found = row.findings
        cells = (
            row.fault,
            row.plant,
            f"{row.count} {row.unit}",
            row.readings,
            row.events,
            found.missing + found.dead_letters_missing,
            found.doubled + found.dead_letters_doubled,
            found.wrong,
            f"{row.longest_stall_seconds:.1f}",
            row.read_again,
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def steps_line(rows: Sequence[RoundResult]) -> str:
    """Return the steps at which processes were killed or suspended, and how often."""
    steps = sum((row.steps for row in rows), Counter[str]())
    return ", ".join(f"{step} {count}" for step, count in sorted(steps.items()))


def as_json(rows: Sequence[RoundResult]) -> list[dict[str, Any]]:
    """Return the rows as JSON-like data."""
    parts = [one.name for one in fields(RoundResult) if one.name not in ("findings", "steps")]
    return [
        {
            **{name: getattr(row, name) for name in parts},
            "findings": asdict(row.findings),
            "steps": dict(row.steps),
            "is_clean": row.is_clean,
        }
        for row in rows
    ]
