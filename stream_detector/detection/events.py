"""The events on the alerts topic, as structs that the detector encodes and every reader decodes.

`python -m tests.docs_tables` generates the published schema (event.schema.json) and the table in docs/events.md from them.
The detector writes every field. The defaults let readers decode events that omit some.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from stream_detector.detection.severity import SEVERITIES
from stream_detector.detection.transition import ANOMALY, CLOSED, OPENED, UPDATED
from stream_detector.timestamps import to_ms

SCHEMA_VERSION = 1
#: Fields added to version 1 later, also of its objects. Older events do not have them, so the schema does not require them.
ADDED_FIELDS = frozenset(
    (
        *("rules", "what", "readings", "reason", "peak_severity", "attention_reason", "budget_resolved", "margin_factor"),
        *("last_index", "opened_index", "usual_attention"),
    )
)
#: Why an event has no attention: training left the network out of the model's score, or there is no score.
NOT_A_MEMBER, NOT_SCORED = "not_a_member", "not_scored"
WARMING, PROVISIONAL, READY, OF_SILENCE = "warming", "provisional", "ready", "silent"
#: The state of a sensor outside of the state in which the model learned.
IDLE_SENSOR = "idle"
#: The state of a sensor of which features are learned again after an accepted incident.
RELEARNING = "relearning"
_SEVERITY_NAMES = [name for _, name in reversed(SEVERITIES)]


def _about(description: str, **schema: object) -> Meta:
    """Describe a field in the schema. Decoding does not enforce this, so readers accept the values of later versions."""
    return Meta(description=description, extra_json_schema=schema or None)


_Share = Annotated[float | None, _about("Share of the surprise, 0 to 1.")]


class EventModel(Struct, frozen=True):
    """The model in use at the reading."""

    name: Annotated[str, _about("Its name, given in training.")] = ""
    version: Annotated[str, _about("Hash of its content.")] = ""


class EventRules(Struct, frozen=True):
    """The settings by which the incident changed. A reload may change them."""

    version: Annotated[
        str,
        _about(
            "Hash of the settings that affect decisions: budget, update, quiet and accept times, stride, and the group "
            "`rules`. Equal on replicas with equal settings."
        ),
    ] = ""
    budget_per_sensor_day: Annotated[float | None, _about("False alarms accepted per sensor and day.")] = None
    budget_resolved: Annotated[
        bool | None,
        _about(
            "Whether training saw enough healthy readings to know that the budget is kept, to a factor of about two. False: "
            "the threshold is an estimate (docs/false-alarms.md). Null without a model."
        ),
    ] = None


class EventWindow(Struct, frozen=True):
    """The readings behind the score: the sensor's last `length` in the partition up to `last_offset`, without late ones."""

    topic: Annotated[str, _about("The input topic.")] = ""
    partition: Annotated[int, _about("The partition of the input topic.")] = -1
    last_offset: Annotated[int, _about("Offset of the reading at which the incident changed.")] = -1
    start: Annotated[
        str,
        _about(
            "Event time of the first reading, to within a thousandth of the longest time between two of them. Exact for a "
            "reading every 2 s or more often.",
            format="date-time",
        ),
    ] = ""
    end: Annotated[str, _about("Event time of the last reading.", format="date-time")] = ""
    length: Annotated[int, _about("Number of readings.", minimum=1)] = 0
    last_index: Annotated[int, _about("Index in its record of the reading at `last_offset`.", minimum=0)] = 0


class EventFeature(Struct, frozen=True):
    """A feature at the reading at which the incident changed."""

    name: Annotated[str, _about("Name of the feature.")]
    value: Annotated[float | None, _about("The value read; null if it was missing.")] = None
    expected: Annotated[float | None, _about("The value that the model expected, in the same units.")] = None
    share: _Share = None
    imputed: Annotated[bool, _about("Whether the value was missing and filled in.")] = False
    readings: Annotated[
        int | None,
        _about(
            "For how many readings in a row a rule has applied to the feature: for `frozen` since the value last changed, for "
            "`missing_feature` since the last value; for `flapping` how often it turned in a row. Null in an `anomaly`."
        ),
    ] = None
    rise_per_hour: Annotated[
        float | None, _about("Of a counter in an `anomaly`: how fast it rose, which is what is scored; null if unknown.")
    ] = None
    expected_rise_per_hour: Annotated[float | None, _about("How fast the model expected it to rise.")] = None


class EventMember(Struct, frozen=True):
    """A member of the model."""

    name: Annotated[str, _about("Name of the member.")]
    share: _Share = None


class EventIncident(Struct, frozen=True):
    """The incident so far."""

    opened_at: Annotated[str, _about("Event time of the reading that opened it.", format="date-time")] = ""
    opened_offset: Annotated[int, _about("Offset of the reading that opened it.")] = -1
    opened_index: Annotated[int, _about("Index of that reading in its record.", minimum=0)] = 0
    peak_score: Annotated[float | None, _about("Its highest score so far.")] = None
    peak_severity: Annotated[
        str, _about("Its worst severity so far; empty if it has no score.", enum=["", *_SEVERITY_NAMES])
    ] = ""
    accepted: Annotated[
        bool,
        _about("True if this event closes the incident because it counts as the new normal state."),
    ] = False
    reason: Annotated[
        str,
        _about(
            "Why the incident closed: `quiet` (the sensor was normal for long enough), `accepted` (its state counts as the new "
            "normal one), `silent` (the sensor fell silent), `returned` (the silent sensor or the input is back), "
            "`clock_right` (the clock is right again), `off` (the rule was switched off), `idle` (the machine is outside of "
            "the state that the model learned in). More reasons may follow. Empty while it is open."
        ),
    ] = ""


class Event(Struct, frozen=True, kw_only=True):
    """A change of an incident: a run of anomalous readings of one sensor. Record key: sensor_id."""

    schema_version: Annotated[int, _about("The version of this schema.", const=SCHEMA_VERSION)] = SCHEMA_VERSION
    event_id: Annotated[
        str,
        _about(
            "Deterministic: use it to drop duplicates. Made of input topic, partition, offset, index in the record, type if "
            "that is not `anomaly`, model version and status, not of the settings."
        ),
    ] = ""
    type: Annotated[
        str,
        _about(
            "What found the incident: `anomaly`, the model's score; or the name of a rule (docs/rules.md). More types may "
            "follow; ignore those you do not know."
        ),
    ] = ANOMALY
    status: Annotated[str, _about("How the incident changed.", enum=[OPENED, UPDATED, CLOSED])] = ""
    incident_id: Annotated[
        str,
        _about(
            "The same for all events of an incident: made of the position of the reading that opened it, and of the type if "
            "that is not `anomaly`."
        ),
    ] = ""
    what: Annotated[str, _about("What a rule found, as a sentence for people. Empty in an `anomaly`.")] = ""
    sensor_id: Annotated[str, _about("The sensor; empty in an `input_silent`.")]
    timestamp: Annotated[str, _about("Event time of the reading at which the incident changed.", format="date-time")]
    score: Annotated[
        float | None,
        _about(
            "How unusual the window ending at this reading is: the mean of its surprise and of a slow memory of the sensor's "
            "surprise. The surprise is the weighted mean over the members of -ln of the share of readings with a larger error: "
            "for one member, one reading in 150 has 5 or more; a value beyond the healthy range adds to it. Null if not "
            "scored, as when a sensor that the model does not know closes its incident while its window fills."
        ),
    ] = None
    threshold: Annotated[
        float | None,
        _about(
            "A reading with a higher score is anomalous. The mean of the largest surprise that the budget allows and of the "
            "same memory."
        ),
    ] = None
    margin_factor: Annotated[
        float | None,
        _about(
            "By what the sensor's own incidents have moved its threshold, as a share of the margin over usual scores: above 1 "
            "after more than a week's budget of incidents, at most 1.5; below 1 where there were fewer than the budget allows, "
            "at least 0.8; half of that where small deviations have lasted. Null in events of rules."
        ),
    ] = None
    severity: Annotated[
        str,
        _about(
            "Score over threshold, on a logarithmic scale: from 1.2 `medium`, from 1.6 `high`, from 2.5 `critical`. In a "
            "closing event, the worst that the incident has had, by the thresholds of its moments.",
            enum=_SEVERITY_NAMES,
        ),
    ] = ""
    sensor_state: Annotated[
        str,
        _about(
            "`warming`: the window is not full. A sensor that the model knows is scored by the `window.length` readings that "
            "there are, so the evidence is weaker; any other is not scored. `provisional`: the sensor was not in training and "
            "still learns its scale or levels: spikes and jumps are found, slow changes may be learned. `relearning`: features "
            "that shifted in an accepted incident are learned again, and not scored meanwhile. `silent`: it was silent until "
            "this event. `idle`: it is outside of the state that the model learned in, and not judged.",
            enum=[WARMING, PROVISIONAL, RELEARNING, READY, OF_SILENCE, IDLE_SENSOR],
        ),
    ] = ""
    model: EventModel = EventModel()
    rules: EventRules = EventRules()
    window: EventWindow = EventWindow()
    attention: Annotated[
        tuple[Annotated[float, Meta(extra_json_schema={"minimum": 0, "maximum": 1})], ...],
        _about(
            "Which steps the network attended to: weights with sum 1, oldest first. Empty unless the network made a part of "
            "this score: `attention_reason` says why."
        ),
    ] = ()
    attention_reason: Annotated[
        str,
        _about(
            "Why `attention` is empty: `not_a_member` (training left the network out of this model's score), `not_scored`. "
            "Empty if it is not.",
            enum=["", NOT_A_MEMBER, NOT_SCORED],
        ),
    ] = ""
    usual_attention: Annotated[
        tuple[Annotated[float, Meta(extra_json_schema={"minimum": 0, "maximum": 1})], ...],
        _about(
            "What `attention` usually is: the mean over healthy windows of this sensor, in training, or of all sensors if the "
            "model does not know it. Empty if `attention` is, or if the model was trained before this was kept."
        ),
    ] = ()
    step_shares: Annotated[
        tuple[Annotated[float, Meta(extra_json_schema={"minimum": 0})], ...],
        _about(
            "When the anomaly occurred: share of the surprise per step, oldest first, with sum 1. A reading that was "
            "lost within the window has a step too; steps before the window's first reading have 0. Empty if not scored."
        ),
    ] = ()
    features: Annotated[tuple[EventFeature, ...], _about("Largest share of the surprise first. Empty if not scored.")] = ()
    members: Annotated[
        tuple[EventMember, ...], _about("The members of the model, largest share first. Empty if not scored.")
    ] = ()
    incident: EventIncident = EventIncident()


_decode = msgspec.json.Decoder(Event).decode


def read_event(value: bytes) -> Event:
    """Decode an event; raise ValueError with the reason if it has no sensor or no valid time."""
    try:
        event = _decode(value)
        event_time_ms(event.timestamp)
        if event.incident.opened_at:
            event_time_ms(event.incident.opened_at)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None
    return event


def event_time_ms(text: str) -> int:
    """Parse the event time in a field, in milliseconds since 1970; raise ValidationError for anything else."""
    return to_ms(msgspec.convert(text, datetime))
