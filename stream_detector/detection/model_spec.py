"""A model's name and version, and its requirements on the stream. Needs no TensorFlow."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from stream_detector.values import NO_MISSING_VALUES, MissingValues


def tag_of(version: str) -> int:
    """Return the number by which sensor records identify the model of a version; 0 means none."""
    return zlib.crc32(version.encode()) or 1


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The contract between a model and the stream."""

    name: str
    version: str  # hash of the content: equal models have equal versions
    features: tuple[str, ...]
    window_length: int  # T, in readings
    sampling_interval_seconds: float  # median time between two readings of a sensor in training
    members: tuple[str, ...] = ("autoencoder",)  # the columns of the model's errors, in order
    missing_values: MissingValues = NO_MISSING_VALUES  # words and numbers that meant missing in training, beside the usual
    counters: tuple[str, ...] = ()  # features whose windows hold how fast they rise, in the features' order
    only_while: str = ""  # the condition on features in which it learned, and outside of which a sensor is idle; empty: none

    @property
    def titles(self) -> tuple[str, ...]:
        """What windows hold, for pictures."""
        return tuple(f"{name}, rise per hour" if name in self.counters else name for name in self.features)

    @property
    def counter_positions(self) -> tuple[int, ...]:
        """Where the counters are among the features."""
        return tuple(self.features.index(name) for name in self.counters)
