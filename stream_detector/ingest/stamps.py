"""Reads a time as a mapping describes it: the unit of a number, the format of a text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from stream_detector.ingest.document import RejectionError

#: Units of a time as a number, and how many make a millisecond; seconds are special.
PER_MILLISECOND = {"s": 0, "ms": 1, "us": 1_000, "ns": 1_000_000}
#: The unit follows from the size of the number (times.py).
BY_SIZE = "auto"
_MOST_DIGITS = 40


@dataclass(frozen=True, slots=True)
class StampFormat:
    """How a time is written."""

    unit: str = BY_SIZE  # of a number
    format: str = ""  # of a text, as in Python's strptime; empty: ISO 8601, or a number

    def read(self, value: object) -> str | float | None:
        """Return a time as the native format has it: ISO text, or a number in a unit by its size. Raises RejectionError."""
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise RejectionError("wrong_type", f"a time is text or a number, not {type(value).__name__}")
        if self.format and isinstance(value, str):
            return _formatted(value.strip()[:100], self.format)
        return value if self.unit == BY_SIZE else _in_milliseconds(value, self.unit)


@lru_cache(maxsize=4096)
def _formatted(text: str, pattern: str) -> str:
    try:
        return datetime.strptime(text, pattern).isoformat()  # noqa: DTZ007 - its zone, if it has none, is known later
    except ValueError:
        raise RejectionError("wrong_type", f"the time {text!r} is not written as {pattern!r}") from None


def _in_milliseconds(value: str | float, unit: str) -> int:
    try:
        if isinstance(value, str):
            text = value.strip()
            number = (
                int(text) if text.lstrip("+-").isdigit() and len(text) <= _MOST_DIGITS else float(text.replace(",", ".", 1))
            )
        else:
            number = value
        per_ms = PER_MILLISECOND[unit]
        if isinstance(number, int):
            return number // per_ms if per_ms else 1000 * number
        # A double may be a little smaller than its decimal digits say.
        return int(number / per_ms + 1e-3 if per_ms else 1000 * number + 1e-3)
    except (ValueError, OverflowError):
        raise RejectionError("wrong_type", f"the time {str(value)[:_MOST_DIGITS]!r} is not a number of {unit}") from None
