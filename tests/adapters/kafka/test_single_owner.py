"""One member of the group reads all partitions; nobody gets a partition that another still has."""

from __future__ import annotations

from types import SimpleNamespace

from kafka.structs import TopicPartition

from stream_detector.adapters.kafka.single_owner import SingleOwnerAssignor

CLUSTER = SimpleNamespace(partitions_for_topic=lambda _topic: {0, 1, 2})


def assigned(**owned: list[int]) -> dict[str, list[int]]:
    """Return the partitions that members get who have these."""
    members = []
    for name, partitions in owned.items():
        assignor = SingleOwnerAssignor()
        assignor.member_assignment = [TopicPartition("plant", number) for number in partitions] or None
        members.append(SimpleNamespace(member_id=name, metadata=assignor.metadata({"plant"})))
    found = SingleOwnerAssignor().assign(CLUSTER, members)
    return {name: [p for _, partitions in one.assigned_partitions for p in partitions] for name, one in found.items()}


def test_one_of_several_new_members_gets_all() -> None:
    assert assigned(b=[], a=[], c=[]) == {"a": [0, 1, 2], "b": [], "c": []}


def test_who_has_them_keeps_them_and_gets_new_ones() -> None:
    assert assigned(a=[], b=[0, 1]) == {"a": [], "b": [0, 1, 2]}


def test_what_another_member_has_waits_until_it_gave_it_back() -> None:
    assert assigned(a=[0], b=[1, 2]) == {"a": [], "b": [1, 2]}
    assert assigned(a=[], b=[1, 2]) == {"a": [], "b": [0, 1, 2]}
