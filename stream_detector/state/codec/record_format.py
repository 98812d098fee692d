"""The stored form of a sensor's record, uncompressed or compressed.

The first byte of a stored record is UNCOMPRESSED before the record as it is in memory; without the rules' state, if there is
none. Otherwise the first two bytes are the format of a compressed record: a head, parts that few sensors have, ring of rows:

    head | filled, if the window is not full | incident | moments | counters | runs of unchanged values [F] | rules' state
         | pending bucket, if readings are assembled | codes of the time steps [T] | values [T, F]

Steps and values are offsets from their minimum. The format has a flag for each optional part and the widths of the offsets in
bytes, so compressed records of one format have the same length. encode.py writes this form, decode.py reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stream_detector.readings import Int32Array
from stream_detector.state.record_layout import INCIDENT, Records

#: The format of a record as it is in memory.
UNCOMPRESSED = 0xFF
#: The bits of any other format: flags, and between them the widths of steps and values. The low byte is never UNCOMPRESSED,
#: because the width of values is below 7.
HAS_INCIDENT, HAS_MOMENTS, STEP_SHIFT, VALUE_SHIFT, IS_FILLING, HAS_RULES, HAS_RUNS = 1, 2, 2, 4, 128, 256, 512
MAXIMUM_VALUE_WIDTH = 4
#: Header fields that the head copies.
COPIED_FIELDS = (
    *("count", "model", "level_count", "memory", "shift", "last_offset", "heard"),
    *("interval_ms", "pause_ms", "block_ms", "block_longest_ms", "block_steps", "block_gaps", "block_live"),
    *("is_live", "stamp_ms", "balance", "sustained"),
)
FILLED = RUN = np.dtype("<u2")


@dataclass(frozen=True, slots=True)
class CompressedLayout:
    """How the parts of compressed records are laid out, for records of one layout in memory."""

    head: np.dtype[np.void]
    incident: np.dtype[np.void]
    moments: np.dtype[np.void]  # of all features
    counters: np.dtype[np.void]  # of all counters; without any, no bytes
    rules: np.dtype[np.void]
    assembly: np.dtype[np.void]  # of the pending bucket; no bytes unless readings are assembled
    window_length: int
    features: int

    @classmethod
    def of(cls, record: np.dtype[Any]) -> CompressedLayout:
        """Return the layout for records of this layout in memory."""
        header, moments, counters = record["header"], record["moments"], record["counters"]
        copied = [(name, header[name]) for name in COPIED_FIELDS]
        time = [("time_low", "<u4"), ("time_high", "<i2")]  # of the newest reading, in milliseconds
        of_rows = [("minimum_step", "<u2"), ("decimals", "i1", moments.shape), ("minimum", "<i4", moments.shape)]
        return cls(
            head=np.dtype([("format", "<u2"), *time, *copied, *of_rows]),
            incident=np.dtype([(name, header[name]) for name in INCIDENT]),
            moments=np.dtype((np.void, moments.itemsize)),
            counters=np.dtype((np.void, counters.itemsize)),
            rules=record["rules"],
            assembly=np.dtype((np.void, record["assembly"].itemsize)),
            window_length=record["rows"].shape[0],
            features=moments.shape[0],
        )

    def part_lengths(self, record_format: int) -> list[int]:
        """Return the length of each part in bytes; 0 for a part that the format leaves out."""
        return [
            self.head.itemsize,
            FILLED.itemsize * bool(record_format & IS_FILLING),
            self.incident.itemsize * bool(record_format & HAS_INCIDENT),
            self.moments.itemsize * bool(record_format & HAS_MOMENTS),
            self.counters.itemsize,
            RUN.itemsize * self.features * bool(record_format & HAS_RUNS),
            self.rules.itemsize * bool(record_format & HAS_RULES),
            self.assembly.itemsize,
            self.window_length * step_width(record_format),
            self.window_length * self.features * value_width(record_format),
        ]


def step_width(record_format: int) -> int:
    """Return the bytes per step."""
    return record_format >> STEP_SHIFT & 3


def value_width(record_format: int) -> int:
    """Return the bytes per value."""
    return record_format >> VALUE_SHIFT & 7


def row_ages(header: Records, window_length: int) -> Int32Array:
    """Return how many rows of its ring are newer than each row [N, T]."""
    newest = (header["count"] % window_length).astype(np.int32)[:, None] - 1
    age = newest - np.arange(window_length, dtype=np.int32)
    return np.asarray(np.where(age < 0, age + window_length, age))
