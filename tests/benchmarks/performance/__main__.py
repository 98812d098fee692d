"""Measures, prints one table, and lists the figures that got worse.

    python -m tests.benchmarks.performance [--quick] [--only PART ...]

A full run (twenty minutes; nothing else should run on the machine) writes docs/performance.md and docs/performance-table.md.
A quick one (a quarter of an hour) or one of some parts does not. Both write build/bench.json. Java and Maven are needed for
Kafka. The exit code is 1 if a part failed, or if a figure of a full run is worse by more than a quarter than in the last
commit.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.performance import pages, report
from tests.benchmarks.performance.figures import Figure, RunSize
from tests.benchmarks.performance.machine import this_machine
from tests.benchmarks.performance.models import train_models
from tests.benchmarks.performance.parts import measure_part
from tests.benchmarks.performance.processes import in_a_process

#: The parts in their order: the name of the module that has `measure`, and what it is called.
PARTS = {
    "engine": "inference alone",
    "stages": "stages alone",
    "end_to_end": "end to end on real Kafka and Valkey, and plain consumers on the same topic",
    "latency": "from a reading to its event, under load",
    "scale": "1,000 to a million sensors",
    "foreign": "topics of other tools: decoding, assembling, re-keying",
    "training": "training",
}
#: Parts that score nothing.
WITHOUT_MODELS = {"foreign"}


def main() -> int:
    """Run the parts; return the exit code."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="stream-detector-bench-") as name:
        models = options.models or Path(name) / "models"
        parts = options.only or list(PARTS)
        if not WITHOUT_MODELS.issuperset(parts):
            in_a_process(train_models, models)
        run = _measure(parts, RunSize(options.quick), Path(name), models)
    print(f"\n{report.table(run)}\n", flush=True)
    worse = _compare(run)
    report.BENCH.parent.mkdir(exist_ok=True)
    report.BENCH.write_text(json.dumps(report.as_json(run), indent=1))
    is_full = not options.quick and not options.only
    if is_full and not run.failures:
        pages.write_pages(run)
        print(f"wrote {pages.PAGE.name} and {pages.TABLE_PAGE.name}")
    return 1 if run.failures or (worse and not options.quick) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.performance", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer points, a quarter of an hour")
    parts = "; ".join(f"{name}: {what}" for name, what in PARTS.items())
    parser.add_argument("--only", nargs="+", metavar="PART", choices=PARTS, help=f"some of the parts ({parts})")
    parser.add_argument("--models", type=Path, metavar="DIR", help="keep the trained models here, and use those that are here")
    return parser.parse_args()


def _measure(names: Sequence[str], size: RunSize, directory: Path, models: Path) -> report.Run:
    """Run each part in its own process, so that one that dies or leaks threads and memory does not affect the others."""
    figures: list[Figure] = []
    failures: list[report.Failure] = []
    for name in names:
        print(f"{time.strftime('%H:%M:%S')} {name}: {PARTS[name]}", flush=True)
        try:
            figures += in_a_process(measure_part, name, size, directory / name, models)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are measured
            failures.append(report.Failure(name, f"{type(error).__name__}: {error}"))
            traceback.print_exc()
    return report.Run(this_machine(), figures, failures)


def _compare(run: report.Run) -> list[report.Worse]:
    """Report the figures that are worse than in the last commit, if its run was on a machine like this one."""
    before = report.committed()
    if before is None:
        print("there is no committed table to compare with")
        return []
    if not report.is_comparable(before, run.machine):
        print("the committed table is of another machine: its figures are not comparable")
        return []
    worse = report.compare(before, run.figures)
    for one in worse:
        print(one.describe())
    return worse


if __name__ == "__main__":
    sys.exit(main())
