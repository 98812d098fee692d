"""Goes on with a model once there is one, in a service that runs without one of the plant's own.

A successor has a model, which a thread loads while the loop goes on, or more features. It takes over between two batches, once
every partition is restored and stored: the partitions are then restored in it, as after a restart. So nothing is lost, and an
open incident stays open.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.errors import StreamDetectorError
from stream_detector.pipeline.pipeline import Pipeline
from stream_detector.service.metrics import Metrics

logger = logging.getLogger(__name__)

#: Features that the rules do not know yet are looked for at most this often.
_LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Successor:
    """What takes over: the pipeline on the same connections, which has no partitions yet, and its decision rules."""

    pipeline: Pipeline
    rules: DecisionRules
    reread: Callable[[], DecisionRules]
    begin: Callable[[], None]  # says that it has taken over


class Settled(Protocol):
    """The part of the pipeline that is asked before it is replaced."""

    def settle(self) -> bool:
        """Commit and persist; return whether every partition is restored, and stored up to its committed position."""
        ...


Builder = Callable[[], Successor]


class ModelArrival:
    """Prepares a successor on request, or when features arrive that the rules do not know, and hands it over."""

    def __init__(
        self,
        load: Callable[[], Builder | None],
        widen: Callable[[], Builder | None],
        executor: ThreadPoolExecutor,
        clock: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        """`load` runs in the executor and returns how to build a successor with a model, or None if there is none.

        `widen` runs in the loop and returns how to build one with the features that arrived since, or None without any.
        Both may raise StreamDetectorError; then the service goes on as it is.
        """
        self._load, self._widen = load, widen
        self._executor = executor
        self._clock = clock
        self._metrics = metrics
        self._is_requested = False
        self._loading: Future[Builder | None] | None = None
        self._build: Builder | None = None
        self._next_look = clock()

    def request(self) -> None:
        """Look for a model after the current batch."""
        self._is_requested = True

    def between_batches(self, pipeline: Settled) -> Successor | None:
        """Return the successor if there is one and the pipeline is settled."""
        try:
            self._prepare()
            if self._build is not None and pipeline.settle():
                build, self._build = self._build, None
                return build()
        except StreamDetectorError as error:
            self._metrics.count("reloads", "failed")
            logger.error("what watches goes on as it is: %s", "; ".join(str(error).splitlines()))
        return None

    def _prepare(self) -> None:
        if self._loading is not None and self._loading.done():
            loading, self._loading = self._loading, None
            self._build = loading.result() or self._build
        if self._loading is not None or self._build is not None:
            return
        if self._is_requested:
            self._is_requested = False
            self._loading = self._executor.submit(self._load)
        elif self._clock() >= self._next_look:
            self._next_look = self._clock() + _LOOK_SECONDS
            self._build = self._widen()
