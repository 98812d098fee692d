"""Opens an incident where a rule first applies, and closes it once the rule has not applied for some readings in a row.

Whole arrays at once: the newest reading at which the rule applied, or at which it had been calm for long enough, says whether
an incident is open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Int64Array
from stream_detector.timestamps import SECONDS_PER_DAY

_DAY_MS = round(1000 * SECONDS_PER_DAY)


@dataclass(frozen=True, slots=True)
class Before:
    """The incidents of G sensors before their readings."""

    is_open: BoolArray  # [G]
    calm: Int64Array  # [G] readings since the rule last applied
    involved: BoolArray  # [G, F] features that an open incident is about


@dataclass(frozen=True, slots=True)
class Latched:
    """The incidents as of each of K readings of G sensors."""

    is_open: BoolArray  # [K]
    opened: BoolArray  # [K] it opens here
    closed: BoolArray  # [K] it closes here
    grows: BoolArray  # [K] an incident that was open is about one more feature
    opening: Int64Array  # [K] position at which the newest incident opened; before the sensor's first: it was open already
    start: Int64Array  # [K] position of the sensor's first reading
    calm: Int64Array  # [K]
    involved: BoolArray  # [K, F] features that the newest incident is about


def latch(applies: BoolArray, first: Int64Array, before: Before, quiet_readings: int) -> Latched:
    """Return the incidents as of K readings, where a rule applies to features [K, F]; sensors begin at `first` [G]."""
    count = len(applies)
    at = np.arange(count)
    is_first = np.zeros(count, np.bool_)
    is_first[first] = True
    group = np.cumsum(is_first) - 1
    start = first[group]
    raised = np.asarray(applies.any(axis=1))
    newest_raised = np.maximum.accumulate(np.where(raised, at, -1))
    calm = np.where(newest_raised >= start, at - newest_raised, before.calm[group] + at - start + 1)
    newest_event: Int64Array = np.maximum.accumulate(np.where(raised | (calm >= quiet_readings), at, -1))
    is_open = np.where(newest_event >= start, raised[newest_event], before.is_open[group])
    was_open = np.concatenate([is_open[:1], is_open[:-1]])
    was_open[first] = before.is_open
    opened = is_open & ~was_open
    opening = np.maximum(np.maximum.accumulate(np.where(opened, at, -1)), start - 1)
    involved = _involved(applies, first, before.involved, np.where(opening >= start, 2 * opening, 2 * start - 1))
    earlier = np.concatenate([involved[:1], involved[:-1]])
    earlier[first] = before.involved & before.is_open[:, None]
    grows = (applies & ~earlier).any(axis=1) & is_open & ~opened
    return Latched(is_open, opened, was_open & ~is_open, grows, opening, start, calm, involved)


def _involved(applies: BoolArray, first: Int64Array, before: BoolArray, opening: Int64Array) -> BoolArray:
    """Return to which features the rule has applied since the newest incident opened [K, F].

    Positions are doubled, so that what was so before a sensor's first reading, at i, has a position of its own: 2i - 1.
    """
    applied = np.where(applies, 2 * np.arange(len(applies))[:, None], -2)
    applied[first] = np.where(applies[first], 2 * first[:, None], np.where(before, 2 * first[:, None] - 1, -2))
    return np.asarray(np.maximum.accumulate(applied, axis=0) >= opening[:, None])


def update_due(open_ms: Int64Array, previous_open_ms: Int64Array, update_ms: int) -> BoolArray:
    """Return whether an update is due at a reading, given for how long the incident is open at it and at the one before.

    Updates are due after `update_ms`, twice, four times as long, and so on, but at least once a day.
    """
    return np.asarray(_updates(open_ms, update_ms) > _updates(previous_open_ms, update_ms))


def _updates(open_ms: Int64Array, update_ms: int) -> Int64Array:
    """Return how many updates are due until an incident is open for so long."""
    doublings = np.floor(np.log2(np.maximum(open_ms, 1) / update_ms)) + 1
    of_a_day = max(0.0, np.floor(np.log2(_DAY_MS / update_ms)) + 1)
    days = open_ms // _DAY_MS
    updates: Int64Array = np.where(days > 0, of_a_day + days, np.maximum(doublings, 0)).astype(np.int64)
    return updates
