"""Compresses columns of values losslessly: as integers, stored in a few bytes each as offsets from the column's minimum.

Sensors measure with a fixed number of decimals: 61.237 and its neighbours are thousandths, whose offsets fit in two bytes.
The encoder checks that each column decodes to the same float32 values. If no number of decimals works, each integer is the rank
of a float among all floats. (Frame of reference, with decimals as in ALP: Afroozeh, Kuffo and Boncz, SIGMOD 2023.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array

#: Stands for a number of decimals where the integers are ranks of floats.
RANKS = -1
#: Candidate numbers of decimals, fewest first.
_DECIMALS = range(5)
#: The number of decimals is guessed from this many rows, then checked on all rows.
_SAMPLED_ROWS = 2
_LARGEST = 2**31 - 1
#: The smallest integers that need two bytes, three and four.
_LIMITS = np.array([1 << 8, 1 << 16, 1 << 24])
_POWERS = 10.0 ** np.arange(len(_DECIMALS))

ByteArray = NDArray[np.uint8]
Int8Array = NDArray[np.int8]
UInt32Array = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Offsets:
    """Integers of N records of T rows of F columns, as offsets from the minimum of their column."""

    offsets: UInt32Array  # [N, T, F] 1 at the minimum; 0 where the value is missing
    minimum: Int32Array  # [N, F]
    width: Int64Array  # [N] bytes per offset of a record; 0: every value equals its column's minimum


def offset_from_minimum(integers: Int32Array, present: BoolArray, used: BoolArray) -> Offsets:
    """Return integers [N, T, F] as offsets from the minimum of the present ones [N, T, F] of their column.

    An integer that is not present decodes as missing if it is `used` [N, T, F]; otherwise it may decode as anything.
    """
    minimum = np.where(present, integers, _LARGEST).min(axis=1, initial=_LARGEST)
    offsets = (integers - (minimum[:, None] - np.int32(1))).view(np.uint32)  # modulo 2**32, in which every offset fits
    offsets[~present] = 0
    width = 1 + np.searchsorted(_LIMITS, offsets.max(axis=(1, 2), initial=0), side="right")
    width[((offsets == 1) | ~used).all(axis=(1, 2))] = 0
    return Offsets(offsets, minimum, width)


def add_minimum(offsets: UInt32Array, minimum: Int32Array) -> Int32Array:
    """Return the integers [N, T, F] of offsets from the minimum [N, F] of their column; arbitrary for a missing value."""
    return np.asarray((offsets - np.uint32(1) + minimum[:, None].view(np.uint32)).view(np.int32))  # modulo 2**32


def pack(offsets: UInt32Array, width: int) -> ByteArray:
    """Return offsets [N, T, F] as bytes [N, T * F * width], `width` bytes each, lowest byte first."""
    return np.ascontiguousarray(offsets, "<u4").view(np.uint8).reshape(*offsets.shape, 4)[..., :width].reshape(len(offsets), -1)


def unpack(packed: ByteArray, shape: tuple[int, int, int], width: int) -> UInt32Array:
    """Return the offsets [N, T, F] that `pack` wrote as bytes [N, T * F * width]; without bytes, all are at the minimum."""
    if not width:
        return np.ones(shape, np.uint32)
    padded = np.zeros((*shape, 4), np.uint8)
    padded[..., :width] = packed.reshape(*shape, width)
    return padded.view("<u4")[..., 0]


def to_integers(values: Float32Array) -> tuple[Int8Array, Int32Array]:
    """Return each column's number of decimals, or RANKS, [N, F], and the integers of values [N, T, F].

    The values must not be NaN.
    """
    decimals = _fewest_decimals(values[:, :_SAMPLED_ROWS])
    integers, is_exact = _scale(values, decimals)
    if not is_exact.all():
        wrong = np.flatnonzero((~is_exact & (decimals != RANKS)).any(axis=1))
        decimals[wrong] = _fewest_decimals(values[wrong])
        integers[wrong] = _scale(values[wrong], decimals[wrong])[0]
        integers = np.where(decimals[:, None] == RANKS, _ranks(values), integers)
    return decimals, integers


def from_integers(integers: Int32Array, decimals: Int8Array) -> Float32Array:
    """Return the values [N, T, F] of integers, given the decimals of their columns [N, F]."""
    scaled = (integers / _power(decimals)).astype(np.float32)
    return np.where(decimals[:, None] == RANKS, _floats_of_ranks(integers), scaled)


def are_valid_decimals(decimals: Int8Array) -> BoolArray:
    """Return which of these `to_integers` could have returned as decimals."""
    return np.asarray((decimals >= RANKS) & (decimals < len(_DECIMALS)))


def _fewest_decimals(values: Float32Array) -> Int8Array:
    """Return the fewest decimals [N, F] that represent all values of a column; RANKS if no candidate does."""
    fewest = np.full((len(values), values.shape[2]), RANKS, np.int8)
    for decimals in reversed(_DECIMALS):
        fewest[_scale(values, np.full((1, 1), decimals, np.int8))[1]] = decimals
    return fewest


def _scale(values: Float32Array, decimals: Int8Array) -> tuple[Int32Array, BoolArray]:
    """Return values [N, T, F] as integers of their last decimal, and which columns [N, F] those represent exactly."""
    power = _power(decimals)
    integers = np.clip(np.rint(values * power), -_LARGEST, _LARGEST).astype(np.int32)
    restored = (integers / power).astype(np.float32)
    return integers, (restored.view(np.int32) == values.view(np.int32)).all(axis=1)  # no integer gives -0.0


def _power(decimals: Int8Array) -> Float64Array:
    return np.asarray(_POWERS[np.clip(decimals, 0, len(_DECIMALS) - 1)][:, None])


def _ranks(values: Float32Array) -> Int32Array:
    """Return the ranks of floats among all floats; zero has rank 0."""
    bits = values.view(np.int32)
    return np.asarray(bits ^ ((bits >> 31) & np.int32(_LARGEST)))


def _floats_of_ranks(ranks: Int32Array) -> Float32Array:
    return _ranks(ranks.view(np.float32)).view(np.float32)
