"""What is stored of a record: as it is in memory, or compact.

What is stored begins with a byte that says of what form it is. PLAIN is followed by the record as it is in memory. Any other
form is that of a compact record: a head, then what few sensors have, then the ring of rows:

    head | filled, of a window that is not full | incident | moments
         | steps to the rows' times from those of the rows before [T] | values [T, F]

Steps and values are whole numbers above the least of them. The form says which of the parts there are, and in how many bytes
the numbers are; compact records of one form have the same length. See encode.py and decode.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stream_detector.readings import Int32Array
from stream_detector.state.windows import INCIDENT, Records

#: The form of a record as it is in memory.
PLAIN = 0xFF
#: The parts of any other form: flags, and two widths in bytes between them.
HAS_INCIDENT, HAS_MOMENTS, STEP_SHIFT, VALUE_SHIFT, IS_FILLING = 1, 2, 2, 4, 128
WIDEST = 4
#: What the head has of the header in memory, as it is there.
KEPT = ("count", "model", "level_count", "memory", "shift")
FILLED = np.dtype("<u2")


@dataclass(frozen=True, slots=True)
class Layout:
    """How the parts of compact records are laid out, for records of one layout in memory."""

    head: np.dtype[np.void]
    incident: np.dtype[np.void]
    moments: np.dtype[np.void]  # of all features
    window_length: int
    features: int

    @classmethod
    def of(cls, record: np.dtype[Any]) -> Layout:
        """Return the layout for records of this one in memory."""
        header, moments = record["header"], record["moments"]
        kept = [(name, header[name]) for name in KEPT]
        time = [("time_low", "<u4"), ("time_high", "<i2")]  # of the newest reading, in milliseconds
        of_rows = [("least_step", "<u2"), ("decimals", "i1", moments.shape), ("least", "<i4", moments.shape)]
        return cls(
            head=np.dtype([("form", "u1"), *time, *kept, *of_rows]),
            incident=np.dtype([(name, header[name]) for name in INCIDENT]),
            moments=np.dtype((np.void, moments.itemsize)),
            window_length=record["rows"].shape[0],
            features=moments.shape[0],
        )

    def lengths(self, form: int) -> list[int]:
        """Return how many bytes each part has."""
        return [
            self.head.itemsize,
            FILLED.itemsize * bool(form & IS_FILLING),
            self.incident.itemsize * bool(form & HAS_INCIDENT),
            self.moments.itemsize * bool(form & HAS_MOMENTS),
            self.window_length * step_width(form),
            self.window_length * self.features * value_width(form),
        ]


def step_width(form: int) -> int:
    """Return the bytes of a step."""
    return form >> STEP_SHIFT & 3


def value_width(form: int) -> int:
    """Return the bytes of a value."""
    return form >> VALUE_SHIFT & 7


def ages(header: Records, window_length: int) -> Int32Array:
    """Return of each row of the rings how many are newer [N, T]."""
    newest = (header["count"] % window_length).astype(np.int32)[:, None] - 1
    age = newest - np.arange(window_length, dtype=np.int32)
    return np.asarray(np.where(age < 0, age + window_length, age))
