"""Formats a report's figures as table cells, for the terminal and the HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_detector.evaluation.faithfulness import REPLACED_SHARE
from stream_detector.evaluation.found_events import BY_RULES, BY_SCORE
from stream_detector.evaluation.scorecard import PRODUCT
from stream_detector.timestamps import duration

_NONE = "-"
FIGURES = ("VUS-PR", "AUC-PR", "events found", "false per sensor day", "false per 1000 rows", "delay", "F1", "false rows %")
SUMMARY_HEADER = ("detector", *FIGURES)
#: How the summary names what alone finds events, below the product.
CAUSE_ROWS = ((BY_SCORE, "  its score alone"), (BY_RULES, "  its rules alone"))
_RIGHT_SHARE, _CHANCE_SHARE = 0.75, 0.6
#: A figure is what it says within this many of its standard errors.
_ERRORS = 2.0
#: A smaller fall of the score is shown as none.
_SMALLEST_FALL = 0.005


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


def explanation_lines(report: Mapping[str, Any]) -> list[str]:
    """Return a line on the faithfulness of each kind of explanation; no lines if not measured."""
    names = {
        "shares": "the features and readings that it blames most",
        "step_shares": "the readings that it blames most",
        "attention": "the readings that the network attends to most",
    }
    found = {kind: one for kind, one in (report.get("explanations") or {}).items() if one is not None}
    if not found:
        return []
    windows = max(one["windows"] for one in found.values())
    how = (
        f"Does the model blame the values that make its score? In the {windows:,} most surprising windows, 5 % of the values "
        "were taken away, and what the model expects was put in their place. If they made it, the score falls. Whether the "
        "fault is there, your labels tell."
    )
    return [how, *(_told(names[kind], one) for kind, one in found.items())]


def _told(what: str, one: Mapping[str, Any]) -> str:
    """Say what happened to the score when blamed values were taken away, and what that shows."""
    share, shows = one["win_rate"], _shown(one)
    return (
        f"Without {what}, the score {_change(one['blamed_fall'])}; "
        f"without as many drawn by lot, it {_change(one['random_fall'])}. "
        f"It was lower without the blamed ones {100 * share:.0f} times in 100 (by chance: 50): {shows}."
    )


def _shown(one: Mapping[str, Any]) -> str:
    """Say what a comparison shows of what is blamed: it makes the score if that falls, by more than its part, without it."""
    if one["fall_error"] is None or one["win_error"] is None:
        return "a single window does not tell"
    share, margin = one["win_rate"], _ERRORS * one["win_error"]
    falls = one["blamed_fall"] >= max(REPLACED_SHARE * one["score"], _ERRORS * one["fall_error"], _SMALLEST_FALL)
    if share - margin > 0.5 and share > _CHANCE_SHARE:
        if not falls:
            return "but the score hardly falls without them, so this does not tell whether they make it"
        return (
            "what it blames is what makes the score" if share >= _RIGHT_SHARE else "it blames better than chance, with errors"
        )
    if share <= _CHANCE_SHARE and share + margin < _RIGHT_SHARE:
        return "no better than chance: do not rely on them"
    return "too few windows to tell"


def _change(fall: float) -> str:
    """Return in words which way a score changes on average, and how far."""
    if abs(fall) < _SMALLEST_FALL:
        return "stays as it is"
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
