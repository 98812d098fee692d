"""Finds out which feature tells when machines work, by its name and its states: for a training on these readings only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from stream_detector.discovery.name_words import is_named_as_state
from stream_detector.missing_values import forward_fill
from stream_detector.readings import Float64Array, FloatArray, Int32Array
from stream_detector.state.condition import Condition

#: A feature with more values is no state.
MOST_STATES = 6
#: Fewer readings of a sensor in a state show nothing of it; fewer than this share of all are not worth a word.
FEWEST_READINGS, SMALLEST_SHARE = 20, 0.005
#: A machine stands if a value is at most this share of that at work, nearly all of the time.
_STANDS, NEARLY = 0.3, 0.9
LISTED = 2
#: By what a machine is told to be at work: its state, what drives it, what it does to the process, or another measurement.
Measured = Literal["state", "drive", "other", "process"]


@dataclass(frozen=True, slots=True)
class Readings:
    """N readings of F features, by sensor and time."""

    features: Sequence[str]
    codes: Int32Array  # [N] sensors
    values: FloatArray  # [N, F]

    def parts(self) -> list[slice]:
        """Return the readings of each sensor."""
        starts = np.flatnonzero(np.diff(self.codes, prepend=-1)).tolist()
        return [slice(first, last) for first, last in pairwise([*starts, len(self.codes)])]

    def column(self, feature: str) -> Float64Array:
        """Return the values [N] of a feature."""
        return np.asarray(self.values[:, list(self.features).index(feature)], np.float64)


@dataclass(frozen=True, slots=True)
class AtWork:
    """When a machine is at work, by a condition on a feature, and how that shows in others."""

    condition: str
    says: str  # the feature and its values, in words
    standing_share: float  # of the readings
    shows: tuple[tuple[str, float, float], ...]  # other features: median while the machine stands, and at work; plainest first
    measured: Measured = "state"
    features: tuple[str, ...] = ()  # that the condition is on, of measurements
    is_sure: bool = True  # enough to propose it unasked

    def reason(self) -> str:
        """Say why the machine is at work then."""
        share = f"in {100.0 * self.standing_share:.2g} % of the readings"
        if not self.shows:
            return f"{self.says} {share}, for long each time"
        shown = ", ".join(f"{name} is about {low:.3g} instead of {high:.4g}" for name, low, high in self.shows[:LISTED])
        more = f", and {len(self.shows) - LISTED} more alike" if len(self.shows) > LISTED else ""
        return f"{self.says} {share}, and then {shown}{more}"


def find_state(readings: Readings, excluded: Collection[str] = ()) -> AtWork | None:
    """Return the state in which machines work, by the feature that is named so and divides the others most plainly."""
    found: list[AtWork] = []
    for name in readings.features:
        if name not in excluded and is_named_as_state(name) and (condition_name := quoted(name)):
            found += _by_states(readings, name, condition_name)
    return max(found, key=lambda one: len(one.shows), default=None)


def quoted(name: str) -> str:
    """Return a feature's name as a condition has it; empty if it cannot be in one."""
    for text in (name, f"`{name}`"):
        try:
            if Condition.parse(f"{text} == 1").features() == (name,):
                return text
        except ValueError:
            continue
    return ""


def _by_states(readings: Readings, name: str, condition_name: str) -> Iterator[AtWork]:
    """Yield the states of a feature in which machines work, if others show that they stand in its other states."""
    states = readings.column(name)
    for part in readings.parts():
        states[part] = forward_fill(states[part], ~np.isnan(states[part]))
    known = ~np.isnan(states)
    levels = np.unique(states[known]).tolist()
    if not 2 <= len(levels) <= MOST_STATES or not all(level.is_integer() for level in levels):
        return
    shown = {level: _shows(readings, name, states, level) for level in levels}
    standing = [level for level in levels if shown[level]]
    working = [level for level in levels if level not in standing]
    share = float(np.isin(states, standing).mean())
    if not standing or not working or share < SMALLEST_SHARE:
        return
    condition = " or ".join(f"{condition_name} == {level:g}" for level in working)
    says = f"{name} is {' or '.join(f'{level:g}' for level in standing)}"
    yield AtWork(condition, says, share, max((shown[level] for level in standing), key=len))


def _shows(readings: Readings, name: str, states: Float64Array, level: float) -> tuple[tuple[str, float, float], ...]:
    """Return the features that are far lower in a state than in their highest, as when a machine stands; the plainest first."""
    found = []
    for feature in readings.features:
        if feature == name or len(np.unique(values := readings.column(feature))) <= MOST_STATES:
            continue
        pairs = [_in_and_at_work(values[part], states[part], level) for part in readings.parts()]
        compared = [pair for pair in pairs if pair is not None]
        plain = [pair[:2] for pair in compared if pair[2]]
        if plain and 2 * len(plain) > len(compared):
            turned = np.sign([high for _, high in plain])[:, np.newaxis]  # some may turn the other way round than others
            low, high = np.median(plain * turned * turned[0], axis=0).tolist()
            found.append((feature, low, high))
    return tuple(sorted(found, key=lambda one: abs(one[1] / one[2])))


def _in_and_at_work(values: Float64Array, states: Float64Array, level: float) -> tuple[float, float, bool] | None:
    """Return a sensor's median in a state and in its highest, and whether they are plainly apart; None for few readings."""
    there = ~np.isnan(values)
    by_state = {one: values[there & (states == one)] for one in np.unique(states[~np.isnan(states)]).tolist()}
    known = {one: of_state for one, of_state in by_state.items() if len(of_state) >= FEWEST_READINGS}
    if level not in known or len(known) < 2:
        return None
    ours, others = known[level], max(known.values(), key=lambda of_state: abs(float(np.median(of_state))))
    low, high = float(np.median(ours)), float(np.median(others))
    border = _STANDS * abs(high)
    is_plain = float(np.mean(np.abs(ours) <= border)) >= NEARLY and float(np.mean(np.abs(others) > border)) >= NEARLY
    return low, high, is_plain
