"""What is announced, and the note that says so."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.detection.silence import MAXIMUM_MARKS, Mark, PartitionSilence, SilenceRules, read_note
from stream_detector.ports import MAXIMUM_NOTE_BYTES
from stream_detector.readings import Int64Array
from stream_detector.state.arena import NEVER_DUE
from stream_detector.state.partition_clock import PartitionClock

SECOND = 1_100_000


def at(second: int = SECOND, announced_s: int = SECOND, *marks: Mark) -> PartitionSilence:
    return PartitionSilence(PartitionClock(1_700_000_000_000, 1000 * second, 7, 8), announced_s, list(marks))


def integers(*numbers: int) -> Int64Array:
    return np.array(numbers, np.int64)


def test_a_note_says_everything_and_belongs_to_its_position() -> None:
    silence = at(SECOND, SECOND - 5, Mark(17, SECOND + 60), Mark(40, SECOND + 90))

    assert read_note(silence.note(42), 42) == silence
    assert read_note(silence.note(42), 43) is None


@pytest.mark.parametrize("note", ["", "2 1 2 3 4 5 6", "1 x", "1 1 2 3", "1 1 2 3 4 5 6 7", "1 1 2 3 4 5 6 7:8:9", "by a tool"])
def test_any_other_note_says_nothing(note: str) -> None:
    assert read_note(note, 1) is None


def test_the_longest_note_is_short_enough_for_a_broker() -> None:
    large = 1 << 62
    marks = [Mark(large + number, large) for number in range(MAXIMUM_MARKS)]
    silence = PartitionSilence(PartitionClock(large, large, large, large), large, marks)

    assert len(silence.note(large)) <= MAXIMUM_NOTE_BYTES


def test_announced_is_who_is_due_by_the_announced_second() -> None:
    silence = at(SECOND, SECOND - 5)
    silence.announce(100, SECOND)

    assert silence.are_announced(integers(1, 2, 3), integers(SECOND - 10, SECOND, SECOND + 1)).tolist() == [True, True, False]


def test_the_announced_second_never_goes_back_and_never_passes_the_clock() -> None:
    silence = at(SECOND, SECOND)

    silence.announce(100, SECOND - 50)
    silence.announce(100, SECOND + 50)

    assert silence.announced_s == SECOND


def test_a_mark_is_about_readings_before_it_only() -> None:
    silence = at()
    silence.announce(100, SECOND + 50)
    due = integers(SECOND + 10, SECOND + 10, SECOND + 60)

    assert silence.are_announced(integers(99, 100, 99), due).tolist() == [True, False, False]
    assert silence.are_marked(integers(99, 99), due[:2], integers(100, 99)).tolist() == [True, False]


def test_marks_at_one_position_are_one() -> None:
    silence = at()
    for until_s in (SECOND + 50, SECOND + 70, SECOND + 60):
        silence.announce(100, until_s)

    assert silence.marks == [Mark(100, SECOND + 70)]


def test_a_mark_is_kept_until_the_clock_has_passed_it_and_no_replay_needs_it() -> None:
    silence = at(SECOND, SECOND, Mark(100, SECOND + 50))
    silence.forget_marks(200)
    still_ahead = list(silence.marks)
    silence.announced_s = SECOND + 50
    silence.forget_marks(99)
    needed = list(silence.marks)
    silence.forget_marks(100)

    assert still_ahead == needed == [Mark(100, SECOND + 50)]
    assert silence.marks == []


def test_a_limit_is_the_longest_of_seconds_intervals_and_pauses() -> None:
    rules = SilenceRules(least_ms=60_000, intervals=5.0, pauses=3.0)
    intervals, pauses = np.array([1e3, 60e3, 1e3, 1e9], np.float32), np.array([2e3, 60e3, 900e3, 1e9], np.float32)

    assert rules.limits_s(np.full(4, 16), intervals, pauses).tolist() == [60, 300, 2700, 7 * 86_400]


def test_a_sensor_of_which_little_is_known_is_never_silent() -> None:
    pace = np.array([1e3, 1e3], np.float32)

    assert SilenceRules().limits_s(np.array([15, 16]), pace, pace).tolist() == [NEVER_DUE, 60]
