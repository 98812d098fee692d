"""The clock of a partition: active time, without the pauses of everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.readings import Int64Array, Readings
from stream_detector.state.partition_clock import FIRST_ACTIVE_MS, PartitionClock, arrivals_ms

START_MS = 1_700_000_000_000
SECOND_MS, HOUR_MS = 1000, 3_600_000
PAUSE_MS = 30 * SECOND_MS


def times(*seconds: float) -> Int64Array:
    return (START_MS + np.array(seconds) * SECOND_MS).astype(np.int64)


def elapsed(clock: PartitionClock, *seconds: float) -> list[int]:
    """Advance by readings at these seconds; return the active seconds since the beginning at each."""
    return [second - FIRST_ACTIVE_MS // 1000 for second in clock.advance(times(*seconds), PAUSE_MS).tolist()]


def test_it_follows_the_newest_event_time() -> None:
    assert elapsed(PartitionClock(), 0, 1, 5, 3, 6) == [0, 1, 5, 5, 6]


def test_a_pause_of_everything_counts_little() -> None:
    clock = PartitionClock()
    elapsed(clock, *range(100))

    assert elapsed(clock, 50_000, 50_001) == [99 + 30, 99 + 31]


def test_a_pause_that_is_usual_counts_in_full() -> None:
    clock = PartitionClock()
    elapsed(clock, *range(0, 6000, 600))
    (before,) = elapsed(clock, 6000)

    assert elapsed(clock, 6600, 7200) == [before + 600, before + 1200]


def test_a_pause_that_was_usual_long_ago_is_forgotten() -> None:
    clock = PartitionClock()
    elapsed(clock, *range(0, 6000, 600))
    (before,) = elapsed(clock, *range(6000, 6000 + 80_000))[-1:]

    assert elapsed(clock, 200_000) == [before + 30]


@given(
    steps=st.lists(st.sampled_from([0, 300, 1000, -2000, 15_000, 40_000, HOUR_MS]), max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_it_does_not_depend_on_how_the_log_was_cut(steps: list[int], cuts: list[int]) -> None:
    readings = START_MS + np.cumsum([0, *steps])
    whole, cut = PartitionClock(), PartitionClock()
    expected = whole.advance(readings, PAUSE_MS)

    found = np.concatenate([cut.advance(part, PAUSE_MS) for part in np.split(readings, sorted(cuts))])

    assert (found == expected).all()
    assert cut == whole


@pytest.mark.parametrize(
    ("stamp_s", "arrival_s"), [(100, 100), (300, 200), (-1, 200), (None, 200)], ids=["ahead", "behind", "without", "file"]
)
def test_an_event_time_later_than_its_record_does_not_advance_beyond_it(stamp_s: int | None, arrival_s: int) -> None:
    stamps = None if stamp_s is None else np.array([-1]) if stamp_s < 0 else times(stamp_s)
    values = np.zeros((1, 1), np.float32)
    readings = Readings(["a"], np.zeros(1, np.int32), np.zeros(1, np.int64), times(200), values, stamps)

    assert arrivals_ms(readings).tolist() == times(arrival_s).tolist()
