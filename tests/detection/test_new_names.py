"""Names that came new, as a fold over the log that the store keeps."""

from __future__ import annotations

import numpy as np

from stream_detector.detection.new_names import NewName, NewNames
from stream_detector.readings import Readings, Unknown

FEATURES = ("temperature", "pressure")


def said(offset: int, *names: str, sensor: str = "s", partition: int = 0) -> Unknown:
    return Unknown(partition, offset, sensor, 1000 * offset, names)


def readings(*offsets: int, sensor: str = "s") -> Readings:
    count = len(offsets)
    return Readings(
        [sensor] * count, np.zeros(count, np.int32), np.array(offsets), np.zeros(count, np.int64), np.zeros((count, 2))
    )


def test_the_first_message_of_a_name_like_a_feature_counts_and_other_names_are_not_kept() -> None:
    names = NewNames(FEATURES)

    names.fold([said(3, "temperature_c", "x1"), said(4, "pressure_bar", "temperature_c"), said(5, "druck")])

    first, second = NewName("temperature_c", 3, 3000), NewName("pressure_bar", 4, 4000)
    assert names.of(0, "s") == (first, second)
    assert names.of_readings(readings(2, 3, 4)) == {1: (first,), 2: (first, second)}
    assert names.of_readings(readings(4, sensor="other")) == {}


def test_what_the_store_keeps_gives_the_same_names_and_messages_that_come_again_change_nothing() -> None:
    names, other = NewNames(FEATURES), NewNames(FEATURES)
    names.fold([said(3, "temperature_c")])
    kept = names.unsaved(0, 4)
    names.fold([said(5, "pressure_bar")])
    names.saved(0, 4)

    other.restore(0, {**kept, **names.unsaved(0, 6), "new names of t": b"damaged", "birth of s": b"x"}, starts_over=False)
    other.fold([said(3, "temperature_c"), said(5, "pressure_bar")])

    assert other.of(0, "s") == names.of(0, "s") == (NewName("temperature_c", 3, 3000), NewName("pressure_bar", 5, 5000))
    assert other.unsaved(0, 6) == {}
    names.saved(0, 6)
    assert names.unsaved(0, 6) == {}
    other.restore(0, kept, starts_over=True)
    assert (other.of(0, "s"), other.unsaved(0, 6)) == ((), dict.fromkeys(kept, b""))


def test_a_name_longer_than_any_feature_s_is_not_kept_however_like_one_it_is() -> None:
    names, longest = NewNames(FEATURES), "temperature" + 245 * "x"

    names.fold([said(3, longest), said(4, longest + "x"), said(5, 2000 * "temperature ")])

    assert [one.name for one in names.of(0, "s")] == [longest]
