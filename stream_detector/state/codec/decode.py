"""Decodes bytes from the state store into records, many at once. record_format.py describes the stored form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stream_detector.readings import BoolArray, Float32Array
from stream_detector.state.codec.frame_of_reference import (
    ByteArray,
    UInt32Array,
    add_minimum,
    are_valid_decimals,
    from_integers,
    unpack,
)
from stream_detector.state.codec.record_format import (
    COPIED_FIELDS,
    FILLED,
    HAS_INCIDENT,
    HAS_MOMENTS,
    HAS_RULES,
    HAS_RUNS,
    IS_FILLING,
    MAXIMUM_VALUE_WIDTH,
    RUN,
    UNCOMPRESSED,
    CompressedLayout,
    row_ages,
    step_width,
    value_width,
)
from stream_detector.state.record_layout import INCIDENT, Records, new_records, raw


def decode(
    stored: Sequence[bytes | None],
    window_length: int,
    features: int,
    members: int,
    *,
    counters: int = 0,
    assembles: bool = False,
) -> tuple[Records, BoolArray]:
    """Return a record for each entry of `stored` [N], and whether the entry could be decoded [N].

    An entry that is None or has another layout gives the record of a new sensor.
    """
    records = new_records(len(stored), window_length, features, members, counters, assembles=assembles)
    layout = CompressedLayout.of(records.dtype)
    is_decoded = np.zeros(len(stored), np.bool_)
    for (record_format, length), indices in _by_format(stored).items():
        encoded = np.frombuffer(b"".join(stored[index] or b"" for index in indices), np.uint8).reshape(-1, length)
        positions = np.array(indices)
        if record_format == UNCOMPRESSED and length in (1 + records.itemsize, 1 + records.itemsize - layout.rules.itemsize):
            read = records[positions]
            read.view(np.uint8).reshape(len(read), -1)[:, : length - 1] = encoded[:, 1:]
            raw(records)[positions] = raw(read)
        elif value_width(record_format) <= MAXIMUM_VALUE_WIDTH and length == sum(layout.part_lengths(record_format)):
            decompressed = records[positions]
            is_valid = _decompress_into(decompressed, encoded, layout)
            positions = positions[is_valid]
            raw(records)[positions] = raw(decompressed)[is_valid]
        else:
            continue
        is_decoded[positions] = True
    return records, is_decoded


def _by_format(stored: Sequence[bytes | None]) -> dict[tuple[int, int], list[int]]:
    """Return the indices of stored records by format and length."""
    by_format: dict[tuple[int, int], list[int]] = {}
    for index, encoded in enumerate(stored):
        if encoded:
            record_format = encoded[0] if encoded[0] == UNCOMPRESSED else int.from_bytes(encoded[:2], "little")
            by_format.setdefault((record_format, len(encoded)), []).append(index)
    return by_format


def _decompress_into(records: Records, encoded: ByteArray, layout: CompressedLayout) -> BoolArray:
    """Fill new records [K] from compressed ones [K, bytes] of one format, in place; return which are valid [K]."""
    header = records["header"]
    head = _from_bytes(encoded[:, : layout.head.itemsize], layout.head)[:, 0]
    record_format = int(head["format"][0])
    parts = np.split(encoded, np.cumsum(layout.part_lengths(record_format))[:-1], axis=1)
    _, filled, incident, moments, counters, runs, rules, assembly, steps, values = parts
    for name in COPIED_FIELDS:
        header[name] = head[name]
    header["last_time_ms"] = head["time_low"] + (head["time_high"].astype(np.int64) << 32)
    header["filled"] = _from_bytes(filled, FILLED)[:, 0] if record_format & IS_FILLING else layout.window_length
    if record_format & HAS_INCIDENT:
        for name in INCIDENT:
            header[name] = _from_bytes(incident, layout.incident)[name][:, 0]
    if record_format & HAS_MOMENTS:
        records["moments"] = _from_bytes(moments, records["moments"].dtype)
    if layout.counters.itemsize:
        records["counters"] = _from_bytes(counters, records["counters"].dtype)
    if record_format & HAS_RUNS:
        records["unchanged"] = _from_bytes(runs, RUN)
    if record_format & HAS_RULES:
        records["rules"] = _from_bytes(rules, layout.rules)[:, 0]
    if layout.assembly.itemsize:
        records["assembly"] = _from_bytes(assembly, records["assembly"].dtype)
    rows, shape = records["rows"], (len(records), layout.window_length, layout.features)
    age = row_ages(header, layout.window_length)
    is_row = age < header["filled"][:, None]
    rows["values"] = np.where(is_row[:, :, None], _values(head, unpack(values, shape, value_width(record_format))), 0)
    step_offsets = unpack(steps, (*shape[:2], 1), step_width(record_format))
    has_step = age < (header["filled"] - (header["filled"] < layout.window_length))[:, None]
    rows["step"] = np.where(has_step, step_offsets[:, :, 0].astype(np.int64) - 1 + head["minimum_step"][:, None], 0)
    return np.asarray((header["filled"] <= layout.window_length) & are_valid_decimals(head["decimals"]).all(axis=1))


def _values(head: Records, offsets: UInt32Array) -> Float32Array:
    """Return the values of rings [N, T, F]; NaN where missing."""
    values = from_integers(add_minimum(offsets, head["minimum"]), head["decimals"])
    return np.where(offsets > 0, values, np.float32(np.nan))


def _from_bytes(encoded: ByteArray, layout: np.dtype[Any]) -> Records:
    """Return bytes [K, bytes] as records of a layout, as many per row as fit [K, ...]."""
    return np.ascontiguousarray(encoded).view(layout)
