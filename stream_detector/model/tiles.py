"""One function in tiles of several sizes, beside each other in threads: few windows do not cost a large tile.

The same window in a tile of another size may differ in its last bits, by the processor and by how TensorFlow multiplies on
it. So a smaller size is used only if its results were the largest's, bit for bit, on a sample scored before the first window.
Tiles are independent, so they may run in threads; TensorFlow lets go of the interpreter's lock meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stream_detector.model.members import ROWS_OF_KERNELS, Compiled, Tiles
from stream_detector.readings import Float32Array
from stream_detector.state.running_scale import Scales

logger = logging.getLogger(__name__)

#: Windows of the smaller tiles.
SMALLER_ROWS = (ROWS_OF_KERNELS, 2 * ROWS_OF_KERNELS)


class Apply(Protocol):
    """What `map` does, or `map` of a pool of threads, which starts at once."""

    def __call__(self, function: Callable[[Any], Any], items: Iterable[Any], /) -> Iterator[Any]:
        """Return the results in the order of the items."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Windows that are scored in one tile."""

    windows: slice  # at most `rows` of them, and one at least
    rows: int  # of the tile


def cuts(count: int, sizes: Sequence[int], threads: int) -> list[Cut]:
    """Cut `count` windows into tiles of these sizes, ascending, for `threads` threads that each take one tile a round.

    As long as more than a round of the largest is left, a round takes the largest; the last round takes the smallest size that
    all that is left fits in, and its last tile the smallest that holds what is left for it.
    """
    whole_round = threads * sizes[-1]
    begin = max(0, (count - 1) // whole_round) * whole_round
    last = next(rows for rows in sizes if threads * rows >= count - begin)
    return [*_cut(0, begin, sizes[-1:]), *_cut(begin, count, [rows for rows in sizes if rows <= last])]


def _cut(begin: int, end: int, sizes: Sequence[int]) -> Iterator[Cut]:
    for start in range(begin, end, sizes[-1]):
        stop = min(start + sizes[-1], end)
        yield Cut(slice(start, stop), next(rows for rows in sizes if rows >= stop - start))


@dataclass(frozen=True, slots=True)
class Size:
    """A function compiled for tiles of one size."""

    tiles: Tiles
    function: Compiled

    def run(self, windows: Float32Array, scales: Scales) -> list[NDArray[Any]]:
        """See Tiles.run."""
        return self.tiles.run(self.function, windows, scales)


@dataclass(frozen=True, slots=True)
class Tiling:
    """Runs one function over windows [N, T, F] of raw values in tiles of sizes that agree; see agreeing."""

    sizes: tuple[Size, ...]  # ascending
    threads: int = 1  # that `apply` has
    apply: Apply = map

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], list[NDArray[Any]]]:
        """Start what Tiles.run does; to call what is returned is to wait for it."""
        by_rows = {size.tiles.rows: size for size in self.sizes}
        parts = self.apply(
            lambda cut: by_rows[cut.rows].run(windows[cut.windows], scales.take(cut.windows)),
            cuts(len(windows), list(by_rows), self.threads),
        )
        return lambda: [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]


def compile_sizes(largest: Tiles, compile_for: Callable[[Tiles], Compiled]) -> tuple[Size, ...]:
    """Compile a function for tiles of all sizes, and call it in each; return those that agree, ascending."""
    smaller = [Tiles(largest.window_length, largest.features, rows) for rows in SMALLER_ROWS if rows < largest.rows]
    return agreeing([Size(tiles, compile_for(tiles)) for tiles in (*smaller, largest)])


def agreeing(sizes: Sequence[Size]) -> tuple[Size, ...]:
    """Return those of these sizes, ascending, whose results for a sample are the largest's bit for bit; log which are not.

    The sample fills the largest tile, so a window is at another place in each size.
    """
    largest = sizes[-1].tiles
    sample = sample_windows(largest.rows, largest.window_length, largest.features)
    found = [[output.tobytes() for output in size.run(*sample)] for size in sizes]
    if others := [str(size.tiles.rows) for size, bits in zip(sizes, found, strict=True) if bits != found[-1]]:
        logger.info(
            "tiles of %s windows are not used: on this processor their results differ from those of %d in the last bits",
            " and ".join(others),
            largest.rows,
        )
    return tuple(size for size, bits in zip(sizes, found, strict=True) if bits == found[-1])


def sample_windows(count: int, steps: int, features: int) -> tuple[Float32Array, Scales]:
    """Return windows [N, T, F] on scales of many units, always the same ones.

    Some values are far out and a tenth is missing; every other window lacks a whole row, and the last one everything.
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
