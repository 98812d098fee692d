"""What stands still, or is missing, in sensors of which nothing was learned in training: a pure fold over their readings.

The limit is then the sensor's own: longer than any run that it showed so far, and its window must show, before the run began,
that the feature changes, or has a value, in nearly every reading. So flags, set points, coarse values and those that are
held prove nothing. What the window showed counts until the run ends, because it soon shows nothing but the run: that is a bit
of each feature beside those of the incidents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.detection.rules.batch import RuleBatch
from stream_detector.detection.rules.limits import LimitOptions, run_by_chance
from stream_detector.detection.rules.runs import Runs, longest_ended
from stream_detector.readings import BoolArray, Float32Array, Int64Array
from stream_detector.state.record_layout import FOUND_GONE, FOUND_ROW, FOUND_STILL, INCIDENT_BITS, Records

#: A window shows nothing of a feature that changed at fewer readings before its run, or had a value at fewer.
_FEWEST = 20
#: A feature that lacks a larger share of the readings before is one whose values come and go.
_LARGEST_MISSING_SHARE = 0.05
#: Readings whose windows are looked at together.
_AT_ONCE = 1024
_ENDLESS = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Unlearned:
    """What has lasted too long at each of M readings."""

    still: BoolArray  # [M, F] the value has not changed
    row: BoolArray  # [M] no value has
    gone: BoolArray  # [M, F] there is no value
    longest_absent: Int64Array  # [M, F] longest run of readings without a value that ended


def forget_runs(state: Records) -> None:
    """Forget what was found without training, in place: now limits are known."""
    state["involved"] &= INCIDENT_BITS
    state["longest_absent"] = 0


def fold_unlearned(state: Records, batch: RuleBatch, runs: Runs, options: LimitOptions) -> Unlearned:
    """Fold a batch into what the windows of its sensors' state showed before their runs [S], in place."""
    involved, last = state["involved"], batch.last
    least = min(options.frozen_readings, options.frozen_row_readings)
    if (involved <= INCIDENT_BITS).all() and runs.unchanged.max() < least and not _any_absent(state, runs):
        none = np.zeros(runs.unchanged.shape, np.bool_)
        return Unlearned(none, none[:, 0], none, runs.absent)
    present = ~np.isnan(batch.values)
    row_run = np.where(present, runs.unchanged, _ENDLESS).min(axis=1)
    row_run[~present.any(axis=1)] = 0
    row_lasts = np.broadcast_to(((row_run > 0) | ~present.any(axis=1))[:, None], present.shape)
    absent = _longest_absent(state, batch, runs)
    still = _held(_lively(batch, runs.unchanged, options), runs.unchanged > 0, (involved & FOUND_STILL) > 0, batch)
    row = _held(_lively_rows(batch, row_run, options), row_lasts, (involved & FOUND_ROW) > 0, batch)
    gone = _held(_expected(batch, runs.absent, options), runs.absent > 0, (involved & FOUND_GONE) > 0, batch)
    bits = (involved & INCIDENT_BITS) | still[last] * FOUND_STILL | row[last] * FOUND_ROW | gone[last] * FOUND_GONE
    state["involved"], state["longest_absent"] = bits, absent[last]
    is_row = np.zeros(len(row), np.bool_)
    if row.any():  # no row repeats for longer than any of its lively features
        shown = np.where(row, runs.longest, _ENDLESS).min(axis=1)
        is_row = row.any(axis=1) & (row_run >= options.frozen_row_readings) & (row_run >= options.healthy_factor * shown)
    return Unlearned(
        still=still & (runs.unchanged >= options.healthy_factor * runs.longest) if still.any() else still,
        row=is_row,
        gone=gone & (runs.absent >= options.healthy_factor * absent) if gone.any() else gone,
        longest_absent=absent,
    )


def _longest_absent(state: Records, batch: RuleBatch, runs: Runs) -> Int64Array:
    """Return the longest run of readings without a value that ended, as of each reading [M, F]."""
    if not _any_absent(state, runs):
        return np.zeros(runs.absent.shape, np.int64)
    before = state["longest_absent"].astype(np.int64)
    earlier = np.concatenate([runs.absent[:1], runs.absent[:-1]])
    earlier[batch.first] = runs.absent_before
    return longest_ended(np.where(runs.absent == 0, earlier, 0), before, batch.first, batch.group)


def _any_absent(state: Records, runs: Runs) -> bool:
    return bool(runs.absent.any() or runs.absent_before.any() or state["longest_absent"].any())


def _held(found: BoolArray, lasts: BoolArray, before: BoolArray, batch: RuleBatch) -> BoolArray:
    """Return which runs were found too long since they began [M, X], in an earlier batch too: `before` [S, X]."""
    if not found.any() and not before.any():
        return found
    at, first = np.arange(len(found))[:, None], batch.first
    found_at = np.where(found, at, -1)
    found_at[first] = np.where(found[first] | (before & lasts[first]), first[:, None], -1)
    newest, ended = np.maximum.accumulate(found_at, axis=0), np.maximum.accumulate(np.where(lasts, -1, at), axis=0)
    return np.asarray(newest >= np.maximum(ended + 1, first[batch.group][:, None]))


def _lively(batch: RuleBatch, run: Int64Array, options: LimitOptions) -> BoolArray:
    """Return which features repeat their value for longer than the change before lets expect [M, F]."""
    found = np.zeros(run.shape, np.bool_)
    position, feature = _candidates(run, options.frozen_readings, _longest_judged(batch))
    for part in _parts(position):
        at, one = position[part], feature[part]
        pairs, changes = _steps(batch, at, run[at, one] + 1, one)
        count, changed = pairs[:, :, 0].sum(axis=1), changes[:, :, 0].sum(axis=1)
        found[at, one] = (changed >= _FEWEST) & (run[at, one] >= run_by_chance(count - changed, count, options.chance))
    return found


def _lively_rows(batch: RuleBatch, run: Int64Array, options: LimitOptions) -> BoolArray:
    """Return the lively features [M, F] of readings that repeat all values for longer than the change before lets expect."""
    found = np.zeros(batch.values.shape, np.bool_)
    if batch.values.shape[1] == 1:
        return found
    position, _ = _candidates(run[:, None], options.frozen_row_readings, _longest_judged(batch))
    for part in _parts(position):
        at = position[part]
        pairs, changes = _steps(batch, at, run[at] + 1)
        is_lively = changes.sum(axis=1) >= _FEWEST
        is_complete = ~(is_lively & np.isnan(batch.values[at])).any(axis=1)
        rows, changed = pairs.any(axis=2).sum(axis=1), changes.any(axis=2).sum(axis=1)
        is_long = run[at] >= run_by_chance(rows - changed, rows, options.chance)
        found[at] = is_lively & ((is_lively.sum(axis=1) > 1) & is_complete & is_long)[:, None]
    return found


def _expected(batch: RuleBatch, run: Int64Array, options: LimitOptions) -> BoolArray:
    """Return which features give no value, and had one in nearly every reading before [M, F]."""
    found = np.zeros(run.shape, np.bool_)
    position, feature = _candidates(run, options.missing_readings, _longest_judged(batch) + 1)
    for part in _parts(position):
        at, one = position[part], feature[part]
        is_before = _before(batch, at, run[at, one])
        missing = (np.isnan(_values(batch, at, one)[:, :, 0]) & is_before).sum(axis=1)
        rows = is_before.sum(axis=1)
        is_rare = (missing <= _LARGEST_MISSING_SHARE * rows) & (run[at, one] >= run_by_chance(missing, rows, options.chance))
        found[at, one] = (rows - missing >= _FEWEST) & is_rare
    return found


def _candidates(run: Int64Array, least: int, most: int) -> tuple[Int64Array, Int64Array]:
    """Return the readings and features whose runs are so long."""
    is_candidate = run >= least
    position, feature = np.nonzero(is_candidate & (run <= most)) if is_candidate.any() else (run[:0, 0], run[:0, 0])
    return position, feature


def _longest_judged(batch: RuleBatch) -> int:
    """Return how long a run is at most before which a window shows enough."""
    return batch.appended.window_length - 2 - _FEWEST


def _parts(position: Int64Array) -> list[slice]:
    return [slice(start, start + _AT_ONCE) for start in range(0, len(position), _AT_ONCE)]


def _values(batch: RuleBatch, at: Int64Array, feature: Int64Array | None) -> Float32Array:
    """Return the windows as of readings [K, T, F], or of one feature of each [K, T, 1]."""
    appended = batch.appended
    if feature is None:
        return appended.windows(at)
    rows = appended.window_start[at, None] + np.arange(appended.window_length)
    return np.asarray(appended.extended_values[rows, feature[:, None]][:, :, None])


def _before(batch: RuleBatch, at: Int64Array, run: Int64Array) -> BoolArray:
    """Return which rows of the windows as of readings came before the last so many [K, T]."""
    steps, length = np.arange(batch.appended.window_length), batch.appended.window_length
    return np.asarray((steps >= length - batch.appended.filled[at, None]) & (steps < length - run[:, None]))


def _steps(batch: RuleBatch, at: Int64Array, run: Int64Array, feature: Int64Array | None = None) -> tuple[BoolArray, BoolArray]:
    """Return where two values follow each other before the last so many rows of windows, and where they differ [K, T-1, F]."""
    values, is_before = _values(batch, at, feature), _before(batch, at, run)
    earlier, later = values[:, :-1], values[:, 1:]
    pairs = (is_before[:, :-1] & is_before[:, 1:])[:, :, None] & ~np.isnan(earlier) & ~np.isnan(later)
    return pairs, pairs & (earlier != later)
