"""Measures one sensor: how its scores rank, and at each budget what was found, what was alarmed falsely, and how often.

Found, false and delay are as `evaluate` defines them. The simple detectors are fitted to the same training readings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stream_detector.evaluation.alarms import IncidentTimes, count_alarms, find_incidents, is_false, watched_days
from stream_detector.evaluation.baselines import LEAST_TRAINING_ROWS, Detection, detect
from stream_detector.evaluation.dominant_period import vus_window
from stream_detector.evaluation.found_events import FoundEvents, find_events, told_ms
from stream_detector.evaluation.ranking import average_precision, lowest_where_absent, vus_pr
from stream_detector.evaluation.scorecard import LabelledSeries, split_by_sensor
from stream_detector.readings import BoolArray, Float64Array, Int64Array
from tests.judge.cases import Case, SensorCase, rows_to_score
from tests.judge.product import Outcome
from tests.judge.weeks import weeks_of

PRODUCT, PCA, ROBUST_Z, RANDOM = "product", "windowed PCA", "robust z-score", "random"
SIMPLE = (PCA, ROBUST_Z, RANDOM)
#: The simple detectors whose alarms are counted; their thresholds know no budget.
ALARMING = (PCA, ROBUST_Z)


@dataclass(frozen=True, slots=True)
class Watch:
    """What the alarms of a sensor are measured against."""

    series: LabelledSeries
    times: IncidentTimes
    interval_seconds: float
    budget: float  # per sensor and day


def measure(case: Case, outcome: Outcome) -> list[dict[str, Any]]:
    """Return the figures of each sensor."""
    labels = rows_to_score(case).labels
    silences = {one.sensor: one.silences_ms for one in case.sensors if len(one.silences_ms)}
    by_sensor: dict[str, dict[str, LabelledSeries]] = {one.sensor: {} for one in case.sensors}
    for budget, rows in outcome.by_budget.items():
        for series in split_by_sensor(outcome.dataset, labels, rows, silences):
            by_sensor[series.sensor][budget] = series
    return [_of_sensor(one, by_sensor[one.sensor], outcome) for one in case.sensors]


def _of_sensor(sensor: SensorCase, by_budget: Mapping[str, LabelledSeries], outcome: Outcome) -> dict[str, Any]:
    first_ms, interval = int(sensor.test_ms[0]), sensor.interval_seconds
    times = outcome.config.times_of(interval)
    watches = {
        name: Watch(since(series, first_ms), times, interval, outcome.budgets[name]) for name, series in by_budget.items()
    }
    watch = watches["default"]
    window, detections = vus_window(sensor.test[:, 0]), {PRODUCT: watch.series.product}
    if len(sensor.train) >= LEAST_TRAINING_ROWS:
        for number, name in enumerate(SIMPLE):
            detections[name] = detect(name, sensor.train, sensor.test, np.random.default_rng([0, number]))
    alarms = {name: of_alarms(one, one.series.product, one.series.told()) for name, one in watches.items()}
    for name in ALARMING:
        if name in detections:
            alarms[name] = of_alarms(watch, detections[name], told_ms(sensor.test_ms, detections[name].alarms))
    found = find_events(watch.series.truth(), sensor.test_ms, watch.series.told())
    return {
        "sensor": sensor.sensor,
        "rows": len(sensor.labels),
        "normal_rows": int((~sensor.labels).sum()),
        "interval_seconds": interval,
        "vus_window": window,
        "ranking": {name: ranking(sensor.labels, one.scores, window) for name, one in detections.items()},
        "events": _kinds(sensor, found),
        "alarms": alarms,
    }


def since(series: LabelledSeries, first_ms: int) -> LabelledSeries:
    """Return the rows of a series from a time on."""
    kept = series.times_ms >= first_ms
    product = series.product
    return replace(
        series,
        times_ms=series.times_ms[kept],
        values=series.values[kept],
        labels=series.labels[kept],
        is_late=series.is_late[kept],
        is_warming=series.is_warming[kept],
        product=Detection(product.scores[kept], product.thresholds[kept], product.alarms[kept], product.holding[kept]),
        causes={name: told[kept] for name, told in series.causes.items()},
    )


def ranking(labels: BoolArray, scores: Float64Array, window: int) -> dict[str, float] | None:
    """Return VUS-PR and AUC-PR; None if all labels are equal."""
    if labels.all() or not labels.any():
        return None
    known = lowest_where_absent(scores)
    return {"vus_pr": vus_pr(labels, known, window), "auc_pr": average_precision(labels, known)}


def of_alarms(watch: Watch, detection: Detection, told: Int64Array) -> dict[str, Any]:
    """Return what a detector's alarms, told at [N] (see told_ms), find and miss, and how they keep the budget."""
    series, truth = watch.series, watch.series.truth()
    incidents = find_incidents(detection, series.times_ms, series.is_late, watch.times)
    days = watched_days(len(series.labels), watch.interval_seconds)
    counts = count_alarms(truth, series.times_ms, told, incidents, days)
    found = find_events(truth, series.times_ms, told)
    false_ms = series.times_ms[incidents[is_false(truth.marked(), incidents), 0]]
    end_ms = int(series.times_ms[-1] + 1000 * watch.interval_seconds)
    normal_rows = int((~truth.marked()).sum())
    return {
        "budget_per_day": watch.budget,
        "events": counts.events,
        "found": found.is_found.tolist(),
        "late": int(found.is_late.sum()),
        "before": counts.events_alarmed_before,
        "delay_rows": [int(rows) for rows in found.delay_rows[found.is_found]],
        "delay_seconds": [ms / 1000.0 for ms in found.delay_ms[found.is_found].tolist()],
        "incidents": counts.incidents,
        "false_incidents": counts.false_incidents,
        "normal_days": watched_days(normal_rows, watch.interval_seconds),
        "normal_rows_alarmed": counts.false_positives,
        **weeks_of(false_ms, int(series.times_ms[0]), end_ms, watch.budget).as_json(),
    }


def _kinds(sensor: SensorCase, found: FoundEvents) -> list[dict[str, Any]]:
    """Return what is known of each event, in the order of `found`; the kind of a labelled one is empty."""
    by_start = {one.start_ms: one for one in sensor.injected}
    starts: Sequence[int] = found.spans_ms[:, 0].tolist()
    known = [by_start.get(start) for start in starts]
    return [{"kind": one.kind if one else "", "size": one.size if one else None} for one in known]
