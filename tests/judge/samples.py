"""Made-up results for the tests of the judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.judge.results import FORMAT, Drills, Result


def alarms(
    found: list[bool], *, false: int = 0, alarmed: int = 0, before: int = 0, delays: list[int] | None = None
) -> dict[str, Any]:
    """Return the alarms of a sensor at a budget of 1 a day, over ten days; the first of two weeks is kept."""
    rows = delays or [4] * sum(found)
    return {
        "budget_per_day": 1.0,
        "events": len(found),
        "found": found,
        "late": 0,
        "before": before,
        "delay_rows": rows,
        "delay_seconds": [60.0 * one for one in rows],
        "incidents": sum(found) + false,
        "false_incidents": false,
        "normal_days": 10.0,
        "normal_rows_alarmed": alarmed,
        "weeks": 2,
        "weeks_kept": 2 if false <= 3 else 1,
        "median_a_week": false / 2,
        "worst_week": false,
    }


def sensor(vus: float, pca: float, of_alarms: dict[str, Any], kinds: tuple[str, ...] = ("",)) -> dict[str, Any]:
    """Return the figures of a sensor with 1,000 normal rows."""
    ranked = {"product": vus, "windowed PCA": pca, "robust z-score": 0.1, "random": 0.05}
    return {
        "sensor": "s",
        "rows": 1100,
        "normal_rows": 1000,
        "interval_seconds": 60.0,
        "vus_window": 10,
        "ranking": {name: {"vus_pr": value, "auc_pr": value} for name, value in ranked.items()},
        "events": [{"kind": kind, "size": None} for kind in kinds],
        "alarms": dict.fromkeys(("default", "1", "10", "windowed PCA", "robust z-score"), of_alarms),
    }


def result(
    family: str, name: str, *sensors: dict[str, Any], error: str | None = None, version: str = "v1", drill: Drills | None = None
) -> Result:
    """Return the result of a case."""
    return {
        "format": FORMAT,
        "family": family,
        "name": name,
        "version": version,
        "error": error,
        "members": [],
        "drill": drill or {},
        "sensors": list(sensors),
        "seconds": {"train": 1.0, "score": 1.0, "all": 2.0},
    }


def series_file(
    directory: Path, name: str, *, events: int = 1, train: int = 300, test: int = 20, seconds: float = 60.0
) -> Path:
    """Write a labelled series of two features: rows 4 to 7 of each ten of its test part are an event."""
    path, values, labels = directory / f"{name}.npz", np.arange(2.0 * (train + test)).reshape(-1, 2), np.zeros(test, np.int8)
    for event in range(events):
        labels[10 * event + 4 : 10 * event + 8] = 1
    np.savez(path, train=values[:train], test=values[train:], y=labels, seconds=seconds)
    return path
