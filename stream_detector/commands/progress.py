"""Shared by `score` and `evaluate`: score a dataset as the stream would, and report progress on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from stream_detector.assembly import TrainedScorer, build_detector
from stream_detector.settings.schema import Settings

if TYPE_CHECKING:
    from stream_detector.evaluation.offline_scoring import OnEvents, ScoredRows
    from stream_detector.tables.dataset import Dataset

_T = TypeVar("_T")


def score_with_progress(
    scorer: TrainedScorer,
    dataset: Dataset,
    settings: Settings,
    on_events: OnEvents | None = None,
    activity: str = "scoring",
) -> ScoredRows:
    """Score a dataset with a progress bar; `state.max_sensors` of the settings does not limit it."""
    from stream_detector.evaluation.offline_scoring import join, score_dataset

    state = settings.state.model_copy(update={"max_sensors": max(1, len(dataset.sensors))})
    detector = build_detector(scorer, state, settings.alerts, settings.rules)
    return join(list(track(score_dataset(detector, dataset, on_events), activity, None)))


def track(items: Iterable[_T], activity: str, total: int | None) -> Iterable[_T]:
    """Yield the items and show a progress bar on stderr, so stdout stays clean; no bar if stderr is not a terminal."""
    from rich.console import Console
    from rich.progress import track as track_with_bar

    return track_with_bar(items, activity, total, console=Console(stderr=True), disable=not os.isatty(2))


def print_to_stderr(text: str) -> None:
    """Print a line to stderr."""
    print(text, file=sys.stderr)  # noqa: T201 - the command line prints
