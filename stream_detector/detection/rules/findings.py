"""The rules: to which features of which readings each applies, and how it says so."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stream_detector.detection.new_names import NewName
from stream_detector.detection.rules.batch import RuleBatch
from stream_detector.detection.rules.incidents import Finding
from stream_detector.detection.rules.limits import NEVER, RuleLimits
from stream_detector.detection.rules.runs import Runs
from stream_detector.detection.rules.turns import SPANS, Turns
from stream_detector.detection.rules.unlearned import Unlearned
from stream_detector.detection.transition import FLAPPING, FROZEN, MISSING_FEATURE, OUT_OF_RANGE, SWITCHED_OFF
from stream_detector.ingest.renamed import renamings
from stream_detector.readings import BoolArray, Int32Array, Int64Array
from stream_detector.state.known_sensors import UNKNOWN
from stream_detector.state.record_layout import MAXIMUM_RUN
from stream_detector.timestamps import shown_time

Features = tuple[str, ...]
Ended = Callable[[int, list[int], int], str]
#: The last word of a sentence on a rule that does not apply any more.
AGO = "ago"
_MOST_RENAMED = 3


def frozen(batch: RuleBatch, runs: Runs, limits: RuleLimits, features: Features, factor: float) -> Finding:
    """Find features, or all of a row, that do not change for longer than healthy data ever show."""
    rows = batch.table_rows
    applies, is_row = np.zeros(batch.values.shape, np.bool_), np.zeros(len(rows), np.bool_)
    if runs.unchanged.max() >= limits.least_run:
        applies, is_row = _is_frozen(batch, runs, limits, factor)

    def describe(position: int, involved: list[int]) -> str:
        still = [one for one in involved if applies[position, one]]
        lasts = batch.lasts(position, int(runs.unchanged[position, still].min()))
        if is_row[position]:
            return f"no value has changed for {lasts}; {_healthy('a whole reading', int(limits.row_longest[rows[position]]))}"
        names = ", ".join(features[one] for one in still)
        healthy = _healthy("a value", int(limits.longest[rows[position], still].max()))
        has = "has" if len(still) == 1 else "have"
        return f"{names} {has} not changed for {lasts}; {healthy}"

    return Finding(FROZEN, features, applies, _count(runs.unchanged), describe, _changed_again(batch, features, runs))


def frozen_unlearned(batch: RuleBatch, runs: Runs, unlearned: Unlearned, features: Features) -> Finding:
    """Find the same without learned limits: features that do not change for longer than the sensor itself ever showed."""
    is_row = unlearned.row
    applies = unlearned.still | (is_row[:, None] & ~np.isnan(batch.values))

    def describe(position: int, involved: list[int]) -> str:
        still = [one for one in involved if applies[position, one]]
        lasts = batch.lasts(position, int(runs.unchanged[position, still].min()))
        if is_row[position]:
            return f"no value has changed for {lasts}; before, nearly every reading brought other values"
        names, shown = ", ".join(features[one] for one in still), int(runs.longest[position, still].max())
        times = "once" if shown == 1 else f"{shown} times"
        before = f"values repeated at most {times} in a row" if shown else "no value repeated"
        return f"{names} {'has' if len(still) == 1 else 'have'} not changed for {lasts}; before, {before}"

    return Finding(FROZEN, features, applies, _count(runs.unchanged), describe, _changed_again(batch, features, runs))


def _is_frozen(batch: RuleBatch, runs: Runs, limits: RuleLimits, factor: float) -> tuple[BoolArray, BoolArray]:
    """Return the frozen features [M, F], and the readings all of whose values are [M]."""
    rows, present = batch.table_rows, ~np.isnan(batch.values)
    limit = limits.unchanged[rows]
    is_lively = limit < NEVER
    shown = np.where(is_lively, runs.longest, MAXIMUM_RUN).min(axis=1)  # no row repeats for longer
    is_row = _row_runs(runs, present, is_lively) >= _for_strangers(limits.row[rows], shown, rows, factor)
    is_long = runs.unchanged >= _for_strangers(limit, runs.longest, rows[:, None], factor)
    return is_long | (is_row[:, None] & present), np.asarray(is_row)


def _for_strangers(limit: Int32Array, longest: Int64Array, rows: Int32Array, factor: float) -> Int32Array:
    """Return limits of the same shape that exceed the runs that a sensor unknown to the model has shown itself."""
    own = np.where(rows == UNKNOWN, np.ceil(factor * longest), 0).astype(np.int32)
    return np.maximum(limit, own)


def _row_runs(runs: Runs, present: BoolArray, is_lively: BoolArray) -> Int64Array:
    """Return for how many readings no value of the row has changed [M]; -1 if a feature that often changes is missing."""
    longest = np.where(present, runs.unchanged, NEVER).min(axis=1)
    return np.where((is_lively & ~present).any(axis=1), -1, longest)


def missing_feature(batch: RuleBatch, runs: Runs, limits: RuleLimits, features: Features) -> Finding:
    """Find features that give no value for longer than healthy data ever show."""
    rows = batch.table_rows
    applies = runs.absent >= limits.absent[rows] if runs.absent.any() else np.zeros(runs.absent.shape, np.bool_)

    def describe(position: int, involved: list[int]) -> str:
        gone = [one for one in involved if applies[position, one]]
        names = ", ".join(features[one] for one in gone)
        lasts = batch.absent_for(position, int(runs.absent[position, gone].min()))
        healthy = int(limits.longest_absent[rows[position], gone].max())
        usual = f"healthy data miss at most {healthy} in a row" if healthy else "healthy data always have one"
        absent = int(runs.absent[position, gone].max())
        new = _renamed(batch, position, [features[one] for one in gone], absent)
        return f"{names} {'has' if len(gone) == 1 else 'have'} given no value for {lasts}; {usual}{new}"

    return Finding(MISSING_FEATURE, features, applies, _count(runs.absent), describe, _has_values(batch, features, runs))


def _renamed(batch: RuleBatch, position: int, gone: list[str], absent: int) -> str:
    """Say which names, unknown to the model, may be those of features that are gone, for at most so many readings.

    It depends on the reading alone, or, where readings are assembled, on the first messages with these names.
    """
    reading = int(batch.appended.reading[position])
    if batch.new_names is None:
        came = dict.fromkeys((batch.readings.strangers or {}).get(reading, ()), "this reading has {}")
    else:
        came = {one.name: f"{{}} came first at {shown_time(one.time_ms)}" for one in _since(batch, position, absent)}
    pairs = [f"{name} is gone, and {came[new].format(new)}: renamed?" for name, new in renamings(gone, list(came)).items()]
    return "".join(f"; {pair}" for pair in pairs[:_MOST_RENAMED])


def _since(batch: RuleBatch, position: int, absent: int) -> list[NewName]:
    """Return the names that came new since features that are gone for so many readings may have been sent last."""
    reading = int(batch.appended.reading[position])
    readings_ms = 1000.0 * batch.interval_seconds(position) * (absent + 1)
    since_ms = int(batch.appended.times_ms[position]) - readings_ms - batch.hold_ms
    return [one for one in (batch.new_names or {}).get(reading, ()) if one.time_ms >= since_ms]


def missing_unlearned(batch: RuleBatch, runs: Runs, unlearned: Unlearned, features: Features) -> Finding:
    """Find the same without learned limits: features that had a value in nearly every reading before."""

    def describe(position: int, involved: list[int]) -> str:
        gone = [one for one in involved if unlearned.gone[position, one]]
        names = ", ".join(features[one] for one in gone)
        lasts = batch.absent_for(position, int(runs.absent[position, gone].min()))
        shown = int(unlearned.longest_absent[position, gone].max())
        usual = f"before, at most {shown} readings in a row lacked one" if shown else "before, every reading had one"
        return f"{names} {'has' if len(gone) == 1 else 'have'} given no value for {lasts}; {usual}"

    return Finding(MISSING_FEATURE, features, unlearned.gone, _count(runs.absent), describe, _has_values(batch, features, runs))


def flapping(batch: RuleBatch, turns: Turns, limits: RuleLimits, features: Features) -> Finding:
    """Find features that go back and forth more often in a row than healthy data ever do."""
    applies = np.zeros(batch.values.shape, np.bool_)
    if len(turns.position):
        rows = batch.table_rows[turns.position]
        is_many = turns.count >= limits.flapping.turns[rows, turns.feature]
        applies[turns.position[is_many], turns.feature[is_many]] = True

    def count(position: int, feature: int) -> int:
        return turns.at(batch, position, feature, int(limits.flapping.span[batch.table_rows[position], feature]))

    def describe(position: int, involved: list[int]) -> str:
        most = max(count(position, one) for one in involved)
        row = batch.table_rows[position]
        span = int(limits.flapping.span[row, involved].max())
        names = ", ".join(features[one] for one in involved)
        healthy = int(limits.flapping.most[row, involved].max())
        usual = f"at most {healthy} times" if healthy > 1 else "once at most"
        return (
            f"{names} {'goes' if len(involved) == 1 else 'go'} back and forth: {most} times, each within "
            f"{batch.lasts(position, span)} of the time before; healthy data do so {usual}"
        )

    ended = _recovered(batch, features, "came to rest", lambda *_: True)
    return Finding(FLAPPING, features, applies, count, describe, ended, least_quiet=max(SPANS))


def switched_off(kind: str, batch: RuleBatch, features: Features) -> Finding:
    """Close the incidents of a rule that is no longer in force."""

    def sentence(position: int, involved: list[int], calm: int = 0) -> str:  # noqa: ARG001 - a closing sentence's form
        return "The rule was switched off"

    applies = np.zeros(batch.values.shape, np.bool_)
    return Finding(
        kind, features, applies, lambda *_: 0, sentence, sentence, most_quiet=1, reason=SWITCHED_OFF, judges_idle=True
    )


def _count(runs: Int64Array) -> Callable[[int, int], int]:
    return lambda position, feature: int(runs[position, feature])


def _changed_again(batch: RuleBatch, features: Features, runs: Runs) -> Ended:
    """Return the sentence on features that stood still. A flag that was still before too, and is, did not change."""
    return _recovered(batch, features, "changed again", lambda position, one, calm: runs.unchanged[position, one] < calm)


def _has_values(batch: RuleBatch, features: Features, runs: Runs) -> Ended:
    return _recovered(batch, features, "gave values again", lambda position, one, calm: runs.absent[position, one] < calm)


def _recovered(batch: RuleBatch, features: Features, how: str, has: Callable[[int, int, int], bool]) -> Ended:
    """Return the sentence of a closing event about those features that have recovered."""

    def ended(position: int, involved: list[int], calm: int) -> str:
        names = ", ".join(features[one] for one in involved if has(position, one, calm))
        since = f"{batch.lasts(position, calm)} {AGO}"
        return f"{names} {how} {since}" if names else f"The rule last applied {since}"

    return ended


def out_of_range(batch: RuleBatch, limits: RuleLimits, features: Features) -> Finding:
    """Find values beyond limits that are set by hand, or far beyond all healthy data."""
    with np.errstate(invalid="ignore"):
        applies = (batch.values < limits.low.max(axis=0)) | (batch.values > limits.high.min(axis=0))
        if applies.any():  # beyond the limits of some sensor, perhaps not of this one
            low, high = limits.low[batch.table_rows], limits.high[batch.table_rows]
            applies = (batch.values < low) | (batch.values > high)

    def describe(position: int, involved: list[int]) -> str:
        return "; ".join(_beyond(batch, limits, features, position, one) for one in involved)

    ended = _recovered(
        batch, features, "returned to range", lambda position, one, _: bool(np.isfinite(batch.values[position, one]))
    )
    return Finding(OUT_OF_RANGE, features, applies, lambda position, one: int(applies[position, one]), describe, ended)


def _beyond(batch: RuleBatch, limits: RuleLimits, features: Features, position: int, feature: int) -> str:
    value, row = float(batch.values[position, feature]), batch.table_rows[position]
    low, high = float(limits.low[row, feature]), float(limits.high[row, feature])
    unit = f" {limits.units[feature]}" if limits.units[feature] else ""
    source = "the limit that is set for it" if limits.is_set[feature] else "far beyond all healthy data"
    name = f"the rise of {features[feature]} per hour" if feature in batch.appended.counters else features[feature]
    if value > high:
        return f"{name} is {value:.6g}{unit}, above {high:.6g}{unit}, {source}"
    if value < low:
        return f"{name} is {value:.6g}{unit}, below {low:.6g}{unit}, {source}"
    return f"{name} is {value:.6g}{unit}"


def _healthy(what: str, longest: int) -> str:
    """Say how often in a row healthy data repeat something."""
    if not longest:
        return f"healthy data never repeat {what}"
    return f"healthy data repeat {what} at most {'once' if longest == 1 else f'{longest} times'} in a row"
