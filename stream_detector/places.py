"""The place of a reading in its partition's log: the offset of its record, and its index in it, as one integer.

The index has the highest bits, so the place of a reading that is alone in its record is the record's offset.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from stream_detector.readings import Int64Array

_OFFSET_BITS = 48
_OFFSETS = (1 << _OFFSET_BITS) - 1
#: The most readings that one record may hold.
MAXIMUM_READINGS = 1 << (63 - _OFFSET_BITS)

_Places = TypeVar("_Places", int, Int64Array)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reading is in its partition."""

    offset: int
    index: int  # in its record


def places_of(offsets: _Places, indices: _Places) -> _Places:
    """Return the places of readings by the offsets of their records and their indices in them, each at least 0."""
    return offsets | (indices << _OFFSET_BITS)


def place_of(place: int) -> Place:
    """Return offset and index of a place; a negative place, which is none, has itself as offset."""
    return Place(place, 0) if place < 0 else Place(place & _OFFSETS, place >> _OFFSET_BITS)


def offsets_of(places: Int64Array) -> Int64Array:
    """Return the offsets [N] of places [N]; those of negative places, which are none, are the same."""
    return np.where(places < 0, places, places & _OFFSETS)


def place_name(topic: str, partition: int, place: int) -> str:
    """Name a place for the identifiers of events: `TOPIC-PARTITION-OFFSET-INDEX`."""
    at = place_of(place)
    return f"{topic}-{partition}-{at.offset}-{at.index}"
