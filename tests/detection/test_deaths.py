"""Sensors that were said to be gone: silent at once, and how their events tell."""

from __future__ import annotations

from stream_detector.detection.deaths import Dead, Deaths
from stream_detector.detection.transition import Silence

DEAD, LATER = Dead(5, 100, 1_700_000_000_000, "NDEATH"), Dead(9, 120, 1_700_000_020_000, "DDEATH")


def test_of_several_deaths_the_first_counts_until_the_sensor_is_back() -> None:
    deaths = Deaths()
    deaths.add(0, "a b", DEAD)
    deaths.add(0, "a b", LATER)
    first = deaths.of(0)["a b"]
    deaths.end(0, "a b")
    deaths.add(0, "a b", LATER)

    assert (first, deaths.of(0)) == (DEAD, {"a b": LATER})


def test_what_is_stored_is_found_again() -> None:
    deaths = Deaths()
    deaths.add(0, "a b", DEAD)
    deaths.add(0, "c", LATER)
    kept = dict(deaths.unsaved(0, 10))
    deaths.saved(0, 10)
    deaths.end(0, "c")
    again = Deaths()
    again.restore(0, {**kept, **deaths.unsaved(0, 12), "birth of c": b"x", "death of d": b"damaged"}, starts_over=False)

    assert again.of(0) == {"a b": DEAD}
    assert again.unsaved(0, 13) == {}


def test_what_changes_while_the_store_writes_is_written_next() -> None:
    deaths = Deaths()
    deaths.add(0, "c", DEAD)
    deaths.unsaved(0, 6)
    deaths.end(0, "c")
    deaths.saved(0, 6)

    assert deaths.unsaved(0, 7) == {"death of c": b""}
    assert deaths.unsaved(0, -3) == {}


def test_where_the_state_starts_over_no_death_is_left_in_the_store() -> None:
    deaths = Deaths()
    deaths.add(0, "c", DEAD)
    kept = dict(deaths.unsaved(0, 6))
    deaths.restore(0, kept, starts_over=True)

    assert (deaths.of(0), deaths.unsaved(0, 7)) == ({}, {"death of c": b""})


def test_a_store_that_lost_everything_gets_everything_again() -> None:
    deaths = Deaths()
    deaths.add(0, "c", DEAD)
    kept = dict(deaths.unsaved(0, 6))
    deaths.saved(0, 6)
    deaths.mark_lost(0)

    assert deaths.unsaved(0, 7) == kept


def test_a_silence_that_a_death_began_is_due_when_it_was_said_but_not_before_the_last_reading() -> None:
    assert Silence(3, 1000, 60).due_ms == 61_000
    assert Silence(3, 1000, 60, died_ms=5000, died_by="NDEATH").due_ms == 5000
    assert Silence(3, 9000, 60, died_ms=5000, died_by="NDEATH").due_ms == 9000
