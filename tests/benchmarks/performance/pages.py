"""The generated parts of two pages: docs/performance.md has the headlines, docs/performance-table.md the figures by part."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.performance.figures import Figure
from tests.benchmarks.performance.report import COMMITTED, PROJECT, Run, as_json, goal, number

PAGE, TABLE_PAGE = PROJECT / "docs" / "performance.md", PROJECT / "docs" / "performance-table.md"
PICTURE = "docs/performance.svg"
BEGIN, END = "<!-- figures: made by `make bench` -->", "<!-- end of figures -->"
#: The figures that open docs/performance.md: the part and name of each, and what the page calls it.
HEADLINES = (
    ("end to end", "one replica, window 32, 1 feature", "Throughput of one replica, 1 feature, windows of 32"),
    ("end to end", "one replica, window 64, 8 features", "Throughput of one replica, 8 features, windows of 64"),
    ("end to end", "detector, window 32, 1 feature", "CPU of the detector, 1 feature, windows of 32"),
    ("scale", "in memory, 1,000,000 sensors", "Throughput with a million sensors in one process"),
    ("scale", "Redis a sensor, 1,000,000 sensors", "Redis memory per sensor, 1 feature, windows of 32"),
    ("latency", "reading to event, p50, at 50%", "Reading to event at half load, median"),
    ("latency", "reading to event, p99, at 50%", "Reading to event at half load, p99"),
    ("scale", "rebuild of 100,000 sensors, Redis lost", "Rebuild of 100,000 sensors after losing Redis"),
)
#: The condition in the names of a part's figures; it becomes a column of the table.
CONDITIONS = {
    "engine": r", (window \d+, features \d+)",
    "stages alone": r", ((?:univariate|\d+ features), window \d+)",
    "end to end": r", (window \d+, \d+ features?)",
    "latency": r",? (at \d+%)",
    "scale": r", ([\d,]+ sensors)",
    "training": r", (window \d+, \d+ features?)",
}
#: How the pages write the units that take several words.
ELAPSED, CPU = "us a reading", "us of CPU a reading"
SHORT_UNITS = {ELAPSED: "µs/reading", CPU: "µs CPU/reading", "us of CPU a message": "µs CPU/message"}
#: How the names of figures begin that describe the run and that no reader decides by: only docs/performance.json has them.
LEFT_TO_THE_JSON = (
    "events in 1000 readings",
    "incidents",
    "pacing",
    "readings in a batch",
    "share of readings scored",
    "windows fitted",
)


def headlines(run: Run) -> str:
    """Return the generated part of docs/performance.md: the headline figures, the goals, and the picture."""
    values = {(one.part, one.name): f"{number(one.value)} {_unit(one)}" for one in run.figures}
    asked = [one for one in run.figures if one.is_reached is not None]
    missed = [f"- {one.name}: {number(one.value)} ({goal(one)})" for one in asked if not one.is_reached]
    return "\n".join(
        [
            f"{run.machine.describe()}.",
            "",
            "| figure | value |",
            "| --- | --- |",
            *(f"| {title} | {values.get((part, name), 'not measured')} |" for part, name, title in HEADLINES),
            "",
            f"![Where the time goes, and readings a second by the number of sensors]({Path(PICTURE).name})",
            "",
            f"Goals reached: {len(asked) - len(missed)} of {len(asked)}.",
            *(["", *missed] if missed else []),
        ]
    )


def section(run: Run) -> str:
    """Return the generated part of docs/performance-table.md: the figures that a reader decides by, by part."""
    lines = [f"{run.machine.describe()}."]
    for part in dict.fromkeys(one.part for one in run.figures):
        lines += ["", f"### {part[0].upper()}{part[1:]}"]
        figures = [one for one in run.figures if one.part == part and not one.name.startswith(LEFT_TO_THE_JSON)]
        found = [(one, re.search(CONDITIONS.get(part, "$^"), one.name)) for one in figures]
        lines += _by_condition([(one, match) for one, match in found if match])
        lines += _one_by_one([one for one, match in found if not match])
    return "\n".join(lines)


def _by_condition(figures: Sequence[tuple[Figure, re.Match[str]]]) -> list[str]:
    """Return a table with a row for each measure and a column for each condition it was measured under."""
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for one, match in figures:
        measure = one.name[: match.start()] + one.name[match.end() :]
        reached = f" ({goal(one)})" if one.goal else ""
        cells.setdefault((measure, _unit(one)), {})[match[1]] = number(one.value) + reached
    cells = _with_cpu_in_brackets(cells)
    conditions = list(dict.fromkeys(match[1] for _, match in figures))
    rows = [
        f"| {measure} | {unit} | {' | '.join(values.get(condition, '') for condition in conditions)} |"
        for (measure, unit), values in cells.items()
    ]
    head = ["", f"| figure | unit | {' | '.join(conditions)} |", f"|{' --- |' * (2 + len(conditions))}"]
    return head + rows if rows else []


def _with_cpu_in_brackets(cells: dict[tuple[str, str], dict[str, str]]) -> dict[tuple[str, str], dict[str, str]]:
    """Return the rows with a measure's CPU time in brackets after its elapsed time, instead of in a row of its own."""
    elapsed, cpu = SHORT_UNITS[ELAPSED], SHORT_UNITS[CPU]
    rows = {}
    for (measure, unit), values in cells.items():
        of_cpu = cells.get((f"{measure}, CPU", cpu)) if unit == elapsed else None
        if of_cpu is not None:
            rows[measure, f"{unit} (CPU)"] = {key: f"{value} ({of_cpu.get(key, '')})" for key, value in values.items()}
        elif unit != cpu or (measure.removesuffix(", CPU"), elapsed) not in cells:
            rows[measure, unit] = values
    return rows


def _one_by_one(figures: Sequence[Figure]) -> list[str]:
    """Return a table with a row for each figure."""
    rows = [f"| {one.name} | {number(one.value)} {_unit(one)} | {goal(one)} |" for one in figures]
    return ["", "| figure | value | goal |", "| --- | --- | --- |", *rows] if rows else []


def _unit(figure: Figure) -> str:
    return SHORT_UNITS.get(figure.unit, figure.unit)


def with_section(page: str, text: str) -> str:
    """Return a page with the text between its markers replaced. Raises ValueError if it has no markers."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        msg = f"the page has no section between {BEGIN} and {END}"
        raise ValueError(msg)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def write_pages(run: Run) -> None:
    """Write the generated parts of both pages, the picture, and the figures that later runs are compared with."""
    from tests.benchmarks.performance.picture import draw

    PAGE.write_text(with_section(PAGE.read_text(), headlines(run)))
    TABLE_PAGE.write_text(with_section(TABLE_PAGE.read_text(), section(run)))
    (PROJECT / PICTURE).write_bytes(draw(run.figures))
    (PROJECT / COMMITTED).write_text(json.dumps(as_json(run), indent=1) + "\n")
