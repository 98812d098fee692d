"""Assembles the messages of a span of the input topic into readings, as the stream does, without the sensors' records."""

from __future__ import annotations

import numpy as np

from stream_detector.readings import Readings
from stream_detector.state.assembling import assemble
from stream_detector.state.bucket_state import Assembly, BucketStates, bucket_dtype, clear_buckets
from stream_detector.timestamps import duration

#: The stream's own window has as many readings, or about: it matters only to clocks that were set back without record times.
_WINDOW_LENGTH = 64


class SpanAssembler:
    """The pending buckets of the sensors of a span."""

    def __init__(self, assembly: Assembly, features: int) -> None:
        self._assembly = assembly
        self._slots: dict[tuple[int, str], int] = {}
        self._states = self._new_states(1024, features)
        self._late = self._messages = self._readings = 0

    @staticmethod
    def _new_states(count: int, features: int) -> BucketStates:
        states = np.zeros(count, bucket_dtype(features))
        clear_buckets(states)
        return states

    def take(self, messages: Readings) -> Readings:
        """Return the readings that the next messages of the span complete, in log order."""
        places = zip(messages.partitions.tolist(), messages.sensors, strict=True)
        slots = np.array([self._slots.setdefault(place, len(self._slots)) for place in places], np.int32)
        while len(self._slots) > len(self._states):
            more = self._new_states(len(self._states), self._states["values"].shape[1])
            self._states = np.concatenate([self._states, more])
        assembled = assemble(self._states, slots, messages, self._assembly, _WINDOW_LENGTH)
        self._late += len(assembled.late.reading)
        self._messages += len(messages)
        self._readings += len(assembled.readings)
        return assembled.readings

    def notes(self) -> list[str]:
        """Return sentences on what was assembled."""
        bucket = duration(self._assembly.bucket_ms / 1000.0)
        notes = [f"{self._messages:,} messages were assembled into {self._readings:,} readings, one per {bucket}"]
        if self._late:
            notes.append(f"{self._late:,} of the messages came after the reading of their {bucket} was complete")
        return notes
