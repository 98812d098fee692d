"""Whether the parts of a model fit each other. A checksum says that files are as they were written, not that they were right.

Every check raises ValueError that names the part. TensorFlow is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_detector.detection.calibration import Calibration
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.model.artifact import NetworkSpec
from stream_detector.model.error_normalization import ErrorNormalization
from stream_detector.model.linear_members import CHANGE, FORECAST, PCA, LinearMember
from stream_detector.model.static_covariates import Fleet
from stream_detector.state.known_sensors import SensorTable
from stream_detector.timestamps import SECONDS_PER_DAY

#: The member that is no linear one.
AUTOENCODER = "autoencoder"
#: A window of more values than this is a mistake: hundreds of them are scored at a time.
MAXIMUM_WINDOW_VALUES = 1_000_000
_YEAR_SECONDS = 366 * SECONDS_PER_DAY


def check_spec(spec: ModelSpec) -> None:
    """Check that windows, features and members are there, each of the latter once, and that a window can be held."""
    _ask(spec.window_length > 1, "the window length is not above 1")
    _ask(
        spec.window_length * len(spec.features) <= MAXIMUM_WINDOW_VALUES,
        f"a window of more than {MAXIMUM_WINDOW_VALUES} values",
    )
    _ask(0 < spec.sampling_interval_seconds <= _YEAR_SECONDS, "the sampling interval is not above 0 and at most a year")
    for what, names in (("features", spec.features), ("members", spec.members)):
        _ask(len(names) > 0 and len(set(names)) == len(names), f"the {what} are none, or have a name twice")


def check_network(network: NetworkSpec, weights: Mapping[str, NDArray[Any]]) -> None:
    """Check that the network has the numbers that it needs, and is no larger than its weights: it is not built before."""
    sizes = {"units": network.units, "bottleneck": network.bottleneck, "attention_units": network.attention_units}
    for name, size in sizes.items():
        is_size = isinstance(size, int) and not isinstance(size, bool) and size > 0
        _ask(is_size or (size is None and name != "units"), f"network: {name} {size!r}")
    _ask(isinstance(network.uniform_attention, bool), "network: uniform_attention is not true or false")
    _ask(isinstance(network.dropout, float | int) and 0 <= network.dropout < 1, "network: dropout")
    held = sum(array.size for array in weights.values())
    largest = network.units * max(4 * network.units, network.bottleneck or 0, network.attention_units or 0)
    _ask(largest <= held, f"network: {held} weights are too few for its size")
    for name, array in weights.items():
        _ask(array.dtype == np.float32, f"weights {name}: of type {array.dtype}")
        _ask(bool(np.isfinite(array).all()), f"weights {name}: not finite")


def check_linear(linear: Sequence[LinearMember], spec: ModelSpec) -> None:
    """Check that the linear members are those of the spec, that they read no further than a window, and their matrices."""
    names = [member.spec.name for member in linear]
    _ask(sorted([*names, *({AUTOENCODER} & set(spec.members))]) == sorted(spec.members), f"members {', '.join(spec.members)}")
    for member in linear:
        shape, what = member.spec, f"member {member.spec.name}"
        read = {PCA: shape.says, CHANGE: shape.says, FORECAST: shape.reads - shape.says}.get(shape.kind, 0)
        reach = {PCA: shape.says, CHANGE: shape.says + 1, FORECAST: shape.reads}.get(shape.kind, 0)
        _ask(read > 0 and 0 < shape.says <= reach <= spec.window_length, f"{what}: its rows")
        sizes = [len(spec.features) * read, *(matrix.shape[-1] for matrix in member.matrices)]
        _ask(len(sizes) > 1 and sizes[-1] == len(spec.features) * shape.says, f"{what}: what it gives")
        _numbers(f"{what}: input mean", member.input_mean, sizes[0])
        _numbers(f"{what}: output mean", member.output_mean, sizes[-1])
        for matrix, size in zip(member.matrices, pairwise(sizes), strict=True):
            _numbers(f"{what}: matrix", matrix, *size)


def check_scoring(normalization: ErrorNormalization, fleet: Fleet, spec: ModelSpec) -> None:
    """Check the usual errors, the context features and what scale is typical."""
    _positive("usual errors", normalization.usual_errors, len(spec.members), len(spec.features))
    _numbers("location of the fleet", fleet.location, len(spec.features))
    _positive("spread of the fleet", fleet.spread, len(spec.features))
    _positive("deviation of the fleet", fleet.deviation, len(spec.features))
    _ask(normalization.scored.shape == (len(spec.features),) and bool(normalization.scored.any()), "no feature is scored")


def check_calibration(calibration: Calibration, spec: ModelSpec) -> None:
    """Check the tails, and the table of sensors."""
    members, knots = len(spec.members), len(calibration.tails.surprises)
    _ask(calibration.members == spec.members, f"calibration of {', '.join(calibration.members)}")
    _numbers("weights", calibration.weights, members)
    _numbers("pooled level", calibration.pooled_level, members)
    _numbers("surprises", calibration.tails.surprises, knots)
    _numbers("knots", calibration.tails.knots, members, knots)
    _ask(knots > 0 and bool((np.diff(calibration.tails.knots) >= 0).all()), "knots fall")
    _positive("scales of the tails", calibration.tails.scales, members)
    tail = (calibration.typical, calibration.tail_start, calibration.tail_rate, calibration.tail_scale, calibration.tail_shape)
    _ask(bool(np.isfinite(tail).all()) and calibration.tail_rate > 0 and calibration.tail_scale > 0, "tail of the surprise")
    _ask(calibration.readings > 0 and calibration.prior_count > 0, "calibration of no readings")
    _check_table(calibration.sensors, spec)


def _check_table(table: SensorTable, spec: ModelSpec) -> None:
    sensors, features = len(table), len(spec.features)
    _numbers("sensors: location", table.location, sensors, features)
    _positive("sensors: deviation", table.deviation, sensors, features)
    _numbers("sensors: levels", table.levels, sensors, len(spec.members))
    _numbers("sensors: counts", table.counts, sensors)
    _ask(bool((table.counts >= 0).all()), "sensors: counts below 0")


def _numbers(what: str, array: NDArray[Any], *shape: int) -> None:
    _ask(array.shape == shape, f"{what}: shape {array.shape} in place of {shape}")
    _ask(bool(np.isfinite(array).all()), f"{what}: not finite")


def _positive(what: str, array: NDArray[Any], *shape: int) -> None:
    _numbers(what, array, *shape)
    _ask(bool((array > 0).all()), f"{what}: not above 0")


def _ask(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)
