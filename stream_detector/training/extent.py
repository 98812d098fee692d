"""How much history a model was trained on, and what that is enough for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stream_detector.gate.promotion import VERDICT_KEY
from stream_detector.model.artifact import Artifact
from stream_detector.tables.dataset import Dataset
from stream_detector.timestamps import duration
from stream_detector.training.data_split import ENOUGH_WINDOWS, enough_seconds

#: A model of less has hardly seen anything; one of more, but less than a day, is for a trial.
TRIAL_SECONDS = 1800.0
#: Longer pauses are no part of a history: one reading of a clock that says 1970 makes no history of decades.
_LONGEST_PAUSE_MS = 30 * 86_400_000
#: A history of this share of another is not plainly shorter.
_ABOUT_AS_LONG = 0.9


@dataclass(frozen=True, slots=True)
class Extent:
    """The extent of a training's data: medians over its sensors."""

    span_seconds: float  # from the first to the last reading, both included
    readings: int
    interval_seconds: float
    window_length: int

    @property
    def enough_seconds(self) -> float:
        """The span from which the history is called enough: a day, or more where readings are rare."""
        return enough_seconds(self.window_length, self.interval_seconds)

    @property
    def is_far_too_short(self) -> bool:
        """Whether a model hardly learns anything from it: not enough for a trial."""
        return self.readings < ENOUGH_WINDOWS * self.window_length or self.span_seconds < TRIAL_SECONDS

    @property
    def is_short(self) -> bool:
        """Whether the history is shorter than that, or has too few readings."""
        return self.span_seconds < 0.99 * self.enough_seconds or self.is_far_too_short

    def why_less_than(self, other: Extent) -> str | None:
        """Say why a model of this history must not take the place of one of the other, as the end of a sentence; or None."""
        if not self.is_short or (other.is_short and not self._is_plainly_less_than(other)):
            return None
        what = "too little history" if self.is_far_too_short else "history for a trial only"
        ours, enough, theirs = (duration(one) for one in (self.span_seconds, self.enough_seconds, other.span_seconds))
        return f"is trained on {what}: {ours} (enough is {enough}; the model there has {theirs})"

    def _is_plainly_less_than(self, other: Extent) -> bool:
        if not self.is_far_too_short:
            return False
        return not other.is_far_too_short or self.span_seconds < _ABOUT_AS_LONG * other.span_seconds

    def as_json(self) -> dict[str, Any]:
        """Return the figures for the training report."""
        return asdict(self) | {"is_short": self.is_short, "is_far_too_short": self.is_far_too_short}


def extent_of(dataset: Dataset, interval_seconds: float, window_length: int) -> Extent:
    """Measure a cleaned dataset."""
    codes = np.arange(len(dataset.sensors))
    first, last = np.searchsorted(dataset.codes, codes), np.searchsorted(dataset.codes, codes, side="right") - 1
    steps_ms = np.diff(dataset.times_ms, prepend=dataset.times_ms[0])
    steps_ms[first] = 0  # from another sensor
    spans = np.add.reduceat(np.where(steps_ms > _LONGEST_PAUSE_MS, 0, steps_ms), first) / 1000.0 + interval_seconds
    return Extent(float(np.median(spans)), int(np.median(last - first + 1)), interval_seconds, window_length)


def extent_of_model(artifact: Artifact) -> Extent | None:
    """Return the extent of a model's training by its report: by the verdict, else by its data; None if neither is there."""
    interval_seconds, window_length = artifact.spec.sampling_interval_seconds, artifact.spec.window_length
    found = _of_verdict(artifact.report) or _of_data(artifact.report, interval_seconds)
    return None if found is None else Extent(*found, interval_seconds, window_length)


def _of_verdict(report: Mapping[str, Any]) -> tuple[float, int] | None:
    try:
        history = report[VERDICT_KEY]["history"]
        return float(history["span_seconds"]), int(history["readings"])
    except (KeyError, TypeError, ValueError):
        return None


def _of_data(report: Mapping[str, Any], interval_seconds: float) -> tuple[float, int] | None:
    """Return the extent of all sensors together: a report without a verdict has none of each sensor."""
    try:
        data = report["data"]
        span_seconds = (int(data["last_time_ms"]) - int(data["first_time_ms"])) / 1000.0 + interval_seconds
        return span_seconds, int(data["readings"]) // max(int(data["sensors"]), 1)
    except (KeyError, TypeError, ValueError):
        return None
