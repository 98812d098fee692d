"""Finds the dominant period of a series, which sets the largest label tolerance of VUS-PR."""

from __future__ import annotations

import numpy as np

from stream_detector.readings import Float64Array

#: The window of a series without a clear period.
DEFAULT_WINDOW = 125
_ROWS = 20_000  # only the first rows are used
_SHORTEST, _LONGEST = 6, 303  # rows
_SMALLEST_LAG, _LARGEST_LAG = 3, 400


def vus_window(values: Float64Array) -> int:
    """Return the lag, in rows, of the highest autocorrelation peak of values [N], or DEFAULT_WINDOW if there is none.

    The rule of the TSB-AD benchmark: search lags from 3 to 400, and reject the highest peak if its lag is below 6 or above 303.
    A missing value (NaN) counts as the mean.
    """
    head = values[:_ROWS]
    known = ~np.isnan(head)
    if not known.any():
        return DEFAULT_WINDOW
    deviation = np.where(known, head - head[known].mean(), 0.0)
    if not np.ptp(deviation) > 1e-12 * np.abs(head[known]).max():
        return DEFAULT_WINDOW
    spectrum = np.fft.rfft(deviation, n=2 * len(deviation))
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: len(deviation)][_SMALLEST_LAG : _LARGEST_LAG + 1]
    inner = correlation[1:-1]
    peaks = 1 + np.flatnonzero((inner > correlation[:-2]) & (inner > correlation[2:]))
    if not len(peaks):
        return DEFAULT_WINDOW
    lag = _SMALLEST_LAG + int(peaks[np.argmax(correlation[peaks])])
    return lag if _SHORTEST <= lag <= _LONGEST else DEFAULT_WINDOW
