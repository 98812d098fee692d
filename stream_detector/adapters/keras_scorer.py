"""Finds the errors of windows with a trained model. Implements ports.Scorer; needs TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from stream_detector.detection.calibration import Calibration
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.scorer import WindowErrors
from stream_detector.errors import ModelError
from stream_detector.model.artifact import Artifact
from stream_detector.model.members import (
    ROWS_OF_KERNELS,
    Tiles,
    as_window_errors,
    compile_explanations,
    compile_log_errors,
)
from stream_detector.model.restoring import restore_members
from stream_detector.model.tiles import Tiling, compile_sizes, sample_windows
from stream_detector.model_store.model_directory import load_artifact
from stream_detector.readings import Float32Array
from stream_detector.state.running_scale import Scales

#: More threads than this are used only when asked for: a container may see many processors and be allowed few.
MOST_THREADS = 4


def usual_threads() -> int:
    """Return how many threads suit this process: one per processor it may use, at most MOST_THREADS."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST_THREADS)


class KerasScorer:
    """A model, compiled and warm: the first call takes no longer than the others.

    Windows are scored in tiles of few shapes whose results are the same bits, so a window's result does not depend, bit for
    bit, on what is scored with it. With several threads, tiles are scored beside each other.

    Raises ModelError when the model cannot be read or does not fit together.
    """

    def __init__(self, model: Path | Artifact, tile_rows: int = 256, threads: int = 1) -> None:
        _leave_the_processors_to_the_tiles()
        artifact = model if isinstance(model, Artifact) else load_artifact(model)
        self.spec: ModelSpec = artifact.spec
        self.calibration: Calibration = artifact.calibration
        self.report: Mapping[str, Any] = artifact.report
        self.fallback_deviation: Float32Array = artifact.fleet.deviation
        try:
            members = restore_members(artifact)
        except ValueError as error:
            msg = f"model {artifact.spec.name}: its weights do not fit its architecture ({error}); train the model anew"
            raise ModelError(msg) from None
        shape = self.spec.window_length, len(self.spec.features)
        sizes = compile_sizes(Tiles(*shape, tile_rows), lambda tiles: compile_log_errors(members, tiles, artifact.whitening))
        self._scored = Tiling(sizes, threads, ThreadPoolExecutor(threads, "scoring").map)
        # Few windows of a batch are explained, and that beside the scoring of the next one: in the smallest tiles, here.
        self._explained = Tiles(*shape, ROWS_OF_KERNELS)
        self._explain = compile_explanations(members, self._explained, artifact.whitening)
        self.explain(*sample_windows(1, *shape))

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        """See ports.Scorer."""
        if not len(windows):
            return lambda: np.empty((0, len(self.spec.members)), np.float32)
        scored = self._scored.start(windows, scales)
        return lambda: scored()[0]

    def errors(self, windows: Float32Array, scales: Scales) -> Float32Array:
        """Score windows and wait for their errors; see ports.Scorer.start."""
        return self.start(windows, scales)()

    def explain(self, windows: Float32Array, scales: Scales) -> list[WindowErrors]:
        """See ports.Scorer."""
        return as_window_errors(self._explained.run(self._explain, windows, scales)) if len(windows) else []


def _leave_the_processors_to_the_tiles() -> None:
    """Let each operation run in the thread that asks for it: a tile's are too small to be shared out.

    How an operation is shared out also decides the last bits of its result, so scores do not depend on the processors.
    """
    with suppress(RuntimeError):  # TensorFlow was used before this, and keeps what it had
        tf.config.threading.set_intra_op_parallelism_threads(1)
