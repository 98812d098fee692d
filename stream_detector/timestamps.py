"""Times: milliseconds since 1970 in UTC, and how people and files write them. Reads no clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

SECONDS_PER_DAY = 86_400.0

#: The decoder and the table reader refuse event times outside these bounds (1970 up to 2100), so arithmetic cannot overflow.
MINIMUM_TIME_MS = 0
MAXIMUM_TIME_MS = 4_102_444_800_000

#: Numbers from here on are milliseconds since 1970, smaller ones seconds (as seconds: the year 5138).
EPOCH_MILLISECONDS_FROM = 1e11

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(moment: datetime) -> int:
    """Return milliseconds since 1970; a moment without a zone is UTC."""
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND


def iso_time(time_ms: int) -> str:
    """Write a time as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


def duration(seconds: float) -> str:
    """Write a span of time for people: 8.5 s, 12 min, 3.2 h."""
    if seconds < 120.0:
        return f"{seconds:.3g} s"
    if seconds < 7200.0:
        return f"{seconds / 60.0:.3g} min"
    return f"{seconds / 3600.0:.3g} h"
