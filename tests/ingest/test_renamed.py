"""Which features may be others under a new name."""

from __future__ import annotations

import difflib

from hypothesis import given
from hypothesis import strategies as st

from stream_detector.ingest.renamed import renamings

NAMES = st.text("abc1", min_size=1, max_size=8)


@given(NAMES, NAMES)
def test_a_name_is_asked_about_exactly_if_it_is_similar_enough_or_a_part_of_the_other(one: str, other: str) -> None:
    short, long = sorted((one, other), key=len)
    is_part = len(short) >= 3 and short in long

    is_similar = difflib.SequenceMatcher(None, one, other).ratio() >= 0.6

    assert renamings([one], [other]) == ({one: other} if is_part or is_similar else {})
