"""The alerts topic in memory: fakes of ports.Sink and ports.IncidentLog, on a MemoryLog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from stream_detector.detection.open_incidents import OpenIncident, open_incidents
from stream_detector.errors import CommitFailedError, FencedError, MembershipLostError
from stream_detector.ports import NO_NOTES
from stream_detector.readings import Membership, Message
from tests.fakes.memory_log import MemoryLog, MemoryMembership


class MemoryIncidentLog:
    """An incident log on a MemoryLog."""

    def __init__(self, log: MemoryLog, input_topic: str, alerts_topic: str) -> None:
        self._log = log
        self._input_topic = input_topic
        self._alerts_topic = alerts_topic

    def open_incidents(self, partition: int, position: int) -> list[OpenIncident]:
        """See ports.IncidentLog."""
        if not self._log.has_topic(self._alerts_topic):
            return []
        values = (record.value for record in self._log.records(self._alerts_topic))
        return open_incidents(values, self._input_topic, partition, position)


class MemorySink:
    """A sink on a MemoryLog. A test makes a commit fail with `fail_next_commit`."""

    def __init__(self, log: MemoryLog, input_topic: str, transactional_id: str | None = None) -> None:
        self._log = log
        self._topic = input_topic
        self._id = transactional_id or log.new_name("producer")
        self._epoch = log.take_over(self._id)
        self._failure: Literal["before", "after"] | None = None
        self._usable = True

    def fail_next_commit(self, when: Literal["before", "after"]) -> None:
        """Let the next commit fail: before it writes anything, or after it wrote everything (the answer is lost)."""
        self._failure = when

    def commit(
        self,
        messages: Sequence[Message],
        positions: Mapping[int, int],
        membership: Membership,
        notes: Mapping[int, str] = NO_NOTES,
    ) -> None:
        """See ports.Sink."""
        failure, self._failure = self._failure, None
        if not self._usable:
            msg = "the sink must be reset after a failed commit"
            raise CommitFailedError(msg)
        self._usable = False
        group = self._group_of(membership)
        if failure == "before":
            msg = "the transaction failed"
            raise CommitFailedError(msg)
        self._log.write(messages)
        for partition, position in positions.items():
            self._log.set_committed(group, self._topic, partition, position, notes.get(partition, ""))
        if failure == "after":
            msg = "the answer to the commit was lost"
            raise CommitFailedError(msg)
        self._usable = True

    def reset(self) -> None:
        """See ports.Sink."""
        self._epoch = self._log.take_over(self._id)
        self._usable = True

    def close(self) -> None:
        """See ports.Sink."""
        self._usable = False

    def _group_of(self, membership: Membership) -> str:
        """Return the ID of a membership's group; reject a fenced producer and a former member."""
        if self._log.is_fenced(self._id, self._epoch):
            msg = f"transactional id {self._id} was taken over by another producer"
            raise CommitFailedError(msg)
        if not isinstance(membership, MemoryMembership):
            msg = "not a member of the group"
            raise MembershipLostError(msg)
        group = self._log.group(membership.group)
        if group.member_of(membership.instance) not in (None, membership.member):
            msg = f"two replicas share instance_id {membership.instance}"
            raise FencedError(msg)
        if membership.member not in group.members or membership.generation != group.generation:
            msg = f"generation {membership.generation} of the group is over"
            raise MembershipLostError(msg)
        return membership.group
