"""The settings of group `input`: what a record looks like, and the limits for a reading."""

from __future__ import annotations

from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from stream_detector.settings.group import Count, Group, Seconds
from stream_detector.values import MissingValues


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


class InputSettings(Group):
    """Limits for a reading."""

    max_record_bytes: Count = Field(65_536, description="A larger record becomes a dead letter.")
    max_sensor_id_bytes: Count = Field(256, description="A reading with a longer sensor ID becomes a dead letter.")
    max_future_seconds: Seconds = Field(
        3600.0, description="A reading dated more than this after its record becomes a dead letter."
    )
    unknown_features: Literal["dead_letter", "ignore"] = Field(
        "dead_letter",
        description="Unknown features: dead_letter rejects the reading, ignore drops them. "
        "Without any known feature a reading is always rejected.",
    )
    missing_values: list[Any] | dict[str, Any] | str | float = Field(
        default_factory=list,
        description='Words and numbers that mean missing, beside the usual: `["Stale", -9999, {"temperature": [-1]}]`, '
        "or `Stale,-9999,temperature=-1`.",
    )

    time_zone: str | None = Field(None, description="Time zone of times without one, such as `Europe/Berlin`. Unset: UTC.")

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
