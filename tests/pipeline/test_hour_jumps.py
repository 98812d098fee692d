"""Times that go back by exactly an hour are found, however the readings come."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.pipeline.hour_jumps import hour_jumps
from stream_detector.readings import Readings
from stream_detector.state.record_layout import new_records
from stream_detector.state.windows import append

START_MS, LENGTH = 1_700_000_000_000, 4


def jumps_of(back_s: int, *, batch: int, stamped: bool, interval_s: int = 60) -> dict[str, int]:
    """Return what is found of two sensors whose times go back after 40 readings, in batches of so many readings."""
    at = np.repeat(np.arange(80, dtype=np.int64), 2)
    times_ms = START_MS + 1000 * (interval_s * at - back_s * (at >= 40))
    stamps_ms = START_MS + 1000 * interval_s * at if stamped else np.full(len(at), START_MS)
    records, found = new_records(2, LENGTH, 1, 1), dict[str, int]()
    for start in range(0, len(at), batch):
        part = slice(start, start + batch)
        count = len(at[part])
        slots = (np.arange(start, start + count) % 2).astype(np.int32)
        readings = Readings(
            [f"s{slot}" for slot in slots.tolist()],
            np.zeros(count, np.int32),
            np.arange(start, start + count),
            times_ms[part],
            np.ones((count, 1)),
            stamps_ms[part],
        )
        found.update(hour_jumps(readings, append(records, slots, readings, None)))
    return found


@pytest.mark.parametrize("minutes", [60, 30])
def test_live_readings_show_it_by_their_records_whatever_the_batches(minutes: int) -> None:
    expected = {"s0": minutes, "s1": minutes}

    assert [jumps_of(60 * minutes, batch=batch, stamped=True) for batch in (2, 7, 500)] == [expected] * 3


def test_a_history_that_was_written_at_once_shows_it_by_its_first_late_readings() -> None:
    assert jumps_of(3600, batch=500, stamped=False) == {"s0": 60, "s1": 60}


@pytest.mark.parametrize("back_s", [0, 600, 3540, 3660, 7200])
def test_other_jumps_are_something_else(back_s: int) -> None:
    assert jumps_of(back_s, batch=500, stamped=True) == {}
    assert jumps_of(back_s, batch=500, stamped=False) == {}
