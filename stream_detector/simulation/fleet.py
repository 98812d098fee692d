"""Simulates the healthy readings of a fleet of centrifugal pumps.

Every pump follows a schedule of set points (off, low, high) against a valve that moves with the plant's daily cycle, drifts
at random, and oscillates under its controller. The features follow from speed and valve by simplified, nonlinear physics:

    pump curve     pressure = H0 (u^2 - 0.55 q^2)          u speed, q flow, both relative to their maximum
    system curve   pressure = Hs + K q^2 / v^2             v opening of the valve, Hs static head
    current        idle part ~ u, plus hydraulic power over an efficiency that peaks at one flow
    vibration      grows with u^2 and away from that flow
    temperature    ambient, plus heat that follows the load with a lag

Readings are a pure function of (seed, sensor, time): the series does not depend on how it is cut into pieces, and a larger
fleet starts with the same sensors. Knows no faults and no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from stream_detector.readings import Float64Array, Int64Array
from stream_detector.simulation.counter_rng import normal, uniform

FEATURES = ("temperature", "pressure", "flow", "vibration", "current")
UNITS = ("degrees Celsius", "bar", "m3/h", "mm/s", "A")

_NOISE = np.array([0.15, 0.03, 0.25, 0.05, 0.08])  # standard deviations, in the units above
_DECIMALS = 3  # resolution of the sensors
_RAMP_INTERVALS = 45.0  # a drive changes speed gradually
_LOOKBACK_SEGMENTS = 8  # the heat of earlier segments is below the resolution
_PARAMETERS, _SWITCHING, _SET_POINT, _WANDER, _MEASUREMENT = range(5)  # streams of random numbers


@dataclass(frozen=True, slots=True)
class Fleet:
    """Pumps `pump-1` ... `pump-S`. Durations default to multiples of the sampling interval."""

    sensors: int = 12
    seed: int = 7
    interval_seconds: float = 1.0
    dwell_seconds: float | None = None  # mean time at one set point; default 150 intervals
    cycle_seconds: float | None = None  # the "day"; default 1800 intervals

    def sensor_ids(self) -> list[str]:
        """Return the names, in the order of the first axis of all arrays."""
        return [f"pump-{number + 1}" for number in range(self.sensors)]

    def dwell(self) -> float:
        """Return the mean time at one set point, in seconds."""
        return self.dwell_seconds or 150.0 * self.interval_seconds

    def cycle(self) -> float:
        """Return the length of the plant's cycle, in seconds."""
        return self.cycle_seconds or 1800.0 * self.interval_seconds

    def readings(self, start_ms: int, steps: int) -> tuple[Int64Array, Float64Array]:
        """Return times [N] in ms from `start_ms`, one interval apart, and the values [S, N, F] of all sensors."""
        times_ms = start_ms + np.round(np.arange(steps) * self.interval_seconds * 1000.0).astype(np.int64)
        return times_ms, self.values(np.arange(self.sensors), times_ms)

    def values(self, sensors: Int64Array, times_ms: Int64Array, period_factor: float = 1.0) -> Float64Array:
        """Return the values [S, N, F] of `sensors` [S] (positions from 0) at `times_ms` [N].

        `period_factor` multiplies the period of the controller's oscillation; 1 is normal.
        """
        pumps = _Pumps.draw(self.seed, sensors)
        seconds = times_ms / 1000.0  # [N]
        speed, heat = _schedule(self, pumps, seconds)  # [S, N] each
        day = np.sin(2.0 * np.pi * (seconds / self.cycle() + 0.05 * pumps.column(0)))
        valve = self._valve(pumps, seconds, day, period_factor)
        values = np.stack(_physics(pumps, speed, heat, valve, day), axis=-1)  # [S, N, F]
        feature = np.arange(len(FEATURES))
        noise = normal(self.seed, _MEASUREMENT, sensors[:, None, None], times_ms[None, :, None], feature)
        return np.asarray(np.round(values + _NOISE * noise, _DECIMALS))

    def spread(self) -> Float64Array:
        """Return the standard deviation [S, F] of each sensor's features over four cycles: the unit of a fault's size."""
        return _spread(self)

    def _valve(self, pumps: _Pumps, seconds: Float64Array, day: Float64Array, period_factor: float) -> Float64Array:
        """Return the valve opening [S, N]; 1 is open."""
        interval = self.interval_seconds
        period = interval * (10.0 + 6.0 * pumps.column(1)) * period_factor
        hunting = np.sin(2.0 * np.pi * seconds / period)
        knots = seconds / (30.0 * interval)
        left = np.floor(knots).astype(np.int64)
        fraction = knots - left
        sensors = pumps.sensors[:, None]
        ends = [2.0 * uniform(self.seed, _WANDER, sensors, left + offset) - 1.0 for offset in (0, 1)]
        wander = ends[0] + _smooth(fraction) * (ends[1] - ends[0])
        return np.asarray(0.65 + 0.1 * pumps.column(2) + 0.06 * day + 0.06 * wander + 0.035 * hunting)


@lru_cache(maxsize=16)
def _spread(fleet: Fleet) -> Float64Array:
    times_ms = (np.arange(2048) * (fleet.cycle() * 4.0 / 2048.0) * 1000.0).astype(np.int64)
    return np.asarray(fleet.values(np.arange(fleet.sensors), times_ms).std(axis=1))


@dataclass(frozen=True, slots=True)
class _Pumps:
    """Some pumps of a fleet, with their individual parameters."""

    seed: int
    sensors: Int64Array  # [S] positions in the fleet
    parameters: Float64Array  # [S, 12] in [0, 1)

    @classmethod
    def draw(cls, seed: int, sensors: Int64Array) -> _Pumps:
        return cls(seed, sensors, uniform(seed, _PARAMETERS, sensors[:, None], np.arange(12)))

    def column(self, parameter: int) -> Float64Array:
        """Return one parameter as a column [S, 1]."""
        return self.parameters[:, parameter, None]

    def set_points(self) -> Float64Array:
        """Return the speeds [S, 3] of off, low and high."""
        low = 0.62 + 0.08 * self.column(3)
        high = 0.90 + 0.10 * self.column(4)
        return np.concatenate([np.zeros_like(low), low, high], axis=1)


def _schedule(fleet: Fleet, pumps: _Pumps, seconds: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return relative speed and heat [S, N]. A set point holds for one segment; segments vary in length."""
    dwell = fleet.dwell()
    position = seconds / dwell  # [N] in mean segments
    floor = np.floor(position).astype(np.int64)
    first = int(floor.min()) - 2 - _LOOKBACK_SEGMENTS
    segments = np.arange(first, int(floor.max()) + 3)  # [M]
    sensors = pumps.sensors[:, None]
    begins = segments + 0.6 * (uniform(pumps.seed, _SWITCHING, sensors, segments) - 0.5)  # [S, M] in mean segments
    draw = uniform(pumps.seed, _SET_POINT, sensors, segments)
    chosen = (draw >= 0.2).astype(np.int64) + (draw >= 0.6)  # 20 % off, 40 % low, 40 % high
    speeds = np.take_along_axis(pumps.set_points(), chosen, axis=1)  # [S, M]

    row = np.arange(len(pumps.sensors))[:, None]
    at = floor - first  # [N]
    at = at - 1 + (position >= begins[row, at]) + (position >= begins[row, at + 1])  # [S, N] the segment of each time
    since = (position - begins[row, at]) * dwell  # [S, N] seconds since the segment began
    ramp = _smooth(np.clip(since / (_RAMP_INTERVALS * fleet.interval_seconds), 0.0, 1.0))
    speed = speeds[row, at - 1] + ramp * (speeds[row, at] - speeds[row, at - 1])
    lag = 60.0 * fleet.interval_seconds
    load = speeds**2
    heat = load[row, at] + (_heat_at_begin(begins * dwell, load, lag)[row, at] - load[row, at]) * np.exp(-since / lag)
    return speed, heat


def _smooth(progress: Float64Array) -> Float64Array:
    """Interpolate from 0 to 1 with zero slope at both ends (smoothstep)."""
    return progress * progress * (3.0 - 2.0 * progress)


def _heat_at_begin(begins_seconds: Float64Array, load: Float64Array, lag_seconds: float) -> Float64Array:
    """Return the heat [S, M] at the start of each segment: a first-order lag over the segments before it.

    The look-back is a fixed number of segments, so that the result does not depend on where a slice starts.
    """
    heat = np.full_like(load, np.nan)
    count = load.shape[1] - _LOOKBACK_SEGMENTS
    now = load[:, :count]
    for back in range(_LOOKBACK_SEGMENTS):
        segment = slice(back, back + count)
        length = begins_seconds[:, back + 1 : back + 1 + count] - begins_seconds[:, segment]
        now = load[:, segment] + (now - load[:, segment]) * np.exp(-length / lag_seconds)
    heat[:, _LOOKBACK_SEGMENTS:] = now
    return heat


def _physics(
    pumps: _Pumps, speed: Float64Array, heat: Float64Array, valve: Float64Array, day: Float64Array
) -> tuple[Float64Array, ...]:
    """Return the features [S, N] in the order of FEATURES, without noise."""
    static = 0.12 + 0.06 * pumps.column(5)
    excess = speed**2 - static
    driving = 0.5 * (excess + np.sqrt(excess**2 + 0.02**2))  # the check valve opens gradually
    flow = np.sqrt(driving / (0.55 + 0.6 / valve**2)) * np.minimum(speed / 0.2, 1.0)
    pressure = np.maximum(speed**2 - 0.55 * flow**2, static)  # a check valve holds the static head
    ratio = flow / np.maximum(speed, 0.05) / 0.62  # 1 = best efficiency
    efficiency = 0.35 + 0.45 * ratio * (2.0 - ratio)
    current = 1.5 * speed + (26.0 + 6.0 * pumps.column(6)) * flow * pressure / efficiency
    vibration = 0.25 + (1.4 + 0.8 * pumps.column(7)) * speed**2 + 2.0 * speed**2 * (ratio - 1.0) ** 2
    temperature = 19.0 + 6.0 * pumps.column(8) + 2.5 * day + (22.0 + 10.0 * pumps.column(9)) * heat
    return (
        temperature,
        (5.5 + 1.5 * pumps.column(10)) * pressure,
        (45.0 + 15.0 * pumps.column(11)) * flow,
        vibration,
        current,
    )
