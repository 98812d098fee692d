"""What the newest events and dead letters say."""

from __future__ import annotations

import json
from dataclasses import dataclass

from stream_detector.detection.model_spec import tag_of
from stream_detector.inspection.alarms import Alarms, NewestRecords, OpenIncident, alarms_of, with_stored
from stream_detector.inspection.dead_letters import dead_letters_of
from stream_detector.inspection.sensors import IN_INCIDENT, OpenType, SensorStatus
from stream_detector.readings import Header

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOW_MS = 1_796_000_000_000
OPENED_AT = "2026-11-23T07:11:00Z"


@dataclass(frozen=True, slots=True)
class Found:
    """A record of a topic."""

    value: bytes | None
    timestamp: int = NOW_MS
    offset: int = 0
    headers: tuple[Header, ...] = ()
    topic: str = "alerts"
    partition: int = 0
    key: bytes | None = None


def event(sensor: str, status: str, *, incident: str = "", age_ms: int = 0, kind: str = "anomaly", **fields: object) -> Found:
    body = {
        "type": kind,
        "status": status,
        "incident_id": incident or f"{sensor}-{kind}",
        "sensor_id": sensor,
        "timestamp": "2026-11-23T07:12:00Z",
        "severity": "medium",
        "window": {"topic": "readings"},
        "features": [{"name": "flow", "value": 3.0, "expected": 1.0, "share": 0.75}],
        "incident": {"opened_at": OPENED_AT},
    }
    return Found(json.dumps(body | fields).encode(), NOW_MS - age_ms)


def summed(*records: Found, is_cut: bool = False) -> Alarms:
    return alarms_of(NewestRecords(records, is_cut), "readings", NOW_MS)


def test_alarms_of_the_last_day_are_those_that_opened_in_it_the_rules_apart() -> None:
    found = summed(
        event("a", "opened", incident="1", age_ms=DAY_MS + 1),
        event("a", "opened", incident="2", age_ms=DAY_MS),
        event("a", "updated", incident="2"),
        event("b", "opened", kind="frozen"),
    )

    assert (found.anomalies, found.of_rules, found.is_complete) == (1, 1, True)


def test_an_incident_is_open_until_its_last_event_closes_it_and_says_what_it_is_about() -> None:
    found = summed(
        event("a", "opened"),
        event("b", "opened"),
        event("b", "closed"),
        event("c", "opened", kind="frozen", what="flow has not changed for 5 min", severity="high"),
        event("a", "updated", severity="high", sensor_state="provisional"),
    )

    assert [(one.sensor, one.type, one.severity, one.about) for one in found.open] == [
        ("a", "anomaly", "high", "flow 3.0, expected 1.0 (+2.0), 75 % of the score; still being learned"),
        ("c", "frozen", "high", "flow has not changed for 5 min"),
    ]


def test_records_that_are_no_events_and_events_of_another_input_are_left_out() -> None:
    found = summed(Found(b"{"), Found(None), event("a", "opened", window={"topic": "other"}))

    assert (found.anomalies, found.open) == (0, ())


def test_a_day_that_has_more_events_than_were_read_is_not_complete() -> None:
    recent = event("a", "opened", age_ms=HOUR_MS)

    assert not summed(recent, is_cut=True).is_complete
    assert summed(event("a", "opened", age_ms=DAY_MS + 1), recent, is_cut=True).is_complete


def test_the_models_of_events_are_known_by_their_tags() -> None:
    found = summed(event("a", "opened", model={"name": "pumps", "version": "v0"}))

    assert found.models == {tag_of("v0"): "pumps v0"}


def test_an_incident_of_a_record_without_an_event_is_open_too() -> None:
    named = OpenIncident("a", "anomaly", 5, "high", "flow")
    kinds = OpenType("anomaly", 1, 5), OpenType("frozen", 2, 9)
    status = SensorStatus("a", 0, IN_INCIDENT, 10, 3, 3, is_known=True, incidents=kinds)

    found = with_stored(Alarms(0, 0, is_complete=True, open=(named,)), [status])

    assert [(one.type, one.since_ms) for one in found] == [("frozen", 9), ("anomaly", 5)]
    assert found[1] == named


def dead(offset: int, age_ms: int, reason: str = "not_json", topic: str = "readings") -> Found:
    texts = {"reason": reason, "detail": "it ends early", "topic": topic, "partition": "3", "offset": str(offset)}
    return Found(
        b"", NOW_MS - age_ms, offset, tuple((f"stream_detector.{name}", text.encode()) for name, text in texts.items())
    )


def test_dead_letters_are_counted_for_an_hour_and_the_newest_are_told() -> None:
    records = [dead(at, age_ms=(10 - at) * HOUR_MS // 5) for at in range(10)] + [dead(99, 0, topic="other")]
    found = dead_letters_of(NewestRecords(records, is_cut=False), frozenset({"readings"}), NOW_MS)

    assert (found.last_hour, found.is_complete) == (5, True)
    assert [one.place for one in found.newest] == [f"readings partition 3 offset {at}" for at in (9, 8, 7, 6, 5)]
    assert (found.newest[0].reason, found.newest[0].detail) == ("not_json", "it ends early")


def test_a_dead_letter_that_somebody_else_wrote_is_told_without_a_reason() -> None:
    found = dead_letters_of(NewestRecords([Found(b"x")], is_cut=True), frozenset({"readings"}), NOW_MS)

    assert (found.newest[0].reason, found.last_hour, found.is_complete) == ("no reason given", 1, False)
