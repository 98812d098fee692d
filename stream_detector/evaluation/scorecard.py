"""Measures the product and the baselines against the ground truth, sensor by sensor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from stream_detector.evaluation.alarms import AlarmCounts, count_alarms, find_incidents, watched_days
from stream_detector.evaluation.baselines import BASELINES, LEAST_TRAINING_ROWS, Detection, detect
from stream_detector.evaluation.dominant_period import vus_window
from stream_detector.evaluation.offline_scoring import ScoredRows, alarmed
from stream_detector.evaluation.ranking import average_precision, lowest_where_absent, vus_pr
from stream_detector.readings import BoolArray, Float64Array, Int64Array
from stream_detector.tables.dataset import Dataset

#: The name of the product among the detectors.
PRODUCT = "stream-detector"
#: Where the training readings of the baselines come from.
FROM_TRAINING, FROM_START = "training file", "own rows before the first label"


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """Settings that apply to every detector."""

    quiet_ms: int  # without an alarm, after which an incident closes, at least
    interval_seconds: float  # sampling interval of a sensor with a single reading
    vus_window: int | None = None  # rows; None: the dominant period of each sensor's first feature
    seed: int = 0
    quiet_intervals: float = 0.0  # of the sensor, after which an incident closes, at least

    def quiet_of(self, interval_seconds: float) -> int:
        """Return how long a sensor with this interval is without an alarm before its incident closes, in milliseconds."""
        return max(self.quiet_ms, round(1000.0 * self.quiet_intervals * interval_seconds))


@dataclass(frozen=True, slots=True)
class LabelledSeries:
    """The N rows of one sensor in input order, with labels and the product's output."""

    sensor: str
    times_ms: Int64Array  # [N]
    values: Float64Array  # [N, F]; NaN = missing
    labels: BoolArray  # [N]
    is_late: BoolArray  # [N] dropped by the stream
    is_warming: BoolArray  # [N] before the sensor's first full window
    product: Detection


@dataclass(frozen=True, slots=True)
class Ranking:
    """How well a score ranks the anomalous rows of a sensor above its normal rows."""

    vus_pr: float
    auc_pr: float


@dataclass(frozen=True, slots=True)
class SensorScore:
    """The quality of a detector on one sensor; `ranking` is None if all labels are equal."""

    ranking: Ranking | None
    alarms: AlarmCounts


@dataclass(frozen=True, slots=True)
class Scorecard:
    """The scores of every detector on one sensor."""

    series: LabelledSeries
    interval_seconds: float
    vus_window: int
    baselines_from: str | None  # None: too few readings to fit baselines
    scores: Mapping[str, SensorScore]  # by the detector's name, PRODUCT first


def split_by_sensor(dataset: Dataset, labels: BoolArray, scored: ScoredRows) -> Iterator[LabelledSeries]:
    """Yield the series of each sensor that has rows; labels and scores are indexed by the dataset's rows."""
    order, alarms = np.argsort(dataset.codes, kind="stable"), alarmed(dataset, scored)
    for rows in np.split(order, np.flatnonzero(np.diff(dataset.codes[order])) + 1):
        yield LabelledSeries(
            sensor=dataset.sensors[dataset.codes[rows[0]]],
            times_ms=dataset.times_ms[rows],
            values=dataset.values[rows].astype(np.float64),
            labels=labels[rows],
            is_late=scored.is_late[rows],
            is_warming=scored.is_warming[rows],
            product=Detection(
                scored.score[rows].astype(np.float64), scored.threshold[rows], alarms[rows], scored.is_holding[rows]
            ),
        )


def make_scorecard(series: LabelledSeries, training: Dataset | None, config: EvaluationConfig) -> Scorecard:
    """Measure the product and each baseline on one sensor.

    `training` holds cleaned, healthy readings of the same features to fit baselines to. For a sensor without any there, they
    are fitted to its own rows before the first anomalous one, and at most to the first half of its rows.
    """
    healthy, source = _healthy(series, training)
    detections = {PRODUCT: series.product}
    for number, name in enumerate(BASELINES if source else ()):
        detections[name] = detect(name, healthy, series.values, np.random.default_rng([config.seed, number]))
    window = config.vus_window or vus_window(series.values[:, 0])
    interval_seconds = _interval_seconds(series.times_ms) or config.interval_seconds
    quiet_ms = config.quiet_of(interval_seconds)
    scores = {name: _score(series, detection, window, interval_seconds, quiet_ms) for name, detection in detections.items()}
    return Scorecard(series, interval_seconds, window, source, scores)


def _score(series: LabelledSeries, detection: Detection, window: int, interval_seconds: float, quiet_ms: int) -> SensorScore:
    labels = series.labels
    incidents = find_incidents(detection, series.times_ms, series.is_late, quiet_ms)
    days = watched_days(len(labels), interval_seconds)
    alarms = count_alarms(labels, detection.alarms, series.times_ms, incidents, days)
    if labels.all() or not labels.any():
        return SensorScore(None, alarms)
    scores = lowest_where_absent(detection.scores)
    return SensorScore(Ranking(vus_pr(labels, scores, window), average_precision(labels, scores)), alarms)


def _healthy(series: LabelledSeries, training: Dataset | None) -> tuple[Float64Array, str | None]:
    """Return the training readings of a sensor's baselines and their source; None if there are too few."""
    if training is not None and series.sensor in training.sensors:
        known = training.values[training.codes == training.sensors.index(series.sensor)]
        return known.astype(np.float64), FROM_TRAINING if len(known) >= LEAST_TRAINING_ROWS else None
    first = int(series.labels.argmax()) if series.labels.any() else len(series.labels)
    count = min(first, len(series.labels) // 2)
    return series.values[:count], FROM_START if count >= LEAST_TRAINING_ROWS else None


def _interval_seconds(times_ms: Int64Array) -> float | None:
    """Return the median time between consecutive readings; None if no reading is later than the one before it."""
    steps_ms = np.diff(times_ms)
    forward = steps_ms[steps_ms > 0]
    return float(np.median(forward)) / 1000.0 if len(forward) else None
