"""Checks that the parts of a model are consistent: a checksum proves that a file is unchanged, not that it was right.

Also rejects a network whose sizes are out of proportion to its weights, before it is built. Every check raises ValueError,
which names the part. Needs no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_detector.detection.calibration import Calibration
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.partial_windows import PartialLevels
from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.model.artifact import NetworkSpec
from stream_detector.model.error_normalization import ErrorNormalization
from stream_detector.model.linear_members import CHANGE, FORECAST, OTHERS, PCA, LinearMember
from stream_detector.model.missing_features import RowMoments
from stream_detector.model.missing_levels import MissingLevels
from stream_detector.model.static_covariates import Fleet
from stream_detector.state.idle import OnlyWhile
from stream_detector.state.known_sensors import SensorTable
from stream_detector.timestamps import SECONDS_PER_DAY

#: The only member that is not linear.
AUTOENCODER = "autoencoder"
#: Upper limit of the values in a window, because hundreds of windows are in memory at a time.
MAXIMUM_WINDOW_VALUES = 1_000_000
_YEAR_SECONDS = 366 * SECONDS_PER_DAY


def check_spec(spec: ModelSpec) -> None:
    """Check the window length and interval, and that there are features and members, each name once."""
    _require(spec.window_length > 1, "the window length is not above 1")
    _require(
        spec.window_length * len(spec.features) <= MAXIMUM_WINDOW_VALUES,
        f"a window has more than {MAXIMUM_WINDOW_VALUES} values",
    )
    _require(0 < spec.sampling_interval_seconds <= _YEAR_SECONDS, "the sampling interval is not between 0 and a year")
    _require(set(spec.counters) <= set(spec.features), "a counter is not a feature")
    _require(len(set(spec.counters)) == len(spec.counters), "a counter occurs twice")
    OnlyWhile.parse(spec.only_while, spec.features, spec.counters)
    for what, names in (("features", spec.features), ("members", spec.members)):
        _require(len(names) > 0 and len(set(names)) == len(names), f"there are no {what}, or a name occurs twice")


def check_network(network: NetworkSpec, weights: Mapping[str, NDArray[Any]]) -> None:
    """Check the network's sizes and weights, and that the sizes are proportional to the weights."""
    sizes = {"units": network.units, "bottleneck": network.bottleneck, "attention_units": network.attention_units}
    for name, size in sizes.items():
        is_size = isinstance(size, int) and not isinstance(size, bool) and size > 0
        _require(is_size or (size is None and name != "units"), f"network: {name} is {size!r}")
    for name in ("uniform_attention", "attention_offsets"):
        _require(isinstance(getattr(network, name), bool), f"network: {name} is not true or false")
    _require(isinstance(network.dropout, float | int) and 0 <= network.dropout < 1, "network: dropout is not between 0 and 1")
    weight_count = sum(array.size for array in weights.values())
    largest = network.units * max(4 * network.units, network.bottleneck or 0, network.attention_units or 0)
    _require(largest <= weight_count, f"network: {weight_count} weights are too few for its sizes")
    for name, array in weights.items():
        _require(array.dtype == np.float32, f"weights {name}: type {array.dtype} in place of float32")
        _require(bool(np.isfinite(array).all()), f"weights {name}: not finite")


def check_linear(linear: Sequence[LinearMember], spec: ModelSpec) -> None:
    """Check that the linear members are those of the spec, that their rows fit in a window, and their matrices."""
    names = [member.spec.name for member in linear]
    expected = sorted(set(spec.members) - {AUTOENCODER})
    _require(sorted(names) == expected, f"the linear members are not those of the spec ({', '.join(spec.members)})")
    for member in linear:
        what, kind, predicted = f"member {member.spec.name}", member.spec.kind, member.spec.rows_predicted
        same = {PCA: predicted, OTHERS: predicted, CHANGE: predicted}
        inputs = (same | {FORECAST: member.spec.rows_read - predicted}).get(kind, 0)
        reach = (same | {CHANGE: predicted + 1, FORECAST: member.spec.rows_read}).get(kind, 0)
        _require(inputs > 0 and 0 < predicted <= reach <= spec.window_length, f"{what}: its rows do not fit in a window")
        sizes = [len(spec.features) * inputs, *(matrix.shape[-1] for matrix in member.matrices)]
        fits = len(sizes) > 1 and sizes[-1] == len(spec.features) * predicted
        _require(fits, f"{what}: its matrices do not give the rows that it predicts")
        _numbers(f"{what}: input mean", member.input_mean, sizes[0])
        _numbers(f"{what}: output mean", member.output_mean, sizes[-1])
        for matrix, size in zip(member.matrices, pairwise(sizes), strict=True):
            _numbers(f"{what}: matrix", matrix, *size)


def check_scoring(normalization: ErrorNormalization, fleet: Fleet, spec: ModelSpec) -> None:
    """Check the usual errors, the context features and the typical scale of the fleet."""
    _positive("usual errors", normalization.usual_errors, len(spec.members), len(spec.features))
    _numbers("location of the fleet", fleet.location, len(spec.features))
    _positive("spread of the fleet", fleet.spread, len(spec.features))
    _positive("deviation of the fleet", fleet.deviation, len(spec.features))
    _require(normalization.scored.shape == (len(spec.features),) and bool(normalization.scored.any()), "no feature is scored")


def check_missing(moments: RowMoments, levels: MissingLevels, spec: ModelSpec) -> None:
    """Check the moments from which missing features are filled, and what they do to the members' errors."""
    members, features = len(spec.members), len(spec.features)
    _numbers("covariance of the features", moments.covariance, features, features)
    _numbers("covariance with the row before", moments.lagged, features, features)
    least = float(np.linalg.eigvalsh(moments.covariance)[0])
    _require(least > -1e-6 * max(1.0, float(np.trace(moments.covariance))), "covariance of the features: not one")
    _numbers("levels without a feature", levels.single, 2, members, features)
    _numbers("levels without two features", levels.pair, 2, members, features, features)
    _numbers("mean log errors", levels.centre, members)
    _numbers("rows read", levels.rows_read, members)
    in_window = (levels.rows_read > 0) & (levels.rows_read <= spec.window_length)
    _require(bool(in_window.all()), "rows read: not rows of a window")


def check_calibration(calibration: Calibration, spec: ModelSpec) -> None:
    """Check the tails and the table of sensors."""
    members, knots = len(spec.members), len(calibration.tails.surprises)
    _require(calibration.members == spec.members, f"the calibration is of other members ({', '.join(calibration.members)})")
    _numbers("weights", calibration.weights, members)
    _numbers("pooled level", calibration.pooled_level, members)
    _numbers("surprises", calibration.tails.surprises, knots)
    _numbers("knots", calibration.tails.knots, members, knots)
    _require(knots > 0 and bool((np.diff(calibration.tails.knots) >= 0).all()), "the knots are not ascending")
    _positive("scales of the tails", calibration.tails.scales, members)
    tail = (calibration.typical, calibration.tail_start, calibration.tail_rate, calibration.tail_scale, calibration.tail_shape)
    _require(
        bool(np.isfinite(tail).all()) and calibration.tail_rate > 0 and calibration.tail_scale > 0,
        "tail of the surprise: not finite or not above 0",
    )
    if calibration.sustained is not None:
        _require(
            bool(np.isfinite(astuple(calibration.sustained)).all())
            and calibration.sustained.rate > 0
            and calibration.sustained.scale > 0,
            "tail of the lasting surprise: not finite or not above 0",
        )
    _require(calibration.readings > 0 and calibration.prior_count > 0, "the calibration has no readings")
    _check_table(calibration.sensors, spec)
    if calibration.partial:
        check_partial(calibration.partial, spec)


def check_partial(partial: PartialLevels, spec: ModelSpec) -> None:
    """Check what windows with few rows do to the members' errors."""
    knots = len(partial.rows)
    is_ascending = knots > 1 and partial.rows[0] == 1 and bool((np.diff(partial.rows) > 0).all())
    _require(is_ascending and partial.rows[-1] == spec.window_length, "partial windows: their rows are not those of a window")
    _numbers("partial windows: shifts", partial.shift, knots, len(spec.members))
    _numbers("partial windows: shares", partial.share, knots, len(spec.members))
    in_range = ((partial.share >= 0) & (partial.share <= 1)).all() and (partial.share[-1] == 1).all()
    _require(bool(in_range) and bool((partial.shift[-1] == 0).all()), "partial windows: a full one is not as it is")


def check_healthy(healthy: HealthyData, sensors: int, features: int) -> None:
    """Check the shapes of the healthy data, and that counts are possible."""
    for name in HealthyData.__slots__:
        array = getattr(healthy, name)
        shape = (features,) if name == "scored" else (sensors,) if name in ("readings", "row_repeats", "row_longest") else None
        _require(array.shape == (shape or (sensors, features)), f"healthy data: {name} has shape {array.shape}")
        _require(name in ("lowest", "highest") or bool((array >= 0).all()), f"healthy data: {name} is below 0")
    _require(bool((healthy.repeats <= healthy.pairs).all()), "healthy data: more repeats than readings")


def _check_table(table: SensorTable, spec: ModelSpec) -> None:
    sensors, features = len(table), len(spec.features)
    _numbers("sensors: location", table.location, sensors, features)
    _positive("sensors: deviation", table.deviation, sensors, features)
    _numbers("sensors: levels", table.levels, sensors, len(spec.members))
    _numbers("sensors: counts", table.counts, sensors)
    _require(bool((table.counts >= 0).all()), "sensors: counts are below 0")
    _positive("sensors: intervals", table.interval_ms, sensors)
    _positive("sensors: pauses", table.pause_ms, sensors)
    if table.attention.size:
        _numbers("sensors: attention", table.attention, sensors, spec.window_length)
        _require(bool((table.attention >= 0).all()), "sensors: attention is below 0")


def _numbers(what: str, array: NDArray[Any], *shape: int) -> None:
    _require(array.shape == shape, f"{what}: shape {array.shape} in place of {shape}")
    _require(bool(np.isfinite(array).all()), f"{what}: not finite")


def _positive(what: str, array: NDArray[Any], *shape: int) -> None:
    _numbers(what, array, *shape)
    _require(bool((array > 0).all()), f"{what}: not above 0")


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)
