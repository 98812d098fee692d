"""Builds the evaluation report as JSON-like data, for report.json, the HTML page and the table. Undefined figures are None."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stream_detector.detection.budget_resolution import BudgetResolution
from stream_detector.evaluation.alarms import AlarmCounts, pooled
from stream_detector.evaluation.baselines import BASELINES, LEAST_TRAINING_ROWS
from stream_detector.evaluation.scorecard import FROM_START, PRODUCT, Scorecard, SensorScore

DETECTORS = (PRODUCT, *BASELINES)


@dataclass(frozen=True, slots=True)
class About:
    """The head of a report: the model, the data and the settings of the evaluation."""

    model: str
    model_version: str
    inputs: tuple[str, ...]
    labels: str
    budget_per_sensor_day: float
    quiet_seconds: tuple[float, float]  # without an alarm, after which an incident ends: of the fastest and the slowest sensor
    seed: int
    notes: tuple[str, ...] = ()
    members: tuple[str, ...] = ()  # the models whose errors make the score
    resolution: BudgetResolution | None = None  # how well the budget is known to be kept; None: not known


def build_report(about: About, scorecards: Sequence[Scorecard]) -> dict[str, Any]:
    """Return the report on at least one sensor."""
    return {
        "model": {"name": about.model, "version": about.model_version, "members": list(about.members)},
        "inputs": list(about.inputs),
        "labels": about.labels,
        "budget_per_sensor_day": about.budget_per_sensor_day,
        "budget_resolution": _resolution(about.resolution),
        "quiet_seconds": about.quiet_seconds[0],
        "longest_quiet_seconds": about.quiet_seconds[1],
        "seed": about.seed,
        "rows": _rows(scorecards),
        "notes": [*about.notes, *_notes(scorecards)],
        "detectors": {name: summary for name in DETECTORS if (summary := _summary(name, scorecards))},
        "compared": _compared(scorecards),
        "sensors": [_sensor(one) for one in scorecards],
    }


def to_json(report: dict[str, Any]) -> str:
    """Return the report as JSON text; raise ValueError if it holds NaN or an infinity."""
    return json.dumps(report, indent=2, allow_nan=False) + "\n"


def _resolution(known: BudgetResolution | None) -> dict[str, Any] | None:
    if known is None:
        return None
    return {
        "is_resolved": known.is_resolved,
        "smallest_resolved": known.smallest_resolved,
        "finding": known.lines()[0],
        "advice": " ".join(known.lines()[1:]),
    }


def _summary(name: str, scorecards: Sequence[Scorecard]) -> dict[str, Any] | None:
    """Summarise a detector over the sensors that have its score; None if there are none."""
    scores = [one.scores[name] for one in scorecards if name in one.scores]
    if not scores:
        return None
    return {
        "sensors": len(scores),
        "mean_of_labelled_sensors": {
            "sensors": sum(score.alarms.events > 0 for score in scores),
            "vus_pr": _mean(scores, lambda score: score.ranking.vus_pr if score.ranking else None),
            "auc_pr": _mean(scores, lambda score: score.ranking.auc_pr if score.ranking else None),
            "event_recall": _mean(scores, lambda score: score.alarms.event_recall()),
            "f1": _mean(scores, lambda score: score.alarms.f1()),
        },
        "pooled": _figures(pooled([score.alarms for score in scores])),
    }


def _compared(scorecards: Sequence[Scorecard]) -> dict[str, Any]:
    """Return the product's ranking on the sensors that have baselines: only there can they be compared."""
    scores = [one.scores[PRODUCT] for one in scorecards if one.baselines_from is not None]
    return {"sensors": len(scores), "vus_pr": _mean(scores, lambda score: score.ranking.vus_pr if score.ranking else None)}


def _sensor(scorecard: Scorecard) -> dict[str, Any]:
    series = scorecard.series
    return {
        "sensor_id": series.sensor,
        "rows": _rows([scorecard]),
        "interval_seconds": scorecard.interval_seconds,
        "vus_window": scorecard.vus_window,
        "baselines_fitted_to": scorecard.baselines_from,
        "detectors": {
            name: {
                "vus_pr": score.ranking.vus_pr if score.ranking else None,
                "auc_pr": score.ranking.auc_pr if score.ranking else None,
                **_figures(score.alarms),
            }
            for name, score in scorecard.scores.items()
        },
    }


def _figures(alarms: AlarmCounts) -> dict[str, Any]:
    return {
        "events": alarms.events,
        "events_found": len(alarms.delays_rows),
        "events_alarmed_late": alarms.events_alarmed_late,
        "events_alarmed_before": alarms.events_alarmed_before,
        **({"events_found_by": dict(alarms.found_by)} if alarms.found_by else {}),
        "event_recall": alarms.event_recall(),
        "delay_rows_median": alarms.median_delay_rows(),
        "delay_seconds_median": alarms.median_delay_seconds(),
        "incidents": alarms.incidents,
        "false_incidents": alarms.false_incidents,
        "false_incidents_after_events": alarms.false_after_events,
        "sensor_days": alarms.days,
        "false_alarms_per_sensor_day": alarms.false_alarms_per_sensor_day(),
        "false_alarms_per_1000_rows": alarms.false_alarms_per_1000_rows(),
        "precision": alarms.precision(),
        "recall": alarms.recall(),
        "f1": alarms.f1(),
        "false_alarm_rate_percent": alarms.false_alarm_rate_percent(),
    }


def _rows(scorecards: Sequence[Scorecard]) -> dict[str, int]:
    """Count the rows: scored, and not scored by reason."""
    series = [one.series for one in scorecards]
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


def _notes(scorecards: Sequence[Scorecard]) -> list[str]:
    """Return the caveats that a reader needs to interpret the figures."""
    rows = _rows(scorecards)
    notes = []
    if absent := rows["total"] - rows["scored"]:
        reasons = (("warming", "before their window was full"), ("late", "late or repeated"), ("other", "without a value"))
        why = ", ".join(f"{rows[name]:,} {text}" for name, text in reasons if rows[name])
        notes.append(f"{absent:,} of {rows['total']:,} rows were not scored and rank last: {why}")
    if own := sum(one.baselines_from == FROM_START for one in scorecards):
        notes.append(
            f"the simple detectors of {own:,} of {len(scorecards):,} sensors are fitted to rows that they are also tested on, "
            "those before the first label: this favours them; --baseline-training fits them to other rows"
        )
    if without := sum(one.baselines_from is None for one in scorecards):
        notes.append(
            f"{_of_sensors(without, len(scorecards))} no simple detectors: fewer than {LEAST_TRAINING_ROWS} rows to fit them to"
        )
    if unlabelled := sum(not one.series.truth().marked().any() for one in scorecards):
        notes.append(
            f"{_of_sensors(unlabelled, len(scorecards))} no anomalous row: "
            f"{'it gives' if unlabelled == 1 else 'they give'} false-alarm figures only"
        )
    after, false = (
        sum(getattr(one.scores[PRODUCT].alarms, name) for one in scorecards)
        for name in ("false_after_events", "false_incidents")
    )
    if after:
        notes.append(
            f"{after:,} of {_counted(false, 'false alarm')} opened right after a labelled event, while the window held it: "
            "what an event leaves behind, such as a jump back, counts as false unless its rows are labelled too"
        )
    return notes


def _of_sensors(count: int, total: int) -> str:
    """Return a subject and its verb: `1 of 5 sensors has`."""
    return f"{count:,} of {total:,} sensors {'has' if count == 1 else 'have'}"


def _counted(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def _mean(scores: Sequence[SensorScore], figure: Callable[[SensorScore], float | None]) -> float | None:
    known = [value for score in scores if (value := figure(score)) is not None]
    return float(np.mean(known)) if known else None
