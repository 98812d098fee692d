"""The state in which `score` and `evaluate` judge readings, and rows that were made of tags in the order of a stream."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from stream_detector.detection.model_spec import ModelSpec
from stream_detector.errors import InputDataError, SettingsError
from stream_detector.readings import BoolArray
from stream_detector.state.condition import Condition
from stream_detector.state.idle import OnlyWhile
from stream_detector.tables.dataset import Dataset

if TYPE_CHECKING:
    from stream_detector.assembly import TrainedScorer

    _Scorer = TypeVar("_Scorer", bound=TrainedScorer)


def in_state(scorer: _Scorer, only_while: Condition | None) -> _Scorer:
    """Return a scorer that judges only in this state; None: in that of its training. Raises SettingsError."""
    if only_while is None:
        return scorer
    features = scorer.spec.features
    try:
        OnlyWhile.parse(only_while.text, features, scorer.spec.counters)
    except ValueError as error:
        msg = f"--only-while {error} (features: {', '.join(features)})"
        raise SettingsError(msg) from None
    other = copy(scorer)
    other.spec = replace(scorer.spec, only_while=only_while.text)
    return other


def idle_line(is_idle: BoolArray, spec: ModelSpec) -> str:
    """Say how many rows [N] are idle; empty if there is no state. Raises InputDataError if all are."""
    if not spec.only_while:
        return ""
    if is_idle.all():
        msg = f"--only-while {spec.only_while!r} holds in none of {len(is_idle):,} readings"
        raise InputDataError(msg)
    return f"idle, for {spec.only_while} does not hold: {int(is_idle.sum()):,} of {len(is_idle):,} readings"


def in_row_order(dataset: Dataset) -> Dataset:
    """Return rows that were made of tags in order of time, as the stream would bring them."""
    return dataset.take(np.argsort(dataset.times_ms, kind="stable").astype(np.int64))
