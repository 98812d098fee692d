"""The table of a run for the terminal, its comparison with the committed one, and build/bench.json."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.performance.figures import LESS, MORE, NEITHER, Figure
from tests.benchmarks.performance.machine import Machine

PROJECT = Path(__file__).resolve().parents[3]
BENCH = PROJECT / "build" / "bench.json"
COMMITTED = "docs/performance.json"
#: The keys that build/bench.json always has; null where the figure was not measured.
KEYS = (
    "inference_over_predict",
    "inference_share_of_gemm_bound",
    "readings_per_second_two_cores",
    "end_to_end_over_per_message_predict",
    "end_to_end_over_per_poll_predict",
    "overhead_over_sum_of_stages",
    "throughput_1m_over_1k_sensors",
    "redis_bytes_over_window_bytes",
    "redis_bytes_per_sensor_t32_f1",
    "restore_over_consume_only",
    "latency_p99_over_floor_at_half_load",
    "training_over_plain_fit",
)
#: A figure is worse when it has lost more than this share of its speed, or grown by as much.
TOLERATED_SHARE = 0.25
GIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A part that failed and has no figures."""

    part: str
    reason: str


@dataclass(frozen=True, slots=True)
class Run:
    """The outcome of a run."""

    machine: Machine
    figures: Sequence[Figure]
    failures: Sequence[Failure]


@dataclass(frozen=True, slots=True)
class Worse:
    """A figure that was better in the committed table."""

    part: str
    name: str
    unit: str
    before: float
    now: float

    def describe(self) -> str:
        """Return one line for the terminal."""
        return (
            f"worse by more than a quarter: {self.part}, {self.name}: {number(self.before)} -> {number(self.now)} {self.unit}"
        )


def number(value: float) -> str:
    """Format a number with three significant digits, but all digits before the point."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.3g}"


def table(run: Run) -> str:
    """Format the figures as a table for a terminal."""
    rows = [(one.part, one.name, number(one.value), one.unit, goal(one)) for one in run.figures]
    widths = [max(map(len, column), default=0) for column in zip(*rows, strict=True)] if rows else []
    lines = [
        f"{part:{widths[0]}}  {name:{widths[1]}}  {value:>{widths[2]}} {unit:{widths[3]}}  {reached}".rstrip()
        for part, name, value, unit, reached in rows
    ]
    return "\n".join([run.machine.describe(), "", *lines, *(f"FAILED {one.part}: {one.reason}" for one in run.failures)])


def goal(figure: Figure) -> str:
    """Return a figure's goal and whether it is reached; empty if it has none."""
    if figure.goal is None:
        return ""
    sign, bound = figure.goal
    return f"{sign} {bound:,g}: {'reached' if figure.is_reached else 'MISSED'}"


def as_json(run: Run) -> dict[str, Any]:
    """Return a run in the format of build/bench.json."""
    by_key = {one.key: one.value for one in run.figures if one.key}
    if unknown := by_key.keys() - set(KEYS):
        msg = f"keys that build/bench.json does not have: {', '.join(sorted(unknown))}"
        raise ValueError(msg)
    return {
        **{key: by_key.get(key) for key in KEYS},
        "machine": asdict(run.machine),
        "figures": [asdict(one) for one in run.figures],
        "failures": [asdict(one) for one in run.failures],
    }


def committed() -> dict[str, Any] | None:
    """Return the run in the last commit, the fixed basis of comparison; None if there is none."""
    show = ["git", "show", f"HEAD:{COMMITTED}"]
    shown = subprocess.run(show, capture_output=True, text=True, timeout=GIT_SECONDS, check=False, cwd=PROJECT)
    if shown.returncode == 0:
        found: dict[str, Any] = json.loads(shown.stdout)
        return found
    return None


def is_comparable(before: Mapping[str, Any], machine: Machine) -> bool:
    """Return whether a committed run is of a machine like this one."""
    facts = before["machine"]
    return (facts["processor"], facts["cores"], facts["memory_gb"]) == machine.hardware


def compare(before: Mapping[str, Any], figures: Sequence[Figure]) -> list[Worse]:
    """Return the figures that are worse by more than a quarter, of those that both runs have."""
    values = {(one["part"], one["name"], one["unit"]): float(one["value"]) for one in before["figures"]}
    found = []
    for one in figures:
        value = values.get((one.part, one.name, one.unit))
        if value is not None and _is_worse(one, value):
            found.append(Worse(one.part, one.name, one.unit, value, one.value))
    return found


def _is_worse(figure: Figure, before: float) -> bool:
    if figure.direction == NEITHER:
        return False
    if figure.direction == MORE:
        return figure.value < before * (1 - TOLERATED_SHARE)
    return figure.direction == LESS and figure.value > before * (1 + TOLERATED_SHARE)
