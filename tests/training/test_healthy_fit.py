"""What the rules take for healthy, where the user left readings out of the history."""

from __future__ import annotations

import numpy as np

from stream_detector.tables.dataset import Dataset
from stream_detector.training.healthy_fit import fit_healthy

#: Two runs of a machine with a stop between them, of three readings.
VALUES = [1, 2, 2, 7, 7, 7, 2, 2, 3]
ABSENT = [5, 5, np.nan, 0, 0, 0, np.nan, np.nan, 5]


def test_what_lasts_is_counted_from_the_end_of_what_was_left_out() -> None:
    """As the stream counts from the end of a stop: 2 comes twice before it, and twice behind it."""
    values = np.array([VALUES, ABSENT], np.float32).T
    whole = Dataset(("a", "b"), ("pump",), np.zeros(9, np.int32), 1000 * np.arange(9), values, np.arange(9))

    found = fit_healthy(whole.cut(np.arange(9) // 3 == 1), np.ones(2, np.bool_))

    assert found.readings.tolist() == [6]
    assert (found.pairs[0, 0], found.repeats[0, 0], found.longest[0, 0]) == (4, 2, 1)
    assert (found.missing[0, 1], found.longest_absent[0, 1]) == (3, 2)
    assert (found.row_repeats.tolist(), found.row_longest.tolist()) == ([1], [1])
