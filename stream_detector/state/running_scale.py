"""Scales each sensor by its own mean and standard deviation: the model's if it knows the sensor, else running ones.

One model serves a fleet of sensors that differ in scale. The model contains the scales of the sensors in its training data.
For any other sensor, a pure fold over its readings learns the scale (Welford 1962): each reading is scaled by all readings up
to and including it. From `learned_count` readings of a feature on its scale is frozen once it has settled (settling.py), so
that a later slow fault is not learned.

For a sensor that the model knows, moments of a feature that count something mean that the feature is learned again, because an
incident was accepted as its new normal (`start_again`): its location is that of the readings since, its deviation the model's.
Until `hidden_count` readings it is hidden from the members, as if it were missing. Once a whole window is back where healthy
data are, and closer to the model's location than to the one learned since, the model's scale holds again.

A failed read written as -9999 must not widen the scale for good. So values far from the rest of the first full window are taken
out of the moments again, and from then on a value counts as at most FAR deviations from the mean: a sensor that truly changes
still widens its scale, exponentially.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Float32Array, Float64Array, FloatArray, Int32Array, Int64Array
from stream_detector.state.appended import Appended
from stream_detector.state.known_sensors import UNKNOWN, SensorTable
from stream_detector.state.record_layout import Records
from stream_detector.state.settling import MOST_DOUBLINGS, deviation_of, have_settled, keep_checkpoints

#: A deviation below this share of the mean is a rounding error: the feature is constant. Windows hold single precision, whose
#: values lie a 10-millionth apart, so a deviation of this share is still told to a tenth.
NEGLIGIBLE_SHARE = 1.0e-6
#: A value counts as at most this many deviations from the mean, the sensor's or the fleet's typical one. It is far from the
#: rest of a window beyond this many times the distance from the median that a QUARTER of the values exceed.
FAR, QUARTER = 10.0, 0.25
#: Moments of fewer values do not tell what is far.
FEWEST_VALUES = 32
#: The largest count that fits in a sensor's record.
MAXIMUM_LEARNED_COUNT = (1 << 16) - 1


@dataclass(frozen=True, slots=True)
class ScaleConfig:
    """Everything besides its readings that a sensor's scale depends on."""

    sensors: SensorTable
    fallback: Float32Array  # [F] > 0: the fleet's typical deviation, for a feature that has not varied yet
    learned_count: int  # readings after which a running scale is frozen if it has settled; at most MAXIMUM_LEARNED_COUNT
    lowest: Float32Array | None = None  # [S, F] of healthy data, in deviations from the location; None: not known
    highest: Float32Array | None = None  # [S, F]
    scored: BoolArray | None = None  # [F] False: whether its scale has settled does not matter; None: all do

    @property
    def hidden_count(self) -> int:
        """Readings before which a feature that is learned again is hidden: a quarter of those that it is learnt from."""
        return max(1, self.learned_count // 4)

    @property
    def most_count(self) -> int:
        """Readings after which a running scale is frozen even if it has not settled."""
        return min(self.learned_count << MOST_DOUBLINGS, MAXIMUM_LEARNED_COUNT)


@dataclass(frozen=True, slots=True)
class Scales:
    """The scale at each of M accepted readings."""

    location: Float32Array  # [M, F] in the features' units
    deviation: Float32Array  # [M, F] > 0
    hidden: BoolArray | None = None  # [M, F] learned again, and not to be read by the members; None: none
    settling: BoolArray | None = None  # [M, F] scored, of a sensor that the model does not know, and still moving; None: none

    @property
    def are_settling(self) -> BoolArray | None:
        """Of which readings [M] a scale still moves; None: of none."""
        return None if self.settling is None else np.asarray(self.settling.any(axis=1))

    def take(self, chosen: Int64Array | BoolArray | slice) -> Scales:
        """Return the scales of the chosen readings."""
        hidden, settling = (None if flags is None else flags[chosen] for flags in (self.hidden, self.settling))
        return Scales(self.location[chosen], self.deviation[chosen], hidden, settling)


def learn(records: Records, appended: Appended, values: FloatArray, table_rows: Int32Array, rules: ScaleConfig) -> Scales:
    """Fold accepted readings, values [M, F], into the moments that are being learnt, in place.

    Those are all of a sensor that the model does not know, and of others those that `start_again` began. `table_rows` [M]: the
    row of each reading's sensor in the table, or UNKNOWN. Return the scales of all M readings.
    """
    location = np.empty(values.shape, np.float32)
    deviation = np.empty(values.shape, np.float32)
    scales = Scales(location, deviation, np.zeros(values.shape, np.bool_), np.zeros(values.shape, np.bool_))
    known = table_rows != UNKNOWN
    location[known] = rules.sensors.location[table_rows[known]]
    deviation[known] = rules.sensors.deviation[table_rows[known]]
    for positions in _by_rank(np.flatnonzero(~known | _learns_again(records, appended)), appended.rank):
        slots, is_known = appended.slot[positions], known[positions]
        moments = records["moments"][slots]
        learning = (~is_known[:, np.newaxis] | (moments["count"] > 0)) & ~_are_frozen(moments, is_known, rules)
        _add(moments, values[positions].astype(np.float64), rules, learning)
        is_first_window = appended.count[positions] == appended.window_length
        if appended.idle is not None:  # otherwise it may hold idle readings
            is_first_window &= appended.filled[positions] == appended.window_length
        full = np.flatnonzero(is_first_window & ~is_known)
        if len(full) and appended.window_length >= FEWEST_VALUES:
            moments[full] = _without_far_values(moments[full], appended.windows(positions[full]).astype(np.float64))
        if is_known.any():
            moments[is_known] = _without_returned(moments[is_known], appended, positions[is_known], table_rows, rules)
        records["moments"][slots] = moments
        _use(moments, positions, is_known, scales, rules)
    return scales


def start_again(
    records: Records,
    slot: int,
    features: BoolArray,
    window: Float64Array,
    *,
    later: tuple[Int64Array, FloatArray],
    appended: Appended,
    table_row: int,
    scales: Scales,
    rules: ScaleConfig,
) -> None:
    """Learn the location of these features [F] of one sensor again, from its newest window [T, F] on, in place.

    `later` are the positions [K] and values [K, F] of its readings after that window in the same batch: they are folded in, and
    their scales become those of the moments.
    """
    moments = records["moments"][[slot]]
    kept = ~np.isnan(window)
    count = kept.sum(axis=0)
    mean = np.where(kept, window, 0.0).sum(axis=0) / np.maximum(count, 1)
    squares = np.where(kept, np.square(window - mean), 0.0).sum(axis=0)
    fresh = ("mean", mean), ("squares", squares), ("count", np.maximum(count, 1)), ("earlier_mean", 0), ("earlier_deviation", 0)
    for name, values in fresh:
        moments[name][0] = np.where(features, values, moments[name][0])
    is_known, table_rows = np.array([table_row != UNKNOWN]), np.full(len(appended.slot), table_row, np.int32)
    for position, value in zip(later[0][:, np.newaxis], later[1][:, np.newaxis], strict=True):
        learning = features & (moments["count"] > 0) & ~_are_frozen(moments, is_known, rules)
        _add(moments, value.astype(np.float64), rules, learning)
        if is_known[0]:
            moments = _without_returned(moments, appended, position, table_rows, rules)
        _use(moments, position, is_known, scales, rules, features=features)
    records["moments"][slot] = moments[0]


def stored_scales(records: Records, table_rows: Int32Array, rules: ScaleConfig) -> Scales:
    """Return the scales [N] on which the next readings of these sensors [N] would be scored. Changes nothing."""
    shape = records["moments"].shape
    known = table_rows != UNKNOWN
    location, deviation = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    location[known] = rules.sensors.location[table_rows[known]]
    deviation[known] = rules.sensors.deviation[table_rows[known]]
    scales = Scales(location, deviation, np.zeros(shape, np.bool_), np.zeros(shape, np.bool_))
    _use(records["moments"], np.arange(len(records)), known, scales, rules)
    return scales


def _learns_again(records: Records, appended: Appended) -> BoolArray:
    """Return the accepted readings [M] of sensors with moments that count something."""
    is_first = appended.rank == 0
    counts = (records["moments"]["count"][appended.slot[is_first]] > 0).any(axis=1)
    return np.asarray(counts[np.cumsum(is_first) - 1])


def _use(
    moments: Records,
    positions: Int64Array,
    is_known: BoolArray,
    scales: Scales,
    rules: ScaleConfig,
    *,
    features: BoolArray | None = None,
) -> None:
    """Set the scales of readings at these positions [G] to those of their moments [G, F], for some features or all."""
    assert scales.hidden is not None
    assert scales.settling is not None
    known, learnt = is_known[:, np.newaxis], moments["count"] >= rules.hidden_count
    chosen = np.ones(moments.shape, np.bool_) if features is None else np.broadcast_to(features, moments.shape)
    located = chosen & (~known | learnt)
    scales.location[positions] = np.where(located, moments["mean"], scales.location[positions])
    deviation = _deviation(moments, rules.fallback)
    scales.deviation[positions] = np.where(chosen & ~known, deviation, scales.deviation[positions])
    is_hidden = known & (moments["count"] > 0) & ~learnt
    scales.hidden[positions] = np.where(chosen, is_hidden, scales.hidden[positions])
    is_settling = ~known & (moments["count"] > 0) & ~_are_frozen(moments, is_known, rules)
    if rules.scored is not None:
        is_settling &= rules.scored
    scales.settling[positions] = np.where(chosen, is_settling, scales.settling[positions])


def _are_frozen(moments: Records, is_known: BoolArray, rules: ScaleConfig) -> BoolArray:
    """Return which moments [G, F] learn no more."""
    most = np.where(is_known, rules.learned_count, rules.most_count)[:, np.newaxis]
    return have_settled(moments, rules.learned_count, most)


def _by_rank(positions: Int64Array, rank: Int64Array) -> list[Int64Array]:
    """Split positions [U] into those of each sensor's first reading, of its second, and so on."""
    if not len(positions):
        return []
    ordered = positions[np.argsort(rank[positions], kind="stable")]
    return np.split(ordered, np.flatnonzero(np.diff(rank[ordered])) + 1)


def _add(moments: Records, values: Float64Array, rules: ScaleConfig, learning: BoolArray) -> None:
    """Add one value to each of these moments [G, F] that are `learning`, unless it is missing."""
    counts = learning & ~np.isnan(values)
    keep_checkpoints(moments, counts, rules.learned_count)
    count = moments["count"] + counts
    most = np.where(
        moments["count"] < FEWEST_VALUES, np.inf, FAR * np.maximum(_deviation(moments, rules.fallback), rules.fallback)
    )
    values = moments["mean"] + np.clip(values - moments["mean"], -most, most)
    delta = np.where(counts, values - moments["mean"], 0.0)
    mean = moments["mean"] + delta / np.maximum(count, 1.0)
    moments["squares"] += delta * np.where(counts, values - mean, 0.0)
    moments["mean"], moments["count"] = mean, count


def _without_far_values(moments: Records, windows: Float64Array) -> Records:
    """Return the moments [K, F] of windows [K, T, F] without their far values, where there are any; else those given."""
    distance = np.abs(windows - quantile(windows, 0.5))
    far = distance > FAR * quantile(distance, 1.0 - QUARTER)
    far &= quantile(distance, 1.0 - QUARTER) > 0.0
    kept = ~np.isnan(windows) & ~far
    count = kept.sum(axis=1)
    near = np.where(kept, windows, 0.0)
    mean = near.sum(axis=1) / np.maximum(count, 1)
    squares = (np.square(near - mean[:, np.newaxis]) * kept).sum(axis=1)
    result, changed = moments.copy(), far.any(axis=1)
    for name, values in (("mean", mean), ("squares", squares), ("count", count)):
        result[name] = np.where(changed, values, moments[name])
    return result


def _without_returned(
    moments: Records, appended: Appended, positions: Int64Array, table_rows: Int32Array, rules: ScaleConfig
) -> Records:
    """Return the moments [K, F] of known sensors at these positions [K], without those of features that have returned."""
    if rules.lowest is None or rules.highest is None:
        return moments
    rows = table_rows[positions]
    location, deviation = rules.sensors.location[rows, np.newaxis], rules.sensors.deviation[rows, np.newaxis]
    windows = appended.windows(positions).astype(np.float64)
    present = ~np.isnan(windows)
    mean = np.where(present, windows, 0.0).sum(axis=1) / np.maximum(present.sum(axis=1), 1)
    with np.errstate(over="ignore", invalid="ignore"):
        distance = (windows - location) / deviation
        outside = (distance < rules.lowest[rows, np.newaxis]) | (distance > rules.highest[rows, np.newaxis])
    returned = present.any(axis=1) & ~outside.any(axis=1) & (appended.filled[positions] == windows.shape[1])[:, np.newaxis]
    returned &= np.abs(mean - location[:, 0]) < np.abs(mean - moments["mean"])
    result = moments.copy()
    result[returned & (moments["count"] > 0)] = 0
    return result


def quantile(values: Float64Array, share: float) -> Float64Array:
    """Return the quantile of the present values of windows [K, T, F], as [K, 1, F]; NaN without any."""
    ordered = np.sort(values, axis=1)  # NaN last
    last = np.maximum((~np.isnan(values)).sum(axis=1, keepdims=True) - 1, 0)
    return np.take_along_axis(ordered, np.rint(share * last).astype(np.int64), axis=1)


def _deviation(moments: Records, fallback: Float32Array) -> Float32Array:
    """Return the standard deviations [G, F]; the fallback for a feature that has not varied."""
    deviation = deviation_of(moments)
    constant = deviation <= np.maximum(1e-9, NEGLIGIBLE_SHARE * np.abs(moments["mean"]))
    limited = np.minimum(deviation, float(np.finfo(np.float32).max))
    return np.where(constant, fallback, limited).astype(np.float32)
