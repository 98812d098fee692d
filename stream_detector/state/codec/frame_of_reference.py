"""Values as whole numbers above the least of them, in as few bytes as the largest needs: exactly, and many records at once.

What sensors measure has a fixed number of decimals: 61.237 and its neighbours are thousandths that fit in two bytes. Whether
that gives the very same float32 back is tried; where it does not, a value's number is the rank of its float among all floats.
(Frame of reference, and decimals as in ALP: Afroozeh, Kuffo and Boncz, SIGMOD 2023.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array

#: Instead of a number of decimals: the numbers are ranks of floats.
RANKS = -1
#: Numbers of decimals that are tried, fewest first.
_DECIMALS = range(5)
#: By so many rows the number of decimals is guessed; then it is tried on all.
_SAMPLED_ROWS = 2
_LARGEST = 2**31 - 1
#: The least number that does not fit in a byte, in two, in three.
_LIMITS = np.array([1 << 8, 1 << 16, 1 << 24])
_POWERS = 10.0 ** np.arange(len(_DECIMALS))

ByteArray = NDArray[np.uint8]
Int8Array = NDArray[np.int8]
UInt32Array = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Numbers:
    """What N records of T rows of F whole numbers are above the least in their column: from 1 on, and 0 where none is."""

    above: UInt32Array  # [N, T, F]
    least: Int32Array  # [N, F]
    width: Int64Array  # [N] bytes that each of a record's needs; 0: all are the least


def above_least(numbers: Int32Array, present: BoolArray, needed: BoolArray) -> Numbers:
    """Return numbers [N, T, F] as what they are above the least in their column of those that are present [N, T, F].

    Of the others it is kept that they are not, where that is needed [N, T, F].
    """
    least = np.where(present, numbers, _LARGEST).min(axis=1, initial=_LARGEST)
    above = (numbers - (least[:, None] - np.int32(1))).view(np.uint32)  # modulo 2**32, as they fit
    above[~present] = 0
    width = 1 + np.searchsorted(_LIMITS, above.max(axis=(1, 2), initial=0), side="right")
    width[((above == 1) | ~needed).all(axis=(1, 2))] = 0
    return Numbers(above, least, width)


def to_bytes(above: UInt32Array, width: int) -> ByteArray:
    """Return numbers [N, T, F] in so many bytes each [N, T * F * width], the lowest first."""
    return np.ascontiguousarray(above, "<u4").view(np.uint8).reshape(*above.shape, 4)[..., :width].reshape(len(above), -1)


def from_bytes(found: ByteArray, shape: tuple[int, int, int], width: int) -> UInt32Array:
    """Return the numbers [N, T, F] that `to_bytes` has made bytes [N, T * F * width] of; without any, all are the least."""
    if not width:
        return np.ones(shape, np.uint32)
    whole = np.zeros((*shape, 4), np.uint8)
    whole[..., :width] = found.reshape(*shape, width)
    return whole.view("<u4")[..., 0]


def numbers_of(values: Float32Array) -> tuple[Int8Array, Int32Array]:
    """Return the number of decimals of each column of values [N, T, F], or RANKS [N, F], and the values' numbers [N, T, F].

    The values must not be NaN.
    """
    decimals = _fewest(values[:, :_SAMPLED_ROWS])
    numbers, is_exact = _scaled(values, decimals)
    if not is_exact.all():
        wrong = np.flatnonzero((~is_exact & (decimals != RANKS)).any(axis=1))
        decimals[wrong] = _fewest(values[wrong])
        numbers[wrong] = _scaled(values[wrong], decimals[wrong])[0]
        numbers = np.where(decimals[:, None] == RANKS, _ranks(values), numbers)
    return decimals, numbers


def are_decimals(decimals: Int8Array) -> BoolArray:
    """Say which are what `numbers_of` returns."""
    return np.asarray((decimals >= RANKS) & (decimals < len(_DECIMALS)))


def values_of(numbers: Int32Array, decimals: Int8Array) -> Float32Array:
    """Return the values [N, T, F] of numbers, from the decimals of their columns [N, F]."""
    scaled = (numbers / _power(decimals)).astype(np.float32)
    return np.where(decimals[:, None] == RANKS, _ranked(numbers), scaled)


def _fewest(values: Float32Array) -> Int8Array:
    """Return the fewest decimals [N, F] that all values of a column have; RANKS where they have more."""
    found = np.full((len(values), values.shape[2]), RANKS, np.int8)
    for decimals in reversed(_DECIMALS):
        found[_scaled(values, np.full((1, 1), decimals, np.int8))[1]] = decimals
    return found


def _scaled(values: Float32Array, decimals: Int8Array) -> tuple[Int32Array, BoolArray]:
    """Return values [N, T, F] as whole numbers of their last decimal, and of which columns [N, F] that says everything."""
    power = _power(decimals)
    numbers = np.clip(np.rint(values * power), -_LARGEST, _LARGEST).astype(np.int32)
    back = (numbers / power).astype(np.float32)
    return numbers, (back.view(np.int32) == values.view(np.int32)).all(axis=1)  # -0.0 has no number


def _power(decimals: Int8Array) -> Float64Array:
    return np.asarray(_POWERS[np.clip(decimals, 0, len(_DECIMALS) - 1)][:, None])


def _ranks(values: Float32Array) -> Int32Array:
    """Return where floats are among all floats, 0 at zero."""
    bits = values.view(np.int32)
    return np.asarray(bits ^ ((bits >> 31) & np.int32(_LARGEST)))


def _ranked(ranks: Int32Array) -> Float32Array:
    """Return the floats of ranks."""
    return _ranks(ranks.view(np.float32)).view(np.float32)
