"""Measures what a known sensor's first readings are worth: alarms on healthy starts, and faults found in them.

    python -m tests.benchmarks.bench_partial_windows DIRECTORY --cases SKAB__valve1__0 fleet-steady__seed-7 [--models DIR]

Cases are those of `make judge` (tests/judge/cases.py). Each is trained as `train` does (`--train-options`), unless its model is
in --models. Stretches of the test without a label, two windows long and spread evenly, each become a sensor of their own, which
the model knows. It starts with the second window ("start"), or with the first, and is not scored until that is full ("full"):
so the same readings are judged with and without what came before. Counted are the incidents that open in the readings before
the starts have a full window, and the spikes found at once: of one random feature, at the 10th reading.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from stream_detector.assembly import TrainedScorer, build_detector
from stream_detector.detection.transition import OPENED
from stream_detector.readings import BoolArray, Float64Array, Readings
from stream_detector.settings.schema import Settings
from stream_detector.settings.sources import load_settings
from tests.judge.__main__ import all_cases
from tests.judge.cases import Case, CaseRef
from tests.judge.product import BUDGETS, Files, RememberingScorer, alerts_at_budgets, open_scorer, train

START_MS = 1_700_000_000_000
SPIKE_AT = 9
BATCH = 4096
#: Between stretch and sensor in the names of the sensors of stretches.
MARK = "#"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Two windows of readings [2T - 1, F] of a sensor, without a label."""

    sensor: str
    values: Float64Array


@dataclass(frozen=True, slots=True)
class Run:
    """How stretches are read: from which row on, whether partial windows are scored, and the spike in deviations."""

    first: int
    scores_partial: bool
    spike: float = 0.0


def stretches(case: Case, scorer: TrainedScorer, most: int) -> list[Stretch]:
    """Return at most so many stretches of the test."""
    length, columns = scorer.spec.window_length, [case.features.index(name) for name in scorer.spec.features]
    found = []
    for one in case.sensors:
        marked = np.concatenate([[0], np.cumsum(one.labels)])
        firsts = np.arange(max(0, len(one.test) - 2 * length + 2))
        healthy = firsts[marked[firsts + 2 * length - 1] == marked[firsts]]
        found += [Stretch(one.sensor, one.test[first : first + 2 * length - 1, columns]) for first in healthy.tolist()]
    known = [one for one in found if one.sensor in scorer.calibration.sensors.rows]
    chosen = np.unique(np.linspace(0, len(known) - 1, min(most, len(known))).astype(np.int64))
    return [known[at] for at in chosen.tolist()]


def readings_of(found: Sequence[Stretch], scorer: TrainedScorer, run: Run) -> Readings:
    """Return the readings of all stretches in order of time."""
    table, random = scorer.calibration.sensors, np.random.default_rng(1)
    values = np.stack([one.values[run.first :] for one in found], axis=1)
    for at, one in enumerate(found) if run.spike else ():
        row = scorer.spec.window_length - 1 - run.first + SPIKE_AT
        feature = random.choice(np.flatnonzero(scorer.healthy.scored))
        values[row, at, feature] += random.choice([-1, 1]) * run.spike * table.deviation[table.rows[one.sensor], feature]
    rows, count = values.shape[:2]
    times_ms = START_MS + np.round(float(table.interval_ms.mean()) * np.arange(rows)).astype(np.int64)
    return Readings(
        sensors=[f"{one.sensor}{MARK}{at}" for at, one in enumerate(found)] * rows,
        partitions=np.zeros(rows * count, np.int32),
        places=np.arange(rows * count),
        times_ms=np.repeat(times_ms, count),
        values=values.reshape(rows * count, -1),
    )


def opened_at(
    readings: Readings, scorer: RememberingScorer, settings: Settings, budget: str, *, scores_partial: bool
) -> BoolArray:
    """Return at which readings [N] incidents open at a budget."""
    calibration = scorer.calibration
    rows = {name: calibration.sensors.rows[name.rpartition(MARK)[0]] for name in readings.sensors}
    stand_in = _StandIn(
        scorer,
        replace(
            calibration,
            sensors=replace(calibration.sensors, rows=rows),
            partial=calibration.partial if scores_partial else None,
        ),
    )
    detector = build_detector(cast("TrainedScorer", stand_in), settings.state, alerts_at_budgets(settings)[budget])
    detector.arena.make_room(len(rows))
    detector.admit_new(0, list(rows))
    opened = np.zeros(len(readings), np.bool_)
    for first in range(0, len(readings), BATCH):
        chosen = np.zeros(len(readings), np.bool_)
        chosen[first : first + BATCH] = True
        detected = detector.detect(readings.take(chosen))
        assert detected.decisions is not None
        changes = [one for one in detected.decisions.transitions if one.status == OPENED]
        opened[[first + int(detected.appended.reading[one.position]) for one in changes]] = True
    return opened


class _StandIn:
    """A scorer with another calibration."""

    def __init__(self, scorer: RememberingScorer, calibration: object) -> None:
        self._scorer = scorer
        self.calibration = calibration

    def __getattr__(self, name: str) -> object:
        return getattr(self._scorer, name)


def measure(case: Case, scorer: TrainedScorer, settings: Settings, most: int, spike: float) -> str:
    """Return a row of the table for each budget."""
    length, found = scorer.spec.window_length, stretches(case, scorer, most)
    runs = {
        "start": Run(length - 1, scores_partial=True),
        "full": Run(0, scores_partial=False),
        "start, spike": Run(length - 1, scores_partial=True, spike=spike),
        "full, spike": Run(0, scores_partial=False, spike=spike),
    }
    opened: dict[tuple[str, str], BoolArray] = {}
    for name, run in runs.items():
        readings, remembering = readings_of(found, scorer, run), RememberingScorer(scorer)
        for budget in BUDGETS:
            remembering.rewind()
            at = opened_at(readings, remembering, settings, budget, scores_partial=run.scores_partial)
            opened[budget, name] = at.reshape(-1, len(found))[length - 1 - run.first :][: length - 1]
    return "\n".join(_row(opened, budget, len(found)) for budget in BUDGETS)


def _row(opened: dict[tuple[str, str], BoolArray], budget: str, starts: int) -> str:
    false = [int(opened[budget, name].sum()) for name in ("start", "full")]
    first = [int(opened[budget, name][:16].sum()) for name in ("start", "full")]
    spikes = [
        float(opened[budget, name][SPIKE_AT : SPIKE_AT + 2].any(axis=0).mean()) for name in ("start, spike", "full, spike")
    ]
    cells = [budget, str(starts), *map(str, false), *map(str, first), *(f"{share:.2f}" for share in spikes)]
    return f"| {' | '.join(cells)} |"


def _model_of(ref: CaseRef, case: Case, options: argparse.Namespace, directory: Path) -> Files:
    kept = options.models / ref.key if options.models else None
    files = Files.write(case, directory, options.train_options, kept if kept and kept.exists() else None)
    if files.model != kept:
        train(files.options)
        if kept:
            shutil.copytree(files.model, kept)
    return files


def main() -> None:
    """Measure the cases and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DIRECTORY", help="labelled series")
    parser.add_argument("--cases", nargs="+", required=True)
    parser.add_argument("--models", type=Path, help="directory of models by case, filled with those that are missing")
    parser.add_argument("--train-options", default="")
    parser.add_argument("--starts", type=int, default=200)
    parser.add_argument("--spike", type=float, default=8.0, help="in deviations of the feature")
    options, settings = parser.parse_args(), load_settings(None, None)
    refs = {ref.key: ref for ref in all_cases(options.data)}
    print("| budget | starts | incidents: start | full | first 16: start | full | spike found: start | full |")
    for key in options.cases:
        case = refs[key].load(refs[key])
        with tempfile.TemporaryDirectory() as directory:
            scorer = open_scorer(_model_of(refs[key], case, options, Path(directory)), settings)
            print(f"{key}\n{measure(case, scorer, settings, options.starts, options.spike)}", flush=True)


if __name__ == "__main__":
    main()
