"""Marks the figures of a report: by an arrow, whether more is better, and those in which the product wins alone."""

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
    """Return the columns of the summary table in which the product is better than every other detector."""
    ours, others = _split(report)
    found = set()
    for column, (part, key, more) in enumerate(_PLACES, start=1):
        value = ours[part][key]
        rivals = [one[part][key] for one in others.values() if one[part][key] is not None]
        if value is not None and rivals and all(value > rival if more else value < rival for rival in rivals):
            found.add(column)
    return frozenset(found)


def _split(report: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, Mapping[str, Any]]]:
    detectors = report["detectors"]
    return detectors[PRODUCT], {name: one for name, one in detectors.items() if name != PRODUCT}
