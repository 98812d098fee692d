"""Starts a model: compiles it for scoring, or takes what an earlier start compiled."""

from __future__ import annotations

import logging
import os
import platform
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from stream_detector.commands.collector import collector_paused
from stream_detector.errors import InputDataError
from stream_detector.model.artifact import Artifact
from stream_detector.model_store.compiled_programs import prepare, remember
from stream_detector.settings.schema import Settings

if TYPE_CHECKING:
    from stream_detector.adapters.keras_scorer import KerasScorer

logger = logging.getLogger(__name__)

#: TensorFlow reads it once, when it first compiles.
_FLAGS = "TF_XLA_FLAGS"
_KEEP_IN = "--tf_xla_persistent_cache_directory="
_OF_CPUS = "--tf_xla_persistent_cache_device_types=CPU"
_PACKAGES = ("tensorflow", "tensorflow-cpu")


def start_scorer(model: Path | Artifact, settings: Settings, threads: int | None = None) -> KerasScorer:
    """Return a scorer of a model, or of the model in a directory, that is ready to score.

    Without `threads` it has as many as the settings say. Raises ModelError.
    """
    kept_in = _keep_compiled(settings.model.compiled_directory)
    with collector_paused():
        from stream_detector.adapters.keras_scorer import KerasScorer, usual_threads

        scorer = KerasScorer(model, settings.model.tile_rows, threads or settings.model.threads or usual_threads())
    if kept_in is not None:
        with suppress(OSError, InputDataError):  # what is not noted is compiled again
            remember(kept_in)
    return scorer


def _keep_compiled(root: Path | None) -> Path | None:
    """Let TensorFlow keep what it compiles; return where, None if nowhere or where somebody else chose."""
    flags = os.environ.get(_FLAGS, "")
    machine = _machine()
    if root is None or not machine or (_KEEP_IN in flags and str(root.expanduser()) not in flags):
        return None
    try:
        directory = prepare(root.expanduser(), machine, time.time())
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home directory
        logger.info("programs compiled for the model are not kept in %s, so each start compiles again: %s", root, error)
        return None
    if _KEEP_IN not in flags:
        os.environ[_FLAGS] = f"{flags} {_KEEP_IN}{directory} {_OF_CPUS}".strip()
    return directory


def _machine() -> str:
    """Return what compiled programs depend on: the processor and TensorFlow; empty if that cannot be told."""
    versions = []
    for package in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions.append(f"{package} {metadata.version(package)}")
    return " ".join([*versions, platform.machine(), _processor()]) if versions else ""


def _processor() -> str:
    """Return what this processor can do, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.lower().startswith(("flags", "features"))), platform.processor())
