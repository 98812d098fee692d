"""Scores windows with a trained model. Implements detection.scorer.Scorer; needs TensorFlow."""

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
from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.detection.scorer import WindowErrors
from stream_detector.errors import ModelError
from stream_detector.model.artifact import Artifact
from stream_detector.model.compiled import as_window_errors, compile_explanations, compile_log_errors
from stream_detector.model.members import restore_members
from stream_detector.model.missing_features import Imputation
from stream_detector.model.network_reading import NetworkReading
from stream_detector.model.tiles import KERNEL_ROWS, Tiles, Tiling, agreeing_sizes, sample_windows
from stream_detector.model_store.model_directory import load_artifact
from stream_detector.model_store.validation import AUTOENCODER
from stream_detector.readings import Float32Array
from stream_detector.state.running_scale import Scales

#: Default upper limit of threads: a container may see many processors but be allowed to use only a few.
MOST_THREADS = 4


def usual_threads() -> int:
    """Return the default number of threads: one per processor that this process may use, at most MOST_THREADS."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST_THREADS)


class KerasScorer:
    """A model, compiled and warmed up: the first call takes no longer than later ones.

    Windows are scored in tiles of a few shapes that give the same bits, so a window's result does not depend, bit for bit, on
    which windows are scored with it. With several threads, tiles are scored in parallel.

    Raises ModelError if the model cannot be read or compiled, or its parts do not fit each other.
    """

    def __init__(self, model: Path | Artifact, tile_rows: int = 256, threads: int = 1) -> None:
        _limit_operations_to_one_thread()
        artifact = model if isinstance(model, Artifact) else load_artifact(model)
        self.spec: ModelSpec = artifact.spec
        self.calibration: Calibration = artifact.calibration
        self.healthy: HealthyData = artifact.healthy
        self.report: Mapping[str, Any] = artifact.report
        self.fallback_deviation: Float32Array = artifact.fleet.deviation
        try:
            members = restore_members(artifact)
        except ValueError as error:
            msg = f"model {artifact.spec.name}: its weights do not fit its architecture ({error}); train the model again"
            raise ModelError(msg) from None
        shape = self.spec.window_length, len(self.spec.features)
        normalization = artifact.normalization
        imputation, self._missing_levels = Imputation(artifact.row_moments), artifact.missing_levels
        # Few windows of a batch are explained, while the next batch is scored: the smallest tiles, in the calling thread.
        self._explained = Tiles(*shape, KERNEL_ROWS, imputation)
        #: Shows what the network reads; None if it is no member of the model.
        self.network = NetworkReading(members.autoencoder, imputation) if AUTOENCODER in self.spec.members else None
        largest, pool = Tiles(*shape, tile_rows, imputation), ThreadPoolExecutor(threads, "scoring")
        try:
            # Traced one after the other and before any runs: what TensorFlow keeps of a function has the number of its trace.
            log_errors = compile_log_errors(members, largest, normalization)
            self._explain = compile_explanations(members, self._explained, normalization)
            sizes = agreeing_sizes(largest, log_errors, pool.map)
            self.explain(*sample_windows(1, *shape))
        except tf.errors.OpError as error:
            msg = f"model {artifact.spec.name}: TensorFlow cannot compile it: {str(error).splitlines()[0]}"
            raise ModelError(msg) from None
        self._scored = Tiling(sizes, threads, pool.map)

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        """See detection.scorer.Scorer."""
        if not len(windows):
            return lambda: np.empty((0, len(self.spec.members)), np.float32)
        scored = self._scored.start(windows, scales)
        return lambda: self._missing_levels.correct(scored()[0], windows)

    def errors(self, windows: Float32Array, scales: Scales) -> Float32Array:
        """Score windows and wait for their errors; see detection.scorer.Scorer.start."""
        return self.start(windows, scales)()

    def explain(self, windows: Float32Array, scales: Scales) -> list[WindowErrors]:
        """See detection.scorer.Scorer."""
        return as_window_errors(self._explained.run(self._explain, windows, scales)) if len(windows) else []


def _limit_operations_to_one_thread() -> None:
    """Run each operation in the thread that calls it: a tile's operations are too small to be split among threads.

    How an operation is split also decides the last bits of its result, so scores do not depend on the number of processors.
    """
    with suppress(RuntimeError):  # TensorFlow was used before this and keeps its setting
        tf.config.threading.set_intra_op_parallelism_threads(1)
