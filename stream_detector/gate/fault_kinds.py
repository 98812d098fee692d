"""Computes the readings during a fault, kind by kind: the level, course or noise of some features changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stream_detector.readings import Float64Array

SPIKE, LEVEL_SHIFT, DRIFT, STUCK, NOISE = "spike", "level_shift", "drift", "stuck", "noise"
LOST_CORRELATION, CHANGED_PERIOD = "lost_correlation", "changed_period"
KINDS = (SPIKE, LEVEL_SHIFT, DRIFT, STUCK, NOISE, LOST_CORRELATION, CHANGED_PERIOD)

#: Bounds of the sizes, drawn log-uniformly. A drift has its size at its end; a changed period's size is the factor of speed.
SIZES = {SPIKE: (1.0, 6.0), LEVEL_SHIFT: (0.5, 4.0), DRIFT: (0.5, 4.0), NOISE: (0.3, 2.0), CHANGED_PERIOD: (1.3, 2.0)}


@dataclass(frozen=True, slots=True)
class FaultSite:
    """The features [N, c] and rows of the run that a fault changes."""

    filled: Float64Array  # [N, c]
    spread: Float64Array  # [c]
    start: int
    end: int

    @property
    def rows(self) -> int:
        """How many rows the fault lasts, n."""
        return self.end - self.start

    @property
    def healthy(self) -> Float64Array:
        """The readings without the fault, [n, c]."""
        return self.filled[self.start : self.end]


#: Returns the readings with a fault of a size [n, c], and its size; None if there is not enough data for it.
_Effect = Callable[[FaultSite, float, np.random.Generator], tuple[Float64Array, float] | None]


def draw_size(kind: str, generator: np.random.Generator) -> float:
    """Draw the size of a fault; 0 for a kind that has none."""
    if kind not in SIZES:
        return 0.0
    low, high = SIZES[kind]
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))


def _shift(site: FaultSite, size: float, generator: np.random.Generator) -> Float64Array:
    """Return a shift [c] of this size, up or down for each feature."""
    return np.asarray(generator.choice([-1.0, 1.0], len(site.spread)) * size * site.spread)


def _jump(site: FaultSite, size: float, generator: np.random.Generator) -> tuple[Float64Array, float]:
    return site.healthy + _shift(site, size, generator), size


def _drift(site: FaultSite, size: float, generator: np.random.Generator) -> tuple[Float64Array, float]:
    progress = np.arange(1, site.rows + 1) / site.rows
    return site.healthy + progress[:, None] * _shift(site, size, generator), size


def _stuck(site: FaultSite, _size: float, _generator: np.random.Generator) -> tuple[Float64Array, float]:
    last = site.filled[max(site.start - 1, 0)]
    return np.broadcast_to(last, site.healthy.shape), 0.0


def _noise(site: FaultSite, size: float, generator: np.random.Generator) -> tuple[Float64Array, float]:
    return site.healthy + size * site.spread * generator.normal(size=site.healthy.shape), size


def _lost_correlation(site: FaultSite, _size: float, generator: np.random.Generator) -> tuple[Float64Array, float] | None:
    """Replace the features by their values at another time that does not overlap with the fault."""
    starts = np.arange(len(site.filled) - site.rows + 1)
    elsewhere = starts[np.abs(starts - site.start) >= site.rows]
    if not len(elsewhere):
        return None
    source = int(generator.choice(elsewhere))
    return site.filled[source : source + site.rows], 0.0


def _changed_period(site: FaultSite, size: float, generator: np.random.Generator) -> tuple[Float64Array, float] | None:
    """Speed up or slow down the course of the features during the fault.

    A ramp keeps the first and last values as they are without the fault, so that the level does not jump.
    """
    factor = size ** float(generator.choice([-1.0, 1.0]))
    passed = (site.rows - 1) * factor
    if site.rows < 3 or passed > len(site.filled) - 1:
        return None
    first = min(site.start, len(site.filled) - 1 - passed)
    times = np.linspace(first, first + passed, site.rows)
    rows = np.arange(len(site.filled))
    course = np.stack([np.interp(times, rows, column) for column in site.filled.T], axis=1)
    misses = site.healthy - course
    progress = np.linspace(0.0, 1.0, site.rows)[:, None]
    return course + (1.0 - progress) * misses[0] + progress * misses[-1], factor


EFFECTS: dict[str, _Effect] = {
    SPIKE: _jump,
    LEVEL_SHIFT: _jump,
    DRIFT: _drift,
    STUCK: _stuck,
    NOISE: _noise,
    LOST_CORRELATION: _lost_correlation,
    CHANGED_PERIOD: _changed_period,
}
