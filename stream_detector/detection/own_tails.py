"""How rare an error is for a sensor that no training saw: by the sensor's own past errors.

The built-in model (built_in/) knows no sensor, and random series do not tell how heavy the tails of a machine are. So a
sensor's record holds, besides the levels of M members, what its own errors showed since its first full window:

    variance    of each member's log error around its level; the error above the level counts in deviations
    start       what the surprise exceeds in a tenth of the readings: there the tail begins
    scale       mean excess over that: the tail of the surprise is exponential

All are running means of bounded memory that start from the model's, as if from so many readings. They follow readings that are
as usual, and stand still while an incident is open: they do not learn an anomaly. In a sensor's first readings they follow all
errors, for a level that started with an odd one would never be left. A step counts as at most so many deviations or means.

The record keeps the differences from the model's in the slots of levels that so few members leave free.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Float64Array
from stream_detector.state.record_layout import MEMBER_SLOTS, Records

#: Readings from which a sensor's own variance, start and scale outweigh the model's; of the scale, those in the tail.
VARIANCE_COUNT, START_COUNT, SCALE_COUNT = 100.0, 500.0, 20.0
#: The share of all readings that are in the tail.
TAIL_SHARE = 0.1
#: A sensor's first readings, from which levels and variances are learned whatever they are.
FIRST_READINGS = 256.0
#: An error counts as at most so many deviations in the level, and in the variance once so many readings are there; an excess
#: counts as at most so many scales in the scale.
MOST_STEP, MOST_SPREAD, SPREAD_READINGS, MOST_EXCESS = 1.0, 3.0, 64.0, 5.0
#: Lower limits: of a variance, and of a scale as a share of the model's. A machine that stands has no errors at all.
LEAST_VARIANCE, LEAST_SCALE = 0.02, 0.5
#: The memory of the published score: a running mean of the surprise over about two windows.
MEMORY_SHARE = 2.0 / 129.0


@dataclass(frozen=True, slots=True)
class OwnTails:
    """What sensors' own tails start from. M members, at most 3."""

    variance: Float64Array  # [M] > 0
    start: float  # above the typical surprise
    scale: float

    def __post_init__(self) -> None:
        assert 2 * len(self.variance) + 2 <= MEMBER_SLOTS, "the record has no room for the tails of so many members"

    def deviations(self, state: Records) -> Float64Array:
        """Return the usual deviation [G, M] of each sensor's log errors from their levels."""
        return np.asarray(np.sqrt(self._variances(state)))

    def margins(self, state: Records, rates: Float64Array) -> Float64Array:
        """Return how far above the typical surprise each limit [G] is for incidents at these rates per reading [G]."""
        start, scale = self._tails(state)
        return np.asarray(start + scale * np.log(np.maximum(TAIL_SHARE / rates, 1.0)))

    def begin(self, state: Records, errors: Float64Array, starts: Float64Array) -> None:
        """Let the levels of sensors begin with their first errors [G, M], NaN: none, in place."""
        fresh = (state["level_count"] == 0) & ~np.isnan(errors[:, 0])
        state["shift"][fresh, : errors.shape[1]] = (errors - starts)[fresh]

    def follow(
        self,
        state: Records,
        above_level: Float64Array,
        excess: Float64Array,
        *,
        scored: BoolArray,
        calm: BoolArray,
        most: float,
    ) -> None:
        """Learn from the newest errors above the level [G, M], and the surprise's excess over the typical one [G], in place.

        `calm` are sensors without an incident; a reading counts in means over at most so many.
        """
        members, before, shift = above_level.shape[1], state["level_count"].astype(np.float64), state["shift"]
        learns = scored & (calm | (before < FIRST_READINGS))
        variances, deviations = self._variances(state), self.deviations(state)
        count = np.minimum(before + 1.0, most)[:, np.newaxis]
        step = np.clip(above_level, -MOST_STEP * deviations, MOST_STEP * deviations) / count
        bounded = np.clip(above_level, -MOST_SPREAD * deviations, MOST_SPREAD * deviations)
        errors = np.where(before[:, np.newaxis] < SPREAD_READINGS, above_level, bounded)
        variance = variances + (np.square(errors) - variances) / np.minimum(before + VARIANCE_COUNT, most)[:, np.newaxis]
        start, scale = self._tails(state)
        over = excess > start
        # Robbins and Monro's way to a quantile: a step of 1 / density, which at the start of an exponential tail is this.
        new_start = start + scale / TAIL_SHARE * (over - TAIL_SHARE) / np.minimum(before + START_COUNT, most)
        limited = np.minimum(excess - start, MOST_EXCESS * scale)
        new_scale = scale + np.where(over, (limited - scale) / (SCALE_COUNT + TAIL_SHARE * before), 0.0)
        for slots, values, chosen in (
            (slice(0, members), shift[:, :members] + step, learns),
            (slice(members, 2 * members), variance - self.variance, learns),
            (slice(2 * members, 2 * members + 1), (new_start - self.start)[:, np.newaxis], scored & calm),
            (slice(2 * members + 1, 2 * members + 2), (new_scale - self.scale)[:, np.newaxis], scored & calm),
        ):
            shift[:, slots] = np.where(chosen[:, np.newaxis], values, shift[:, slots])
        state["level_count"] = np.where(learns, count[:, 0], state["level_count"])

    def _variances(self, state: Records) -> Float64Array:
        members = len(self.variance)
        return np.asarray(np.maximum(self.variance + state["shift"][:, members : 2 * members], LEAST_VARIANCE))

    def _tails(self, state: Records) -> tuple[Float64Array, Float64Array]:
        """Return start, above the typical surprise and not below it, and scale of each sensor's tail [G]."""
        at = 2 * len(self.variance)
        scale = np.maximum(self.scale + state["shift"][:, at + 1], LEAST_SCALE * self.scale)
        return np.maximum(self.start + state["shift"][:, at].astype(np.float64), 0.0), scale
