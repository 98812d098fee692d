"""Stored records back as they are in memory. See record_format.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stream_detector.readings import BoolArray, Float32Array, Int32Array, Int64Array
from stream_detector.state.codec.frame_of_reference import ByteArray, UInt32Array, are_decimals, from_bytes, values_of
from stream_detector.state.codec.record_format import (
    FILLED,
    HAS_INCIDENT,
    HAS_MOMENTS,
    IS_FILLING,
    KEPT,
    PLAIN,
    WIDEST,
    Layout,
    ages,
    step_width,
    value_width,
)
from stream_detector.state.windows import INCIDENT, Records, new_records, raw


def expand(
    stored: Sequence[bytes | None], window_length: int, features: int, members: int, unit_ms: int
) -> tuple[Records, BoolArray]:
    """Return records [N] whose rows have times in this unit, and which are there.

    What is not there, or is not of this layout, is as if it was never seen.
    """
    records = new_records(len(stored), window_length, features, members)
    layout = Layout.of(records.dtype)
    is_there = np.zeros(len(stored), np.bool_)
    for (form, length), positions in _alike(stored).items():
        found = np.frombuffer(b"".join(stored[position] or b"" for position in positions), np.uint8).reshape(-1, length)
        places = np.array(positions)
        if form == PLAIN and length == 1 + records.itemsize:
            raw(records)[places] = _from_bytes(found[:, 1:], raw(records).dtype)[:, 0]
        elif value_width(form) <= WIDEST and length == sum(layout.lengths(form)):
            of_form = records[places]
            is_sound = _expand_into(of_form, found, layout, unit_ms)
            places = places[is_sound]
            raw(records)[places] = raw(of_form)[is_sound]
        else:
            continue
        is_there[places] = True
    return records, is_there


def _alike(stored: Sequence[bytes | None]) -> dict[tuple[int, int], list[int]]:
    """Return positions by form and length."""
    alike: dict[tuple[int, int], list[int]] = {}
    for position, data in enumerate(stored):
        if data:
            alike.setdefault((data[0], len(data)), []).append(position)
    return alike


def _expand_into(records: Records, found: ByteArray, layout: Layout, unit_ms: int) -> BoolArray:
    """Make new records [K] those of compact ones [K, bytes] of one form, in place; return which can be."""
    form, header = int(found[0, 0]), records["header"]
    first, filled, incident, moments, steps, values = np.split(found, np.cumsum(layout.lengths(form))[:-1], axis=1)
    head = _from_bytes(first, layout.head)[:, 0]
    for name in KEPT:
        header[name] = head[name]
    header["last_time_ms"] = head["time_low"] + (head["time_high"].astype(np.int64) << 32)
    header["filled"] = _from_bytes(filled, FILLED)[:, 0] if form & IS_FILLING else layout.window_length
    if form & HAS_INCIDENT:
        for name in INCIDENT:
            header[name] = _from_bytes(incident, layout.incident)[name][:, 0]
    if form & HAS_MOMENTS:
        records["moments"] = _from_bytes(moments, records["moments"].dtype)
    rows, shape = records["rows"], (len(records), layout.window_length, layout.features)
    age = ages(header, layout.window_length)
    is_row = age < header["filled"][:, None]
    rows["values"] = np.where(is_row[:, :, None], _values(head, from_bytes(values, shape, value_width(form))), 0)
    newest = header["last_time_ms"] // unit_ms
    rows["time"] = np.where(is_row, _times(newest, head, from_bytes(steps, (*shape[:2], 1), step_width(form)), age), 0)
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


def _from_bytes(found: ByteArray, layout: np.dtype[Any]) -> Records:
    """Return bytes [K, bytes] as records of a layout, as many as there are in each [K, ...]."""
    return np.ascontiguousarray(found).view(layout)
