"""Runs a compiled function over any number of windows in tiles of a few fixed sizes, several at a time in threads.

The score of a window may differ in its last bits between batches of different shapes, depending on the processor and on how
TensorFlow multiplies there. So every forward pass has the shape of a tile, and a short tile is padded: a window's result does
not depend on the other windows. Smaller tiles save work for few windows, but are used only if their results equal the largest
tile's bit for bit on a sample, scored before the first window. Tiles are independent, so they may run in threads; TensorFlow
releases the interpreter lock while it computes. Does not know what the function computes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stream_detector.model.input_scaling import fill
from stream_detector.model.missing_features import Imputation
from stream_detector.model.tensor_types import Tensor
from stream_detector.readings import Float32Array
from stream_detector.state.running_scale import Scales

logger = logging.getLogger(__name__)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Refuse TensorFlow's warning of repeated tracing: each model is compiled for itself, so the same code is traced again."""
    return "tf.function retracing" not in record.getMessage()


tf.get_logger().addFilter(_is_worth_a_line)

#: The number of windows in a tile is a multiple of this. Depending on the processor, matrix products take 4, 6, 8, 12, 16, 24
#: or 48 rows at a time; the remainder is computed by another kernel, whose results differ in their last bits.
KERNEL_ROWS = 48
#: Windows of the smaller tiles.
SMALLER_ROWS = (KERNEL_ROWS, 2 * KERNEL_ROWS)

#: A function of (filled windows, present) [rows, T, F] and (location, deviation) [rows, F] to a tuple of tensors [rows, ...].
Compiled = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, ...]]


class Apply(Protocol):
    """Applies a function to items, as `map` does, or `map` of a thread pool, which starts at once."""

    def __call__(self, function: Callable[[Any], Any], items: Iterable[Any], /) -> Iterator[Any]:
        """Return the results in the order of the items."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """Runs compiled functions over windows [N, T, F] of raw values, one tile after the other."""

    window_length: int
    features: int
    most_rows: int
    imputation: Imputation | None = None  # None: a missing value repeats the last one

    @property
    def rows(self) -> int:
        """Windows per tile: `most_rows` rounded down to a multiple of KERNEL_ROWS, at least KERNEL_ROWS."""
        return max(1, self.most_rows // KERNEL_ROWS) * KERNEL_ROWS

    def compile(self, function: Compiled) -> Compiled:
        """Trace a function once, for tiles of any number of rows; the first call with each number compiles it for that."""
        shape, scales = (None, self.window_length, self.features), (None, self.features)
        signature = [tf.TensorSpec(shape, tf.float32), tf.TensorSpec(shape, tf.bool)] + 2 * [tf.TensorSpec(scales, tf.float32)]
        # No branch or loop depends on a tensor, so AutoGraph would only slow the start.
        compiled: Compiled = tf.function(function, input_signature=signature, autograph=False).get_concrete_function()
        return compiled

    def run(self, function: Compiled, windows: Float32Array, scales: Scales) -> list[NDArray[Any]]:
        """Apply a compiled function that returns a tuple of [rows, ...]; return its outputs as arrays [N, ...], N > 0."""
        chunks = (slice(start, start + self.rows) for start in range(0, len(windows), self.rows))
        parts = [self._run_tile(function, windows[chunk], scales.take(chunk)) for chunk in chunks]
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def _run_tile(self, function: Compiled, windows: Float32Array, scales: Scales) -> tuple[NDArray[Any], ...]:
        count = len(windows)
        padding = self.rows - count
        location, deviation = _pad(scales.location, padding, 0.0), _pad(scales.deviation, padding, 1.0)
        padded = _pad(windows, padding, 0.0)
        scale = Scales(location, deviation)
        filled = self.imputation.fill(padded, scale) if self.imputation else fill(padded, location)
        outputs = function(*filled, location, deviation)
        return tuple(output.numpy()[:count] for output in outputs)


@dataclass(frozen=True, slots=True)
class Cut:
    """Windows that are scored in one tile."""

    windows: slice  # of at least one and at most `rows` windows
    rows: int  # of the tile


def cuts(count: int, sizes: Sequence[int], threads: int) -> list[Cut]:
    """Cut `count` windows into tiles of these sizes, ascending, for `threads` threads that each take one tile per round.

    All rounds but the last use the largest size. The last round uses the smallest size that fits all remaining windows, and its
    last tile the smallest that fits the remainder.
    """
    round_windows = threads * sizes[-1]
    begin = max(0, (count - 1) // round_windows) * round_windows
    last = next(rows for rows in sizes if threads * rows >= count - begin)
    return [*_cut(0, begin, sizes[-1:]), *_cut(begin, count, [rows for rows in sizes if rows <= last])]


@dataclass(frozen=True, slots=True)
class Size:
    """A compiled function, and tiles of one size to run it in."""

    tiles: Tiles
    function: Compiled

    def run(self, windows: Float32Array, scales: Scales) -> list[NDArray[Any]]:
        """See Tiles.run."""
        return self.tiles.run(self.function, windows, scales)


@dataclass(frozen=True, slots=True)
class Tiling:
    """Runs one function over windows [N, T, F] of raw values in tiles of sizes that agree bit for bit (see `agreeing`)."""

    sizes: tuple[Size, ...]  # ascending
    threads: int = 1  # of `apply`
    apply: Apply = map

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], list[NDArray[Any]]]:
        """Start scoring the windows, and return a callable that waits for the outputs, as Tiles.run returns them."""
        by_rows = {size.tiles.rows: size for size in self.sizes}
        parts = self.apply(
            lambda cut: by_rows[cut.rows].run(windows[cut.windows], scales.take(cut.windows)),
            cuts(len(windows), list(by_rows), self.threads),
        )
        return lambda: [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]


def agreeing_sizes(largest: Tiles, function: Compiled, apply: Apply = map) -> tuple[Size, ...]:
    """Run a compiled function once in tiles of each size, by `apply`; return the sizes that agree, ascending."""
    smaller = [replace(largest, most_rows=rows) for rows in SMALLER_ROWS if rows < largest.rows]
    return agreeing([Size(tiles, function) for tiles in (*smaller, largest)], apply)


def agreeing(sizes: Sequence[Size], apply: Apply = map) -> tuple[Size, ...]:
    """Return the sizes, ascending, whose results on a sample equal the largest's bit for bit; log the others.

    The sample fills the largest tile, so a window is at a different position in each size.
    """
    largest = sizes[-1].tiles
    sample = sample_windows(largest.rows, largest.window_length, largest.features)
    found = list(apply(lambda size: [output.tobytes() for output in size.run(*sample)], sizes))
    if others := [str(size.tiles.rows) for size, bits in zip(sizes, found, strict=True) if bits != found[-1]]:
        logger.info(
            "tiles of %s windows are not used: on this processor their results differ from those of %d in the last bits",
            " and ".join(others),
            largest.rows,
        )
    return tuple(size for size, bits in zip(sizes, found, strict=True) if bits == found[-1])


def sample_windows(count: int, steps: int, features: int) -> tuple[Float32Array, Scales]:
    """Return windows [N, T, F] on scales of very different units, the same ones in every call.

    Some values are extreme and a tenth is missing; every other window misses an entire row, and the last one all values.
    """
    random = np.random.default_rng(0)
    scales = Scales(
        random.normal(0.0, 100.0, (count, features)).astype(np.float32),
        random.lognormal(0.0, 2.0, (count, features)).astype(np.float32),
    )
    scaled = random.standard_t(2.0, (count, steps, features)).astype(np.float32)
    windows = scales.location[:, np.newaxis] + scales.deviation[:, np.newaxis] * scaled
    windows[random.random(windows.shape) < 0.1] = np.nan
    windows[::2, steps // 2] = np.nan
    windows[-1] = np.nan
    return windows, scales


def _cut(begin: int, end: int, sizes: Sequence[int]) -> Iterator[Cut]:
    for start in range(begin, end, sizes[-1]):
        stop = min(start + sizes[-1], end)
        yield Cut(slice(start, stop), next(rows for rows in sizes if rows >= stop - start))


def _pad(array: Float32Array, rows: int, value: float) -> Float32Array:
    return np.concatenate([array, np.full((rows, *array.shape[1:]), value, np.float32)]) if rows else array
