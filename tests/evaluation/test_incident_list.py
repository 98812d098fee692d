"""The incidents of a scored file, as `score` lists them."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

from stream_detector.evaluation.incident_list import LISTED, IncidentList
from stream_detector.readings import Message


def message(number: int, status: str, minute: int, worth: float, **changes: object) -> Message:
    body = {
        "type": "anomaly",
        "status": status,
        "incident_id": f"-0-{number}-0",
        "sensor_id": f"pump-{number}",
        "timestamp": f"2026-03-05T11:{minute:02}:00.000Z",
        "score": worth,
        "threshold": 2.0,
        "severity": "medium",
        "features": [{"name": "temperature", "value": 50.0 + worth, "expected": 50.0, "share": 1.0}],
        "incident": {"opened_at": "2026-03-05T11:00:00.000Z", "peak_severity": "high"},
    }
    return Message("", b"", json.dumps(body | changes).encode())


def test_each_incident_is_one_line_that_says_how_far_off_it_was() -> None:
    found = IncidentList()
    found.add([message(1, "opened", 0, 3.0), message(2, "opened", 1, 3.0)])
    found.add(
        [message(1, "updated", 5, 9.0), message(1, "updated", 6, 4.0), message(1, "closed", 45, 1.0, severity="critical")]
    )

    assert found.lines() == [
        "2 incidents in 2 sensors:",
        "  pump-1  2026-03-05 11:00:00Z, closed after 45 min, critical: temperature 59.0, expected 50.0 (+9.0) after 5 min",
        "  pump-2  2026-03-05 11:01:00Z, open at the end, high: temperature 53.0, expected 50.0 (+3.0)",
    ]


def off(name: str, value: float, expected: float) -> dict[str, Any]:
    return {"name": name, "value": value, "expected": expected, "share": 0.5}


def test_the_line_tells_of_the_fault_and_not_of_its_end() -> None:
    """The score is highest as the fault leaves the window, where the value is back and the model expects the fault."""
    found = IncidentList()
    during = message(1, "updated", 5, 3.0, features=[off("flow", 7.0, 9.0), off("temperature", 70.5, 64.0)])
    end = message(1, "updated", 20, 9.0, features=[off("temperature", 64.0, 70.9)])
    opening = message(1, "opened", 0, 2.5, features=[off("temperature", 70.0, 64.0), off("flow", 8.9, 9.0)])
    found.add([opening, during, end, message(1, "closed", 21, 1.0)])

    assert found.lines()[1].endswith("temperature 70.5, expected 64.0 (+6.5) after 5 min")


def test_a_fault_that_joins_an_incident_of_less_is_named_too() -> None:
    found = IncidentList()
    opening = message(1, "opened", 0, 2.5, severity="low", features=[off("energy", 62.4, 54.9)])
    joined = message(1, "updated", 15, 6.0, severity="critical", features=[off("temperature", 88.0, 75.0)])
    later = message(1, "updated", 30, 4.0, severity="high", features=[off("flow", 3.0, 4.0)])
    found.add([opening, joined, later])

    assert found.lines()[1].endswith(
        "energy 62.4, expected 54.9 (+7.5); then temperature 88.0, expected 75.0 (+13.0) after 15 min"
    )


def test_a_value_that_is_missing_at_the_opening_is_told_as_missing() -> None:
    found = IncidentList()
    missing = {"name": "temperature", "value": None, "expected": 64.0, "share": 0.5}
    found.add([message(1, "opened", 0, 2.5, features=[missing]), message(1, "updated", 5, 3.0)])

    assert "temperature missing, expected 64" in found.lines()[1]


def test_an_incident_that_was_accepted_and_a_sensor_that_is_not_as_usual_are_told() -> None:
    found = IncidentList()
    opened = message(1, "opened", 0, 3.0, sensor_state="provisional", margin_factor=1.3)
    accepted = {"opened_at": "2026-03-05T11:00:00.000Z", "accepted": True, "reason": "accepted"}
    closed = message(1, "closed", 50, 3.0, incident=accepted, sensor_state="ready", margin_factor=1.45)
    lowered = message(2, "opened", 5, 3.0, sensor_state="relearning", margin_factor=0.8)
    usual = message(3, "opened", 6, 3.0, sensor_state="ready", margin_factor=1.0)
    lasting = message(4, "opened", 7, 3.0, sensor_state="ready", margin_factor=0.5)
    found.add([opened, closed, lowered, usual, lasting])

    assert found.lines()[1:] == [
        "  pump-1  2026-03-05 11:00:00Z, accepted as the new normal after 50 min, medium, still being learned, limit raised by "
        "its own alarms (margin 1.3 x): temperature 53.0, expected 50.0 (+3.0)",
        "  pump-2  2026-03-05 11:05:00Z, open at the end, high, being learned again: temperature 53.0, expected 50.0 (+3.0)",
        "  pump-3  2026-03-05 11:06:00Z, open at the end, high: temperature 53.0, expected 50.0 (+3.0)",
        "  pump-4  2026-03-05 11:07:00Z, open at the end, high, limit lowered: small, but lasting (margin 0.5 x): "
        "temperature 53.0, expected 50.0 (+3.0)",
    ]


def test_times_are_in_the_zone_that_is_given_with_its_offset() -> None:
    found = IncidentList()
    found.add([message(1, "opened", 0, 3.0)])

    assert found.lines(zone=ZoneInfo("Europe/Berlin"))[1].startswith("  pump-1  2026-03-05 12:00:00+01:00, open at the end")


def test_incidents_of_rules_are_counted_by_type_and_told_by_their_sentence() -> None:
    found = IncidentList()
    rule: dict[str, Any] = {"type": "frozen", "what": "temperature stands still", "score": None, "features": [], "incident": {}}
    ruled = message(1, "opened", 2, 0.0, incident_id="-0-2-0-frozen", **rule)
    later = message(1, "updated", 9, 0.0, incident_id="-0-2-0-frozen", **rule | {"what": "temperature still stands still"})
    found.add([message(1, "opened", 0, 3.0), ruled, later])

    assert found.lines()[0] == "2 incidents (1 anomaly, 1 frozen) in 1 sensor:"
    assert found.lines()[2] == "  pump-1  2026-03-05 11:02:00Z, open at the end, medium, frozen: temperature still stands still"


def test_the_list_is_bounded_and_an_empty_one_says_so() -> None:
    found = IncidentList()
    assert found.lines() == ["no incident"]

    found.add([message(number, "opened", 0, 3.0) for number in range(LISTED + 1_500)])

    assert len(found.lines()) == LISTED + 2
    assert found.lines()[-1] == "  and 1,500 more, no more severe"


def test_an_incident_that_closes_on_a_clock_that_was_set_back_has_no_duration() -> None:
    found = IncidentList()
    found.add([message(1, "opened", 50, 3.0), message(1, "closed", 10, 1.0)])

    assert "11:50:00Z, closed, when its clock had gone back, " in found.lines()[1]


def test_the_list_is_in_order_of_time_even_if_events_are_not() -> None:
    found = IncidentList()
    found.add([message(1, "opened", 10, 3.0), message(2, "opened", 4, 3.0)])

    assert [line.split()[0] for line in found.lines()[1:]] == ["pump-2", "pump-1"]


def test_a_rule_tells_what_was_wrong_and_not_that_it_is_over() -> None:
    found = IncidentList()
    rule: dict[str, Any] = {"type": "out_of_range", "score": None, "incident": {}, "incident_id": "x"}
    found.add(
        [
            message(1, "opened", 2, 0.0, what="t is 90, above 80, the limit that is set for it", **rule),
            message(1, "updated", 9, 0.0, what="t returned to range about 12 s (12 readings) ago", **rule),
        ]
    )

    assert found.lines()[1].endswith("out_of_range: t was 90, above 80, the limit that is set for it")


def test_the_most_severe_are_listed_in_the_order_in_which_they_opened() -> None:
    found = IncidentList()
    found.add([message(number, "opened", 0, 3.0, incident={"peak_severity": "low"}) for number in range(LISTED)])
    found.add([message(LISTED, "opened", 1, 3.0)])

    assert [line.split()[0] for line in found.lines()[1:-1]] == [f"pump-{number}" for number in (*range(LISTED - 1), LISTED)]
