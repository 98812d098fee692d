"""Leaves in Redis how far the learning of `run` is, so that `status` can say it without asking the service."""

from __future__ import annotations

import logging
import time

from stream_detector.adapters.redis.store import RedisStore
from stream_detector.errors import StoreUnavailableError
from stream_detector.inspection.learning_words import KEPT_SECONDS, LearningWords, written_words
from stream_detector.settings.schema import Settings

logger = logging.getLogger(__name__)

_AT_ONCE = 0.001


class LearningLeft:
    """Called with a stage and a sentence; without a stage it takes back what it left. Blocks as long as Redis may take.

    It has a client of its own, because the thread that learns must not wait for the loop. What Redis refuses is not said
    elsewhere than in a log of the level debug: the store itself tells when Redis is away.
    """

    def __init__(self, settings: Settings) -> None:
        """Connect at the first call."""
        self._store = RedisStore(settings.redis, settings.kafka.group_id, settings.kafka.input_topic, is_reader=True)

    def __call__(self, stage: str, text: str) -> None:
        """Leave the sentence."""
        words = written_words(LearningWords(time.time_ns() // 1_000_000, stage, text)) if stage else b""
        try:
            self._store.leave_learning(words, KEPT_SECONDS if stage else _AT_ONCE)
        except StoreUnavailableError as error:
            logger.debug("how far the learning is could not be left in Redis: %s", error)

    def close(self) -> None:
        """Release the connection. Idempotent."""
        self._store.close()
