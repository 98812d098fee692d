"""Series of one signal of every kind that we could think of, from which the built-in model learns what is usual at all.

A series is a sum of one to three processes, with noise, seen through an instrument:

    processes    smooth (random Fourier features of a normal kernel), periodic of five shapes, autoregressive, levels that
                 switch, bursts that decay
    noise        normal or Laplace, of a strength that may follow the signal or a slow process
    instrument   logarithmic or cut-off scales, counts, coarse steps, values held for some readings, missing values

Series are a pure function of (seed, number). They hold no faults.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter

from stream_detector.readings import Float64Array

#: Components of a smooth process.
_COMPONENTS = 24
_MISSING_SHARE = 0.05

Process = Callable[[np.random.Generator, int], Float64Array]


def random_series(seed: int, number: int, length: int) -> Float64Array:
    """Return the values [N] of a series; NaN is missing."""
    rng = np.random.default_rng([seed, number])
    parts = [_unit(_process(rng)(rng, length)) * _log_uniform(rng, 0.2, 1.0) for _ in range(rng.integers(1, 4))]
    signal = _unit(np.sum(parts, axis=0))
    return _through_instrument(rng, signal + _noise(rng, signal))


def _process(rng: np.random.Generator) -> Process:
    processes: tuple[Process, ...] = (_smooth, _periodic, _autoregressive, _switching, _bursts)
    return processes[rng.choice(len(processes), p=(0.25, 0.35, 0.15, 0.15, 0.1))]


def _smooth(rng: np.random.Generator, length: int) -> Float64Array:
    frequencies = rng.normal(0.0, 1.0 / _log_uniform(rng, 4.0, 400.0), _COMPONENTS)
    waves = np.cos(np.arange(length)[:, np.newaxis] * frequencies + rng.uniform(0.0, 2.0 * np.pi, _COMPONENTS))
    return np.asarray(waves @ rng.normal(size=_COMPONENTS) * np.sqrt(2.0 / _COMPONENTS))


def _periodic(rng: np.random.Generator, length: int) -> Float64Array:
    period = _log_uniform(rng, 6.0, 600.0)
    phase = np.arange(length) / period + rng.uniform()
    if rng.random() < 0.3:
        phase = phase + np.cumsum(rng.normal(0.0, 0.02 / np.sqrt(period), length))
    shape = _shape(rng, phase, phase % 1.0)
    return shape * (1.0 + rng.uniform(0.0, 0.4) * _smooth(rng, length)) if rng.random() < 0.4 else shape


def _shape(rng: np.random.Generator, phase: Float64Array, part: Float64Array) -> Float64Array:
    """Return one of five shapes at these phases [N], whose fractions are `part`."""
    kind = rng.integers(5)
    if kind == 0:
        return np.asarray(np.sin(2.0 * np.pi * phase))
    if kind == 1:
        harmonics = np.arange(1, rng.integers(2, 8))
        waves = np.sin(2.0 * np.pi * phase[:, np.newaxis] * harmonics + rng.uniform(0.0, 2.0 * np.pi, len(harmonics)))
        return np.asarray(waves @ (rng.normal(size=len(harmonics)) / harmonics))
    if kind == 2:
        return np.where(part < rng.uniform(0.05, 0.95), 1.0, -1.0)
    if kind == 3:
        return 2.0 * part - 1.0 if rng.random() < 0.5 else 2.0 * np.abs(2.0 * part - 1.0) - 1.0
    return np.asarray(np.exp(-0.5 * np.square((part - rng.uniform(0.2, 0.8)) / rng.uniform(0.01, 0.1))))


def _autoregressive(rng: np.random.Generator, length: int) -> Float64Array:
    shocks = rng.normal(size=length) if rng.random() < 0.7 else rng.standard_t(3.0, length)
    if rng.random() < 0.6:
        return np.asarray(lfilter([1.0], [1.0, -rng.uniform(0.3, 0.995)], shocks))
    radius, angle = rng.uniform(0.7, 0.99), 2.0 * np.pi / _log_uniform(rng, 4.0, 100.0)
    return np.asarray(lfilter([1.0], [1.0, -2.0 * radius * np.cos(angle), radius * radius], shocks))


def _switching(rng: np.random.Generator, length: int) -> Float64Array:
    levels, dwell = rng.normal(size=rng.integers(2, 5)), _log_uniform(rng, 20.0, 500.0)
    values, start = np.empty(length), 0
    while start < length:
        stop = start + max(3, int(rng.exponential(dwell)))
        values[start:stop] = rng.choice(levels)
        start = stop
    if rng.random() < 0.4:
        return values
    memory = np.exp(-1.0 / _log_uniform(rng, 1.0, 20.0))
    return np.asarray(lfilter([1.0 - memory], [1.0, -memory], values - values[0]) + values[0])


def _bursts(rng: np.random.Generator, length: int) -> Float64Array:
    starts = (rng.random(length) < 1.0 / _log_uniform(rng, 15.0, 300.0)) * rng.lognormal(0.0, 0.7, length)
    return np.asarray(lfilter([1.0], [1.0, -np.exp(-1.0 / _log_uniform(rng, 0.3, 15.0))], starts))


def _noise(rng: np.random.Generator, signal: Float64Array) -> Float64Array:
    strength, length = _log_uniform(rng, 0.003, 1.5), len(signal)
    noise = rng.normal(size=length) if rng.random() < 0.6 else rng.laplace(size=length) / np.sqrt(2.0)
    if rng.random() < 0.3:
        noise = noise * np.exp(0.8 * _smooth(rng, length))
    if rng.random() < 0.15:
        noise = noise * np.exp(0.5 * np.clip(signal, -3.0, 3.0))
    return strength * noise


def _through_instrument(rng: np.random.Generator, values: Float64Array) -> Float64Array:
    kind = rng.random()
    if kind < 0.15:
        values = np.exp(rng.uniform(0.2, 0.9) * values)
    elif kind < 0.25:
        values = np.maximum(values, np.quantile(values, rng.uniform(0.05, 0.6)))
    elif kind < 0.32:
        values = np.clip(values, *np.quantile(values, [rng.uniform(0.0, 0.2), rng.uniform(0.8, 1.0)]))
    elif kind < 0.4:
        values = rng.poisson(np.exp(0.7 * values + rng.uniform(-1.0, 4.0)).clip(0.0, 1e5)).astype(np.float64)
    if rng.random() < 0.25:
        step = max(float(values.std()), 1e-6) * _log_uniform(rng, 0.02, 0.7)
        values = np.round(values / step) * step
    if rng.random() < 0.08:
        held = int(rng.integers(2, 8))
        values = values[np.arange(len(values)) // held * held]
    values = _unit(values)
    if rng.random() < 0.1:
        values[rng.random(len(values)) < _MISSING_SHARE] = np.nan
    return values


def _unit(values: Float64Array) -> Float64Array:
    """Return values [N] with mean 0 and deviation 1; 0 if they do not vary."""
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-6))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
