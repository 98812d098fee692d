"""The rounds of renamed tags test what they are for."""

from __future__ import annotations

import pytest

from stream_detector.readings import Message
from tests.chaos.checker import Findings, Leniency, expected_events
from tests.chaos.feed import MakeRecords, with_single_features
from tests.chaos.renamed import compare_questions, name_of, with_renamed_tags
from tests.fakes.memory_log import MemoryRecord as Record
from tests.pipeline.replica_config import START_MS


def events(make_records: MakeRecords, plant: str) -> list[Message]:
    """Return the events of a crash-free run of 40 s."""
    made = [pair for second in range(40) for pair in make_records(0, second, 20)]
    records = [Record("readings", 0, at, START_MS + 10**6, key.encode(), value, ()) for at, (key, value) in enumerate(made)]
    return expected_events(records, plant, [])


def findings(expected: list[Message]) -> Findings:
    result, found = Findings(), [Record("alerts", 0, 0, 0, one.key, one.value, one.headers) for one in expected]
    compare_questions(expected, found, Leniency(), result)
    return result


@pytest.mark.parametrize("plant", ["assembled", "assembled-evicting"])
def test_a_run_asks_about_some_tags_that_are_gone_and_one_without_questions_is_found(plant: str) -> None:
    asking, others = (findings(events(one, plant)) for one in (with_renamed_tags, with_single_features))

    assert asking.total == 0
    assert others.examples == ["missing: any question whether a tag was renamed"]


def test_tags_are_renamed_for_a_while_and_back_some_to_names_like_the_old_ones() -> None:
    # Sensor 2 is 26 s ahead: it renames b from second 34 on, for 25 s.
    assert [name_of("b", second, 2) for second in (33, 34, 58, 59)] == ["b", "b_1", "b_1", "b"]
    assert [name_of(tag, 34 + 60 * turn, 2) for turn in (1, 2, 3) for tag in "ab"] == ["a", "b_2", "a", "b_0", "a", "b_1"]
    assert name_of("b", 42, 6) == "velocity 2"
