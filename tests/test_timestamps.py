"""Times and durations as people read them."""

from __future__ import annotations

from stream_detector.timestamps import duration


def test_durations_have_a_unit_in_which_they_are_easily_read() -> None:
    seconds = [8.5, 119, 90 * 60, 30 * 3600, 400_000, 86_400 * 700, 10**9]

    assert [duration(one) for one in seconds] == ["8.5 s", "119 s", "90 min", "30 h", "4.63 days", "700 days", "31.7 years"]
