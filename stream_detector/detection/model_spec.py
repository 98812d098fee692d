"""What a model expects and how it names itself; TensorFlow is not needed to know it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The contract between a model and the stream."""

    name: str
    version: str  # derived from the content: equal models have equal versions
    features: tuple[str, ...]
    window_length: int  # T, in readings
    sampling_interval_seconds: float  # median time between two readings of a sensor in training
    members: tuple[str, ...] = ("autoencoder",)  # what the model's errors are of, in their order
