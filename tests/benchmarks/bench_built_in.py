"""The built-in model on labelled series and simulated fleets, without any training.

    python -m tests.benchmarks.bench_built_in SERIES

A series is one stream: the readings that a training would get, whose labels nobody uses, at most so many of them, and then the
test, which is measured as `make judge` does. SERIES and its `published.csv` are as docs/quality.md says; without it, the fleets
alone.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stream_detector.built_in.members import LENGTH
from stream_detector.built_in.scorer import BuiltIn
from stream_detector.commands.evaluate import evaluation_config
from stream_detector.commands.progress import score_with_progress
from stream_detector.evaluation.dominant_period import vus_window
from stream_detector.evaluation.scorecard import split_by_sensor
from stream_detector.readings import BoolArray
from stream_detector.settings.schema import Settings
from stream_detector.state.record_layout import WindowShape
from stream_detector.tables.dataset import Dataset
from tests.judge.cases import Case, labelled_series
from tests.judge.fleets import fleets
from tests.judge.measures import Watch, of_alarms, ranking, since
from tests.judge.tables import FOREST_VUS, read_published

MOST_BEFORE = 4_000


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one sensor."""

    vus_pr: float | None  # None: no event
    cut_forest: float | None
    events: int
    found: int
    false: int
    days: float  # without an event
    weeks: int
    kept: int  # weeks in budget


def measure(case: Case, settings: Settings, cut_forest: float | None) -> list[Figures]:
    """Score the readings of a case in the order of their times."""
    scorer = BuiltIn(WindowShape(case.features, LENGTH))
    dataset, labels = stream_of(case)
    rows, config = score_with_progress(scorer, dataset, settings), evaluation_config(scorer, settings)
    silences = {one.sensor: one.silences_ms for one in case.sensors if len(one.silences_ms)}
    by_name, found = {one.sensor: one for one in case.sensors}, []
    for series in split_by_sensor(dataset, labels, rows, silences):
        one = by_name[series.sensor]
        tested = since(series, int(one.test_ms[0]))
        interval, budget = one.interval_seconds, settings.alerts.budget_per_sensor_day
        alarms = of_alarms(Watch(tested, config.times_of(interval), interval, budget), tested.product, tested.told())
        ranked = ranking(one.labels, tested.product.scores, vus_window(one.test[:, 0]))
        figures = [alarms["events"], sum(alarms["found"]), alarms["false_incidents"]]
        figures += [alarms["normal_days"], alarms["weeks"], alarms["weeks_kept"]]
        found.append(Figures(ranked["vus_pr"] if ranked else None, cut_forest, *figures))
    return found


def stream_of(case: Case) -> tuple[Dataset, BoolArray]:
    """Return the readings of a case in the order of their times, and their labels [N]."""
    parts = [
        (
            np.full(len(one.train[-MOST_BEFORE:]) + len(one.test), code, np.int32),
            np.concatenate([one.train_ms[-MOST_BEFORE:], one.test_ms]),
            np.concatenate([one.train[-MOST_BEFORE:], one.test]),
            np.concatenate([np.zeros(len(one.train[-MOST_BEFORE:]), np.bool_), one.labels]),
        )
        for code, one in enumerate(case.sensors)
    ]
    codes, times, values, labels = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(times, kind="stable")
    names = tuple(one.sensor for one in case.sensors)
    return Dataset(case.features, names, codes[order], times[order], values[order], np.arange(len(order))), labels[order]


def main() -> None:
    """Measure, and print a row for each family."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("series", type=Path, nargs="?", metavar="SERIES")
    parser.add_argument("--only", nargs="+", default=[], metavar="FAMILY")
    options = parser.parse_args()
    settings, by_family = Settings(), defaultdict[str, list[Figures]](list)
    published = read_published(options.series) if options.series else {}
    for ref in [*(labelled_series(options.series) if options.series else []), *fleets()]:
        if not options.only or ref.family in options.only:
            of_case = measure(ref.load(ref), settings, published.get(ref.key, {}).get(FOREST_VUS))
            by_family[ref.family] += of_case
    print("| | sensors | VUS-PR | cut forest | events found | false incidents | allowed | weeks in budget |")
    print("| --- " * 8 + "|")
    for family, found in sorted(by_family.items()):
        print(row(family, found, settings.alerts.budget_per_sensor_day))


def row(family: str, found: list[Figures], budget: float) -> str:
    """Return a family's row of the table; the cut forest's figure is of the series that have one."""
    ranked = [one.vus_pr for one in found if one.vus_pr is not None]
    forest = [one.cut_forest for one in found if one.cut_forest is not None and one.vus_pr is not None]
    days, weeks = sum(one.days for one in found), sum(one.weeks for one in found)
    cells = (
        family,
        str(len(found)),
        f"{np.mean(ranked):.3f}" if ranked else "-",
        f"{np.mean(forest):.3f}" if forest else "-",
        f"{sum(one.found for one in found)} of {sum(one.events for one in found)}",
        f"{sum(one.false for one in found)} in {days:,.1f} days",
        f"{days * budget:.1f}",
        f"{sum(one.kept for one in found)} of {weeks}",
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
