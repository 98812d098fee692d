"""Gives all partitions of a topic to one member of the group; the others stand by.

Whoever merges partitions by time must read them all. The member that has the most partitions keeps them; the others get theirs
when it has left. As the client's cooperative assignor does, it gives nobody a partition that another member still has.
"""

from __future__ import annotations

from typing import Any

from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment


class SingleOwnerAssignor(CooperativeStickyAssignor):  # type: ignore[misc]  # the client ships no types
    """The client's cooperative assignor with another division."""

    name = "stream-detector-single-owner"

    def assign(self, cluster: Any, members: Any) -> dict[str, Any]:  # noqa: ANN401 - the client's types
        """Return each member's assignment, by member id."""
        parsed = {member.member_id: self.parse_member_metadata(member.metadata) for member in members}
        owner = min(parsed, key=lambda member: (-len(parsed[member].partitions), member))
        elsewhere = {tp for member, one in parsed.items() if member != owner for tp in one.partitions}
        topics = sorted({topic for one in parsed.values() for topic in one.subscription})
        free = [
            (topic, sorted(p for p in cluster.partitions_for_topic(topic) or () if (topic, p) not in elsewhere))
            for topic in topics
        ]
        return {member: ConsumerProtocolAssignment(self.version, free if member == owner else [], b"") for member in parsed}
