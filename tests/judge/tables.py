"""Writes results as tables in Markdown, a row for each family."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.judge.families import (
    Alarms,
    Sensor,
    ahead,
    alarms_of,
    by_family,
    drills_of,
    kinds_found,
    mean,
    mean_ranking,
    published_mean,
)
from tests.judge.measures import PCA, PRODUCT, RANDOM, ROBUST_Z
from tests.judge.product import BUDGETS
from tests.judge.results import Result

#: Published columns of random cut forest: VUS-PR, share of events with an alarm in any row, share of normal rows alarmed.
FOREST_VUS, FOREST_FOUND, FOREST_ALARMED = "rcf_online_test", "rcf_event_recall", "rcf_alarmed_normal_rows"
PUBLISHED = "published.csv"

Published = Mapping[str, Mapping[str, float]]


def read_published(directory: Path) -> Published:
    """Return the numbers of `published.csv` by series and column, from a directory or the one above; none without the file."""
    for path in (directory / PUBLISHED, directory.parent / PUBLISHED):
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                return {row["series"]: _numbers(row) for row in csv.DictReader(file)}
    return {}


def _numbers(row: Mapping[str, str]) -> dict[str, float]:
    return {name: float(row[name]) for name in (FOREST_VUS, FOREST_FOUND, FOREST_ALARMED) if row.get(name)}


def report(results: Sequence[Result], published: Published) -> str:
    """Return all tables on at least one result."""
    families = by_family(results)
    lines = ["Ranking, mean VUS-PR of the series with events:", "", *_ranking(families, results, published)]
    for budget, per_day in BUDGETS.items():
        what = "the default budget" if per_day is None else f"a budget of {per_day:g} per sensor and day"
        lines += ["", f"Alarms at {what}:", "", *_alarms(families, budget)]
    lines += ["", "Simple detectors, found / normal rows alarmed:", "", *_simple(families, results, published)]
    if kinds := list(_kinds(families)):
        lines += ["", "Injected faults, found in their first half, by budget, with the median delay:", "", *kinds]
    if drills := list(_drills(results)):
        lines += ["", "Injected faults of `train` in its held-back readings, share found by budget:", "", *drills]
    errors = [f"- {one['family']} {one['name']}: {one['error']}" for one in results if one["error"]]
    return "\n".join([*lines, *(["", "Not judged:", "", *errors] if errors else [])]) + "\n"


def _ranking(families: Mapping[str, Sequence[Sensor]], results: Sequence[Result], published: Published) -> Iterator[str]:
    yield "| family | series | **product** | PCA | robust z | random | cut forest | ahead of PCA |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    columns: list[list[float | None]] = []
    for family, sensors in families.items():
        figures = [mean_ranking(sensors, name) for name in (PRODUCT, PCA, ROBUST_Z, RANDOM)]
        figures.append(published_mean(published, _keys(results, family), FOREST_VUS))
        columns.append(figures)
        better, both = ahead(sensors, PRODUCT, PCA)
        cells = [family, str(len(sensors)), *map(_share, figures), f"{better} of {both}"]
        yield _row(cells)
    means = [mean(value for value in column if value is not None) for column in zip(*columns, strict=True)]
    yield _row(["**mean of families**", "", *map(_share, means[:-1]), "", ""])  # the forest is not there for all


def _alarms(families: Mapping[str, Sequence[Sensor]], budget: str) -> Iterator[str]:
    yield _row(
        [
            "family",
            "events found, mean",
            "median delay",
            "false incidents",
            "times the budget",
            "per 1,000 normal rows",
            "normal rows alarmed, mean (median)",
            "series in budget",
            "weeks in budget",
            "median a week",
        ]
    )
    yield _row(["---"] * 10)
    for family, sensors in families.items():
        alarms = alarms_of(sensors, budget)
        assert alarms is not None
        yield _row([family, *_alarm_cells(alarms)])


def _alarm_cells(alarms: Alarms) -> list[str]:
    before = f"; {alarms.alarmed_before} alarmed before" if alarms.alarmed_before else ""
    found = "-" if alarms.events_found is None else f"{alarms.events_found:.0%} ({alarms.found} of {alarms.events}{before})"
    delay = "-" if alarms.delay_rows is None else f"{alarms.delay_rows:g} rows"
    return [
        found,
        delay,
        f"{alarms.false_incidents:,}",
        f"{alarms.times_budget:,.3g}",
        f"{alarms.per_1000_normal:.2g}",
        f"{alarms.alarmed_mean:.1%} ({alarms.alarmed_median:.1%})",
        f"{alarms.keep_budget:.0%}",
        f"{alarms.weeks_kept:.0%}",
        f"{alarms.median_a_week:g}",
    ]


def _simple(families: Mapping[str, Sequence[Sensor]], results: Sequence[Result], published: Published) -> Iterator[str]:
    yield "| family | **product** | PCA | robust z | cut forest, any row |"
    yield "| --- | --- | --- | --- | --- |"
    for family, sensors in families.items():
        cells = [family]
        for name in ("default", PCA, ROBUST_Z):
            alarms = alarms_of(sensors, name)
            cells.append(_pair(alarms.events_found, alarms.alarmed_mean) if alarms else "-")
        keys = _keys(results, family)
        cells.append(_pair(*(published_mean(published, keys, column) for column in (FOREST_FOUND, FOREST_ALARMED))))
        yield _row(cells)


def _kinds(families: Mapping[str, Sequence[Sensor]]) -> Iterator[str]:
    injected = {family: sensors for family, sensors in families.items() if kinds_found(sensors, "default")}
    if injected:
        yield _row(["family", "fault", *BUDGETS])
        yield _row(["---"] * (2 + len(BUDGETS)))
    for family, sensors in injected.items():
        by_budget = [kinds_found(sensors, budget) for budget in BUDGETS]
        for kind in by_budget[0]:
            yield _row([family, kind.replace("_", " "), *(_found(*one[kind]) for one in by_budget)])


def _drills(results: Sequence[Result]) -> Iterator[str]:
    by_budget = {budget: drills_of(results, budget) for budget in BUDGETS}
    families = sorted({one["family"] for one in results if one["drill"]})
    of_families = [drills_of([one for one in results if one["family"] == family], "default") for family in families]
    kinds = list(by_budget["default"])
    if kinds:
        yield _row(["fault", *BUDGETS, *(f"{family}, default" for family in families)])
        yield _row(["---"] * (1 + len(BUDGETS) + len(families)))
    for kind in kinds:
        yield _row([kind, *(_of(one.get(kind)) for one in (*by_budget.values(), *of_families))])


def _of(found: tuple[int, int] | None) -> str:
    return "-" if found is None or not found[1] else f"{found[0] / found[1]:.0%}"


def _found(found: int, count: int, delay_seconds: float | None) -> str:
    return f"{found} of {count}" + ("" if delay_seconds is None else f", {delay_seconds / 60:.0f} min")


def _keys(results: Sequence[Result], family: str) -> list[str]:
    return [f"{one['family']}__{one['name']}" for one in results if one["family"] == family]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}".replace("0.", ".", 1)


def _pair(found: float | None, alarmed: float | None) -> str:
    return " / ".join("-" if one is None else f"{one:.1%}" for one in (found, alarmed))
