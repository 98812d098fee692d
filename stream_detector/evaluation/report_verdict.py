"""Says in words how a report's detector compares with the simple ones, and in which figures it is not beaten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stream_detector.evaluation.report_tables import FIGURES
from stream_detector.evaluation.scorecard import PRODUCT

_MEAN, _POOLED = "mean_of_labelled_sensors", "pooled"
#: Where each figure of FIGURES is in a detector's summary, and whether more of it is better.
_PLACES = (
    (_MEAN, "vus_pr", True),
    (_MEAN, "auc_pr", True),
    (_POOLED, "events_found", True),
    (_POOLED, "false_alarms_per_sensor_day", False),
    (_POOLED, "false_alarms_per_1000_rows", False),
    (_POOLED, "delay_seconds_median", False),
    (_POOLED, "f1", True),
    (_POOLED, "false_alarm_rate_percent", False),
)
_ARROWS = {name: "\u2191" if more else "\u2193" for name, (_, _, more) in zip(FIGURES, _PLACES, strict=True)}


def with_arrows(header: Sequence[str]) -> tuple[str, ...]:
    """Return a header whose figures say by an arrow whether more or less is better."""
    return tuple([f"{name} {_ARROWS[name]}" if name in _ARROWS else name for name in header])


def wins(report: Mapping[str, Any]) -> frozenset[int]:
    """Return the columns of the summary table in which no other detector is better than the product."""
    ours, others = _split(report)
    found = set()
    for column, (part, key, more) in enumerate(_PLACES, start=1):
        value = ours[part][key]
        rivals = [one[part][key] for one in others.values() if one[part][key] is not None]
        if value is not None and all(value >= rival if more else value <= rival for rival in rivals):
            found.add(column)
    return frozenset(found)


def verdict(report: Mapping[str, Any]) -> str:
    """Return two or three sentences: faults found, false alarms beside the budget, and the best simple detector."""
    ours, others = _split(report)
    alarms = ours[_POOLED]
    budget, false = report["budget_per_sensor_day"], alarms["false_alarms_per_sensor_day"]
    found = f"{alarms['events_found']} of {alarms['events']} faults were found" if alarms["events"] else "No fault is labelled"
    rate = "" if false is None else f", with {false:.3g} false alarms per sensor and day; the budget accepts {budget:g}"
    over = " This is more than the budget." if false is not None and false > 2.0 * budget else ""
    return f"{found}{rate}.{over}{_comparison(ours, others)}"


def _comparison(ours: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> str:
    value = ours[_MEAN]["vus_pr"]
    ranked = [(one[_MEAN]["vus_pr"], name) for name, one in others.items() if one[_MEAN]["vus_pr"] is not None]
    if value is None or not ranked:
        return ""
    best, name = max(ranked)
    figures = f"(VUS-PR {value:.3f} against {best:.3f})"
    if value > best:
        return f" It tells faults from normal rows better than the simple detectors; the best of them is {name} {figures}."
    return f" On these readings {name}, a simple detector, tells faults from normal rows at least as well {figures}."


def _split(report: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, Mapping[str, Any]]]:
    detectors = report["detectors"]
    return detectors[PRODUCT], {name: one for name, one in detectors.items() if name != PRODUCT}
