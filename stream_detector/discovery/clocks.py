"""Compares the sensors' clocks with the times of their records: a zone that is not named, a clock that is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from stream_detector.discovery.naming import listed
from stream_detector.timestamps import duration

#: The newest readings of a sensor that are compared.
_LOOKED_AT = 200
#: What is read as it is measured arrives this evenly; a history that was written at once does not.
_STEADY_MS = 60_000
#: Readings may take this long to arrive, and a clock may be ahead by this much.
_USUAL_LAG_MS, _USUAL_LEAD_MS = 120_000, 30_000
_QUARTER_MS = 900_000
_MOST_CANDIDATES, _MOST_NAMED = 4, 5
#: Zones that people live in, in the order in which they are proposed.
ZONES = (
    *("Europe/Berlin", "Europe/London", "America/New_York", "America/Chicago", "America/Los_Angeles", "Asia/Shanghai"),
    *("Asia/Tokyo", "Asia/Kolkata", "Europe/Helsinki", "Europe/Istanbul", "Asia/Dubai", "America/Sao_Paulo", "America/Denver"),
    *("Africa/Johannesburg", "Africa/Lagos", "Asia/Bangkok", "Australia/Sydney", "Australia/Brisbane", "Australia/Adelaide"),
    *("Australia/Perth", "Pacific/Auckland", "America/Mexico_City", "America/Bogota", "America/Halifax", "America/Phoenix"),
    *("America/St_Johns", "America/Anchorage", "Pacific/Honolulu", "Asia/Karachi", "Asia/Dhaka", "Asia/Kathmandu"),
    *("Asia/Tehran", "Asia/Kabul", "Asia/Yangon", "Asia/Riyadh", "Atlantic/Azores"),
)


@dataclass(frozen=True, slots=True)
class Clocks:
    """What the sample says of the clocks, in milliseconds after the time of the record; negative: before."""

    common_ms: int | None  # of most sensors; None: the records do not tell, as where a history was written at once
    off_ms: Mapping[str, int]  # sensors whose clocks differ from most, and by how much

    @property
    def zone_ms(self) -> int:
        """By how much the clocks are ahead of UTC, if that looks like a zone, a whole number of quarter hours; else 0."""
        if self.common_ms is None:
            return 0
        zone_ms = round((self.common_ms + _USUAL_LEAD_MS) / _QUARTER_MS) * _QUARTER_MS
        return zone_ms if _is_usual(self.common_ms - zone_ms) else 0

    def differing(self) -> str:
        """Name the sensors whose clocks differ, and by how much; empty if none does."""
        words = [f"{name} {duration(abs(ms) / 1000)} {'ahead' if ms > 0 else 'behind'}" for name, ms in self.off_ms.items()]
        return listed(words, _MOST_NAMED)


def compare_clocks(ahead_ms: Mapping[str, Sequence[int]]) -> Clocks:
    """Compare clocks by how far each reading is ahead of its record, by sensor, the newest last."""
    usual = {name: offset for name, found in ahead_ms.items() if (offset := _steady(found[-_LOOKED_AT:])) is not None}
    if not usual or 2 * len(usual) < len(ahead_ms):
        return Clocks(None, {})
    common = int(np.median(list(usual.values())))
    off = {name: offset - common for name, offset in usual.items() if not _is_usual(offset - common)}
    return Clocks(common, off) if 2 * len(off) < len(usual) else Clocks(None, {})


def _is_usual(ahead_ms: int) -> bool:
    return -_USUAL_LAG_MS <= ahead_ms <= _USUAL_LEAD_MS


def _steady(ahead_ms: Sequence[int]) -> int | None:
    if not len(ahead_ms):
        return None
    low, middle, high = np.percentile(ahead_ms, (10, 50, 90))
    return int(middle) if high - low <= _STEADY_MS else None


def zones_ahead(ahead_ms: int, at_ms: int) -> list[str]:
    """Return zones whose clocks are ahead of UTC by so much at a time: the usual ones first, and one without summer time."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    at, found = datetime.fromtimestamp(at_ms / 1000, UTC), list[str]()
    hours, rest = divmod(abs(ahead_ms), 3_600_000)
    fixed = [] if rest else [f"Etc/GMT{'-' if ahead_ms > 0 else '+'}{hours}"]  # their sign is the other way round
    for name in (*ZONES, *fixed):
        try:
            offset = at.astimezone(ZoneInfo(name)).utcoffset()
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
        if offset is not None and 1000 * offset.total_seconds() == ahead_ms:
            found.append(name)
    return [*found[: _MOST_CANDIDATES - 1], *found[-1:]] if len(found) > _MOST_CANDIDATES else found
