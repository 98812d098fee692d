from __future__ import annotations

from stream_detector.detection.unsaved import Unsaved


def test_what_was_sent_is_no_longer_unsaved_once_it_is_saved() -> None:
    unsaved = Unsaved()
    unsaved.change(0, "a", b"1")
    unsaved.change(1, "a", b"other")

    sent = unsaved.send(0, 10)
    unsaved.saved(0, 10)

    assert sent == {"a": b"1"}
    assert unsaved.send(0, 11) == {}
    assert unsaved.send(1, 11) == {"a": b"other"}


def test_what_changed_after_it_was_sent_stays_unsaved() -> None:
    unsaved = Unsaved()
    for name in ("a", "b"):
        unsaved.change(0, name, b"1")
    unsaved.send(0, 10)
    unsaved.change(0, "a", b"2")

    unsaved.saved(0, 10)

    assert unsaved.send(0, 11) == {"a": b"2"}


def test_a_store_that_did_not_answer_is_sent_the_same_again() -> None:
    unsaved = Unsaved()
    unsaved.change(0, "a", b"1")

    assert unsaved.send(0, 10) == unsaved.send(0, 10) == {"a": b"1"}


def test_nothing_is_sent_or_saved_as_of_no_position() -> None:
    unsaved = Unsaved()
    unsaved.change(0, "a", b"1")

    assert unsaved.send(0, -1) == {}
    unsaved.saved(0, -1)

    assert unsaved.send(0, 10) == {"a": b"1"}


def test_a_partition_that_starts_anew_erases_what_it_is_told_and_a_forgotten_one_nothing() -> None:
    unsaved = Unsaved()
    unsaved.change(0, "a", b"1")
    unsaved.send(0, 10)

    unsaved.restart(0, erased={"b": b"old"})
    unsaved.saved(0, 10)  # of before

    assert unsaved.send(0, 11) == {"b": b""}
    unsaved.forget(0)
    assert unsaved.send(0, 12) == {}
