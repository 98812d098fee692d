"""How an incident opens, continues, closes and is accepted as the new normal state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.detection.decision_cases import NAN, RULES, decided, headers, readings_of, transitions


def test_the_first_anomalous_reading_opens_an_incident_and_those_that_follow_do_not() -> None:
    decisions = decided(headers(), readings_of([1, 3, 3, 3], [0, 10, 20, 30]))

    assert transitions(decisions) == [(1, "opened")]
    assert decisions.anomalous.tolist() == [False, True, True, True]


def test_an_incident_is_updated_when_so_much_event_time_has_passed_since_the_last_event() -> None:
    times_ms = [0, 40, 80, 99, 100, 140, 199, 200]

    decisions = decided(headers(), readings_of([3.0] * 8, times_ms))

    assert transitions(decisions) == [(0, "opened"), (4, "updated"), (7, "updated")]


def test_an_update_is_counted_from_the_last_update_not_from_the_opening() -> None:
    decisions = decided(headers(), readings_of([3.0] * 5, [0, 40, 130, 200, 230]), replace(RULES, quiet_ms=1000))

    assert transitions(decisions) == [(0, "opened"), (2, "updated"), (4, "updated")]


def test_an_incident_is_closed_by_the_first_normal_reading_after_the_quiet_spell() -> None:
    decisions = decided(headers(), readings_of([3, 1, 1, 1, 1], [0, 20, 49, 50, 60]))

    assert transitions(decisions) == [(0, "opened"), (3, "closed")]


def test_an_anomalous_reading_ends_the_quiet_spell() -> None:
    decisions = decided(headers(), readings_of([3, 1, 3, 1, 1], [0, 40, 45, 90, 95]))

    assert transitions(decisions) == [(0, "opened"), (4, "closed")]  # 50 ms after 45


def test_an_anomalous_reading_after_a_long_silence_continues_the_incident() -> None:
    decisions = decided(headers(), readings_of([3, 3], [0, 1000]))

    assert transitions(decisions) == [(0, "opened"), (1, "updated")]


def test_a_reading_that_has_no_score_closes_no_incident() -> None:
    """A gap starts the window over: the fault is not over because it cannot be seen while the window fills."""
    scorable = [True, False, False, True]

    lasts = decided(headers(), readings_of([3, NAN, NAN, 3], [0, 60, 120, 130], scorable=scorable))
    over = decided(headers(), readings_of([3, NAN, NAN, 1], [0, 60, 120, 130], scorable=scorable))

    assert transitions(lasts) == [(0, "opened"), (3, "updated")]
    assert transitions(over) == [(0, "opened"), (3, "closed")]
    assert lasts.needed.tolist() == scorable


def test_an_incident_of_which_nothing_is_scored_closes_when_it_would_be_accepted() -> None:
    rules = replace(RULES, accept_ms=300)
    decisions = decided(headers(), readings_of([3, NAN, NAN], [0, 299, 300], scorable=[True, False, False]), rules)

    assert [(t.position, t.status, t.is_accepted) for t in decisions.transitions] == [
        (0, "opened", False),
        (2, "closed", False),
    ]


def test_a_reading_above_a_quarter_of_the_margin_holds_an_incident_open_but_opens_none() -> None:
    """The normal surprise is 1, the limit 2: an incident lasts while the surprise exceeds 1.25."""
    decisions = decided(headers(), readings_of([1.3, 3, 1.3, 1.3, 1.3, 1.2, 1.2, 1.2], [0, 10, 40, 80, 120, 140, 169, 170]))

    assert transitions(decisions) == [(1, "opened"), (7, "closed")]  # 50 ms after the last that held it
    assert decisions.anomalous.tolist() == [False, True, *[False] * 6]
    assert decisions.holding.tolist() == [*[True] * 5, *[False] * 3]


def test_the_surprise_that_holds_an_incident_rises_with_what_was_accepted() -> None:
    header = headers()
    header["accepted"] = 2.0  # normal is 3 now, the limit 4

    decisions = decided(header, readings_of([5, 3.3, 3.2], [0, 10, 20]))

    assert decisions.holding.tolist() == [True, True, False]


def test_after_closing_the_next_anomalous_reading_opens_another_incident() -> None:
    decisions = decided(headers(), readings_of([3, 1, 3], [0, 60, 70], first_offset=500))

    assert [(t.status, t.incident_offset, t.opened_ms) for t in decisions.transitions] == [
        ("opened", 500, 0),
        ("closed", 500, 0),
        ("opened", 502, 70),
    ]


@pytest.mark.parametrize("accept_ms", [10_000, 50], ids=["closed", "accepted"])
def test_a_finished_incident_leaves_nothing_in_the_state(accept_ms: int) -> None:
    header, new = headers(), headers()

    decisions = decided(header, readings_of([3, 3, 1], [0, 50, 100]), replace(RULES, accept_ms=accept_ms))

    assert transitions(decisions)[-1][1] == "closed"
    fields = ("incident_offset", "incident_time_ms", "incident_peak", "incident_ratio", "last_anomalous_ms", "last_update_ms")
    assert all(header[name] == new[name] for name in fields)


def test_every_event_has_the_incidents_peak_so_far() -> None:
    decisions = decided(headers(), readings_of([3, 9, 4, 1], [0, 50, 100, 150]))

    assert [(t.status, t.peak_score) for t in decisions.transitions] == [("opened", 2.0), ("updated", 5.0), ("closed", 5.0)]


def test_an_incident_that_becomes_high_or_critical_is_updated_at_once() -> None:
    """The threshold is 1.5, a score half of the surprise and 1: it is high from a surprise of 3.8, critical from 6.5."""
    decisions = decided(headers(), readings_of([2.5, 3, 5, 4, 7, 9, 5, 9], [0, 10, 20, 30, 40, 50, 60, 70]))

    assert transitions(decisions) == [(0, "opened"), (2, "updated"), (4, "updated")]


def test_an_incident_keeps_the_largest_ratio_of_score_to_threshold_by_the_thresholds_of_their_moments() -> None:
    """The memory lifts score and threshold alike, so the ratio falls while the score still rises."""
    rules = replace(RULES, memory_share=0.5)

    decisions = decided(headers(rules), readings_of([9, 10, 10, 1], [0, 10, 20, 150]), rules)

    ratios = decisions.scores / decisions.thresholds
    assert ratios[0] > ratios[1] > ratios[2]
    assert decisions.scores[2] > decisions.scores[0]
    assert [t.peak_ratio for t in decisions.transitions] == pytest.approx([ratios[0]] * len(decisions.transitions))
    assert decisions.transitions[-1].status == "closed"


def test_the_peak_of_an_incident_does_not_outlive_it() -> None:
    decisions = decided(headers(), readings_of([9, 1, 3], [0, 60, 70]))

    assert [t.peak_score for t in decisions.transitions] == [5.0, 5.0, 2.0]


# -- an incident that lasts is accepted

#: Half of each new surprise is remembered; an incident of 20 ms is taken for a new normal state.
ACCEPTING = replace(RULES, memory_share=0.5, accept_ms=20)


def test_an_incident_that_lasts_is_closed_as_accepted_and_what_the_memory_holds_is_normal_from_then_on() -> None:
    header = headers(ACCEPTING)

    decisions = decided(header, readings_of([5.0] * 4, [0, 10, 20, 30]), ACCEPTING)

    # The memory is 3, 4, 4.5: the limit of 2 is raised by 4.5 - 1 to 5.5 from the fourth reading on.
    assert [(t.position, t.status, t.incident_offset, t.is_accepted) for t in decisions.transitions] == [
        (0, "opened", 0, False),
        (2, "closed", 0, True),
    ]
    assert decisions.anomalous.tolist() == [True, True, True, False]
    assert decisions.thresholds[2:].tolist() == [(2.0 + 4.5) / 2, (5.5 + 4.75) / 2]
    assert header["accepted"].tolist() == [3.5]  # the memory rises to 4.75, but the accepted surprise does not


def test_what_was_accepted_is_released_as_the_surprise_falls() -> None:
    header = headers(ACCEPTING)

    decisions = decided(header, readings_of([5, 5, 5, 1, 1, 5], [0, 10, 20, 30, 40, 50]), ACCEPTING)

    # Memory 4.5, 2.75, 1.875, so 3.5, 1.75, 0.875 are accepted: 5 is above 2.875, and opens another incident.
    assert transitions(decisions) == [(0, "opened"), (2, "closed"), (5, "opened")]
    assert decisions.thresholds[5] == (2.875 + 3.4375) / 2
    assert header["accepted"].tolist() == [0.875]


def test_a_surprise_above_the_accepted_one_opens_another_incident() -> None:
    decisions = decided(headers(ACCEPTING), readings_of([5, 5, 5, 6], [0, 10, 20, 30]), ACCEPTING)

    assert [(t.position, t.status, t.incident_offset) for t in decisions.transitions][2:] == [(3, "opened", 3)]


def test_an_incident_is_accepted_by_an_anomalous_reading_or_after_twice_the_time_by_one_that_holds_it() -> None:
    decisions = decided(headers(ACCEPTING), readings_of([5, 1, 5, 1], [0, 30, 31, 90]), ACCEPTING)

    assert [(t.position, t.status, t.is_accepted) for t in decisions.transitions] == [
        (0, "opened", False),
        (2, "closed", True),
    ]
    held = decided(headers(ACCEPTING), readings_of([5, 1.6, 1.6], [0, 39, 40]), ACCEPTING)
    assert [(t.position, t.status, t.is_accepted) for t in held.transitions] == [(0, "opened", False), (2, "closed", True)]
    ended = decided(headers(ACCEPTING), readings_of([5, 1], [0, 50]), ACCEPTING)
    assert [(t.status, t.is_accepted) for t in ended.transitions] == [("opened", False), ("closed", False)]


def test_the_reading_at_which_an_incident_is_accepted_does_not_update_it() -> None:
    rules = replace(ACCEPTING, update_ms=20)

    assert transitions(decided(headers(rules), readings_of([5, 5, 5], [0, 10, 20]), rules)) == [(0, "opened"), (2, "closed")]
