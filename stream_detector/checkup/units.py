"""Guesses from values and healthy ranges whether a feature arrives in another unit than the model learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Float64Array

#: A median counts as within a healthy range that is wider by so many of its widths on either side.
_USUAL_WIDTHS = 1.0
#: After a conversion it must fit more closely, since one of many conversions fits many a value by chance.
_CONVERTED_WIDTHS = 0.25


@dataclass(frozen=True, slots=True)
class Conversion:
    """From the model's unit to the topic's, in words, and back."""

    text: str  # of the topic's values, after "as if they were"
    back: Callable[[Float64Array], Float64Array]


def _times(factor: float, units: str = "") -> Conversion:
    text = f"{factor:g} times the model's values" if factor >= 1 else f"the model's values divided by {1 / factor:g}"
    return Conversion(f"{text}{units and f' ({units})'}", lambda values: values / factor)


#: Those that plants mix up, the most usual first.
CONVERSIONS = (
    _times(1000.0, "such as kilo and milli"),
    _times(0.001, "such as kilo and milli"),
    Conversion("1.8 times the model's values + 32 (°F in place of °C)", lambda values: (values - 32.0) / 1.8),
    Conversion("(the model's values - 32) / 1.8 (°C in place of °F)", lambda values: 1.8 * values + 32.0),
    Conversion("the model's values + 273.15 (K in place of °C)", lambda values: values - 273.15),
    Conversion("the model's values - 273.15 (°C in place of K)", lambda values: values + 273.15),
    _times(100.0, "such as percent in place of shares"),
    _times(0.01, "such as shares in place of percent"),
    _times(10.0, "such as tenths, as many PLCs send"),
    _times(0.1, "such as bar in place of decibar"),
    _times(1e6, "such as Pa in place of MPa"),
    _times(1e-6, "such as MPa in place of Pa"),
    _times(100_000.0, "Pa in place of bar"),
    _times(0.00001, "bar in place of Pa"),
    _times(14.5038, "psi in place of bar"),
    _times(1 / 14.5038, "bar in place of psi"),
    _times(60.0, "per minute in place of per second"),
    _times(1 / 60.0, "per second in place of per minute"),
    _times(3.6, "km/h in place of m/s"),
    _times(1 / 3.6, "m/s in place of km/h"),
)


@dataclass(frozen=True, slots=True)
class Misfit:
    """Medians of a feature that are far from the healthy ranges of most sensors."""

    sensors: int  # whose medians are outside
    of: int
    median: float  # of the medians
    low: float  # of the healthy ranges
    high: float
    conversion: Conversion | None  # that brings them inside


def misfit(medians: Float64Array, low: Float64Array, high: Float64Array) -> Misfit | None:
    """Compare the medians [S] of one feature with healthy ranges [S]; None unless at least half are outside.

    NaN: no value, or no range is known; such a sensor is left out.
    """
    known = np.isfinite(medians) & np.isfinite(low) & np.isfinite(high)
    if not known.any():
        return None
    medians, low, high = medians[known], low[known], high[known]
    outside = ~_within(medians, low, high, _USUAL_WIDTHS)
    if outside.sum() < max(1.0, 0.5 * len(medians)):
        return None
    fitting = next(
        (one for one in CONVERSIONS if _within(one.back(medians), low, high, _CONVERTED_WIDTHS)[outside].mean() > 0.5), None
    )
    return Misfit(int(outside.sum()), len(medians), float(np.median(medians)), float(low.min()), float(high.max()), fitting)


def _within(values: Float64Array, low: Float64Array, high: Float64Array, widths: float) -> BoolArray:
    # A range without width is that of a feature that hardly varies: a hundredth of its value is then as good as equal.
    margin = widths * np.maximum(high - low, 0.01 * np.maximum(abs(low), abs(high)))
    return np.asarray((values >= low - margin) & (values <= high + margin))
