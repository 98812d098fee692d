"""Sums results up by family: of a family of several sensors, each sensor counts once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.judge.results import Result

Sensor = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Alarms:
    """What a detector's alarms are worth in a family; a figure is None where it is undefined."""

    events_found: float | None  # mean share, of the sensors with events
    found: int
    events: int
    alarmed_before: int  # of the found ones; results from before this was counted have none
    delay_rows: float | None  # median of the found events
    delay_seconds: float | None
    false_incidents: int
    times_budget: float  # false incidents over those that the budget allows in the normal rows
    per_1000_normal: float
    alarmed_mean: float  # share of the normal rows, mean of the sensors
    alarmed_median: float
    keep_budget: float  # share of the sensors that keep the budget in every week
    weeks_kept: float  # share of all weeks
    median_a_week: float  # median of the sensors' medians


def by_family(results: Sequence[Result]) -> dict[str, list[Sensor]]:
    """Return the sensors of each family, by its name."""
    families: dict[str, list[Sensor]] = {}
    for result in sorted(results, key=lambda one: (one["family"], one["name"])):
        families.setdefault(result["family"], []).extend(result["sensors"])
    return {name: sensors for name, sensors in families.items() if sensors}


def mean_ranking(sensors: Sequence[Sensor], detector: str, figure: str = "vus_pr") -> float | None:
    """Return the mean of the sensors with labels that have this detector; None if there are none."""
    return mean(one["ranking"][detector][figure] for one in sensors if one["ranking"].get(detector))


def ahead(sensors: Sequence[Sensor], detector: str, other: str) -> tuple[int, int]:
    """Return in how many sensors a detector ranks better than another, and of how many."""
    both = [
        (one["ranking"][detector]["vus_pr"], one["ranking"][other]["vus_pr"])
        for one in sensors
        if one["ranking"].get(detector) and one["ranking"].get(other)
    ]
    return sum(ours > theirs for ours, theirs in both), len(both)


def alarms_of(sensors: Sequence[Sensor], name: str) -> Alarms | None:
    """Sum up the alarms at a budget, or of a simple detector; None if no sensor has them."""
    found = [one["alarms"][name] | {"normal_rows": one["normal_rows"]} for one in sensors if name in one["alarms"]]
    if not found:
        return None
    shares = [one["normal_rows_alarmed"] / max(1, one["normal_rows"]) for one in found]
    allowed = sum(one["budget_per_day"] * one["normal_days"] for one in found)
    false = sum(one["false_incidents"] for one in found)
    return Alarms(
        events_found=mean(sum(one["found"]) / one["events"] for one in found if one["events"]),
        found=sum(sum(one["found"]) for one in found),
        events=sum(one["events"] for one in found),
        alarmed_before=sum(one.get("before", 0) for one in found),
        delay_rows=_median([rows for one in found for rows in one["delay_rows"]]),
        delay_seconds=_median([seconds for one in found for seconds in one["delay_seconds"]]),
        false_incidents=false,
        times_budget=false / allowed if allowed else 0.0,
        per_1000_normal=1000.0 * false / max(1, sum(one["normal_rows"] for one in found)),
        alarmed_mean=float(np.mean(shares)),
        alarmed_median=float(np.median(shares)),
        keep_budget=float(np.mean([one["weeks_kept"] == one["weeks"] for one in found])),
        weeks_kept=sum(one["weeks_kept"] for one in found) / sum(one["weeks"] for one in found),
        median_a_week=float(np.median([one["median_a_week"] for one in found])),
    )


def kinds_found(sensors: Sequence[Sensor], budget: str) -> dict[str, tuple[int, int, float | None]]:
    """Return for each kind of injected fault how many were found, of how many, and the median delay in seconds."""
    found: dict[str, list[bool]] = {}
    delays: dict[str, list[float]] = {}
    for one in sensors:
        seconds = iter(one["alarms"][budget]["delay_seconds"])
        for event, is_found in zip(one["events"], one["alarms"][budget]["found"], strict=True):
            found.setdefault(event["kind"], []).append(is_found)
            delays.setdefault(event["kind"], []).extend([next(seconds)] if is_found else [])
    return {kind: (sum(of_kind), len(of_kind), _median(delays[kind])) for kind, of_kind in sorted(found.items()) if kind}


def drills_of(results: Iterable[Result], budget: str) -> dict[str, tuple[int, int]]:
    """Return for each kind of `train`'s injected faults how many were found, and of how many."""
    found: dict[str, tuple[int, int]] = {}
    for kind in [kind for one in results for kind in one["drill"].get(budget, ())]:
        before = found.get(kind["text"], (0, 0))
        found[kind["text"]] = before[0] + kind["found"], before[1] + kind["injected"]
    return found


def published_mean(sensors: Mapping[str, Mapping[str, float]], keys: Sequence[str], column: str) -> float | None:
    """Return the mean of a column of published figures, of the series that have it."""
    return mean(sensors[key][column] for key in keys if column in sensors.get(key, {}))


def mean(values: Iterable[float]) -> float | None:
    """Return the mean of numbers; None without any."""
    known = list(values)
    return float(np.mean(known)) if known else None


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None
