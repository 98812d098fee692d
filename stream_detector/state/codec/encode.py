"""Records in few bytes, as the store keeps small ones: exactly, and many at once. See record_format.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_detector.readings import Int64Array
from stream_detector.state.codec.frame_of_reference import ByteArray, Int8Array, Numbers, above_least, numbers_of, to_bytes
from stream_detector.state.codec.record_format import (
    FILLED,
    HAS_INCIDENT,
    HAS_MOMENTS,
    IS_FILLING,
    KEPT,
    PLAIN,
    STEP_SHIFT,
    VALUE_SHIFT,
    Layout,
    ages,
    step_width,
    value_width,
)
from stream_detector.state.windows import INCIDENT, NO_INCIDENT, Records, raw

#: What is made of so many at once takes some ten times their own memory.
_SLICE_RECORDS = 4096


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
    layout = Layout.of(records.dtype)
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


def _rings(records: Records) -> _Rings:
    header, rows = records["header"], records["rows"]
    age, filled = ages(header, rows.shape[1]), header["filled"][:, None]
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


def _head(records: Records, rings: _Rings, layout: Layout) -> Records:
    header = records["header"]
    head = np.zeros(len(records), layout.head)
    for name in KEPT:
        head[name] = header[name]
    head["time_low"], head["time_high"] = header["last_time_ms"] & 0xFFFF_FFFF, header["last_time_ms"] >> 32
    head["least_step"] = rings.steps.least[:, 0]
    head["decimals"], head["least"] = rings.decimals, rings.values.least
    is_filling = header["filled"] < layout.window_length
    has_incident = (header["incident_offset"] != NO_INCIDENT) | (header["accepted"] != 0)
    has_moments = (records["moments"]["count"] > 0).any(axis=1)
    flags = is_filling * IS_FILLING + has_incident * HAS_INCIDENT + has_moments * HAS_MOMENTS
    head["form"] = flags + (rings.steps.width << STEP_SHIFT) + (rings.values.width << VALUE_SHIFT)
    return head


def _compacted(records: Records, head: Records, rings: _Rings, chosen: Int64Array, layout: Layout) -> bytes:
    """Return records [K] of one form, the chosen ones of the rings, as compact ones, one after the other."""
    form, header = int(head["form"][0]), records["header"]
    parts = [_as_bytes(head)]
    if form & IS_FILLING:
        parts.append(_as_bytes(header["filled"].astype(FILLED)))
    if form & HAS_INCIDENT:
        incident = np.zeros(len(records), layout.incident)
        for name in INCIDENT:
            incident[name] = header[name]
        parts.append(_as_bytes(incident))
    if form & HAS_MOMENTS:
        parts.append(_as_bytes(records["moments"]))
    parts.append(to_bytes(rings.steps.above[chosen], step_width(form)))
    parts.append(to_bytes(rings.values.above[chosen], value_width(form)))
    return np.concatenate(parts, axis=1).tobytes()


def _as_bytes(records: NDArray[Any]) -> ByteArray:
    """Return records [K] or [K, F] as bytes [K, bytes]."""
    return np.ascontiguousarray(records).view(np.uint8).reshape(len(records), -1)
