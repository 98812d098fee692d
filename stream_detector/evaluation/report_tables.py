"""Formats a report's figures as table cells, for the terminal and the HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_detector.evaluation.found_events import BY_RULES, BY_SCORE
from stream_detector.evaluation.scorecard import PRODUCT
from stream_detector.timestamps import duration

_NONE = "-"
FIGURES = ("VUS-PR", "AUC-PR", "events found", "false per sensor day", "false per 1000 rows", "delay", "F1", "false rows %")
SUMMARY_HEADER = ("detector", *FIGURES)
#: How the summary names what alone finds events, below the product.
CAUSE_ROWS = ((BY_SCORE, "  its score alone"), (BY_RULES, "  its rules alone"))


def summary_rows(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row of cells under SUMMARY_HEADER for each detector, over all sensors, and what the product finds by."""
    rows = []
    for name, summary in report["detectors"].items():
        rows.append((name, *_cells(summary["mean_of_labelled_sensors"], summary["pooled"])))
        for title, found in cause_cells(summary["pooled"]):
            rows.append((title.strip(), *(found if figure == "events found" else "" for figure in FIGURES)))
    return rows


def cause_cells(pooled: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return how many events the score finds alone and how many the rules do, as a title and a cell each; none if not known."""
    by = pooled.get("events_found_by") or {}
    return [(title, f"{by[cause]:,}/{pooled['events']:,}") for cause, title in CAUSE_ROWS if cause in by and pooled["events"]]


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
