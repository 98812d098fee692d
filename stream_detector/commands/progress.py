"""What `score` and `evaluate` share: a dataset scored as the stream would, and what is told on stderr meanwhile."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from stream_detector.assembly import TrainedScorer, build_detector
from stream_detector.settings.schema import Settings

if TYPE_CHECKING:
    from stream_detector.evaluation.offline_scoring import ScoredRows
    from stream_detector.tables.dataset import Dataset

_T = TypeVar("_T")


def score_with_progress(scorer: TrainedScorer, dataset: Dataset, settings: Settings) -> ScoredRows:
    """Score all of a dataset, however many sensors it has."""
    from stream_detector.evaluation.offline_scoring import join, score_dataset

    state = settings.state.model_copy(update={"max_sensors": max(1, len(dataset.sensors))})
    detector = build_detector(scorer, state, settings.alerts)
    return join(list(track(score_dataset(detector, dataset), "scoring", None)))


def track(items: Iterable[_T], what: str, total: int | None) -> Iterable[_T]:
    """Show progress on stderr, where it does not mix with output; nothing if that is no terminal."""
    from rich.console import Console
    from rich.progress import track as track_with_bar

    return track_with_bar(items, what, total, console=Console(stderr=True), disable=not os.isatty(2))


def print_to_stderr(text: str) -> None:
    """Tell on stderr."""
    print(text, file=sys.stderr)  # noqa: T201 - the command line prints
