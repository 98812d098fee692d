"""The table of restore plans, row by row, and replicas that execute them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream_detector.pipeline.restore_plan import MAX_REPLAY_RECORDS, Action, Facts, Plan, choose_plan
from stream_detector.ports import PartitionMeta

META = PartitionMeta(next_position=500, epoch=b"12345678", layout="3:3:1:1:a,b", topic_id="topic-1")
#: A healthy partition: 100 to 1000 are in the log, up to 500 is committed and stored.
FACTS = Facts(
    committed=500,
    group_started=True,
    log_start=100,
    log_end=1000,
    topic_id="topic-1",
    layout="3:3:1:1:a,b",
    meta=META,
    first_start=1000,
    partition=1,
)


def with_meta(facts: Facts = FACTS, **changes: object) -> Facts:
    return replace(facts, meta=replace(META, **changes))  # type: ignore[arg-type] # checked by the dataclass


REBUILD, REPLAY, RESUME, WAIT = Action.REBUILD, Action.REPLAY, Action.RESUME, Action.WAIT

TABLE = {
    "stored state is at the commit": (FACTS, Plan(RESUME, 500, "")),
    "stored state lags the commit": (with_meta(next_position=400), Plan(REPLAY, 500, "", replay_from=400)),
    "stored state is at the log's start": (with_meta(next_position=100), Plan(REPLAY, 500, "", replay_from=100)),
    "stored state is before the log's start": (with_meta(next_position=99), Plan(REBUILD, 500, "", reopens_incidents=True)),
    "stored state is ahead of the commit": (
        with_meta(next_position=501),
        Plan(REBUILD, 500, "", suspicious=True, reopens_incidents=True),
    ),
    "nothing is stored": (replace(FACTS, meta=None), Plan(REBUILD, 500, "", reopens_incidents=True)),
    "nothing is stored, partition 0": (
        replace(FACTS, meta=None, partition=0),
        Plan(REBUILD, 500, "", suspicious=True, reopens_incidents=True),
    ),
    "a rebuild was not finished": (with_meta(next_position=-5), Plan(REBUILD, 500, "", reopens_incidents=True)),
    "stored in another layout": (with_meta(layout="3:4:1:1:a,b"), Plan(REBUILD, 500, "", reopens_incidents=True)),
    "stored far behind the commit": (
        replace(FACTS, committed=500 + MAX_REPLAY_RECORDS + 1, log_end=10**9),
        Plan(REBUILD, 500 + MAX_REPLAY_RECORDS + 1, "", reopens_incidents=True),
    ),
    "stored as far behind as may be replayed": (
        replace(FACTS, committed=500 + MAX_REPLAY_RECORDS, log_end=10**9),
        Plan(REPLAY, 500 + MAX_REPLAY_RECORDS, "", replay_from=500),
    ),
    "committed at the log's end": (
        replace(with_meta(next_position=1000), committed=1000),
        Plan(RESUME, 1000, ""),
    ),
    "committed beyond the log's end": (
        replace(FACTS, committed=1001),
        Plan(REBUILD, 1000, "", must_commit=True, suspicious=True),
    ),
    "retention passed the commit, stored state complete": (
        replace(with_meta(next_position=60), committed=60),
        Plan(RESUME, 100, "", must_commit=True, lost_readings=40, suspicious=True),
    ),
    "retention passed the commit, stored state behind": (
        replace(with_meta(next_position=59), committed=60),
        Plan(REBUILD, 100, "", must_commit=True, lost_readings=40, suspicious=True, reopens_incidents=True),
    ),
    "retention passed the commit, nothing stored": (
        replace(FACTS, committed=60, meta=None),
        Plan(REBUILD, 100, "", must_commit=True, lost_readings=40, suspicious=True, reopens_incidents=True),
    ),
    "retention passed the commit, another layout": (
        replace(with_meta(next_position=60, layout="3:4:1:1:a,b"), committed=60),
        Plan(REBUILD, 100, "", must_commit=True, lost_readings=40, suspicious=True, reopens_incidents=True),
    ),
    "the topic was made anew": (
        with_meta(topic_id="topic-0"),
        Plan(REBUILD, 100, "", must_commit=True, suspicious=True),
    ),
    "the topic was made anew, its positions are gone": (
        replace(with_meta(topic_id="topic-0"), committed=None, group_started=False),
        Plan(REBUILD, 100, "", must_commit=True, suspicious=True),
    ),
    "a new partition": (replace(FACTS, committed=None, meta=None), Plan(REBUILD, 100, "", must_commit=True)),
    "a new group, not partition 0": (
        replace(FACTS, committed=None, meta=None, group_started=False),
        Plan(WAIT, 1000, ""),
    ),
    "a new group, partition 0": (
        replace(FACTS, committed=None, meta=None, group_started=False, partition=0),
        Plan(REBUILD, 1000, "", must_commit=True, starts_group=True),
    ),
    "a new group over an old group's state, partition 0": (
        replace(FACTS, committed=None, group_started=False, partition=0),
        Plan(REBUILD, 1000, "", must_commit=True, starts_group=True),
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_each_case_has_its_plan(case: str) -> None:
    facts, expected = TABLE[case]

    plan = choose_plan(facts)

    assert replace(plan, reason="") == expected
    assert plan.reason


# -- carried out


def test_a_partition_without_stored_state_may_be_one_of_a_new_group() -> None:
    reason = choose_plan(replace(FACTS, meta=None)).reason

    assert reason == "nothing is stored: first start of this group, or the store was emptied"
