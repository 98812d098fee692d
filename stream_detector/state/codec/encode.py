"""Encodes records as bytes for the state store, many at once. record_format.py describes the stored form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_detector.readings import Int64Array
from stream_detector.state.codec.frame_of_reference import (
    ByteArray,
    Int8Array,
    Offsets,
    offset_from_minimum,
    pack,
    to_integers,
)
from stream_detector.state.codec.record_format import (
    COPIED_FIELDS,
    FILLED,
    HAS_INCIDENT,
    HAS_MOMENTS,
    HAS_RULES,
    HAS_RUNS,
    IS_FILLING,
    STEP_SHIFT,
    UNCOMPRESSED,
    VALUE_SHIFT,
    CompressedLayout,
    row_ages,
    step_width,
    value_width,
)
from stream_detector.state.record_layout import INCIDENT, NO_INCIDENT, Records, no_rules, raw

#: Encoding takes about ten times the memory of the records, so it runs on this many at a time.
_SLICE_RECORDS = 4096


@dataclass(frozen=True, slots=True)
class _Rings:
    """The rows of N records as offsets, in the order of their rings."""

    steps: Offsets  # [N, T, 1] codes of the times since the row before
    decimals: Int8Array  # [N, F]
    values: Offsets  # [N, T, F]


def encode(records: Records) -> list[bytes]:
    """Return the stored form of each record: compressed, or uncompressed where that is not longer."""
    encoded: list[bytes] = []
    for first in range(0, len(records), _SLICE_RECORDS):
        encoded += _encode_slice(records[first : first + _SLICE_RECORDS])
    return encoded


def encode_uncompressed(records: Records) -> bytes:
    """Return the uncompressed stored forms of the records, one after the other."""
    encoded = np.empty(len(records), [("format", "u1"), ("record", raw(records).dtype)])
    encoded["format"], encoded["record"] = UNCOMPRESSED, raw(records)
    return encoded.tobytes()


def _encode_slice(records: Records) -> list[bytes]:
    layout = CompressedLayout.of(records.dtype)
    rings = _rings(records)
    head = _head(records, rings, layout)
    encoded = [b""] * len(records)
    for record_format in np.unique(head["format"]).tolist():
        chosen = np.flatnonzero(head["format"] == record_format)
        of_format = raw(records)[chosen].view(records.dtype)
        length = min(sum(layout.part_lengths(record_format)), 1 + records.itemsize)
        is_shorter = length <= records.itemsize
        joined = _compress(of_format, head[chosen], rings, chosen, layout) if is_shorter else encode_uncompressed(of_format)
        starts = range(0, len(joined), length)
        for position, start in zip(chosen.tolist(), starts, strict=True):
            encoded[position] = joined[start : start + length]
    return encoded


def _rings(records: Records) -> _Rings:
    header, rows = records["header"], records["rows"]
    age, filled = row_ages(header, rows.shape[1]), header["filled"][:, None]
    is_filling = filled < rows.shape[1]  # then the oldest row has no step
    is_row, has_step = (age < filled)[:, :, None], (age < filled - is_filling)[:, :, None]
    values = np.ascontiguousarray(rows["values"])
    present = is_row & ~np.isnan(values)
    decimals, integers = to_integers(np.where(present, values, np.float32(0)))
    steps = np.ascontiguousarray(rows["step"]).astype(np.int32)[:, :, None]
    return _Rings(
        steps=offset_from_minimum(steps, present=has_step, used=has_step),
        decimals=decimals,
        values=offset_from_minimum(integers, present=present, used=is_row),
    )


def _head(records: Records, rings: _Rings, layout: CompressedLayout) -> Records:
    header = records["header"]
    head = np.zeros(len(records), layout.head)
    for name in COPIED_FIELDS:
        head[name] = header[name]
    head["time_low"], head["time_high"] = header["last_time_ms"] & 0xFFFF_FFFF, header["last_time_ms"] >> 32
    head["minimum_step"] = rings.steps.minimum[:, 0]
    head["decimals"], head["minimum"] = rings.decimals, rings.values.minimum
    is_filling = header["filled"] < layout.window_length
    has_incident = (header["incident_offset"] != NO_INCIDENT) | (header["accepted"] != 0)
    has_incident |= (header["late_run"] != 0) | (header["clock_ms"] != 0)
    has_moments = (records["moments"]["count"] > 0).any(axis=1)
    flags = is_filling * IS_FILLING + has_incident * HAS_INCIDENT + has_moments * HAS_MOMENTS + _rule_flags(records)
    head["format"] = flags + (rings.steps.width << STEP_SHIFT) + (rings.values.width << VALUE_SHIFT)
    return head


def _rule_flags(records: Records) -> Int64Array:
    """Return the bits of the parts [N] that hold what the rules count."""
    runs = records["unchanged"]
    has_rules = (_as_bytes(records["rules"]) != _as_bytes(no_rules(runs.shape[1]))).any(axis=1)
    return np.asarray(has_rules * np.int64(HAS_RULES) + (runs > 0).any(axis=1) * np.int64(HAS_RUNS))


def _compress(records: Records, head: Records, rings: _Rings, chosen: Int64Array, layout: CompressedLayout) -> bytes:
    """Return the compressed forms of records [K] of one format, one after the other; `chosen` [K] are their rings."""
    record_format, header = int(head["format"][0]), records["header"]
    parts = [_as_bytes(head)]
    if record_format & IS_FILLING:
        parts.append(_as_bytes(header["filled"].astype(FILLED)))
    if record_format & HAS_INCIDENT:
        incident = np.zeros(len(records), layout.incident)
        for name in INCIDENT:
            incident[name] = header[name]
        parts.append(_as_bytes(incident))
    if record_format & HAS_MOMENTS:
        parts.append(_as_bytes(records["moments"]))
    if layout.counters.itemsize:
        parts.append(_as_bytes(records["counters"]))
    if record_format & HAS_RUNS:
        parts.append(_as_bytes(records["unchanged"]))
    if record_format & HAS_RULES:
        parts.append(_as_bytes(records["rules"]))
    if layout.assembly.itemsize:
        parts.append(_as_bytes(records["assembly"]))
    parts.append(pack(rings.steps.offsets[chosen], step_width(record_format)))
    parts.append(pack(rings.values.offsets[chosen], value_width(record_format)))
    return np.concatenate(parts, axis=1).tobytes()


def _as_bytes(records: NDArray[Any]) -> ByteArray:
    """Return records [K] or [K, F] as bytes [K, bytes]."""
    return np.ascontiguousarray(records).view(np.uint8).reshape(len(records), -1)
