"""What is read while a fault lasts, kind by kind: level, course or noise of some features are not what they were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stream_detector.readings import Float64Array

SPIKE, LEVEL_SHIFT, DRIFT, STUCK, NOISE = "spike", "level_shift", "drift", "stuck", "noise"
LOST_CORRELATION, CHANGED_PERIOD = "lost_correlation", "changed_period"
KINDS = (SPIKE, LEVEL_SHIFT, DRIFT, STUCK, NOISE, LOST_CORRELATION, CHANGED_PERIOD)

#: Bounds of the sizes, drawn evenly on a logarithmic scale; of a drift at its end, of a changed period the factor of speed.
SIZES = {SPIKE: (1.0, 6.0), LEVEL_SHIFT: (0.5, 4.0), DRIFT: (0.5, 4.0), NOISE: (0.3, 2.0), CHANGED_PERIOD: (1.3, 2.0)}


@dataclass(frozen=True, slots=True)
class Place:
    """The features [N, c] of a fault, and its rows."""

    filled: Float64Array  # [N, c]
    spread: Float64Array  # [c]
    start: int
    end: int

    @property
    def rows(self) -> int:
        """How many rows the fault lasts, n."""
        return self.end - self.start

    @property
    def before(self) -> Float64Array:
        """What would be read without the fault, [n, c]."""
        return self.filled[self.start : self.end]


#: Returns what is read instead [n, c], and the size; None where there is not enough data for it.
_Effect = Callable[[Place, np.random.Generator], tuple[Float64Array, float] | None]


def _size(kind: str, generator: np.random.Generator) -> float:
    low, high = SIZES[kind]
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))


def _jump(kind: str, place: Place, generator: np.random.Generator) -> tuple[Float64Array, Float64Array, float]:
    """Return the values before, a shift [c] of drawn size, up or down for each feature, and the size."""
    size = _size(kind, generator)
    return place.before, generator.choice([-1.0, 1.0], len(place.spread)) * size * place.spread, size


def _spike(place: Place, generator: np.random.Generator) -> tuple[Float64Array, float]:
    before, shift, size = _jump(SPIKE, place, generator)
    return before + shift, size


def _level_shift(place: Place, generator: np.random.Generator) -> tuple[Float64Array, float]:
    before, shift, size = _jump(LEVEL_SHIFT, place, generator)
    return before + shift, size


def _drift(place: Place, generator: np.random.Generator) -> tuple[Float64Array, float]:
    before, shift, size = _jump(DRIFT, place, generator)
    progress = np.arange(1, place.rows + 1) / place.rows
    return before + progress[:, None] * shift, size


def _stuck(place: Place, _generator: np.random.Generator) -> tuple[Float64Array, float]:
    last = place.filled[max(place.start - 1, 0)]
    return np.broadcast_to(last, place.before.shape), 0.0


def _noise(place: Place, generator: np.random.Generator) -> tuple[Float64Array, float]:
    size = _size(NOISE, generator)
    return place.before + size * place.spread * generator.normal(size=place.before.shape), size


def _lost_correlation(place: Place, generator: np.random.Generator) -> tuple[Float64Array, float] | None:
    """The features are those of another time, which does not overlap with the fault."""
    starts = np.arange(len(place.filled) - place.rows + 1)
    elsewhere = starts[np.abs(starts - place.start) >= place.rows]
    if not len(elsewhere):
        return None
    source = int(generator.choice(elsewhere))
    return place.filled[source : source + place.rows], 0.0


def _changed_period(place: Place, generator: np.random.Generator) -> tuple[Float64Array, float] | None:
    """The features pass through their course faster or slower, from the start of the fault on.

    A ramp is added so that first and last values are those without the fault: the level does not jump.
    """
    factor = _size(CHANGED_PERIOD, generator) ** float(generator.choice([-1.0, 1.0]))
    passed = (place.rows - 1) * factor
    if place.rows < 3 or passed > len(place.filled) - 1:
        return None
    first = min(place.start, len(place.filled) - 1 - passed)
    times = np.linspace(first, first + passed, place.rows)
    rows = np.arange(len(place.filled))
    course = np.stack([np.interp(times, rows, column) for column in place.filled.T], axis=1)
    misses = place.before - course
    progress = np.linspace(0.0, 1.0, place.rows)[:, None]
    return course + (1.0 - progress) * misses[0] + progress * misses[-1], factor


EFFECTS: dict[str, _Effect] = {
    SPIKE: _spike,
    LEVEL_SHIFT: _level_shift,
    DRIFT: _drift,
    STUCK: _stuck,
    NOISE: _noise,
    LOST_CORRELATION: _lost_correlation,
    CHANGED_PERIOD: _changed_period,
}
