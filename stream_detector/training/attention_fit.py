"""Measures what the network usually attends to: for each sensor the mean over healthy windows that nothing was fitted on."""

from __future__ import annotations

import numpy as np

from stream_detector.model.masked_autoencoder import MaskedAutoencoder, Windows
from stream_detector.model.tensor_types import Tensor
from stream_detector.model.tiles import Tiles
from stream_detector.readings import Float32Array, Int64Array
from stream_detector.training.data_split import timed_windows
from stream_detector.training.preparation import Prepared

#: Windows of a sensor, and of all sensors together; of a large fleet fewer each, but at least so many.
MOST_WINDOWS, MOST_OF_ALL, LEAST_WINDOWS = 32, 4_096, 4


def fit_usual_attention(
    autoencoder: MaskedAutoencoder, tiles: Tiles, prepared: Prepared, ends: Int64Array, sensors: tuple[str, ...]
) -> Float32Array:
    """Return the mean attention [S, T] of these S sensors over some of the windows that end at these rows [W], ordered.

    Each sensor must have a window. Half precision holds the result.
    """
    codes = prepared.dataset.codes[ends]
    code_of = {sensor: code for code, sensor in enumerate(prepared.dataset.sensors)}
    known = np.array([code_of[sensor] for sensor in sensors], np.int64)
    most = max(LEAST_WINDOWS, min(MOST_WINDOWS, MOST_OF_ALL // len(sensors)))
    first, last = np.searchsorted(codes, known), np.searchsorted(codes, known, side="right")
    chosen = [
        ends[np.unique(np.linspace(begin, end - 1, min(most, end - begin)).astype(np.int64))]
        for begin, end in zip(first.tolist(), last.tolist(), strict=True)
    ]

    def attend(filled: Tensor, present: Tensor, location: Tensor, deviation: Tensor) -> tuple[Tensor]:
        return (autoencoder.expect(Windows.of(filled, present, location, deviation))[2],)

    rows, compiled = np.concatenate(chosen), tiles.compile(attend)
    found: list[Float32Array] = []
    for start in range(0, len(rows), 16 * tiles.rows):
        of_chunk = rows[start : start + 16 * tiles.rows]
        windows = timed_windows(prepared.dataset, of_chunk, tiles.window_length)
        found += tiles.run(compiled, windows, prepared.scales.of(prepared.dataset.codes[of_chunk]))
    begins = np.cumsum([0, *(len(one) for one in chosen)])[:-1]
    counts = np.array([len(one) for one in chosen], np.float32)
    means = np.add.reduceat(np.concatenate(found), begins, axis=0) / counts[:, np.newaxis]
    return np.asarray(means.astype(np.float16), np.float32)
