"""An evaluation as plain data, for report.json, the page and the table. What cannot be told is None, never NaN."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stream_detector.evaluation.alarms import AlarmCounts, pooled
from stream_detector.evaluation.baselines import BASELINES, LEAST_TRAINING_ROWS
from stream_detector.evaluation.scorecard import FROM_START, PRODUCT, Judged, Verdict

DETECTORS = (PRODUCT, *BASELINES)


@dataclass(frozen=True, slots=True)
class About:
    """What was evaluated, and how."""

    model: str
    model_version: str
    inputs: tuple[str, ...]
    labels: str
    budget_per_sensor_day: float
    quiet_seconds: float
    seed: int
    notes: tuple[str, ...] = ()


def report(about: About, judged: Sequence[Judged]) -> dict[str, Any]:
    """Return the whole report; `judged` has at least one sensor."""
    return {
        "model": {"name": about.model, "version": about.model_version},
        "inputs": list(about.inputs),
        "labels": about.labels,
        "budget_per_sensor_day": about.budget_per_sensor_day,
        "quiet_seconds": about.quiet_seconds,
        "seed": about.seed,
        "rows": _rows(judged),
        "notes": [*about.notes, *_notes(judged)],
        "detectors": {name: summary for name in DETECTORS if (summary := _summary(name, judged))},
        "sensors": [_sensor(one) for one in judged],
    }


def to_json(report: dict[str, Any]) -> str:
    """Write a report; raise ValueError if it holds a number that JSON has not."""
    return json.dumps(report, indent=2, allow_nan=False) + "\n"


def _summary(name: str, judged: Sequence[Judged]) -> dict[str, Any] | None:
    """Return what a detector is worth over all sensors that it judged; None if there are none."""
    verdicts = [one.verdicts[name] for one in judged if name in one.verdicts]
    if not verdicts:
        return None
    return {
        "sensors": len(verdicts),
        "mean_of_labelled_sensors": {
            "sensors": sum(verdict.alarms.events > 0 for verdict in verdicts),
            "vus_pr": _mean(verdicts, lambda verdict: verdict.ranking.vus_pr if verdict.ranking else None),
            "auc_pr": _mean(verdicts, lambda verdict: verdict.ranking.auc_pr if verdict.ranking else None),
            "event_recall": _mean(verdicts, lambda verdict: verdict.alarms.event_recall()),
            "f1": _mean(verdicts, lambda verdict: verdict.alarms.f1()),
        },
        "pooled": _figures(pooled([verdict.alarms for verdict in verdicts])),
    }


def _sensor(judged: Judged) -> dict[str, Any]:
    series = judged.series
    return {
        "sensor_id": series.sensor,
        "rows": _rows([judged]),
        "interval_seconds": judged.interval_seconds,
        "vus_window": judged.vus_window,
        "baselines_fitted_to": judged.baselines_from,
        "detectors": {
            name: {
                "vus_pr": verdict.ranking.vus_pr if verdict.ranking else None,
                "auc_pr": verdict.ranking.auc_pr if verdict.ranking else None,
                **_figures(verdict.alarms),
            }
            for name, verdict in judged.verdicts.items()
        },
    }


def _figures(alarms: AlarmCounts) -> dict[str, Any]:
    return {
        "events": alarms.events,
        "events_found": len(alarms.delays_rows),
        "event_recall": alarms.event_recall(),
        "delay_rows_median": alarms.median_delay_rows(),
        "delay_seconds_median": alarms.median_delay_seconds(),
        "incidents": alarms.incidents,
        "false_incidents": alarms.false_incidents,
        "sensor_days": alarms.days,
        "false_alarms_per_sensor_day": alarms.false_alarms_per_sensor_day(),
        "false_alarms_per_1000_rows": alarms.false_alarms_per_1000_rows(),
        "precision": alarms.precision(),
        "recall": alarms.recall(),
        "f1": alarms.f1(),
        "false_alarm_rate_percent": alarms.false_alarm_rate_percent(),
    }


def _rows(judged: Sequence[Judged]) -> dict[str, int]:
    """Return how many rows there are, how many were scored, and why the others were not."""
    series = [one.series for one in judged]
    total = sum(len(one.labels) for one in series)
    scored = sum(int(np.isfinite(one.product.scores).sum()) for one in series)
    warming = sum(int(one.is_warming.sum()) for one in series)
    late = sum(int(one.is_late.sum()) for one in series)
    return {
        "total": total,
        "anomalous": sum(int(one.labels.sum()) for one in series),
        "scored": scored,
        "warming": warming,
        "late": late,
        "other": total - scored - warming - late,
    }


def _notes(judged: Sequence[Judged]) -> list[str]:
    """Say what a reader must know to read the figures rightly."""
    rows = _rows(judged)
    notes = []
    if absent := rows["total"] - rows["scored"]:
        notes.append(
            f"{absent:,} of {rows['total']:,} rows were not scored and rank last: {rows['warming']:,} while warming, "
            f"{rows['late']:,} late or repeated, {rows['other']:,} without a value or between strides"
        )
    if own := sum(one.baselines_from == FROM_START for one in judged):
        notes.append(
            f"the baselines of {own:,} of {len(judged):,} sensors are fitted to rows that they are then judged on, "
            "those before the first label: this favours them; --baseline-training fits them to other rows"
        )
    if without := sum(one.baselines_from is None for one in judged):
        notes.append(
            f"{without:,} of {len(judged):,} sensors have no baselines: fewer than {LEAST_TRAINING_ROWS} rows to fit them to"
        )
    if unlabelled := sum(not one.series.labels.any() for one in judged):
        notes.append(f"{unlabelled:,} of {len(judged):,} sensors have no anomalous row: they give false-alarm figures only")
    return notes


def _mean(verdicts: Sequence[Verdict], figure: Callable[[Verdict], float | None]) -> float | None:
    known = [value for verdict in verdicts if (value := figure(verdict)) is not None]
    return float(np.mean(known)) if known else None
