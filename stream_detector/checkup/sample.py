"""What a sample of the newest records shows: sensors, partitions, intervals, values, and records that are no readings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stream_detector.missing_values import forward_fill
from stream_detector.readings import Decoded, Float64Array, Readings, Record, Rejected
from stream_detector.state.idle import OnlyWhile

#: A sensor needs so many readings to show its interval.
LEAST_READINGS = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """N readings of S sensors with F features, all that occur in the records."""

    records: int  # with a value
    unkeyed: int  # of them, without a key
    readings: int
    sensors: tuple[str, ...]  # [S]
    features: tuple[str, ...]  # [F]
    counts: Float64Array  # [F] share of the readings with a value
    medians: Float64Array  # [S, F] median value; NaN: none
    interval_ms: Float64Array  # [S] median time between two readings; NaN: too few
    spread: Mapping[str, tuple[int, ...]]  # partitions of the sensors that come from several
    rejected: Mapping[str, tuple[int, Rejected]]  # by reason: how many, and the first


def sample_of(
    records: Sequence[Record],
    features: Sequence[str],
    decoded: Decoded,
    rejected: Sequence[Rejected],
    only_while: OnlyWhile | None = None,
) -> Sample:
    """Make a sample of records that were decoded with all their features, and of those that the stream would reject.

    Values of machines that are idle, outside of the state `only_while`, are not compared with those of the model.
    """
    valued = [record for record in records if record.value]
    readings = decoded.readings
    names = tuple(dict.fromkeys(readings.sensors))
    row_of = {name: row for row, name in enumerate(names)}
    rows = np.array([row_of[name] for name in readings.sensors], np.int64)
    values = np.asarray(readings.values, np.float64).reshape(len(readings), len(features))
    return Sample(
        records=len(valued),
        unkeyed=sum(record.key is None for record in valued),
        readings=len(readings),
        sensors=names,
        features=tuple(features),
        counts=np.isfinite(values).mean(axis=0) if len(values) else np.zeros(len(features)),
        medians=_medians(_while_running(values, rows, only_while), rows, len(names)),
        interval_ms=_intervals(readings, rows, len(names)),
        spread=_spread(readings),
        rejected=_by_reason(rejected),
    )


def _while_running(values: Float64Array, rows: np.ndarray, only_while: OnlyWhile | None) -> Float64Array:
    """Return the values [N, F] without those of idle readings; a missing value of the condition's features is the last one."""
    if only_while is None or not len(values):
        return values
    held = values.astype(np.float32)
    for sensor in np.unique(rows).tolist():
        for feature in only_while.positions:
            own = held[rows == sensor, feature]
            held[rows == sensor, feature] = forward_fill(own, ~np.isnan(own))
    return np.where(only_while.holds(held)[:, np.newaxis], values, np.nan)


def _medians(values: Float64Array, rows: np.ndarray, sensors: int) -> Float64Array:
    medians = np.full((sensors, values.shape[1]), np.nan)
    for sensor in range(sensors):
        own = values[rows == sensor]
        for feature in np.flatnonzero(np.isfinite(own).any(axis=0)).tolist():
            medians[sensor, feature] = np.nanmedian(own[:, feature])
    return medians


def _intervals(readings: Readings, rows: np.ndarray, sensors: int) -> Float64Array:
    intervals = np.full(sensors, np.nan)
    for sensor in range(sensors):
        times = np.unique(readings.times_ms[rows == sensor])
        if len(times) >= LEAST_READINGS:
            intervals[sensor] = np.median(np.diff(times))
    return intervals


def _spread(readings: Readings) -> dict[str, tuple[int, ...]]:
    partitions = defaultdict[str, set[int]](set)
    for sensor, partition in zip(readings.sensors, readings.partitions.tolist(), strict=True):
        partitions[sensor].add(partition)
    return {sensor: tuple(sorted(found)) for sensor, found in partitions.items() if len(found) > 1}


def _by_reason(rejected: Sequence[Rejected]) -> dict[str, tuple[int, Rejected]]:
    counts = Counter(one.reason for one in rejected)
    first: dict[str, Rejected] = {}
    for one in rejected:
        first.setdefault(one.reason, one)
    return {reason: (count, first[reason]) for reason, count in counts.most_common()}
