"""The settings of group `input`: what a record looks like, and the limits for a reading."""

from __future__ import annotations

from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from stream_detector.settings.group import PREFIX, Count, Group, Seconds, legal_topic
from stream_detector.values import MissingValues

#: Without a setting, a value is held for so many buckets.
HOLD_BUCKETS = 60


def missing_values(setting: object) -> MissingValues:
    """Return what the setting INPUT__MISSING_VALUES or an option names. Raises ValueError."""
    return MissingValues.parse(setting) if isinstance(setting, str) else MissingValues.of(setting)


def time_zone(name: str) -> ZoneInfo:
    """Return a time zone of the IANA database; raise ValueError if there is none of this name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = (
            f"there is no time zone {name[:60]!r}; give one such as Europe/Berlin (if it is right, install the package tzdata)"
        )
        raise ValueError(msg) from None


#: The presets of ingest/presets/catalog.py; a test compares them.
Preset = Literal[
    "native",
    "telegraf",
    "kepware",
    "thingsboard",
    "opcua",
    "sitewise",
    "aws-iot",
    "azure-iot",
    "debezium",
    "connect",
    "cloudevents",
    "flat",
    "influx",
    "otlp",
    "sparkplug",
]


class InputSettings(Group):
    """What a record looks like ([formats.md](formats.md)), and limits for a reading."""

    payload: Literal["json", "registry"] = Field(
        "json", description="json, or registry: Avro, Protobuf or JSON with a schema in a [registry](registry.md)."
    )
    preset: Preset = Field(
        "native",
        description="The shape of the records: `native`, or that of another tool. The settings up to `bad_quality` replace "
        "parts of it; with `native` they describe the shape alone.",
    )
    sensor: str | None = Field(
        None,
        description="Where the sensor's ID is: a path, `$key`, `$topic`, `$header.NAME`, or a template such as "
        "`{plant}/{tags.host}`.",
    )
    time: str | None = Field(None, description="Path of the time, or a template of these. Empty: the record's own time.")
    time_unit: Literal["auto", "s", "ms", "us", "ns"] = Field(
        "auto", description="Unit of a time that is a number. auto: by its size."
    )
    time_format: str | None = Field(
        None, description="How a time that is text is written, as in Python's strptime: `%d.%m.%Y %H:%M:%S`. Unset: ISO 8601."
    )
    readings: str | None = Field(None, description="Path of a list of readings, if a record has several.")
    values: str | None = Field(None, description="Path of an object whose members are the features; `.` is the reading itself.")
    features: dict[str, str] = Field(
        default_factory=dict,
        description='Path of each feature, as JSON: `{"temperature": "motor.temp"}`. Beside `values`: more features.',
    )
    items: str | None = Field(None, description="Path of a list of name-value pairs.")
    feature: str | None = Field(
        None, description="Path of the feature's name in such a pair, or in a record of one value. Unset: it is called `value`."
    )
    value: str | None = Field(None, description="Path of the value in such a pair, or in a record of one value.")
    feature_prefix: str | None = Field(None, description="What comes before each feature's name: `{name}.`.")
    tag_pattern: str | None = Field(
        None,
        description="Regular expression that splits the name of a value, with groups sensor, feature or both: "
        r"`(?P<sensor>.+)\.(?P<feature>[^.]+)`.",
    )
    quality: str | None = Field(None, description="Path of a quality; a value of bad quality is missing.")
    good_quality: list[str] = Field(
        default_factory=list, description='Good qualities, as JSON: `["192", "good*"]`. All others are bad.'
    )
    bad_quality: list[str] = Field(default_factory=list, description="Bad qualities. All others are good.")
    include_sensors: list[str] = Field(
        default_factory=list,
        description='Sensors to read, as patterns: `["press-*"]`. Unset: all. What is left out is counted.',
    )
    exclude_sensors: list[str] = Field(default_factory=list, description="Sensors not to read, as patterns.")
    include_features: list[str] = Field(default_factory=list, description="Features to read, as patterns. Unset: all.")
    exclude_features: list[str] = Field(default_factory=list, description="Features not to read, as patterns.")
    max_record_bytes: Count = Field(65_536, description="A larger record becomes a dead letter.")
    max_sensor_id_bytes: Count = Field(256, description="A reading with a longer sensor ID becomes a dead letter.")
    max_future_seconds: Seconds = Field(
        3600.0, description="A reading dated more than this after its record becomes a dead letter."
    )
    unknown_features: Literal["dead_letter", "ignore"] = Field(
        "ignore",
        description="Features that the model does not know: ignore drops them and says so once, dead_letter rejects the "
        "reading. Without any known feature a reading is always rejected, a message of `assemble_seconds` is not.",
    )
    missing_values: list[Any] | dict[str, Any] | str | float = Field(
        default_factory=list,
        description='Words and numbers that mean missing, beside the usual: `["Stale", -9999, {"temperature": [-1]}]`, '
        "or `Stale,-9999,temperature=-1`.",
    )

    time_zone: str | None = Field(None, description="Time zone of times without one, such as `Europe/Berlin`. Unset: UTC.")
    repartition: bool = Field(
        False,
        description="Copy the readings, by sensor, to a topic of the detector's own first: for a topic whose records are not "
        "keyed by sensor. See [unkeyed.md](unkeyed.md).",
    )
    repartition_topic: str | None = Field(
        None, description="Name of that topic. Unset: group ID, input topic and `by-sensor`, joined by hyphens."
    )
    repartition_partitions: Count | None = Field(
        None, description="Its partitions, when it is created. Unset: as many as the input topic has."
    )
    repartition_retention_seconds: Seconds | None = Field(
        None, description="For how long it keeps readings, when it is created. Unset: a day, or twice the look-back if longer."
    )
    allow_unkeyed: bool = Field(
        False, description="Start although sensors come from several partitions, with a window in each, instead of refusing."
    )

    assemble_seconds: Seconds | None = Field(
        None,
        ge=0.01,
        description="Where each message has one or a few features of a sensor: one reading per so much event time is assembled "
        "of them. Unset: each message is a reading. Stored windows of other seconds are rebuilt.",
    )
    hold_seconds: Seconds | None = Field(
        None,
        description="With `assemble_seconds`: a value stands for so long if its feature sends nothing new. "
        f"Unset: {HOLD_BUCKETS} times `assemble_seconds`.",
    )

    @model_validator(mode="after")
    def _hold_is_of_assembly(self) -> InputSettings:
        if self.hold_seconds is None:
            return self
        if self.assemble_seconds is None:
            msg = f"{PREFIX}INPUT__HOLD_SECONDS needs {PREFIX}INPUT__ASSEMBLE_SECONDS: without it, no value is held"
            raise ValueError(msg)
        if self.hold_seconds < self.assemble_seconds:
            msg = f"{PREFIX}INPUT__HOLD_SECONDS must be at least {PREFIX}INPUT__ASSEMBLE_SECONDS"
            raise ValueError(msg)
        return self

    @field_validator("repartition_topic")
    @classmethod
    def _topic_is_legal(cls, value: str | None) -> str | None:
        return value if value is None else legal_topic(value)

    @field_validator("time_zone")
    @classmethod
    def _time_zone_is_known(cls, value: str | None) -> str | None:
        if value is not None:
            time_zone(value)
        return value

    @field_validator("missing_values")
    @classmethod
    def _missing_values_are_words_and_numbers(cls, value: object) -> object:
        missing_values(value)
        return value
