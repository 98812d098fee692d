"""Says how the decision followed the sensors of a scored file: what it accepted as normal, and whose limit it raised."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from stream_detector.alert_view import printable
from stream_detector.detection.budget_resolution import PAGE
from stream_detector.detection.event_words import LEAST_MOVE
from stream_detector.evaluation.offline_scoring import ScoredRows
from stream_detector.tables.dataset import Dataset

_NAMED, _CHARACTERS = 3, 40


def adaptation_notes(dataset: Dataset, rows: ScoredRows) -> list[str]:
    """Return a sentence on the incidents that were accepted as the new normal, and one on limits that were raised."""
    notes = []
    if count := len(rows.accepted):
        incidents = "1 incident was" if count == 1 else f"{count:,} incidents were"
        names = _named(dataset.codes[list(rows.accepted)].tolist(), dataset)
        notes.append(f"{incidents} accepted as the new normal, of {names}: what lasts after that is no alarm")
    raised = rows.margin_factor >= 1.0 + LEAST_MOVE if len(rows.margin_factor) else np.zeros(len(dataset), np.bool_)
    if raised.any():
        names, most = _named(np.unique(dataset.codes[raised]).tolist(), dataset), float(rows.margin_factor[raised].max())
        notes.append(f"own alarms raised the limit of {names} for a time, to a margin of {most:.3g} x at most ({PAGE})")
    return notes


def _named(codes: Iterable[int], dataset: Dataset) -> str:
    """Name a few of the sensors, in order of the file."""
    names = [printable(dataset.sensors[code], _CHARACTERS) for code in dict.fromkeys(codes)]
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
