"""The marks in a report: arrows, and the figures in which the product wins alone."""

from __future__ import annotations

from typing import Any

from stream_detector.evaluation.figure_marks import wins, with_arrows
from stream_detector.evaluation.report_tables import SUMMARY_HEADER


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


def test_the_product_is_bold_only_where_it_wins_alone() -> None:
    found = wins(report(detector(0.9, 3, 0.0), pca=detector(0.5, 4, 0.2), random=detector(0.1, 4, 9.0)))

    names = [SUMMARY_HEADER[column] for column in sorted(found)]
    assert names == ["VUS-PR", "AUC-PR", "false per sensor day", "false per 1000 rows"]  # F1 and false rows are ties


def test_arrows_say_whether_more_or_less_is_better() -> None:
    header = dict(zip(SUMMARY_HEADER, with_arrows(SUMMARY_HEADER), strict=True))

    assert header["events found"] == "events found ↑"
    assert header["delay"] == "delay ↓"
    assert header["detector"] == "detector"
