"""Recognises columns that are not measurements: labels, quality codes, identifiers, row numbers, clocks, counters, set points.

Judges by a column's name and by its values, sensor by sensor. What looks like a measurement has no kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from stream_detector.discovery.usual_names import SETTING_OR_STATE
from stream_detector.readings import BoolArray, Float64Array, Int64Array

LABEL, QUALITY, IDENTIFIER, ROW_NUMBER, CLOCK = "label", "quality", "identifier", "row number", "clock"
COUNTER, MAYBE_COUNTER, SET_POINT, MAYBE_SET_POINT = "counter", "maybe counter", "set point", "maybe set point"

#: Names of labels whatever classes they hold, and names that are those of labels if there are two.
_LABEL_NAME = re.compile(
    r"(is_?|true_?|point_?|window_?)?(label|anomaly|anomalous|anomalies|outlier|abnormal|attack|ground_?truth)s?|class|changepoints?"
    r"|(anomaly|fault|failure|attack|event)_?(label|flag|class|type)s?|normal/attack|y_true"
)
_FLAG_NAME = re.compile(r"(is_?|machine_?)?(target|fault|faulty|failure|failed|defect|broken|incident|normal|y)s?")
_MOST_CLASSES = 10
_QUALITY_NAME = re.compile(
    r"(.*[_. -])?(quality|qual|qc|opc|validity|valid|is_?valid|is_?good|good)([_. -].*)?|.*[_.]q|q|.*quality"
)
_IDENTIFIER_NAME = re.compile(
    r"(.*[_. -])?(id|uid|uuid|guid|identifier|serial|serial_?(no|nr|number)|no|nr|number)|(id|uid|serial)[_. -].*"
)
_COUNTER_NAME = re.compile(
    r"(.*[_. -])?(total|totals|totali[sz]er|count|counter|counts|kwh|mwh|wh|energy|meter|odometer|cycles?|pulses?|strokes|"
    r"starts|runtime|uptime|operating_?hours|hours|produced|pieces|bytes|packets|cumulative|cum|zaehler|zählerstand)([_. -].*)?"
)

#: Qualities by the OPC standard, in its decimal form: bad, uncertain, good and their common sub-states.
_OPC_CODES = (0, 4, 8, 12, 16, 20, 24, 28, 64, 68, 80, 84, 88, 192, 216)
_OPC_GOOD = 192
_OPC_UA_UNCERTAIN = 2**30  # from here on the codes of OPC UA are uncertain or bad; 0 is good
_MOST_QUALITIES = 8
#: Row numbers rise by one this often: files that were joined restart.
_NUMBERED_SHARE = 0.995
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
#: A set point has at most so many levels, and changes at so small a share of the readings.
_MOST_LEVELS, _CHANGING_SHARE = 20, 0.02
#: A counter rises at least this often in each sensor that moves (with a name of a counter, without, at all), and restarts
#: at no larger share of its rises: surely, perhaps.
_SURE_RISES, _SURE_RISES_UNNAMED, _FEWEST_RISES = 100, 1000, 3
_SURE_FALLS, _FALLS = 0.01, 0.1
#: A fall to this share of the largest value of the sensor, or of its range, is a reset; any other is a fall of a measurement.
_RESET_SHARE = 0.1
FEWEST_ROWS = 20


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a cleaned dataset: N readings, ordered by sensor and time."""

    name: str
    values: Float64Array  # [N] NaN = missing
    starts: Int64Array  # [S] the first reading of each sensor
    rows: Int64Array  # [N] row in the source
    times_ms: Int64Array  # [N]


def code_kind(column: Column) -> str | None:
    """Return whether a column looks like a label or a quality code, of which even values far from the rest are part."""
    levels = np.unique(column.values[~np.isnan(column.values)])
    if not len(levels) or len(levels) > _MOST_CLASSES or (levels != np.rint(levels)).any():
        return None
    name = column.name.strip().lower()
    is_flag = set(levels.tolist()) <= {0.0, 1.0} and _FLAG_NAME.fullmatch(name)
    if len(levels) > 1 and (is_flag or _LABEL_NAME.fullmatch(name)):
        return LABEL
    return QUALITY if len(levels) <= _MOST_QUALITIES and _is_quality(name, levels) else None


def kind_of(column: Column) -> str | None:
    """Return what the values of a column look like, other than labels and quality codes; None for a measurement."""
    present = column.values[~np.isnan(column.values)]
    if len(present) < FEWEST_ROWS:
        return None
    levels = np.unique(present)
    name = column.name.strip().lower()
    if (levels == np.rint(levels)).all() and (kind := _numbering(column, name, levels)):
        return kind
    return _counting(column, name) or _setting(column, name, levels)


def _is_quality(name: str, levels: Float64Array) -> bool:
    if _QUALITY_NAME.fullmatch(name):
        return True
    if len(levels) < 2:
        return False
    is_classic = _OPC_GOOD in levels and bool(np.isin(levels, _OPC_CODES).all())
    return is_classic or (levels[0] == 0.0 and levels[1] >= _OPC_UA_UNCERTAIN)


def _numbering(column: Column, name: str, levels: Float64Array) -> str | None:
    """Return whether whole numbers number the rows, the time or the sensors."""
    in_file = column.values[np.argsort(column.rows)]
    of_sensors = min((_rising_by_one(values) for values, _ in _sensors(column)), default=0.0)
    if not _COUNTER_NAME.fullmatch(name):
        if max(_rising_by_one(in_file), of_sensors) >= _NUMBERED_SHARE:
            return ROW_NUMBER
        if _all(column, _follows_time):
            return CLOCK
    constant = _all(column, lambda values, _: bool((values == values[0]).all()))
    if _IDENTIFIER_NAME.fullmatch(name) or _IDENTIFIER_NAME.fullmatch(_CAMEL.sub("_", column.name.strip()).lower()):
        return IDENTIFIER if constant or len(levels) == np.count_nonzero(~np.isnan(column.values)) else None
    numbers_sensors = len(levels) == len(column.starts) > 2 and levels[-1] - levels[0] == len(levels) - 1
    return IDENTIFIER if constant and numbers_sensors else None


def _rising_by_one(values: Float64Array) -> float:
    """Return the share of steps that are a rise by one; 0 for few values."""
    return float((np.diff(values) == 1.0).mean()) if len(values) >= FEWEST_ROWS else 0.0


def _follows_time(values: Float64Array, times_ms: Int64Array) -> bool:
    """Return whether values grow by the same amount in every millisecond, to a rounding of one."""
    rise, passed = values - values[0], (times_ms - times_ms[0]).astype(np.float64)
    if not passed[-1] or rise[-1] < FEWEST_ROWS:
        return False
    return bool((np.abs(rise - passed * (rise[-1] / passed[-1])) <= 1.0).all())


def _counting(column: Column, name: str) -> str | None:
    """Return whether a column never falls, but for resets, in any sensor."""
    rises = [_rises_and_resets(values) for values, _ in _sensors(column)]
    if None in rises or np.nanmin(column.values) < 0:
        return None
    moving = [one for one in rises if one and one[0]]
    fewest, up, resets = (
        min((one[0] for one in moving), default=0),
        sum(one[0] for one in moving),
        sum(one[1] for one in moving),
    )
    named = bool(_COUNTER_NAME.fullmatch(name))
    if fewest < (_FEWEST_RISES if named else _SURE_RISES) or resets > _FALLS * up:
        return None
    enough = _SURE_RISES if named else _SURE_RISES_UNNAMED
    return COUNTER if fewest >= enough and resets <= _SURE_FALLS * up else MAYBE_COUNTER


def _rises_and_resets(values: Float64Array) -> tuple[int, int] | None:
    """Return how often a sensor's values rise, and how often they restart; None if they also fall in another way."""
    steps = np.diff(values)
    before, after = values[:-1][steps < 0], values[1:][steps < 0]
    near_zero = after <= _RESET_SHARE * before
    near_start = after - values.min() <= _RESET_SHARE * float(values.max() - values.min())
    if not (near_zero | near_start).all():
        return None
    return int(np.count_nonzero(steps > 0) - np.count_nonzero(_returns(values))), len(after)


def _returns(values: Float64Array) -> BoolArray:
    """Mark steps that go back up to the highest value so far, after a fall: what a failed read of 0 leaves."""
    highest = np.maximum.accumulate(values)
    return np.asarray((values[:-1] < highest[:-1]) & (values[1:] >= highest[:-1]))


def _setting(column: Column, name: str, levels: Float64Array) -> str | None:
    """Return whether a column holds few levels, each for long, or, by its name and values, states that change."""
    named = any(SETTING_OR_STATE.fullmatch(one) for one in (name, _CAMEL.sub("_", column.name.strip()).lower()))
    if named and 2 <= len(levels) <= _MOST_CLASSES and levels[-1] > 1.0 and (levels == np.rint(levels)).all():
        return SET_POINT  # zeros and ones are context whatever their name
    if not 2 < len(levels) <= _MOST_LEVELS:
        return None
    changes = total = 0
    for values, _ in _sensors(column):
        changes, total = changes + int((np.diff(values) != 0).sum()), total + len(values)
    if changes > _CHANGING_SHARE * total or changes < len(levels) - 1:
        return None
    return SET_POINT if named else MAYBE_SET_POINT


def _sensors(column: Column) -> list[tuple[Float64Array, Int64Array]]:
    """Return the present values of each sensor that has at least two, and their times."""
    parts = []
    bounds = [*column.starts.tolist(), len(column.values)]
    for first, last in pairwise(bounds):
        values = column.values[first:last]
        present = ~np.isnan(values)
        if np.count_nonzero(present) > 1:
            parts.append((values[present], column.times_ms[first:last][present]))
    return parts


def _all(column: Column, holds: Callable[[Float64Array, Int64Array], bool]) -> bool:
    parts = _sensors(column)
    return bool(parts) and all(holds(values, times_ms) for values, times_ms in parts)
