"""The verdict on an evaluation, and the figures in which the product is not beaten."""

from __future__ import annotations

from typing import Any

from stream_detector.evaluation.report_tables import SUMMARY_HEADER
from stream_detector.evaluation.report_verdict import verdict, wins, with_arrows


def detector(vus_pr: float | None, found: int, false: float | None, events: int = 4) -> dict[str, Any]:
    pooled = {
        "events": events,
        "events_found": found,
        "false_alarms_per_sensor_day": false,
        "false_alarms_per_1000_rows": false,
        "delay_seconds_median": None,
        "f1": 0.5,
        "false_alarm_rate_percent": 1.0,
    }
    return {"mean_of_labelled_sensors": {"vus_pr": vus_pr, "auc_pr": vus_pr}, "pooled": pooled}


def report(ours: dict[str, Any], **others: dict[str, Any]) -> dict[str, Any]:
    return {"budget_per_sensor_day": 0.1, "detectors": {"stream-detector": ours, **others}}


def test_the_product_is_bold_only_where_no_other_is_better() -> None:
    found = wins(report(detector(0.9, 3, 0.0), pca=detector(0.5, 4, 0.2), random=detector(0.1, 4, 9.0)))

    names = [SUMMARY_HEADER[column] for column in sorted(found)]
    assert names == ["VUS-PR", "AUC-PR", "false per sensor day", "false per 1000 rows", "F1", "false rows %"]


def test_the_verdict_says_what_was_found_beside_the_budget_and_names_the_best_simple_detector() -> None:
    better = verdict(report(detector(0.745, 9, 6.0, events=14), pca=detector(0.298, 3, 70.0)))
    worse = verdict(report(detector(0.454, 4, 0.1), pca=detector(0.369, 4, 0.6), robust=detector(0.606, 4, 0.5)))

    assert better == (
        "9 of 14 faults were found, with 6 false alarms per sensor and day; the budget accepts 0.1. This is more than the "
        "budget. It tells faults from normal rows better than the simple detectors; the best of them is pca "
        "(VUS-PR 0.745 against 0.298)."
    )
    assert worse.startswith("4 of 4 faults were found, with 0.1 false alarms per sensor and day; the budget accepts 0.1. On ")
    assert "robust, a simple detector, tells faults from normal rows at least as well (VUS-PR 0.454 against 0.606)" in worse


def test_without_labelled_faults_the_verdict_says_so() -> None:
    assert verdict(report(detector(None, 0, 0.0, events=0))).startswith("No fault is labelled, with 0 false alarms")


def test_arrows_say_whether_more_or_less_is_better() -> None:
    header = dict(zip(SUMMARY_HEADER, with_arrows(SUMMARY_HEADER), strict=True))

    assert header["events found"] == "events found ↑"
    assert header["delay"] == "delay ↓"
    assert header["detector"] == "detector"
