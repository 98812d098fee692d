"""Proposes when machines are at work, by the values of a sample, for a model that `run` learns from the topic."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from stream_detector.discovery.machine_state import Readings, find_state
from stream_detector.discovery.profile import Profile, SensorProfile
from stream_detector.discovery.proposal import Proposal
from stream_detector.discovery.standstill import find_standing, question
from stream_detector.readings import Float64Array
from stream_detector.settings.learning_settings import LearningSettings

#: Smaller shares of standing machines change little of how many readings a training needs.
_WORTH_A_WORD = 0.1
_ROUNDED = 10


def propose_state(proposal: Proposal, profile: Profile) -> None:
    """Propose the condition if a state, or a speed and a current, tell when machines work; else ask whether they stand."""
    settings = proposal.settings().get("input", {})
    excluded = settings.get("exclude_features", [])
    assert isinstance(excluded, Collection)
    readings = _readings(profile, set(excluded))
    state = find_state(readings) or find_standing(readings)
    if state and state.is_sure:
        reason = (
            f"{state.reason()}. The model then learns the machine at work, and run judges only that; without this line it "
            "learns and judges a standing machine too (docs/idle.md)"
        )
        proposal.set("learning", "only_while", state.condition, reason)
        _propose_more(proposal, state.standing_share)
    elif state:
        proposal.doubts.append(question(state, 'set learning.only_while = "{}"'))


def _propose_more(proposal: Proposal, standing_share: float) -> None:
    """Wait for more readings before a training, so that as many as by default are of machines at work."""
    if standing_share < _WORTH_A_WORD:
        return
    default = LearningSettings()
    why = f"{{}} by default, of which {100 * (1.0 - standing_share):.0f} % would be of machines at work"
    for name, usual in (("readings", default.readings), ("readings_per_sensor", default.readings_per_sensor)):
        needed = math.ceil(usual / (1.0 - standing_share) / _ROUNDED) * _ROUNDED
        proposal.set("learning", name, needed, why.format(f"{usual:,}"))


def _readings(profile: Profile, excluded: Collection[str]) -> Readings:
    """Return the readings of a sample by sensor and time; where features come one by one, as run would assemble them."""
    bucket_ms = max(1, round(1000 * profile.bucket_seconds())) if profile.is_one_by_one else 1
    features = sorted(set(profile.features) - set(excluded))
    tables = [_table(one, features, bucket_ms) for one in profile.sensors.values()]
    codes = np.repeat(np.arange(len(tables), dtype=np.int32), [len(table) for table in tables])
    return Readings(features, codes, np.concatenate(tables))


def _table(sensor: SensorProfile, features: list[str], bucket_ms: int) -> Float64Array:
    """Return a sensor's values [N, F] by time; NaN where a feature has none, the newest where a bucket has several."""
    buckets = np.unique(np.array(sensor.times_ms, np.int64) // bucket_ms)
    table = np.full((len(buckets), len(features)), np.nan)
    for column, name in enumerate(features):
        times = np.array(sensor.feature_times.get(name, ()), np.int64)
        order = np.argsort(times, kind="stable")
        rows = np.searchsorted(buckets, times[order] // bucket_ms)
        table[rows, column] = np.array(sensor.feature_values.get(name, ()), np.float64)[order]
    return table
