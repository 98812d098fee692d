"""Formats a report's figures as table cells, for the terminal and the HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_detector.evaluation.scorecard import PRODUCT
from stream_detector.timestamps import duration

_NONE = "-"
FIGURES = ("VUS-PR", "AUC-PR", "events found", "false per sensor day", "false per 1000 rows", "delay", "F1", "false rows %")
SUMMARY_HEADER = ("detector", *FIGURES)
_EXPECTED = (
    "a faithful explanation makes the score fall, and further than random cells do in far more than 50 % of the "
    "comparisons; about 50 % is chance"
)


def summary_rows(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row of cells under SUMMARY_HEADER for each detector, over all sensors."""
    return [
        (name, *_cells(summary["mean_of_labelled_sensors"], summary["pooled"])) for name, summary in report["detectors"].items()
    ]


def sensor_header(report: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the header of `sensor_rows`."""
    return ("sensor", "rows", "anomalous", "not scored", *FIGURES, *(f"VUS-PR of {name}" for name in _others(report)))


def sensor_rows(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row of cells for each sensor: the product's figures, and the VUS-PR of each baseline."""
    rows = []
    for sensor in report["sensors"]:
        counts, scores = sensor["rows"], sensor["detectors"]
        sizes = (counts["total"], counts["anomalous"], counts["total"] - counts["scored"])
        ours = _cells(scores[PRODUCT], scores[PRODUCT])
        theirs = [_number(scores.get(name, {}).get("vus_pr"), ".3f") for name in _others(report)]
        rows.append((sensor["sensor_id"], *(f"{size:,}" for size in sizes), *ours, *theirs))
    return rows


def explanation_lines(report: Mapping[str, Any]) -> list[str]:
    """Return a line on the faithfulness of each kind of explanation, then how to read them; no lines if not measured."""
    names = {
        "shares": "cells with the highest shares",
        "step_shares": "steps with the highest shares",
        "attention": "steps with the most attention",
    }
    found = report.get("explanations") or {}
    lines = [
        f"explanations, {names[kind]}: with expected values in their place the score {_change(one['blamed_fall'])}; "
        f"with as many at random it {_change(one['random_fall'])}. Lower than at random in {100 * one['win_rate']:.0f} % "
        f"of the comparisons, {one['windows']} windows"
        for kind, one in found.items()
        if one is not None
    ]
    return [*lines, _EXPECTED] if lines else []


def _change(fall: float) -> str:
    """Return in words which way a score changes, and how far."""
    return f"{'rises' if fall < 0.0 else 'falls'} by {abs(fall):.2f}"


def _others(report: Mapping[str, Any]) -> list[str]:
    return [name for name in report["detectors"] if name != PRODUCT]


def _cells(ranking: Mapping[str, Any], alarms: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells under FIGURES."""
    delay = alarms["delay_seconds_median"]
    return (
        _number(ranking["vus_pr"], ".3f"),
        _number(ranking["auc_pr"], ".3f"),
        f"{alarms['events_found']:,}/{alarms['events']:,}" if alarms["events"] else _NONE,
        _number(alarms["false_alarms_per_sensor_day"], ".3g"),
        _number(alarms["false_alarms_per_1000_rows"], ".3g"),
        duration(delay) if delay is not None else _NONE,
        _number(alarms["f1"], ".3f"),
        _number(alarms["false_alarm_rate_percent"], ".2f"),
    )


def _number(value: float | None, form: str) -> str:
    return _NONE if value is None else format(value, form)
