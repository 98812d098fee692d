"""What a report means, in words."""

from __future__ import annotations

from typing import Any

import pytest

from stream_detector.evaluation.scorecard import PRODUCT
from stream_detector.evaluation.verdict import terminal_table, verdict_lines


def detector(vus: float | None, found: int = 9, false: int = 0, days: float = 100.0, events: int = 14) -> dict[str, Any]:
    return {
        "sensors": 4,
        "mean_of_labelled_sensors": {"vus_pr": vus},
        "pooled": {
            "events": events,
            "events_found": found,
            "events_alarmed_late": 1,
            "events_alarmed_before": 0,
            "delay_seconds_median": 2.0 if found else None,
            "false_incidents": false,
            "sensor_days": days,
            "false_alarms_per_sensor_day": false / days,
            "false_alarm_rate_percent": 1.25,
        },
    }


def report(ours: dict[str, Any], pca: float = 0.3, z: float = 0.2, budget: float = 0.1) -> dict[str, Any]:
    others = {"windowed PCA": detector(pca, 3, 7000), "robust z-score": detector(z, 5), "random": detector(0.1, 14)}
    compared = {"sensors": ours["sensors"], "vus_pr": ours["mean_of_labelled_sensors"]["vus_pr"]}
    return {"budget_per_sensor_day": budget, "compared": compared, "detectors": {"stream-detector": ours, **others}}


def test_only_sensors_that_have_simple_detectors_are_compared() -> None:
    told = report(detector(0.25))  # its mean is lowered by a sensor without simple ones
    told["detectors"]["stream-detector"]["sensors"] = 5
    told["compared"] = {"sensors": 4, "vus_pr": 0.4}

    assert verdict_lines(told)[0].startswith(
        "Better than simple detectors? Yes: its score told faults from healthy readings better than these (VUS-PR 0.400; "
        "windowed PCA 0.300, robust z-score 0.200; all on the 4 sensors that have simple ones)."
    )


def test_a_model_that_beats_the_simple_detectors_is_said_to() -> None:
    better, alarms, chance = verdict_lines(report(detector(0.745)))

    assert better == (
        "Better than simple detectors? Yes: its score told faults from healthy readings better than these (VUS-PR 0.745; "
        "windowed PCA 0.300, robust z-score 0.200). At the budget of 0.1 it found 9 of 14 events in their first half, "
        "1 more too late."
    )
    assert alarms == "Too many false alarms? No: 0 in 100 sensor-days, 0 a day; the budget is 0.1."
    assert chance.startswith("`random` scores by dice")


def test_an_alarm_that_was_on_before_the_event_is_said_to_tell_nothing_new() -> None:
    told = report(detector(0.745))
    told["detectors"]["stream-detector"]["pooled"]["events_alarmed_before"] = 2

    assert verdict_lines(told)[0].endswith(
        "1 more too late. In 2 of those found the alarm had been on before, so it told nothing new."
    )


def test_a_model_that_loses_is_said_to_and_by_which() -> None:
    better, *_ = verdict_lines(report(detector(0.454), pca=0.369, z=0.606))

    assert "No: robust z-score told faults from healthy readings better on this file (VUS-PR 0.454" in better
    assert "As good" in verdict_lines(report(detector(0.30)))[0]


def test_too_many_false_alarms_come_with_what_makes_fewer() -> None:
    _, alarms, _ = verdict_lines(report(detector(0.745, false=47)))

    assert "Yes: 47 in 100 sensor-days, 0.47 a day; the budget is 0.1. For fewer, train on more healthy history" in alarms
    assert "No budget holds what a rule raises" in alarms
    assert "--only-while" in alarms


def test_no_budget_is_advised_of_which_nothing_is_known() -> None:
    for told in (report(detector(0.846, found=0)), report(detector(0.745, false=47)), report(detector(0.7), budget=1.0)):
        assert "BUDGET_PER_SENSOR_DAY" not in " ".join(verdict_lines(told))


def test_a_detector_for_orientation_that_ranks_better_still_is_named() -> None:
    told = report(detector(0.4))
    told["detectors"]["last difference"] = detector(0.5, 3)

    assert "In part: its score" in verdict_lines(told)[0]
    assert "but last difference told them better still (0.500)." in verdict_lines(told)[0]


def test_too_many_false_alarms_are_those_of_a_few_sensors() -> None:
    counts = {"pump-1": 5, "pump-2": 0, "pump-3": 40, "pump-4": 1, "pump-5": 1}
    sensors = [{"sensor_id": name, "detectors": {PRODUCT: {"false_incidents": count}}} for name, count in counts.items()]

    of_five, of_one = (
        verdict_lines(report(detector(0.745, false=47)) | {"sensors": some})[1] for some in (sensors, sensors[:1])
    )

    assert "the budget is 0.1. Sensors with the most: pump-3 (40), pump-1 (5), pump-4 (1). For fewer" in of_five
    assert "Sensors" not in of_one


@pytest.mark.parametrize(("false", "is_over"), [(15, False), (17, True)])
def test_a_few_more_than_the_budget_may_be_chance(false: int, is_over: bool) -> None:
    # The budget allows 10; twice its Poisson deviation is 6.3.
    assert ("Yes" in verdict_lines(report(detector(0.745, false=false)))[1]) is is_over


def test_a_short_file_proves_nothing() -> None:
    assert verdict_lines(report(detector(0.745, false=1, days=0.5)))[1] == (
        "Too many false alarms? This file is too short to tell: 1 in 12 h of readings, all sensors together, where the budget "
        "of 0.1 allows less than one."
    )


def test_whether_the_budget_is_checked_is_said_and_nothing_against_other_advice() -> None:
    known = {"budget_resolution": {"finding": "The limit is an estimate.", "advice": "You need to set nothing."}}

    good, over = (verdict_lines(report(detector(0.745, false=false)) | known)[2] for false in (0, 47))

    assert good == "The limit is an estimate. You need to set nothing."
    assert over == "The limit is an estimate."


def test_without_labels_nobody_knows() -> None:
    lines = verdict_lines(report(detector(None, 0, events=0)))

    assert "Nobody knows" in lines[0]
    assert len(lines) == 2


def test_the_table_fits_and_has_the_budget_below_the_false_alarms() -> None:
    lines = terminal_table(report(detector(0.745, false=47)))

    assert max(map(len, lines)) <= 78
    assert lines[2].split() == ["stream-detector", "0.745", "9/14", "2", "s", "0.47", "1.25", "%"]
    assert lines[-1].split() == ["budget", "0.1"]
    assert lines[-1].index("0.1") + 3 == lines[2].index("0.47") + 4


def by(causes: dict[str, int], **figures: Any) -> dict[str, Any]:  # noqa: ANN401 - figures of a report
    ours = detector(0.745, **figures)
    ours["pooled"]["events_found_by"] = causes
    return ours


def test_what_the_rules_found_is_not_credited_to_the_score() -> None:
    ours = by({"score": 0, "frozen": 2, "silent": 1, "rules": 3}, found=3, events=7)
    text = verdict_lines(
        {**report(ours), "detectors": {"stream-detector": ours, "windowed PCA": detector(0.3, 0, 9, events=7)}}
    )[0]

    assert "In part: its score told faults from healthy readings better than these" in text
    assert "but in none of the 7 events did it reach its limit in time." in text
    assert "found 3 of 7 events in their first half, 1 more too late: the score 0, the rules 3 (frozen 2, silent 1)." in text


def test_events_that_both_find_are_told_once() -> None:
    text = verdict_lines(report(by({"score": 8, "frozen": 3, "rules": 3}, found=9)))[0]

    assert "Yes: its score" in text
    assert "the score 8, the rules 3 (frozen 3), of them both 2." in text


def test_a_simple_detector_that_finds_as_many_events_is_named_with_its_false_alarms() -> None:
    ours = by({"score": 9, "rules": 0}, found=9)
    others = {"windowed PCA": detector(0.3, 9, 40), "last difference": detector(0.1, 9, 70), "random": detector(0.1, 14)}
    text = verdict_lines({**report(ours), "detectors": {"stream-detector": ours, **others}})[0]

    assert "In part: its score" in text
    assert "but windowed PCA found as many events (9 of 14), with 40 false alarms where this had 0." in text


def test_the_table_has_what_the_score_and_the_rules_find_below_the_product() -> None:
    lines = terminal_table(report(by({"score": 0, "frozen": 9, "rules": 9})))

    assert lines[3].split() == ["its", "score", "alone", "0/14"]
    assert lines[4].split() == ["its", "rules", "alone", "9/14"]
    assert [line.rstrip().rfind("/14") for line in lines[3:5]] == [lines[2].rfind("/14")] * 2
