"""Compares incidents on healthy data with the alarm budget, for a model trained as by the command line.

    python -m tests.benchmarks.bench_alarm_rate [--pumps 12] [--train-hours 4] [--hours 6] [--budgets 1 10 50]

Trains on a simulated fleet without faults, and scores the hours that follow. The budgets are large, so that incidents can
be counted: a count of 25 is accurate to 40 %. Takes minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.assembly import TrainedScorer, build_detector
from stream_detector.detection.scorer import WindowErrors
from stream_detector.detection.transition import OPENED
from stream_detector.readings import Float32Array, Readings
from stream_detector.settings.schema import AlertSettings, StateSettings
from stream_detector.simulation.fleet import FEATURES, Fleet
from stream_detector.state.running_scale import Scales
from stream_detector.tables.dataset import Dataset
from stream_detector.timestamps import SECONDS_PER_DAY
from stream_detector.training.preparation import TrainingConfig, prepare
from stream_detector.training.trainer import train

START_MS = 1_767_225_600_000
BATCH_ROWS = 4096


class RememberingScorer:
    """A TrainedScorer that computes errors once and returns them again for the same windows in the same order."""

    def __init__(self, scorer: TrainedScorer) -> None:
        self.spec = scorer.spec
        self.calibration = scorer.calibration
        self.fallback_deviation = scorer.fallback_deviation
        self.healthy = scorer.healthy
        self._scorer = scorer
        self._found: list[Float32Array] = []
        self._position = 0

    def rewind(self) -> None:
        """Start again with the first windows."""
        self._position = 0

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        """See ports.Scorer."""
        if self._position == len(self._found):
            self._found.append(self._scorer.start(windows, scales)())
        found = self._found[self._position]
        assert len(found) == len(windows)
        self._position += 1
        return lambda: found

    def explain(self, windows: Float32Array, scales: Scales) -> list[WindowErrors]:
        """See ports.Scorer."""
        return self._scorer.explain(windows, scales)


@dataclass(frozen=True, slots=True)
class Rate:
    """The incidents measured under one budget."""

    budget_per_sensor_day: float
    expected: float
    incidents: int


def healthy_fleet(fleet: Fleet, start_ms: int, steps: int) -> Dataset:
    """Return readings of a fleet without faults, sensor by sensor."""
    times_ms, values = fleet.readings(start_ms, steps)
    return Dataset(
        features=FEATURES,
        sensors=tuple(fleet.sensor_ids()),
        codes=np.repeat(np.arange(fleet.sensors, dtype=np.int32), steps),
        times_ms=np.tile(times_ms, fleet.sensors),
        values=values.reshape(-1, len(FEATURES)).astype(np.float32),
        rows=np.arange(fleet.sensors * steps, dtype=np.int64),
    )


def by_time(dataset: Dataset) -> Dataset:
    """Return readings in the order of a log: time by time."""
    return replace(dataset.take(np.argsort(dataset.times_ms, kind="stable")), rows=dataset.rows)


def rates(scorer: RememberingScorer, dataset: Dataset, budgets: Sequence[float]) -> list[Rate]:
    """Return, for each budget, the incidents that open in a dataset, and those that the budget accepts there."""
    days_per_reading = scorer.spec.sampling_interval_seconds / SECONDS_PER_DAY
    found = []
    for budget in budgets:
        scorer.rewind()
        incidents, scored = count_incidents(scorer, dataset, budget)
        found.append(Rate(budget, budget * scored * days_per_reading, incidents))
    return found


def count_incidents(scorer: TrainedScorer, dataset: Dataset, budget_per_sensor_day: float) -> tuple[int, int]:
    """Return how many incidents open, and how many readings are scored."""
    detector = build_detector(scorer, StateSettings(), AlertSettings(budget_per_sensor_day=budget_per_sensor_day))
    detector.admit_new(0, dataset.sensors)
    incidents = scored = 0
    for first in range(0, len(dataset), BATCH_ROWS):
        batch = dataset.take(np.arange(first, min(first + BATCH_ROWS, len(dataset))))
        detected = detector.detect(
            Readings(
                sensors=[dataset.sensors[code] for code in batch.codes.tolist()],
                partitions=np.zeros(len(batch), np.int32),
                places=batch.rows,
                times_ms=batch.times_ms,
                values=batch.values,
            )
        )
        scored += detected.scored
        if detected.decisions is not None:
            incidents += sum(one.status == OPENED for one in detected.decisions.transitions)
    return incidents, scored


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pumps", type=int, default=12)
    parser.add_argument("--train-hours", type=float, default=4.0)
    parser.add_argument("--hours", type=float, default=6.0, help="scored, after the training's")
    parser.add_argument("--budgets", type=float, nargs="+", default=[1.0, 10.0, 50.0], help="per sensor and day")
    parser.add_argument("--steps", type=int, help="gradient steps of the training")
    arguments = parser.parse_args()
    fleet = Fleet(sensors=arguments.pumps)
    steps = round(3600 * arguments.train_hours)
    trained = train(
        prepare(healthy_fleet(fleet, START_MS, steps), TrainingConfig(steps=arguments.steps)), lambda *_: None
    ).artifact
    fresh = by_time(healthy_fleet(fleet, START_MS + 1000 * steps, round(3600 * arguments.hours)))
    print(
        f"{trained.calibration.readings} calibration readings; {len(fresh)} scored; members {', '.join(trained.spec.members)}"
    )
    print(f"{'budget per sensor and day':>25}  {'expected':>8}  {'incidents':>9}  {'realised / budget':>17}")
    for rate in rates(RememberingScorer(KerasScorer(trained)), fresh, arguments.budgets):
        ratio = rate.incidents / rate.expected
        print(f"{rate.budget_per_sensor_day:>25g}  {rate.expected:>8.1f}  {rate.incidents:>9}  {ratio:>17.2f}")


if __name__ == "__main__":
    main()
