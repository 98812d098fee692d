"""Offset and index of a reading as one integer."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.places import MAXIMUM_READINGS, Place, offsets_of, place_name, place_of, places_of

OFFSETS, INDICES = st.integers(0, (1 << 48) - 1), st.integers(0, MAXIMUM_READINGS - 1)


@given(OFFSETS, INDICES)
def test_a_place_tells_offset_and_index(offset: int, index: int) -> None:
    place = places_of(offset, index)

    assert 0 <= place < 1 << 63
    assert place_of(place) == Place(offset, index)
    assert offsets_of(np.array([place])).tolist() == [offset]


def test_the_place_of_a_reading_that_is_alone_in_its_record_is_the_offset() -> None:
    assert places_of(17, 0) == 17
    assert place_name("plant", 4, places_of(17, 3)) == "plant-4-17-3"


def test_what_is_no_place_stays_what_it_is() -> None:
    assert place_of(-1) == Place(-1, 0)
    assert offsets_of(np.array([-1, 5])).tolist() == [-1, 5]
