"""Records in few bytes, as the store keeps small ones, and back: exactly, and many at once.

What is stored begins with a byte that says of what form it is. PLAIN is followed by the record as it is in memory. Any other
form is that of a compact record: a head, then what few sensors have, then the ring of rows:

    head | filled, of a window that is not full | incident | moments
         | steps to the rows' times from those of the rows before [T] | values [T, F]

Steps and values are whole numbers above the least of them. The form says which of the parts there are, and in how many bytes
the numbers are; compact records of one form have the same length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_detector.readings import BoolArray, Float32Array, Int32Array, Int64Array
from stream_detector.state import INCIDENT, NO_INCIDENT, Records, new_records, raw
from stream_detector.whole_numbers import (
    ByteArray,
    Int8Array,
    Numbers,
    UInt32Array,
    above_least,
    are_decimals,
    from_bytes,
    numbers_of,
    to_bytes,
    values_of,
)

#: The form of a record as it is in memory.
PLAIN = 0xFF
#: The parts of any other form: flags, and two widths in bytes between them.
_HAS_INCIDENT, _HAS_MOMENTS, _STEP_SHIFT, _VALUE_SHIFT, _IS_FILLING = 1, 2, 2, 4, 128
_WIDEST = 4
_KEPT = ("count", "model", "level_count", "memory", "shift")
_FILLED = np.dtype("<u2")
#: What is made of so many at once takes some ten times their own memory.
_SLICE_RECORDS = 4096


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the parts of compact records are laid out, for records of one layout in memory."""

    head: np.dtype[np.void]
    incident: np.dtype[np.void]
    moments: np.dtype[np.void]  # of all features
    window_length: int
    features: int

    @classmethod
    def of(cls, record: np.dtype[Any]) -> _Layout:
        """Return the layout for records of this one in memory."""
        header, moments = record["header"], record["moments"]
        kept = [(name, header[name]) for name in _KEPT]
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
            _FILLED.itemsize * bool(form & _IS_FILLING),
            self.incident.itemsize * bool(form & _HAS_INCIDENT),
            self.moments.itemsize * bool(form & _HAS_MOMENTS),
            self.window_length * _step_width(form),
            self.window_length * self.features * _value_width(form),
        ]


@dataclass(frozen=True, slots=True)
class _Rings:
    """The rows of N records as numbers, in the order of their rings."""

    steps: Numbers  # [N, T, 1] to each row's time from that of the row before
    decimals: Int8Array  # [N, F]
    values: Numbers  # [N, T, F]


def plain(records: Records) -> bytes:
    """Return what is to be stored of each record to have it as it is in memory, one after the other."""
    stored = np.empty(len(records), [("form", "u1"), ("record", raw(records).dtype)])
    stored["form"], stored["record"] = PLAIN, raw(records)
    return stored.tobytes()


def compact(records: Records) -> list[bytes]:
    """Return what is to be stored of each record to have it in few bytes: compact, where that is less than plain."""
    stored: list[bytes] = []
    for first in range(0, len(records), _SLICE_RECORDS):
        stored += _compact_slice(records[first : first + _SLICE_RECORDS])
    return stored


def _compact_slice(records: Records) -> list[bytes]:
    layout = _Layout.of(records.dtype)
    rings = _rings(records)
    head = _head(records, rings, layout)
    stored = [b""] * len(records)
    for form in np.unique(head["form"]).tolist():
        chosen = np.flatnonzero(head["form"] == form)
        of_form = raw(records)[chosen].view(records.dtype)
        length = min(sum(layout.lengths(form)), 1 + records.itemsize)
        is_less = length <= records.itemsize
        joined = _compacted(of_form, head[chosen], rings, chosen, layout) if is_less else plain(of_form)
        starts = range(0, len(joined), length)
        for position, start in zip(chosen.tolist(), starts, strict=True):
            stored[position] = joined[start : start + length]
    return stored


def expand(
    stored: Sequence[bytes | None], window_length: int, features: int, members: int, unit_ms: int
) -> tuple[Records, BoolArray]:
    """Return records [N] whose rows have times in this unit, and which are there.

    What is not there, or is not of this layout, is as if it was never seen.
    """
    records = new_records(len(stored), window_length, features, members)
    layout = _Layout.of(records.dtype)
    is_there = np.zeros(len(stored), np.bool_)
    for (form, length), positions in _alike(stored).items():
        found = np.frombuffer(b"".join(stored[position] or b"" for position in positions), np.uint8).reshape(-1, length)
        places = np.array(positions)
        if form == PLAIN and length == 1 + records.itemsize:
            raw(records)[places] = _from_bytes(found[:, 1:], raw(records).dtype)[:, 0]
        elif _value_width(form) <= _WIDEST and length == sum(layout.lengths(form)):
            of_form = records[places]
            is_sound = _expand_into(of_form, found, layout, unit_ms)
            places = places[is_sound]
            raw(records)[places] = raw(of_form)[is_sound]
        else:
            continue
        is_there[places] = True
    return records, is_there


def _step_width(form: int) -> int:
    return form >> _STEP_SHIFT & 3


def _value_width(form: int) -> int:
    return form >> _VALUE_SHIFT & 7


def _age(header: Records, window_length: int) -> Int32Array:
    """Return of each row of the rings how many are newer [N, T]."""
    newest = (header["count"] % window_length).astype(np.int32)[:, None] - 1
    age = newest - np.arange(window_length, dtype=np.int32)
    return np.asarray(np.where(age < 0, age + window_length, age))


def _rings(records: Records) -> _Rings:
    header, rows = records["header"], records["rows"]
    age, filled = _age(header, rows.shape[1]), header["filled"][:, None]
    is_row, has_step = (age < filled)[:, :, None], (age < filled - 1)[:, :, None]
    values = np.ascontiguousarray(rows["values"])
    present = is_row & ~np.isnan(values)
    decimals, numbers = numbers_of(np.where(present, values, np.float32(0)))
    times = np.ascontiguousarray(rows["time"])
    steps = (times - np.roll(times, 1, axis=1)).astype(np.int32)[:, :, None]  # modulo 2**16, as they are
    return _Rings(
        steps=above_least(steps, has_step, has_step),
        decimals=decimals,
        values=above_least(numbers, present, is_row),
    )


def _head(records: Records, rings: _Rings, layout: _Layout) -> Records:
    header = records["header"]
    head = np.zeros(len(records), layout.head)
    for name in _KEPT:
        head[name] = header[name]
    head["time_low"], head["time_high"] = header["last_time_ms"] & 0xFFFF_FFFF, header["last_time_ms"] >> 32
    head["least_step"] = rings.steps.least[:, 0]
    head["decimals"], head["least"] = rings.decimals, rings.values.least
    is_filling = header["filled"] < layout.window_length
    has_incident = (header["incident_offset"] != NO_INCIDENT) | (header["accepted"] != 0)
    has_moments = (records["moments"]["count"] > 0).any(axis=1)
    flags = is_filling * _IS_FILLING + has_incident * _HAS_INCIDENT + has_moments * _HAS_MOMENTS
    head["form"] = flags + (rings.steps.width << _STEP_SHIFT) + (rings.values.width << _VALUE_SHIFT)
    return head


def _compacted(records: Records, head: Records, rings: _Rings, chosen: Int64Array, layout: _Layout) -> bytes:
    """Return records [K] of one form, the chosen ones of the rings, as compact ones, one after the other."""
    form, header = int(head["form"][0]), records["header"]
    parts = [_as_bytes(head)]
    if form & _IS_FILLING:
        parts.append(_as_bytes(header["filled"].astype(_FILLED)))
    if form & _HAS_INCIDENT:
        incident = np.zeros(len(records), layout.incident)
        for name in INCIDENT:
            incident[name] = header[name]
        parts.append(_as_bytes(incident))
    if form & _HAS_MOMENTS:
        parts.append(_as_bytes(records["moments"]))
    parts.append(to_bytes(rings.steps.above[chosen], _step_width(form)))
    parts.append(to_bytes(rings.values.above[chosen], _value_width(form)))
    return np.concatenate(parts, axis=1).tobytes()


def _alike(stored: Sequence[bytes | None]) -> dict[tuple[int, int], list[int]]:
    """Return positions by form and length."""
    alike: dict[tuple[int, int], list[int]] = {}
    for position, data in enumerate(stored):
        if data:
            alike.setdefault((data[0], len(data)), []).append(position)
    return alike


def _expand_into(records: Records, found: ByteArray, layout: _Layout, unit_ms: int) -> BoolArray:
    """Make new records [K] those of compact ones [K, bytes] of one form, in place; return which can be."""
    form, header = int(found[0, 0]), records["header"]
    first, filled, incident, moments, steps, values = np.split(found, np.cumsum(layout.lengths(form))[:-1], axis=1)
    head = _from_bytes(first, layout.head)[:, 0]
    for name in _KEPT:
        header[name] = head[name]
    header["last_time_ms"] = head["time_low"] + (head["time_high"].astype(np.int64) << 32)
    header["filled"] = _from_bytes(filled, _FILLED)[:, 0] if form & _IS_FILLING else layout.window_length
    if form & _HAS_INCIDENT:
        for name in INCIDENT:
            header[name] = _from_bytes(incident, layout.incident)[name][:, 0]
    if form & _HAS_MOMENTS:
        records["moments"] = _from_bytes(moments, records["moments"].dtype)
    rows, shape = records["rows"], (len(records), layout.window_length, layout.features)
    age = _age(header, layout.window_length)
    is_row = age < header["filled"][:, None]
    rows["values"] = np.where(is_row[:, :, None], _values(head, from_bytes(values, shape, _value_width(form))), 0)
    newest = header["last_time_ms"] // unit_ms
    rows["time"] = np.where(is_row, _times(newest, head, from_bytes(steps, (*shape[:2], 1), _step_width(form)), age), 0)
    return np.asarray((header["filled"] <= layout.window_length) & are_decimals(head["decimals"]).all(axis=1))


def _values(head: Records, above: UInt32Array) -> Float32Array:
    """Return the values of rings [N, T, F]."""
    numbers = (above - np.uint32(1) + head["least"][:, None].view(np.uint32)).view(np.int32)  # modulo 2**32, as they fit
    return np.where(above > 0, values_of(numbers, head["decimals"]), np.float32(np.nan))


def _times(newest: Int64Array, head: Records, above: UInt32Array, age: Int32Array) -> Int64Array:
    """Return the times of the rings' rows [N, T], modulo 2**16: the newest's, less the steps since."""
    steps = above[:, :, 0].astype(np.int64) - 1 + head["least_step"][:, None]
    since = np.cumsum(np.take_along_axis(steps, age, axis=1), axis=1)  # newest first: where a row is, is its age there
    before = np.concatenate([np.zeros((len(since), 1), np.int64), since[:, :-1]], axis=1)
    return np.asarray((newest[:, None] - np.take_along_axis(before, age, axis=1)) % (1 << 16))


def _as_bytes(records: NDArray[Any]) -> ByteArray:
    """Return records [K] or [K, F] as bytes [K, bytes]."""
    return np.ascontiguousarray(records).view(np.uint8).reshape(len(records), -1)


def _from_bytes(found: ByteArray, layout: np.dtype[Any]) -> Records:
    """Return bytes [K, bytes] as records of a layout, as many as there are in each [K, ...]."""
    return np.ascontiguousarray(found).view(layout)
