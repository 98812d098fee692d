"""What is remembered of births: which decides, what is stored, and what a restart finds."""

from __future__ import annotations

import pytest

from stream_detector.ingest.sparkplug import births as module
from stream_detector.ingest.sparkplug.births import KEPT_BIRTHS, NO_SESSION, NOT_BORN, Birth, Births

NODE = "g/n"


def birth(offset: int, *names: str) -> Birth:
    return Birth(offset, NO_SESSION, dict(enumerate(names)), dict.fromkeys(names, 10))


def restored(kept: dict[str, bytes], topic_id: str = "T") -> Births:
    births = Births()
    births.restore(0, kept, topic_id)
    return births


def test_what_is_stored_is_found_again() -> None:
    births = restored({})
    births.add(0, NODE, birth(3, "a", "ünïcode"))
    births.add(0, f"{NODE}/d", birth(5, "b"))
    again = restored(births.unsaved(0, 6))

    assert again.at(0, NODE, "", 9) == birth(3, "a", "ünïcode")
    assert again.at(0, NODE, "d", 9) == birth(5, "b")
    assert again.devices(0, NODE, 9) == [f"{NODE}/d"]
    assert again.known_to(0) == 6
    assert again.unsaved(0, 7).keys() == {"births up to"}


def test_births_from_a_position_on_are_not_stored_as_of_it() -> None:
    births = restored({})
    for offset in (3, 8):
        births.add(0, NODE, birth(offset, f"at {offset}"))
    kept = births.unsaved(0, 8)
    births.saved(0, 8)

    assert restored(kept).at(0, NODE, "", 99) == birth(3, "at 3")
    assert restored({**kept, **births.unsaved(0, 9)}).at(0, NODE, "", 99) == birth(8, "at 8")


def test_only_the_newest_births_are_stored_and_those_are_kept_in_memory_that_are_not() -> None:
    births = restored({})
    for offset in range(10):
        births.add(0, NODE, birth(offset, f"at {offset}"))
    before = births.at(0, NODE, "", 0)
    again = restored(births.unsaved(0, 10))
    births.saved(0, 10)

    assert before == birth(0, "at 0")
    assert births.at(0, NODE, "", 9 - KEPT_BIRTHS) == again.at(0, NODE, "", 9 - KEPT_BIRTHS) == NOT_BORN
    assert births.at(0, NODE, "", 10 - KEPT_BIRTHS) == again.at(0, NODE, "", 10 - KEPT_BIRTHS) == birth(6, "at 6")


def test_nothing_counts_that_was_stored_of_another_topic() -> None:
    births = restored({})
    births.add(0, NODE, birth(3, "a"))
    again = restored(births.unsaved(0, 6), topic_id="another")

    assert (again.at(0, NODE, "", 9), again.known_to(0)) == (NOT_BORN, None)
    assert again.unsaved(0, 7)[f"birth of {NODE}"] == b""


def test_what_cannot_be_read_is_not_there() -> None:
    births = restored({})
    births.add(0, NODE, birth(3, "a"))
    kept = {**births.unsaved(0, 6), f"birth of {NODE}": b"damaged"}

    assert restored(kept).at(0, NODE, "", 9) == NOT_BORN


def test_a_store_that_lost_everything_gets_everything_again() -> None:
    births = restored({})
    births.add(0, NODE, birth(3, "a"))
    births.saved(0, 4)
    births.mark_lost(0)

    assert f"birth of {NODE}" in births.unsaved(0, 5)


def test_of_too_many_sensors_the_one_born_longest_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SENSORS", 2)
    births = restored({})
    for offset, name in enumerate(("a", "b", "a", "c")):
        births.add(0, f"{NODE}/{name}", birth(offset, name))

    assert births.devices(0, NODE, 9) == [f"{NODE}/a", f"{NODE}/c"]
    assert births.unsaved(0, 4)[f"birth of {NODE}/b"] == b""
