"""Assembles the messages of a span of the input topic into readings, as the stream does, without the sensors' records."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream_detector.readings import BoolArray, Readings
from stream_detector.state.assembling import assemble
from stream_detector.state.bucket_state import Assembly, BucketStates, bucket_dtype, clear_buckets
from stream_detector.timestamps import duration

#: The stream's own window has as many readings, or about: it matters only to clocks that were set back without record times.
_WINDOW_LENGTH = 64


def one_log(parts: Sequence[Readings]) -> Readings:
    """Return the readings of several partitions as those of one, in the order of their records' times."""
    stamps_ms = np.concatenate([part.times_ms if part.stamps_ms is None else part.stamps_ms for part in parts])
    order = np.argsort(stamps_ms, kind="stable")
    sensors = [name for part in parts for name in part.sensors]
    has_later = any(part.later_ms is not None for part in parts)
    later_ms = [np.zeros(len(part), np.int64) if part.later_ms is None else part.later_ms for part in parts]
    has_nulls = any(part.nulls is not None for part in parts)
    nulls = [np.zeros(part.values.shape, np.bool_) if part.nulls is None else part.nulls for part in parts]
    return Readings(
        sensors=[sensors[at] for at in order.tolist()],
        partitions=np.zeros(len(order), np.int32),
        places=np.arange(len(order), dtype=np.int64),
        times_ms=np.concatenate([part.times_ms for part in parts])[order],
        values=np.concatenate([part.values for part in parts])[order],
        stamps_ms=stamps_ms[order],
        later_ms=np.concatenate(later_ms)[order] if has_later else None,
        nulls=np.concatenate(nulls)[order] if has_nulls else None,
    )


class SpanAssembler:
    """The pending buckets of the sensors of a span."""

    def __init__(self, assembly: Assembly, features: int) -> None:
        self._assembly = assembly
        self._slots: dict[tuple[int, str], int] = {}
        self._states = self._new_states(1024, features)
        self._held: list[BoolArray] = []
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
        self._held.append(assembled.is_held)
        return assembled.readings

    def held(self) -> BoolArray:
        """Return which values [N, F] of all readings so far are of an earlier bucket: their features said nothing new."""
        return np.concatenate(self._held)

    def notes(self) -> list[str]:
        """Return sentences on what was assembled."""
        bucket = duration(self._assembly.bucket_ms / 1000.0)
        notes = [f"{self._messages:,} messages were assembled into {self._readings:,} readings, one per {bucket}"]
        if self._late:
            notes.append(f"{self._late:,} of the messages came after the reading of their {bucket} was complete")
        return notes
