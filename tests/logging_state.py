"""Lets a test set up logging, which is the whole process's."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

LOGGERS = ("", "stream_detector", "kafka")


@contextmanager
def logging_restored() -> Iterator[None]:
    """Put levels and handlers back at the end."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger.level, logger.handlers[:], logger.propagate) for logger in loggers]
    try:
        yield
    finally:
        for logger, (level, handlers, propagate) in zip(loggers, before, strict=True):
            logger.setLevel(level)
            logger.handlers[:], logger.propagate = handlers, propagate
