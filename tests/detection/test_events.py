"""An event is read leniently, and the published schema is that of the structs."""

from __future__ import annotations

import json

import pytest

from stream_detector.detection.events import Event, EventFeature, event_time_ms, read_event
from tests import event_schema

LEAST = '{"sensor_id": "a", "timestamp": "2026-01-01T00:00:00Z"'


def test_the_committed_schema_is_generated_from_the_structs() -> None:
    assert event_schema.PATH.read_text(encoding="utf-8") == event_schema.schema_text(), "run python -m tests.docs_tables"


def test_the_schema_requires_every_field_except_those_that_version_1_gained_later() -> None:
    schema = json.loads(event_schema.schema_text())

    assert set(schema["properties"]) - set(schema["required"]) == {
        *("rules", "what", "attention_reason", "usual_attention", "margin_factor")
    }
    assert schema["properties"]["window"]["required"] == ["topic", "partition", "last_offset", "start", "end", "length"]


def test_events_from_before_the_budget_was_said_to_be_resolved_are_read() -> None:
    schema = json.loads(event_schema.schema_text())
    rules = '"rules": {"version": "5e1f00d5", "budget_per_sensor_day": 0.1}'

    assert read_event(f"{LEAST}, {rules}}}".encode()).rules.budget_resolved is None
    assert schema["properties"]["rules"]["required"] == ["version", "budget_per_sensor_day"]


def test_an_event_needs_a_sensor_and_a_time_only() -> None:
    event = read_event(f"{LEAST}}}".encode())

    assert event == Event(sensor_id="a", timestamp="2026-01-01T00:00:00Z")


def test_fields_and_values_of_later_versions_are_accepted() -> None:
    later = (
        ', "schema_version": 2, "status": "paused", "severity": "dire", "news": 1, "features": [{"name": "flow", "unit": "l"}]}'
    )

    event = read_event(f"{LEAST}{later}".encode())

    assert (event.schema_version, event.status, event.severity) == (2, "paused", "dire")
    assert event.features == (EventFeature("flow"),)


@pytest.mark.parametrize("value", [b"", b"[]", b"null", b'{"sensor_id": 1}', b"\xff", b'{"sensor_id": "a"}'])
def test_a_value_that_is_not_an_event_is_a_value_error(value: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_event(value)


def test_a_value_nested_too_deeply_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="recursion"):
        read_event(f'{LEAST}, "news": {"[" * 100_000}'.encode())


@pytest.mark.parametrize("field", ['"timestamp": "yesterday"', '"incident": {"opened_at": "2026-13-01T00:00:00Z"}'])
def test_a_field_that_does_not_hold_a_time_is_a_value_error(field: str) -> None:
    with pytest.raises(ValueError, match="RFC3339"):
        read_event(f"{LEAST}, {field}}}".encode())


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("1970-01-01T00:00:01.500Z", 1_500),
        ("1970-01-01T01:00:01.5009+01:00", 1_500),
        ("1970-01-01T00:00:01", 1_000),
    ],
)
def test_event_times_are_milliseconds_in_utc(text: str, time_ms: int) -> None:
    assert event_time_ms(text) == time_ms
