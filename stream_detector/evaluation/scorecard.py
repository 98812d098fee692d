"""Measures the product and the baselines against the ground truth, sensor by sensor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from stream_detector.detection.transition import SILENT
from stream_detector.evaluation.alarms import (
    AlarmCounts,
    IncidentTimes,
    count_alarms,
    find_incidents,
    is_false,
    opened_after,
    watched_days,
)
from stream_detector.evaluation.baselines import BASELINES, LEAST_TRAINING_ROWS, Detection, detect
from stream_detector.evaluation.dominant_period import vus_window
from stream_detector.evaluation.found_events import BY_RULES, BY_SCORE, NEVER, Truth, found_by, told_ms, truth_of
from stream_detector.evaluation.offline_scoring import ScoredRows, rule_incidents, silences_told
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
    window_length: int = 1  # of the model, in rows
    accept_ms: int = NEVER  # after which an incident is accepted as the new normal, at least
    accept_intervals: float = 0.0

    def times_of(self, interval_seconds: float) -> IncidentTimes:
        """Return when the incidents of a sensor with this interval close."""
        interval_ms = 1000.0 * interval_seconds
        return IncidentTimes(
            max(self.quiet_ms, round(self.quiet_intervals * interval_ms)),
            max(self.accept_ms, round(self.accept_intervals * interval_ms)),
        )


def _no_silences() -> Int64Array:
    return np.empty((0, 2), np.int64)


def _none() -> BoolArray:
    return np.empty(0, np.bool_)


@dataclass(frozen=True, slots=True)
class LabelledSeries:
    """The N rows of one sensor in input order, with labels and the product's output."""

    sensor: str
    times_ms: Int64Array  # [N]
    values: Float64Array  # [N, F]; NaN = missing
    labels: BoolArray  # [N]
    is_late: BoolArray  # [N] dropped by the stream
    is_warming: BoolArray  # [N] not scored, for the window is not full
    product: Detection
    silences_ms: Int64Array = field(default_factory=_no_silences)  # [S, 2] start and end of labelled events without a reading
    causes: Mapping[str, Int64Array] = field(default_factory=dict)  # when each row tells an alarm [N]: of BY_SCORE, and a rule
    is_partial: BoolArray = field(default_factory=_none)  # [N] the window is not full, scored or not; empty: none is

    def truth(self) -> Truth:
        """Return the labelled events."""
        return truth_of(self.labels, self.silences_ms, self.times_ms, self.is_late)

    def told(self) -> Int64Array:
        """Return when each row [N] tells an alarm of the product (see told_ms)."""
        told = np.minimum.reduce([np.full(len(self.labels), NEVER), *self.causes.values()])
        return np.where(self.product.alarms, np.where(told < NEVER, told, self.times_ms), NEVER)

    def causes_with_rules(self) -> dict[str, Int64Array]:
        """Return the causes, and as BY_RULES all rules together, if there are any causes."""
        rules = [told for name, told in self.causes.items() if name != BY_SCORE]
        together = np.minimum.reduce([np.full(len(self.labels), NEVER), *rules])
        return {**self.causes, BY_RULES: together} if self.causes else {}


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


def split_by_sensor(
    dataset: Dataset, labels: BoolArray, scored: ScoredRows, silences: Mapping[str, Int64Array] | None = None
) -> Iterator[LabelledSeries]:
    """Yield the series of each sensor that has rows; labels and scores are indexed by the dataset's rows.

    Idle rows are left out, for all detectors alike.
    `silences` has the labelled events without a reading of a sensor, [S, 2] start and end in ms.
    """
    order, rules, silent_ms = (
        np.argsort(dataset.codes, kind="stable"),
        rule_incidents(dataset, scored),
        silences_told(dataset, scored),
    )
    alarmed = {BY_SCORE: scored.is_anomaly, **{name: is_open for name, is_open in sorted(rules.items()) if name != SILENT}}
    order = order[~scored.is_idle[order]] if len(scored.is_idle) else order
    for rows in np.split(order, np.flatnonzero(np.diff(dataset.codes[order])) + 1):
        sensor, times_ms = dataset.sensors[dataset.codes[rows[0]]], dataset.times_ms[rows]
        causes = {name: told_ms(times_ms, alarms[rows]) for name, alarms in alarmed.items()}
        causes[SILENT] = silent_ms[rows]
        at_reading = np.logical_or.reduce([alarms[rows] for alarms in alarmed.values()])
        yield LabelledSeries(
            sensor=sensor,
            times_ms=times_ms,
            values=dataset.values[rows].astype(np.float64),
            labels=labels[rows],
            is_late=scored.is_late[rows],
            is_warming=scored.is_warming[rows],
            is_partial=scored.is_partial[rows] if len(scored.is_partial) else _none(),
            product=Detection(
                scored.score[rows].astype(np.float64),
                scored.threshold[rows],
                at_reading | (silent_ms[rows] < NEVER),
                scored.is_holding[rows],
            ),
            silences_ms=(silences or {}).get(sensor, _no_silences()),
            causes={name: told for name, told in causes.items() if name == BY_SCORE or (told < NEVER).any()},
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
    times = config.times_of(interval_seconds)
    scores = {name: _score(series, detection, window, interval_seconds, times) for name, detection in detections.items()}
    scores[PRODUCT] = replace(scores[PRODUCT], alarms=_with_causes(series, scores[PRODUCT].alarms, times, config))
    return Scorecard(series, interval_seconds, window, source, scores)


def product_alarms(series: LabelledSeries, config: EvaluationConfig) -> AlarmCounts:
    """Count the alarms of the product on one sensor."""
    interval_seconds = _interval_seconds(series.times_ms) or config.interval_seconds
    return _alarms(series, series.product, interval_seconds, config.times_of(interval_seconds))


def _alarms(series: LabelledSeries, detection: Detection, interval_seconds: float, times: IncidentTimes) -> AlarmCounts:
    incidents = find_incidents(detection, series.times_ms, series.is_late, times)
    told = series.told() if detection is series.product else told_ms(series.times_ms, detection.alarms)
    return count_alarms(series.truth(), series.times_ms, told, incidents, watched_days(len(series.labels), interval_seconds))


def _score(
    series: LabelledSeries, detection: Detection, window: int, interval_seconds: float, times: IncidentTimes
) -> SensorScore:
    labels, alarms = series.labels, _alarms(series, detection, interval_seconds, times)
    if labels.all() or not labels.any():
        return SensorScore(None, alarms)
    scores = lowest_where_absent(detection.scores)
    return SensorScore(Ranking(vus_pr(labels, scores, window), average_precision(labels, scores)), alarms)


def _with_causes(series: LabelledSeries, alarms: AlarmCounts, times: IncidentTimes, config: EvaluationConfig) -> AlarmCounts:
    """Count besides the product's alarms what each cause finds, and the false incidents that opened right after an event."""
    truth = series.truth()
    by = found_by(truth, series.times_ms, series.causes_with_rules())
    incidents, marked = find_incidents(series.product, series.times_ms, series.is_late, times), truth.marked()
    after = is_false(marked, incidents) & opened_after(marked, incidents, config.window_length)
    return replace(alarms, found_by={name: int(found.sum()) for name, found in by.items()}, false_after_events=int(after.sum()))


def _healthy(series: LabelledSeries, training: Dataset | None) -> tuple[Float64Array, str | None]:
    """Return the training readings of a sensor's baselines and their source; None if there are too few."""
    if training is not None and series.sensor in training.sensors:
        known = training.values[training.codes == training.sensors.index(series.sensor)]
        return known.astype(np.float64), FROM_TRAINING if len(known) >= LEAST_TRAINING_ROWS else None
    marked = series.truth().marked()
    first = int(marked.argmax()) if marked.any() else len(marked)
    count = min(first, len(series.labels) // 2)
    return series.values[:count], FROM_START if count >= LEAST_TRAINING_ROWS else None


def _interval_seconds(times_ms: Int64Array) -> float | None:
    """Return the median time between consecutive readings; None if no reading is later than the one before it."""
    steps_ms = np.diff(times_ms)
    forward = steps_ms[steps_ms > 0]
    return float(np.median(forward)) / 1000.0 if len(forward) else None
