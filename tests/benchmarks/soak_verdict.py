"""Evaluates the samples of a soak: trends with their errors, and whether the goals were met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream_detector.readings import Float64Array

#: Goals: memory by its slope, descriptors and threads by their growth, the lag by its trend.
RSS_MB_PER_HOUR = 1.0
#: A lag that grows by less than this share of a second's readings in an hour has no trend that matters.
LAG_SECONDS_PER_HOUR = 0.1
#: A slope counts as one when it is so many standard errors from nothing.
SIGNIFICANT_ERRORS = 3.0
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The measurements of the service at one moment. Megabytes are 10**6 bytes."""

    at_seconds: float  # since the load began
    rss_mb: float
    anonymous_mb: float  # of it, what is the process' own: heap and stacks, without mapped files
    descriptors: float
    threads: float
    cpu_seconds: float  # used by the process so far
    lag: float  # readings produced and not yet committed by the group
    redis_mb: float
    sensors: float  # in memory
    open_incidents: float


@dataclass(frozen=True, slots=True)
class Trend:
    """A straight line through a series, by least squares."""

    per_hour: float
    error: float  # standard error of `per_hour`


@dataclass(frozen=True, slots=True)
class Finding:
    """One series, after the warm-up, compared with its goal."""

    name: str
    minimum: float
    median: float
    maximum: float
    trend: Trend
    goal: str = ""  # none: for information
    is_missed: bool = False


def trend(seconds: Float64Array, values: Float64Array) -> Trend:
    """Fit a line. Neighbouring samples are alike, so they count for fewer than they are (first-order autocorrelation).

    Raises ValueError for fewer than three samples.
    """
    if len(values) < 3:
        msg = f"a trend needs three samples at least, not {len(values)}"
        raise ValueError(msg)
    hours = (seconds - seconds.mean()) / SECONDS_PER_HOUR
    spread = float((hours**2).sum())
    slope = float((hours * values).sum()) / spread
    residuals = values - values.mean() - slope * hours
    squares = float((residuals**2).sum())
    if squares == 0.0:
        return Trend(slope, 0.0)
    alike = min(max(float((residuals[1:] * residuals[:-1]).sum()) / squares, 0.0), 0.99)
    variance = squares / (len(values) - 2) / spread
    return Trend(slope, float(np.sqrt(variance * (1 + alike) / (1 - alike))))


def growth(values: Float64Array) -> float:
    """Return by how much the median of the last quarter exceeds that of the first."""
    quarter = max(1, len(values) // 4)
    return float(np.median(values[-quarter:]) - np.median(values[:quarter]))


def judge(samples: Sequence[Sample], warm_up_seconds: float, readings_per_second: float) -> list[Finding]:
    """Compare the samples after the warm-up with the goals. Raises ValueError if fewer than three are left."""
    steady = [sample for sample in samples if sample.at_seconds >= warm_up_seconds]
    seconds = np.array([sample.at_seconds for sample in steady])

    def finding(name: str, goal: str = "", is_missed: bool = False) -> Finding:
        values = column(steady, name)
        line = trend(seconds, values)
        return Finding(name, float(values.min()), float(np.median(values)), float(values.max()), line, goal, is_missed)

    rss, lag = finding("rss_mb").trend, finding("lag").trend
    most_lag = LAG_SECONDS_PER_HOUR * readings_per_second
    lag_grows = lag.per_hour > max(most_lag, SIGNIFICANT_ERRORS * lag.error)
    return [
        finding("rss_mb", f"slope < {RSS_MB_PER_HOUR:g} MB/h", rss.per_hour >= RSS_MB_PER_HOUR),
        finding("anonymous_mb"),
        *(finding(name, "no growth", growth(column(steady, name)) > 0) for name in ("descriptors", "threads")),
        finding("lag", f"no trend above {most_lag:g}/h and {SIGNIFICANT_ERRORS:g} errors", lag_grows),
        *(finding(name) for name in ("redis_mb", "sensors", "open_incidents")),
    ]


def column(samples: Sequence[Sample], name: str) -> Float64Array:
    """Return one series of the samples."""
    return np.array([getattr(sample, name) for sample in samples], np.float64)


def table(findings: Sequence[Finding]) -> str:
    """Format the findings as a table for a terminal."""
    lines = [f"{'':16}{'min':>10}{'median':>10}{'max':>10}{'slope/h':>12}{'error':>10}  goal"]
    for one in findings:
        verdict = f"{one.goal}: {'MISSED' if one.is_missed else 'met'}" if one.goal else ""
        numbers = f"{one.minimum:10.2f}{one.median:10.2f}{one.maximum:10.2f}{one.trend.per_hour:12.3f}{one.trend.error:10.3f}"
        lines.append(f"{one.name:16}{numbers}  {verdict}".rstrip())
    return "\n".join(lines)
