"""Converts between times in milliseconds since 1970 (UTC) and the forms that people and files use. Reads no clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

SECONDS_PER_DAY = 86_400.0
_DAYS_PER_YEAR = 365.25

#: Event times lie within these bounds (1970 to 2100), so arithmetic on them cannot overflow.
MINIMUM_TIME_MS = 0
MAXIMUM_TIME_MS = 4_102_444_800_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(moment: datetime) -> int:
    """Return milliseconds since 1970, rounded down; a datetime without a zone counts as UTC."""
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND


def iso_time(time_ms: int) -> str:
    """Format a time as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


def shown_time(time_ms: int, zone: tzinfo | None = None) -> str:
    """Format a time for people, with milliseconds only if it has any: 2026-11-26 08:59:00Z, or in a zone ... 09:59:00+01:00."""
    if zone is None:
        return iso_time(time_ms).replace("T", " ").replace(".000Z", "Z")
    moment = datetime.fromtimestamp(time_ms // 1000, UTC) + (time_ms % 1000) * _MILLISECOND
    return moment.astimezone(zone).isoformat(" ", "milliseconds" if time_ms % 1000 else "seconds")


def duration(seconds: float) -> str:
    """Format a duration for people: 8.5 s, 12 min, 3.2 h, 3 days, 56.2 years."""
    if seconds < 120.0:
        return f"{seconds:.3g} s"
    if seconds < 7200.0:
        return f"{seconds / 60.0:.3g} min"
    days = seconds / SECONDS_PER_DAY
    if days < 2.0:
        return f"{seconds / 3600.0:.3g} h"
    return f"{days:.3g} days" if days < 2 * _DAYS_PER_YEAR else f"{days / _DAYS_PER_YEAR:.3g} years"
