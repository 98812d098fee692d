"""What `check` says about Redis, from what it said about itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream_detector.checkup.store_facts import NodeFacts, Refusal, StoreFacts
from stream_detector.checkup.store_findings import size, store_findings

NODE = NodeFacts("Valkey 9.1.2", 1_000_000, 100_000_000, 8_000_000_000, "noeviction", appends=True, snapshots=True, replicas=0)
FACTS = StoreFacts("redis:6379", (NODE,))


def of(node: NodeFacts, needed: int = 1_000_000) -> dict[str, tuple[str, str]]:
    """Return level and text of each finding."""
    return {one.about: (one.level, one.text) for one in store_findings(replace(FACTS, nodes=(node,)), needed, 1000)}


def test_a_store_with_room_that_keeps_its_keys_is_well() -> None:
    found = of(NODE)

    assert {level for level, _ in found.values()} == {"ok"}
    assert found["memory"][1] == "1,000 sensors need at most 1 MB; 1 MB of 100 MB (maxmemory) are used"


@pytest.mark.parametrize(("limit", "level"), [(100_000_000, "error"), (0, "warning")])
def test_a_policy_that_drops_keys_is_wrong(limit: int, level: str) -> None:
    found = of(replace(NODE, policy="allkeys-lru", limit_bytes=limit))

    assert found["eviction"][0] == level
    assert "allkeys-lru" in found["eviction"][1]


@pytest.mark.parametrize(
    ("needed", "limit", "level"),
    [
        (98_000_000, 100_000_000, "ok"),
        (99_500_000, 100_000_000, "warning"),  # 1 MB is used already
        (101_000_000, 100_000_000, "error"),
        (3_000_000_000, 0, "ok"),
        (5_000_000_000, 0, "warning"),  # 10 GB while it saves, of 8
    ],
)
def test_the_memory_that_the_sensors_need_is_compared_with_the_limit(needed: int, limit: int, level: str) -> None:
    assert of(replace(NODE, limit_bytes=limit), needed)["memory"][0] == level


@pytest.mark.parametrize(
    ("appends", "snapshots", "level"),
    [(True, False, "ok"), (False, True, "ok"), (False, None, "warning"), (False, False, "warning")],
)
def test_persistence_is_said(appends: bool, snapshots: bool | None, level: str) -> None:
    assert of(replace(NODE, appends=appends, snapshots=snapshots))["persistence"][0] == level


def test_refused_commands_and_a_replica_are_wrong() -> None:
    refusals = Refusal("HSET", "no permissions", "+hset"), Refusal("HGETALL", "no permissions", "+hgetall")
    found = list(store_findings(StoreFacts("redis:6379", (), refusals, "detector", readonly=True), 1, 1))

    assert [one.level for one in found] == ["error", "error", "warning"]
    assert found[0].text == "Redis at redis:6379 refuses HSET, HGETALL to user detector: no permissions"
    assert found[0].what_to_do[0] == "redis-cli -u URL_OF_AN_ADMINISTRATOR ACL SETUSER detector +hset +hgetall"


def test_a_right_to_keys_is_typed_so_that_no_shell_changes_it() -> None:
    (found, _) = store_findings(StoreFacts("redis:6379", (), (Refusal("SET", "no keys", "~sd:*"),)), 1, 1)

    assert found.what_to_do[0] == "redis-cli -u URL_OF_AN_ADMINISTRATOR ACL SETUSER default '~sd:*'"


def test_sizes_are_said_in_three_digits() -> None:
    assert [size(number) for number in (948, 640_000, 1_536_000, 5.2e9)] == ["948 bytes", "640 kB", "1.54 MB", "5.2 GB"]
