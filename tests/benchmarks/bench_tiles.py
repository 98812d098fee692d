"""Measures the cost of scoring a batch in the largest tiles alone and in tiles of several sizes, in turns.

    python -m tests.benchmarks.bench_tiles [--calls 50] [--threads 2] [--models DIR]

Prints seconds until either way is compiled and warm, and milliseconds of a call, least / median, elapsed and of CPU.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_detector.readings import Float32Array, Float64Array
from stream_detector.settings.schema import ModelSettings
from stream_detector.state.running_scale import Scales
from tests.benchmarks.performance.models import LARGE, SMALL, trained_model
from tests.benchmarks.performance.processes import in_a_process

if TYPE_CHECKING:
    from stream_detector.model.tiles import Size, Tiling

COUNTS = (1, 20, 100, 180, 400, 1000)
#: Either way is compiled so often: the first compilation of a process takes longer.
STARTS = 2


def measure(directory: Path, threads: int, calls: int) -> None:
    """Print the table of one model."""
    import tensorflow as tf

    from stream_detector.model.tiles import Tiling, sample_windows

    tf.config.threading.set_intra_op_parallelism_threads(1)  # as KerasScorer has it
    print(f"{directory.name}, {threads} threads")
    for _ in range(STARTS):
        sizes = [compiled(directory, alone=True), compiled(directory, alone=False)]
    print(f"{'windows':>7}{'alone: ms':>18}{'ms of CPU':>18}{'several: ms':>18}{'ms of CPU':>18}")
    largest = sizes[0][0].tiles
    with ThreadPoolExecutor(threads) as pool:
        ways = [Tiling(of_a_way, threads, pool.map) for of_a_way in sizes]
        for count in COUNTS:
            batch = sample_windows(count, largest.window_length, largest.features)
            taken = np.array([[timed(way, *batch) for way in ways] for _ in range(calls)]).reshape(calls, -1)
            print(f"{count:7}" + "".join(spread(times) for times in taken.T), flush=True)


def compiled(directory: Path, *, alone: bool) -> tuple[Size, ...]:
    """Return a model's scoring in the largest size alone or in all sizes, compiled and warm; print the compile time."""
    from stream_detector.model.compiled import compile_log_errors
    from stream_detector.model.members import restore_members
    from stream_detector.model.tiles import Size, Tiles, agreeing, agreeing_sizes
    from stream_detector.model_store.model_directory import load_artifact

    artifact = load_artifact(directory)
    members = restore_members(artifact)
    largest = Tiles(artifact.spec.window_length, len(artifact.spec.features), ModelSettings().tile_rows)

    began = time.perf_counter()
    function = compile_log_errors(members, largest, artifact.normalization)
    sizes = agreeing([Size(largest, function)]) if alone else agreeing_sizes(largest, function)
    print(f"tiles of {[size.tiles.rows for size in sizes]}: {time.perf_counter() - began:.2f} s until warm")
    return sizes


def timed(tiling: Tiling, windows: Float32Array, scales: Scales) -> tuple[float, float]:
    """Return the elapsed time and the CPU time of scoring these windows, in milliseconds."""
    began, cpu_began = time.perf_counter(), time.process_time()
    tiling.start(windows, scales)()
    return 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - cpu_began)


def spread(milliseconds: Float64Array) -> str:
    """Write the least and the median."""
    return f"{np.min(milliseconds):8.2f} / {np.median(milliseconds):7.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_tiles", description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=50, help="calls of each size of batch (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="threads that score (default: %(default)s)")
    parser.add_argument("--models", type=Path, metavar="DIR", help="keep the trained models here, and use those that are here")
    options = parser.parse_args()
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # as the command line has it
    with tempfile.TemporaryDirectory(prefix="stream-detector-tiles-") as name:
        for shape in (SMALL, LARGE):
            directory = in_a_process(trained_model, options.models or Path(name), *shape)
            in_a_process(measure, directory, options.threads, options.calls)


if __name__ == "__main__":
    main()
