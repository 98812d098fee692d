"""What a model expected of one sensor's rows, for a picture: of features that it blames or that missed events show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.detection.calibration import Calibration
from stream_detector.detection.scorer import Scorer
from stream_detector.evaluation.found_events import find_events
from stream_detector.evaluation.scorecard import LabelledSeries
from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int64Array
from stream_detector.state.lost_readings import timed
from stream_detector.state.running_scale import Scales

#: At how many rows the model is asked, and how many features are drawn: all that it blames in some alarm, and at least two. A
#: picture of more than MOST_FEATURES would be taller than programs show.
POINTS, MOST_FEATURES, LEAST_FEATURES = 300, 40, 2
#: Features that are drawn for missed events, at most.
MOST_OF_MISSED = 6
#: A feature is blamed by a window if it has this share of the surprise, or the largest.
_BLAMED_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Expected:
    """The values that the model expected at K rows, and the features to draw with their columns, most blamed first."""

    rows: Int64Array  # [K]
    values: Float32Array  # [K, F]
    features: tuple[tuple[str, int], ...]
    left_out: int = 0  # features that were blamed too, but do not fit into the picture
    of_missed: frozenset[int] = frozenset()  # columns of the features that are off most in an event not found in time


def expected_values(
    scorer: Scorer,
    calibration: Calibration,
    series: LabelledSeries,
    features: tuple[str, ...],
    window_length: int,
    *,
    is_scored: BoolArray | None = None,
) -> Expected | None:
    """Ask the model about full windows; None if it does not know the sensor, or scored no row.

    `is_scored` [F] are the features that are not mere context; None: all.
    """
    (row,) = calibration.sensors.find([series.sensor]).tolist()
    accepted = np.flatnonzero(~series.is_late)
    is_full = ~series.is_partial[accepted] if len(series.is_partial) else np.ones(len(accepted), np.bool_)
    scored = np.flatnonzero(np.isfinite(series.product.scores[accepted]) & is_full)
    scored = scored[scored >= window_length - 1]
    if row < 0 or not len(scored):
        return None
    missed = _missed(series)[accepted]
    chosen = _spread(scored, scored[series.product.alarms[accepted[scored]]], scored[missed[scored] > 0])
    rows = accepted[chosen[:, np.newaxis] + np.arange(1 - window_length, 1)]
    windows = timed(series.values[rows].astype(np.float32), series.times_ms[rows])
    table = calibration.sensors
    scales = Scales(np.repeat(table.location[[row]], len(chosen), 0), np.repeat(table.deviation[[row]], len(chosen), 0))
    explained = scorer.explain(windows, scales)
    shares = np.stack([one.feature_share.mean(axis=0) for one in explained])  # [K, F]
    in_alarm = series.product.alarms[accepted[chosen]]
    blame = shares[in_alarm].max(axis=0) if in_alarm.any() else shares.mean(axis=0)
    first = shares[in_alarm].argmax(axis=1)
    order = np.argsort(-blame, kind="stable").tolist()
    is_blamed = in_alarm.any() & ((blame >= _BLAMED_SHARE) | np.isin(np.arange(len(blame)), first))
    values = np.stack([one.expected[-1] for one in explained])
    errors = np.abs(series.values[accepted[chosen]] - values) / np.maximum(table.deviation[[row]], 1e-12)
    off = _off_most(errors if is_scored is None else np.where(is_scored, errors, np.nan), missed[chosen])
    wanted = [*(at for at in order if is_blamed[at]), *(at for at in off if not is_blamed[at])]
    drawn = [*wanted, *[at for at in order if at not in wanted][: max(0, LEAST_FEATURES - len(wanted))]]
    return Expected(
        accepted[chosen],
        values,
        tuple([(features[at], at) for at in drawn[:MOST_FEATURES]]),
        max(0, len(drawn) - MOST_FEATURES),
        frozenset(off),
    )


def _spread(scored: Int64Array, *others: Int64Array) -> Int64Array:
    """Return about POINTS of the scored rows, evenly, and as many of each of the others, in order."""
    evenly = scored[np.unique(np.linspace(0, len(scored) - 1, min(POINTS, len(scored))).astype(np.int64))]
    return np.unique(np.concatenate([evenly, *(rows[:: max(1, len(rows) // POINTS)] for rows in others)]))


def _missed(series: LabelledSeries) -> Int64Array:
    """Return for each row [N] the number of the missed event that it is in, from 1; 0: in none."""
    found = find_events(series.truth(), series.times_ms, series.told())
    number = np.zeros(len(series.labels), np.int64)
    for at in np.flatnonzero(~found.is_found).tolist():
        number[slice(*found.rows[at])] = at + 1
    return number


def _off_most(errors: Float64Array, missed: Int64Array) -> list[int]:
    """Return up to MOST_OF_MISSED features, of each missed event the one that is off most there.

    `errors` [K, F] are distances of values from those expected, in deviations; NaN: missing, or mere context. `missed` [K] is
    the event of each. What noise alone makes, the median, does not count.
    """
    above = np.nan_to_num(errors - np.nanmedian(np.where(np.isnan(errors).all(axis=0), 0.0, errors), axis=0))
    means = [above[missed == event].mean(axis=0) for event in np.unique(missed[missed > 0]).tolist()]
    ranked = sorted((-float(mean.max()), int(mean.argmax())) for mean in means if mean.max() > 0.0)
    return list(dict.fromkeys(at for _, at in ranked))[:MOST_OF_MISSED]
