"""Starts the built-in model on windows of some features, as `run` does while there is no other model."""

from __future__ import annotations

import logging

from stream_detector.built_in.members import LENGTH
from stream_detector.built_in.scorer import BuiltIn
from stream_detector.settings.schema import Settings
from stream_detector.state.idle import OnlyWhile
from stream_detector.state.record_layout import WindowShape

logger = logging.getLogger(__name__)


def start_built_in(settings: Settings, shape: WindowShape) -> BuiltIn | None:
    """Return the built-in model for these windows; None if the settings want none, or it reads no windows of this length."""
    if not settings.model.built_in or shape.window_length != LENGTH:
        return None
    return BuiltIn(shape, only_while=_state_of(settings, shape))


def _state_of(settings: Settings, shape: WindowShape) -> str:
    """Return the condition of the settings under which machines work; empty if there is none that these features tell."""
    condition = settings.learning.only_while or ""
    try:
        OnlyWhile.parse(condition, shape.features, shape.counters)
    except ValueError as error:
        logger.warning("the built-in model judges machines that stand too: learning.only_while %s", error)
        return ""
    return condition
