"""The rules' state of the sensors in memory: of most of them there is none, so it lies in a table of its own.

A slot without any has row 0 of the table, which is blank.
"""

from __future__ import annotations

import numpy as np

from stream_detector.readings import BoolArray, Int32Array
from stream_detector.state.record_layout import Records, no_rules

_FIRST_ROWS = 64


class RuleStates:
    """The rules' state by slot. Four bytes for each slot, and a row for each that has any."""

    def __init__(self, features: int) -> None:
        blank = no_rules(features)
        self._layout = blank.dtype
        self._blank = blank.view(np.uint64)  # [W] words
        self._table = np.repeat(self._blank[np.newaxis], _FIRST_ROWS, axis=0)
        self._row: Int32Array = np.zeros(0, np.int32)
        self._free = list(range(_FIRST_ROWS - 1, 0, -1))

    def grow(self, capacity: int) -> None:
        """Make room for so many slots; the new ones have no state."""
        self._row = np.concatenate([self._row, np.zeros(capacity - len(self._row), np.int32)])

    @property
    def count(self) -> int:
        """How many slots have a state."""
        return len(self._table) - 1 - len(self._free)

    def read(self, slots: Int32Array) -> Records:
        """Return a copy of the states of slots [N]."""
        states: Records = self._table.take(self._row[slots], axis=0).view(self._layout)[:, 0]
        return states

    def write(self, slots: Int32Array, states: Records) -> None:
        """Replace the states of distinct slots [N]."""
        words = np.ascontiguousarray(states).view(np.uint64).reshape(len(states), len(self._blank))
        is_blank = (words == self._blank).all(axis=1)
        rows = self._row[slots]
        if is_blank.all() and not rows.any():
            return
        self._release(slots[is_blank & (rows > 0)])
        fresh = slots[~is_blank & (rows == 0)]
        self._row[fresh] = self._rows(len(fresh))
        self._table[self._row[slots[~is_blank]]] = words[~is_blank]

    def have_any(self, slots: Int32Array) -> BoolArray:
        """Return which slots [N] have a state."""
        return self._row[slots] > 0

    def forget(self, slots: Int32Array) -> None:
        """Leave slots [N] without a state."""
        self._release(slots[self._row[slots] > 0])

    def _release(self, slots: Int32Array) -> None:
        self._free += self._row[slots].tolist()
        self._row[slots] = 0

    def _rows(self, count: int) -> list[int]:
        """Return unused rows of the table."""
        if (shortage := count - len(self._free)) > 0:
            size = len(self._table)
            added = max(size, shortage)
            self._table = np.concatenate([self._table, np.repeat(self._blank[np.newaxis], added, axis=0)])
            self._free += range(size + added - 1, size - 1, -1)
        return [self._free.pop() for _ in range(count)]
