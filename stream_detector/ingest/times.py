"""The one parser of event times, for files and for the stream: what an ISO 8601 text or a number of any unit stands for.

A number is the seconds, milliseconds, microseconds or nanoseconds since 1970, by its size. Numbers that are no such time, like
the day numbers of a spreadsheet, are refused with what they look like. Fractions of a millisecond are cut off.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache

from stream_detector.ingest.document import RejectionError
from stream_detector.timestamps import MAXIMUM_TIME_MS, MINIMUM_TIME_MS, to_ms

#: Numbers from these on are milliseconds, microseconds, nanoseconds since 1970. In each unit, they are the year 5138.
MILLISECONDS_FROM, MICROSECONDS_FROM, NANOSECONDS_FROM = 10**11, 10**14, 10**17
#: The smallest numbers that are taken in each unit: 1973 in s and ms, 2001 in us and ns. Smaller ones count something else.
LEAST_SECONDS, LEAST_MICROSECONDS, LEAST_NANOSECONDS = 10**8, 10**15, 10**18
#: The greatest number that is taken for seconds since 1970 (2080): clocks that count from 1900 or 1904 are beyond it.
MOST_SECONDS = 3_500_000_000
#: Added to a double before it is cut to milliseconds: it may be a little smaller than its decimal digits say.
ROUNDING_MS = 1e-3

#: Whole numbers from this on, of milliseconds, need no closer look (2001).
_USUAL_MS = 978_307_200_000
#: The same of seconds.
_USUAL_SECONDS = 978_307_200
_MOST_NANOSECONDS = 1_000_000 * MAXIMUM_TIME_MS
_LONGEST_TEXT = 64
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?")
_CURE = "write ISO 8601, or seconds or milliseconds since 1970"
_NOT_ISO = "timestamp is not ISO 8601, such as 2026-11-23T07:12:00Z:"
#: Zones written out, which ISO 8601 writes as Z.
_WRITTEN_UTC = re.compile(r"\s+(UTC|GMT)$|[zZ]$")


@lru_cache(maxsize=4096)
def text_time(text: str, zone: tzinfo | None) -> tuple[int, int]:
    """Return milliseconds since 1970 and, for a local time that comes twice, how much later it is the second time.

    A time without a zone is in `zone`, or UTC. In the hour that a zone skips, the clock is taken as not yet changed; the second
    number is negative there. Raises RejectionError.
    """
    stripped = text.strip()
    if len(stripped) > _LONGEST_TEXT:
        raise RejectionError("wrong_type", f"{_NOT_ISO} {stripped[:_LONGEST_TEXT]!r}...")
    digits = stripped.replace(",", ".", 1)  # a decimal comma
    if _NUMBER.fullmatch(digits):
        return number_time(int(digits) if digits.lstrip("+-").isdigit() else float(digits)), 0
    try:
        moment = datetime.fromisoformat(_WRITTEN_UTC.sub("Z", stripped))
        if zone is None or moment.tzinfo is not None:
            return _in_range(to_ms(moment), stripped), 0
        first, second = (to_ms(moment.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    except ValueError:
        raise RejectionError("wrong_type", f"{_NOT_ISO} {stripped!r}") from None
    except OverflowError:
        raise RejectionError("time_out_of_range", f"timestamp is beyond any date: {stripped!r}") from None
    return _in_range(first, stripped), second - first


def has_zone(text: str) -> bool:
    """Return whether a text that is a time says its zone; a number needs none."""
    stripped = _WRITTEN_UTC.sub("Z", text.strip())
    return _NUMBER.fullmatch(stripped) is not None or datetime.fromisoformat(stripped).tzinfo is not None


def number_time(number: float) -> int:
    """Return milliseconds since 1970 for a number in a unit by its size. Raises RejectionError."""
    if type(number) is int and _USUAL_MS <= number <= MAXIMUM_TIME_MS:
        return number
    if type(number) is int and _USUAL_SECONDS <= number <= MOST_SECONDS:
        return 1000 * number
    if type(number) is int and LEAST_NANOSECONDS <= number <= _MOST_NANOSECONDS:
        return number // 1_000_000
    if isinstance(number, float) and not math.isfinite(number):
        raise RejectionError("time_out_of_range", "timestamp is not a finite number")
    if doubt := _doubt(number):
        raise RejectionError("time_out_of_range", f"timestamp {_shown(number)} {doubt}; {_CURE}")
    per_ms = _per_millisecond(number)
    if isinstance(number, int):
        milliseconds = number * 1000 if per_ms is None else number // per_ms
    else:
        milliseconds = math.floor((number * 1000 if per_ms is None else number / per_ms) + ROUNDING_MS)
    return _in_range(milliseconds, _shown(number))


def _per_millisecond(number: float) -> int | None:
    """Return how many of the unit of a number a millisecond has; None for seconds."""
    if number < MILLISECONDS_FROM:
        return None
    return 1 if number < MICROSECONDS_FROM else 1000 if number < NANOSECONDS_FROM else 1_000_000


def _in_range(time_ms: int, shown: str) -> int:
    if not MINIMUM_TIME_MS <= time_ms <= MAXIMUM_TIME_MS:
        raise RejectionError("time_out_of_range", f"not between 1970 and 2100: {shown}"[:200])
    return time_ms


def _doubt(number: float) -> str | None:
    """Return what a number looks like that is no time since 1970; None if it may be one."""
    if number < 0:
        return "is before 1970"
    if number < LEAST_SECONDS:
        return _small(number)
    if MOST_SECONDS < number < MILLISECONDS_FROM:
        return "is after 2080: does it count seconds from 1900 or 1904?"
    if number < MICROSECONDS_FROM and _is_date_in_digits(number):
        return "looks like a date written without separators"
    if MICROSECONDS_FROM <= number < LEAST_MICROSECONDS:
        return "is in no unit a time since 2001"
    if NANOSECONDS_FROM <= number < LEAST_NANOSECONDS:
        ticks = "a Windows file time (since 1601)" if number < 5 * NANOSECONDS_FROM else ".NET ticks (since the year 1)"
        return f"looks like {ticks}, in units of 100 ns"
    return None


def _small(number: float) -> str:
    if 19_000_101 <= number <= 21_001_231 and _is_date_in_digits(number * 10**4):
        return "looks like a date written without separators"
    for least, most, epoch, what in (
        (20_000, 80_000, 25_569, "a day number of a spreadsheet (Excel)"),
        (690_000, 770_000, 719_529, "a day number of MATLAB"),
        (2_430_000, 2_490_000, 2_440_587.5, "a Julian day number"),
    ):
        if least <= number < most:
            date = datetime(1970, 1, 1) + timedelta(days=number - epoch)  # noqa: DTZ001 - such numbers have no zone
            return f"looks like {what}: it would be {date:%Y-%m-%d %H:%M}"
    return "is in the first years from 1970: it looks like seconds or rows counted from another start"


def _is_date_in_digits(number: float) -> bool:
    """Return whether a number reads as YYYYMMDDhhmm, or that with seconds."""
    digits = f"{number:.0f}"
    try:
        year = datetime.strptime(digits, {12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}[len(digits)]).year  # noqa: DTZ007 - no zone
    except (KeyError, ValueError):
        return False
    return 1970 <= year < 2100


def _shown(number: float) -> str:
    return f"{number:.15g}" if isinstance(number, float) else str(number) if abs(number) < 10**30 else "of many digits"
