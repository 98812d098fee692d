"""What the readings of files look like, as the profile of a topic has it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream_detector.discovery.profile import FeatureProfile, Profile, SensorProfile
from stream_detector.readings import Float64Array, FloatArray, Int32Array, Int64Array

_MOST_VALUES = 2_000


def profile_of_rows(
    sensors: Sequence[str], features: Sequence[str], codes: Int32Array, times_ms: Int64Array, values: FloatArray
) -> Profile:
    """Return the profile of N readings, by sensor and time: the sensors' codes [N], times [N] and values [N, F]."""
    profile = Profile(records=len(codes), readings=len(codes))
    if not len(codes):
        return profile
    profile.newest_ms, profile.oldest_ms = int(times_ms.max()), int(times_ms.min())
    follows = np.diff(codes) == 0
    for column, name in enumerate(features):
        profile.features[name] = _feature(np.asarray(values[:, column], np.float64), follows)
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    for start, end in zip(starts.tolist(), np.append(starts[1:], len(codes)).tolist(), strict=True):
        is_there = ~np.isnan(values[start:end])
        name = sensors[int(codes[start])]
        profile.sensors[name] = SensorProfile(
            times_ms=times_ms[start:end].tolist(),
            partitions={0},
            features={features[column] for column in np.flatnonzero(is_there.any(axis=0)).tolist()},
            message_features=int(is_there.sum()),
        )
    return profile


def _feature(values: Float64Array, follows: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> FeatureProfile:
    present = values[~np.isnan(values)]
    steps = np.diff(values)[follows]
    return FeatureProfile(
        readings=len(values),
        numbers=len(present),
        distinct=set(np.unique(present)[:_MOST_VALUES].tolist()),
        rises=int((steps > 0).sum()),
        falls=int((steps < 0).sum()),
    )
