"""Decides how to bring a partition's state to its committed position, before its first new reading.

The log is the truth and the store lags behind it, so the stored state plus a piece of the log gives the state. `choose_plan`
holds the full table of cases, without I/O; restore.py carries plans out.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from stream_detector.ports import PartitionMeta

#: A replay of more records than this takes longer than rebuilding the windows.
MAX_REPLAY_RECORDS = 2_000_000


class Action(enum.Enum):
    """What to do with the stored state."""

    RESUME = "resume"  # it is complete; sensors are loaded when met
    REPLAY = "replay"  # it ends at `replay_from`: process the readings from there to `position` again, without publishing
    WAIT = "wait"  # the owner of partition 0 is about to commit where the group starts
    REBUILD = "rebuild"  # it is unusable: fill windows from the readings before `position` in a new epoch, without publishing


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts about a newly assigned partition that the plan depends on."""

    committed: int | None
    group_started: bool  # partition 0 has a committed position
    log_start: int
    log_end: int
    topic_id: str
    layout: str
    meta: PartitionMeta | None
    first_start: int  # where the `start` setting puts this partition
    partition: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How to restore the state up to `position`, from which new readings are scored."""

    action: Action
    position: int
    reason: str
    replay_from: int = 0
    must_commit: bool = False  # the group has no commit at `position` yet: commit it before anything is scored
    starts_group: bool = False  # commit where every partition starts
    reopens_incidents: bool = False  # the group has published events before: reopen the incidents that they leave open
    lost_readings: int = 0  # offsets that retention removed before they were read
    suspicious: bool = False  # should not happen in a healthy installation: logged as an error


def choose_plan(facts: Facts) -> Plan:
    """Decide how to restore a partition."""
    meta = facts.meta
    if meta is not None and meta.topic_id != facts.topic_id:
        return Plan(Action.REBUILD, facts.log_start, "the topic was deleted and recreated", must_commit=True, suspicious=True)
    if facts.committed is None:
        return _first_start(facts)
    if facts.committed > facts.log_end:
        reason = f"the committed position {facts.committed} is beyond the log's end {facts.log_end}: records were lost"
        return Plan(Action.REBUILD, facts.log_end, reason, must_commit=True, suspicious=True)
    if facts.committed < facts.log_start:
        return _after_retention(facts, facts.committed)
    return _from_store(facts, facts.committed)


def _first_start(facts: Facts) -> Plan:
    """Plan for a partition without a commit: either the partition or the group is new.

    The owner of partition 0 commits the first positions of all partitions at once. So a partition without a commit in a
    group that has started was added later, and is read from its beginning.
    """
    if facts.group_started:
        return Plan(Action.REBUILD, facts.log_start, "new partition", must_commit=True)
    if facts.partition != 0:
        return Plan(Action.WAIT, facts.first_start, "the group has not started")
    return Plan(Action.REBUILD, facts.first_start, "first start of this group", must_commit=True, starts_group=True)


def _after_retention(facts: Facts, committed: int) -> Plan:
    lost = facts.log_start - committed
    reason = f"{lost} offsets from {committed} were removed by retention before they were read"
    complete = facts.meta is not None and facts.meta.next_position == committed and facts.meta.layout == facts.layout
    return Plan(
        # Windows that span the hole restart by the gap rule, if it is long enough to matter.
        Action.RESUME if complete else Action.REBUILD,
        facts.log_start,
        reason,
        must_commit=True,
        reopens_incidents=not complete,
        lost_readings=lost,
        suspicious=True,
    )


def _from_store(facts: Facts, committed: int) -> Plan:
    meta = facts.meta
    if meta is None:
        return _nothing_stored(facts, committed)
    if meta.layout != facts.layout:
        return _rebuild(committed, f"stored in layout {meta.layout}, needed is {facts.layout}")
    if meta.next_position < 0:
        return _rebuild(committed, "an earlier rebuild was not finished")
    if meta.next_position == committed:
        return Plan(Action.RESUME, committed, "the stored state is complete")
    if meta.next_position > committed:
        reason = f"the stored state is at {meta.next_position}, ahead of the committed {committed}: offsets were reset"
        return _rebuild(committed, reason, suspicious=True)
    if meta.next_position < facts.log_start:
        return _rebuild(committed, f"readings from {meta.next_position} on are no longer in the log")
    if committed - meta.next_position > MAX_REPLAY_RECORDS:
        return _rebuild(committed, f"the stored state is {committed - meta.next_position} records behind")
    return Plan(Action.REPLAY, committed, "the stored state lags the commit", replay_from=meta.next_position)


def _nothing_stored(facts: Facts, committed: int) -> Plan:
    """Plan for a partition with a commit but no stored state.

    Partition 0 is stored as soon as it has a commit. The first commit of any other may come from partition 0's owner.
    """
    if facts.partition != 0:
        return _rebuild(committed, "nothing is stored: first start of this group, or the store was emptied")
    reason = "nothing is stored, though the group has committed positions: the store was emptied, or is another one"
    return _rebuild(committed, reason, suspicious=True)


def _rebuild(position: int, reason: str, *, suspicious: bool = False) -> Plan:
    return Plan(Action.REBUILD, position, reason, reopens_incidents=True, suspicious=suspicious)
