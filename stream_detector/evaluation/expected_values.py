"""What a model expected of one sensor's rows, for a picture: at some of them, of the features that it blames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.detection.calibration import Calibration
from stream_detector.detection.scorer import Scorer
from stream_detector.evaluation.scorecard import LabelledSeries
from stream_detector.readings import Float32Array, Int64Array
from stream_detector.state.running_scale import Scales

#: At how many rows the model is asked, and how many features are drawn: all that it blames in some alarm, and at least two. A
#: picture of more than MOST_FEATURES would be taller than programs show.
POINTS, MOST_FEATURES, LEAST_FEATURES = 300, 40, 2
#: A feature is blamed by a window if it has this share of the surprise, or the largest.
_BLAMED_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Expected:
    """The values that the model expected at K rows, and the features to draw with their columns, most blamed first."""

    rows: Int64Array  # [K]
    values: Float32Array  # [K, F]
    features: tuple[tuple[str, int], ...]
    left_out: int = 0  # features that were blamed too, but do not fit into the picture


def expected_values(
    scorer: Scorer, calibration: Calibration, series: LabelledSeries, features: tuple[str, ...], window_length: int
) -> Expected | None:
    """Ask the model; None if it does not know the sensor, or scored no row."""
    (row,) = calibration.sensors.find([series.sensor]).tolist()
    accepted = np.flatnonzero(~series.is_late)
    scored = np.flatnonzero(np.isfinite(series.product.scores[accepted]))
    scored = scored[scored >= window_length - 1]
    if row < 0 or not len(scored):
        return None
    chosen = scored[np.unique(np.linspace(0, len(scored) - 1, min(POINTS, len(scored))).astype(np.int64))]
    alarmed = scored[series.product.alarms[accepted[scored]]]
    chosen = np.unique(np.concatenate([chosen, alarmed[:: max(1, len(alarmed) // POINTS)]]))
    windows = np.stack([series.values[accepted[end - window_length + 1 : end + 1]] for end in chosen]).astype(np.float32)
    table = calibration.sensors
    scales = Scales(np.repeat(table.location[[row]], len(chosen), 0), np.repeat(table.deviation[[row]], len(chosen), 0))
    errors = scorer.explain(windows, scales)
    shares = np.stack([one.feature_share.mean(axis=0) for one in errors])  # [K, F]
    in_alarm = series.product.alarms[accepted[chosen]]
    blame = shares[in_alarm].max(axis=0) if in_alarm.any() else shares.mean(axis=0)
    first = shares[in_alarm].argmax(axis=1)
    order = np.argsort(-blame, kind="stable").tolist()
    is_blamed = in_alarm.any() & ((blame >= _BLAMED_SHARE) | np.isin(np.arange(len(blame)), first))
    drawn = [at for place, at in enumerate(order) if place < LEAST_FEATURES or is_blamed[at]]
    return Expected(
        accepted[chosen],
        np.stack([one.expected[-1] for one in errors]),
        tuple([(features[at], at) for at in drawn[:MOST_FEATURES]]),
        max(0, len(drawn) - MOST_FEATURES),
    )
