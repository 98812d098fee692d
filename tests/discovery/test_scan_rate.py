"""How often tags are read, also where only changes are sent."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.discovery.scan_rate import scan_seconds

RANDOM = np.random.default_rng(7)


def tag(share: float, *, scan_s: float = 10.0, jitter_s: float = 0.0, scans: int = 500) -> list[int]:
    """Return the times in ms of a tag that is scanned, and sent in this share of the scans."""
    at = np.flatnonzero(RANDOM.random(scans) < share) * scan_s
    return [round(1000 * one) for one in at + RANDOM.uniform(0, jitter_s, len(at))]


@pytest.mark.parametrize("jitter_s", [0.0, 0.4, 1.2])
def test_a_gateway_that_scans_and_sends_what_has_changed_is_seen_by_the_multiples(jitter_s: float) -> None:
    tags = [tag(share, jitter_s=jitter_s) for share in (0.9, 0.5, 0.4, 0.2, 0.1)]

    seconds, are_scans = scan_seconds(tags)

    assert (round(seconds), are_scans) == (10, True)
    assert float(np.median(np.diff(tags[2]))) >= 19_000  # what the median would say


def test_tags_of_a_steady_pace_and_tags_read_at_different_rates_give_the_median_of_their_scans() -> None:
    assert scan_seconds([tag(1.0, scan_s=3.0)]) == (3.0, True)
    assert scan_seconds([tag(1.0, scan_s=one) for one in (1.0, 60.0, 60.0)]) == (60.0, True)


def test_two_messages_by_chance_at_nearly_one_time_hide_no_scan() -> None:
    times = tag(0.5)

    assert scan_seconds([sorted([*times, times[40] + 7])]) == (10.0, True)


def test_without_scans_it_is_the_median_step() -> None:
    at = np.cumsum(RANDOM.exponential(20_000, 400)).astype(int).tolist()

    seconds, are_scans = scan_seconds([at, [0, 1000]])

    assert seconds == pytest.approx((np.median(np.diff(at)) / 1000 + 1) / 2)
    assert not are_scans
    assert scan_seconds([[], [5]]) == (0.0, False)
