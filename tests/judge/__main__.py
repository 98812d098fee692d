"""Judges detection quality by the product's own commands, on labelled series and on simulated fleets.

    make judge ARGS="--data DIR [--set all] [--only SKAB NAB]"

A directory of labelled series (see cases.py) may also be named by STREAM_DETECTOR_TEST_SERIES. Each case is trained on and
scored as `train` and `score` do, and decided on at three budgets. Its result is kept in RESULTS/LABEL as soon as it is there; a
rerun judges only what is missing. Without --label, results belong to the product's code, the settings and the options of train.

    make judge ARGS="--data DIR --compare build/judge/BEFORE"
    make judge ARGS="--choose build/judge/ONE build/judge/OTHER"
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from stream_detector.files import write_texts
from stream_detector.settings.sources import load_settings
from tests.judge.cases import CaseRef, labelled_series, select
from tests.judge.compare import FIGURES, VUS, choose, compare
from tests.judge.fleets import fleets
from tests.judge.results import Result, code_version, load, missing, other_versions
from tests.judge.runner import ONE_THREAD, Plan, judge_case, run_all
from tests.judge.tables import read_published, report

DATA = "STREAM_DETECTOR_TEST_SERIES"
RESULTS = Path("build/judge")


def _options() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="make judge", description=__doc__, formatter_class=raw)
    add, data = parser.add_argument, os.environ.get(DATA)
    add("--data", type=Path, default=Path(data) if data else None, metavar="DIR", help=f"labelled series (default: {DATA})")
    add("--set", choices=("small", "all"), default="small", help="small: a few cases of each family")
    add("--only", nargs="+", default=[], metavar="FAMILY", help="only these families")
    add("--results", type=Path, default=RESULTS, metavar="DIR", help="results, a directory for each label")
    add("--label", help="name of the results (default: a hash of code, settings and options)")
    add("--train-options", default="", metavar="TEXT", help='further options of train, such as "--steps 100"')
    add("--models", type=Path, metavar="DIR", help="take the models of these results, for a change that no training knows")
    add("--jobs", type=int, default=2, help="processes")
    add(
        "--compare",
        type=Path,
        metavar="DIR",
        help="then say what is better than in these results, and whether the change stays",
    )
    add(
        "--choose", type=Path, nargs="+", metavar="DIR", help="judge nothing: leave each family out of the choice among results"
    )
    add("--figure", choices=FIGURES, default=VUS, help="what --choose goes by")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Judge, and print the tables; return 1 without a case."""
    options = _options().parse_args(argv)
    if options.choose:
        print(choose({str(path): load(path) for path in options.choose}, options.figure))
        return 0
    refs = select(all_cases(options.data), options.only, small=options.set == "small")
    if not refs:
        print(f"No cases: name a directory of labelled series with --data or {DATA}, or another family.")
        return 1
    what_else = f"{options.train_options} {options.models or ''} {' '.join(ONE_THREAD)}".strip()
    version = code_version(load_settings(None, None), what_else)
    plan = Plan(options.results / (options.label or version), version, options.train_options, options.models)
    failed = _judge_missing(refs, plan, options.jobs)
    results = load(plan.directory, refs)
    text = report(results, read_published(options.data) if options.data else {})
    _write(plan.directory, text, results)
    print(f"\n{text}")
    if options.compare:
        print(compare(load(options.compare, refs), results))
    if others := other_versions(results, version):
        print(f"Some of these results were measured with other code or settings: {', '.join(sorted(others))}; now {version}.")
    print(f"Results: {plan.directory}, {plan.directory}.md and {plan.directory}.json")
    return 1 if failed else 0


def all_cases(data: Path | None) -> list[CaseRef]:
    """Return the labelled series of a directory, and the simulated fleets."""
    return [*(labelled_series(data) if data else []), *fleets()]


def _judge_missing(refs: Sequence[CaseRef], plan: Plan, jobs: int) -> int:
    """Judge what has no result yet; return how many cases failed by a defect."""
    waiting = missing(plan.directory, refs)
    print(f"{len(refs)} cases, {len(refs) - len(waiting)} of them done in {plan.directory}", flush=True)
    started, failed = time.monotonic(), 0
    if waiting:
        failed = run_all(waiting, plan, judge_case, jobs, partial(print, flush=True))
        print(f"{len(waiting)} cases took {(time.monotonic() - started) / 60:.1f} minutes", flush=True)
    return failed


def _write(directory: Path, text: str, results: Sequence[Result]) -> None:
    figures = json.dumps(list(results), allow_nan=False)
    write_texts(directory.parent, {f"{directory.name}.md": text, f"{directory.name}.json": figures})


if __name__ == "__main__":
    raise SystemExit(main())
