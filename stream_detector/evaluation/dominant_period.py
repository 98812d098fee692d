"""The length of a series' rhythm, which is the largest label tolerance of VUS-PR."""

from __future__ import annotations

import numpy as np

from stream_detector.readings import Float64Array

#: The window of a series without a clear rhythm.
DEFAULT_WINDOW = 125
_ROWS = 20_000  # looked at, from the first on
_SHORTEST, _LONGEST = 6, 303  # rows
_SMALLEST_LAG, _LARGEST_LAG = 3, 400


def vus_window(values: Float64Array) -> int:
    """Return the lag, in rows, at which the autocorrelation of values [N] has its highest peak; DEFAULT_WINDOW without one.

    The rule of the TSB-AD benchmark: lags from 3 to 400 are looked at, and a highest peak before 6 or after 303 is none.
    A missing value (NaN) is taken for the mean.
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
