"""Words for a measured value beside the one that was expected, and its digits in events."""

from __future__ import annotations

import math

DIGITS = 6
COUNTER_DIGITS = 12  # their last digits tell how far off they are
_MOST_DECIMALS = 6
_LARGE = 1e9


def compared(value: float | None, expected: float | None) -> str:
    """Return both and their difference, to the digits that the difference needs: `71.3, expected 62.0 (+9.3)`."""
    if value is None or not math.isfinite(value):
        return "missing" if expected is None else f"missing, expected {number(expected)}"
    if expected is None or not math.isfinite(expected):
        return number(value)
    difference = value - expected
    decimals = _decimals(difference)
    if decimals is None or max(abs(value), abs(expected)) >= _LARGE:
        return f"{number(value)}, expected {number(expected)}"
    return f"{value:.{decimals}f}, expected {expected:.{decimals}f} ({difference:+.{decimals}f})"


def told_apart(value: float, other: float) -> tuple[str, str]:
    """Return both to three significant digits, or to as many more as it takes to see which is larger."""
    for digits in range(3, DIGITS + 1):
        shown = f"{value:.{digits}g}", f"{other:.{digits}g}"
        if shown[0] != shown[1]:
            break
    return shown


def rounded(value: float, digits: int = DIGITS) -> float | None:
    """Round to six significant digits, because float32 has no more; return None for a number that is not finite."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def number(value: float) -> str:
    """Return a number to four significant digits, without an exponent if it needs none."""
    return f"{value:.0f}" if 1e4 <= abs(value) < _LARGE else f"{value:.4g}"


def _decimals(difference: float) -> int | None:
    """Return the decimals that show a difference to two digits or more; None for one that is too small to show."""
    if not difference or 1.0 <= abs(difference) < 100.0:
        return 1
    decimals = max(0, 1 - math.floor(math.log10(abs(difference))))
    return decimals if decimals <= _MOST_DECIMALS else None
