"""Says how far the learning is: in the log, in the metrics and on the readiness page."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from stream_detector.service.collection import Amount, Enough
from stream_detector.service.metrics import Metrics
from stream_detector.service.watchdog import Heartbeat

logger = logging.getLogger(__name__)

#: The same stage is logged at most this often.
LOG_SECONDS = 60.0
COLLECTING, TRAINING, WAITING = "collecting", "training", "waiting"


def _nowhere(_stage: str, _text: str) -> None:
    """Leave nothing."""


@dataclass(slots=True)
class LearningStatus:
    """Used from the thread that learns only; what it sets may be read from any."""

    heartbeat: Heartbeat
    metrics: Metrics
    clock: Callable[[], float]
    leave: Callable[[str, str], None] = _nowhere  # leaves the stage and the sentence for `status`
    _stage: str = ""
    _logged_at: float = 0.0

    def say(self, stage: str, text: str, *, is_of_another: bool = False) -> None:
        """Show the stage and a sentence on it; log it if the stage is another, or a minute has passed.

        What is learned by another replica is left for `status` by that one.
        """
        self.heartbeat.learning = text
        if not is_of_another:
            self.leave(stage, text)
        now = self.clock()
        if stage != self._stage or now - self._logged_at >= LOG_SECONDS:
            logger.info("learning: %s", text, extra={"stage": stage})
            self._logged_at = now
        if stage != self._stage:
            self.metrics.set_only("learning", 1, stage)
        self._stage = stage

    def count(self, amount: Amount, enough: Enough) -> None:
        """Show how much was counted."""
        self.metrics.set("learning_readings", amount.readings)
        self.metrics.set("learning_readings_needed", enough.needed(amount.sensors))

    def attempted(self, outcome: str) -> None:
        """Count a training, by its outcome: promoted, rejected or failed."""
        self.metrics.count("learning_attempts", outcome)

    def end(self) -> None:
        """Say no more: there is a model."""
        self.heartbeat.learning = ""
        if self._stage:
            self.metrics.clear("learning")
        self._stage = ""
