"""The JSON document of one reading, and the reason codes of rejected records. Contains no parser."""

from __future__ import annotations

import msgspec

#: Reason codes of dead letters; docs/input.md explains each.
REASONS = (
    "too_large",
    "not_json",
    "wrong_format",
    "schema_unknown",
    "schema_unusable",
    "wrong_type",
    "alias_unknown",
    "sensor_missing",
    "sensor_too_long",
    "time_missing",
    "time_out_of_range",
    "time_in_future",
    "values_missing",
    "unknown_features",
    "no_value",
    "not_a_number",
    "not_finite",
)


class RejectionError(Exception):
    """A record is not a reading: a reason code and a sentence of detail. The decoder catches it."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


class Document(msgspec.Struct):
    """A reading as its producer wrote it. Its types are checked, its values are not."""

    sensor_id: str
    values: dict[str, float | bool | str | None]
    timestamp: str | int | float | None = None
