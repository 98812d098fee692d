"""A status as a JSON document, for programs."""

from __future__ import annotations

from typing import Any

from stream_detector.inspection.closing import closing_document
from stream_detector.inspection.dead_letters import DeadLetter
from stream_detector.inspection.learning_words import LearningWords
from stream_detector.inspection.progress import GroupProgress
from stream_detector.inspection.sensors import STATES, SensorStatus
from stream_detector.inspection.status import KafkaPart, Status, problems_of
from stream_detector.timestamps import iso_time

#: Open incidents that the document names.
_MOST_OPEN = 1_000


def status_document(status: Status, limit: int) -> dict[str, Any]:
    """Return the document; it names at most `limit` sensors, and has null where something is not known."""
    subject = status.subject
    return {
        "at": iso_time(status.at_ms),
        "input_topic": subject.input_topic,
        "group": subject.group_id,
        "model": subject.model_name or None,
        "model_in_use": status.model_in_use or None,
        "learning": _learning(status.learning),
        "problems": [{"code": one.code, "text": one.text} for one in problems_of(status)],
        "detector": _detector(status.kafka),
        "sensors": _sensors(status, limit),
        "alarms": _alarms(status),
        "open_incidents": [
            {
                "sensor_id": one.sensor,
                "type": one.type,
                "since": iso_time(one.since_ms),
                "severity": one.severity or None,
                "about": one.about,
                "incident_id": one.incident_id or None,
                "closing": closing_document(one.closing),
            }
            for one in status.open_incidents[:_MOST_OPEN]
        ],
        "dead_letters": _dead_letters(status.kafka),
    }


def _learning(words: LearningWords | None) -> dict[str, Any] | None:
    return None if words is None else {"at": iso_time(words.at_ms), "stage": words.stage, "text": words.text}


def _detector(part: KafkaPart | None) -> dict[str, Any] | None:
    if part is None:
        return None
    group = part.group
    return {
        "members": group.members,
        "group_state": group.group_state,
        "records_per_second": part.speed.arriving,
        "committed_per_second": part.speed.committed,
        "standing_seconds": part.standing_s,
        "lag": group.lag,
        "partitions": _partitions(group),
    }


def _partitions(group: GroupProgress) -> list[dict[str, Any]]:
    return [
        {
            "partition": one.partition,
            "end": one.end,
            "committed": one.committed.position if one.committed else None,
            "lag": one.lag,
        }
        for one in group.partitions
    ]


def _sensors(status: Status, limit: int) -> dict[str, Any] | None:
    stored = status.stored
    if stored is None:
        return None
    return {
        "total": stored.total,
        "cut": stored.is_cut,
        "states": {state: stored.counts.get(state, 0) for state in STATES},
        "unknown_to_the_model": stored.unknown if status.subject.model_name and stored.fits_model else None,
        "unreadable": stored.unreadable,
        "sensors": [_sensor(one, status.at_ms) | _unusable(status, one) for one in stored.sensors[:limit]],
    }


def _sensor(one: SensorStatus, at_ms: int) -> dict[str, Any]:
    return {
        "sensor_id": one.sensor,
        "state": one.state,
        "partition": one.partition,
        "last_reading": iso_time(one.last_ms) if one.last_ms >= 0 else None,
        "seconds_ago": round((at_ms - one.last_ms) / 1000.0, 3) if one.last_ms >= 0 else None,
        "window": {"readings": one.filled, "length": one.window_length},
        "learned": {"readings": one.learned, "of": one.to_learn} if one.to_learn else None,
        "known": one.is_known,
        "incidents": [{"type": kind.type, "since": iso_time(kind.since_ms)} for kind in one.incidents],
    }


def _unusable(status: Status, one: SensorStatus) -> dict[str, Any]:
    found = status.unusable(one)
    if found is None:
        return {"dead_letters": None}
    times = {"since": iso_time(max(found.since_ms, 0)), "last": iso_time(max(found.last_ms, 0))}
    return {"dead_letters": {"count": found.count, **times, "reason": found.reason}}


def _alarms(status: Status) -> dict[str, Any] | None:
    if status.kafka is None:
        return None
    alarms = status.kafka.alarms
    return {
        "of_the_score_in_24_hours": alarms.anomalies,
        "of_rules_in_24_hours": alarms.of_rules,
        "complete": alarms.is_complete,
        "allowed_in_24_hours": status.allowed_alarms,
        "budget_per_sensor_day": status.subject.budget_per_sensor_day,
    }


def _dead_letters(part: KafkaPart | None) -> dict[str, Any] | None:
    if part is None:
        return None
    found = part.dead_letters
    return {
        "last_hour": found.last_hour,
        "complete": found.is_complete,
        "reasons": [{"count": one.count, "newest": _letter(one.newest)} for one in found.groups],
        "newest": [_letter(one) for one in found.newest],
    }


def _letter(one: DeadLetter) -> dict[str, Any]:
    return {"at": iso_time(max(one.at_ms, 0)), "reason": one.reason, "detail": one.detail, "record": one.place}
