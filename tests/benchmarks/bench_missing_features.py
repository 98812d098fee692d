"""What alarms do while features are missing, on labelled series, for models trained as by the command line.

    python -m tests.benchmarks.bench_missing_features SERIES.npz... [--rows 8000]

A file holds `train` [n0, F], `test` [n1, F], the labels `y` [n1] of the test rows, and `seconds` between two rows. Each feature
(eight drawn at random, of more) and eight pairs are hidden in the whole test part. A line gives, for whole rows, for one
feature hidden and for two: the share of the normal rows that are alarmed, at the default budget, and the share of the labelled
events with an alarm. An event whose faulty features are hidden cannot be found. Takes a minute or more a series.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.assembly import build_detector
from stream_detector.evaluation.offline_scoring import join, score_dataset
from stream_detector.readings import BoolArray, Float32Array
from stream_detector.settings.schema import AlertSettings, StateSettings
from stream_detector.tables.dataset import Dataset
from stream_detector.training.preparation import TrainingConfig, prepare
from stream_detector.training.trainer import train

MOST_PATTERNS = 8
START_MS = 1_767_225_600_000


def dataset_of(values: Float32Array, seconds: float) -> Dataset:
    """Return the rows [N, F] of one sensor as a dataset."""
    count, features = values.shape
    return Dataset(
        features=tuple(f"f{number}" for number in range(features)),
        sensors=("s",),
        codes=np.zeros(count, np.int32),
        times_ms=START_MS + np.round(1000 * seconds * np.arange(count)).astype(np.int64),
        values=values.astype(np.float32),
        rows=np.arange(count),
    )


def patterns(features: int) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Return the single features and the pairs to hide."""
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.permutation(features)[:MOST_PATTERNS]).tolist()
    pairs = list(itertools.combinations(chosen, 2)) if features > 2 else []
    drawn = np.sort(rng.permutation(len(pairs))[:MOST_PATTERNS]).tolist()
    return [(feature,) for feature in chosen] if features > 1 else [], [pairs[number] for number in drawn]


def alarms(scorer: KerasScorer, test: Dataset, hidden: Sequence[int]) -> BoolArray:
    """Return which rows [N] are anomalous while these features are hidden."""
    values = test.values.copy()
    values[:, list(hidden)] = np.nan
    detector = build_detector(scorer, StateSettings(), AlertSettings())
    masked = Dataset(test.features, test.sensors, test.codes, test.times_ms, values, test.rows)
    return join(list(score_dataset(detector, masked))).is_anomaly


def judge(is_anomaly: BoolArray, labels: BoolArray) -> tuple[float, float]:
    """Return the share of normal rows alarmed, and of events with an alarm."""
    rows = np.flatnonzero(labels)
    events = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1) if len(rows) else []
    found = [bool(is_anomaly[event].any()) for event in events]
    return float(is_anomaly[~labels].mean()), float(np.mean(found)) if found else np.nan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("series", type=Path, nargs="+")
    parser.add_argument("--rows", type=int, default=8_000, help="rows of the test part")
    arguments = parser.parse_args()
    print("series: normal rows alarmed and events found, whole | one feature hidden, mean (worst) | two hidden, mean (worst)")
    for path in arguments.series:
        content = np.load(path)
        seconds = float(content["seconds"])
        test = dataset_of(content["test"][: arguments.rows], seconds)
        labels = content["y"][: arguments.rows].astype(np.bool_)
        training = train(prepare(dataset_of(content["train"], seconds), TrainingConfig()), lambda *_: None)
        scorer = KerasScorer(training.artifact)
        columns = []
        for group in ([()], *patterns(test.values.shape[1])):
            if not group:
                continue
            false, found = np.array([judge(alarms(scorer, test, hidden), labels) for hidden in group]).T
            worst = f" ({false.max():.2%})" if len(group) > 1 else ""
            columns.append(f"{false.mean():.2%}{worst}, {np.nanmean(found):.0%}")
        print(f"{path.stem}: {' | '.join(columns)}", flush=True)


if __name__ == "__main__":
    main()
