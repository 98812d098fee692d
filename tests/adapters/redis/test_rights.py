"""RedisStore as the user that docs/security.md describes: its rights suffice, and each of them is needed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing

import pytest
from pydantic import SecretStr

from stream_detector.adapters.redis.examination import examine_store
from stream_detector.errors import StoreRefusedError
from stream_detector.settings.schema import RedisSettings
from tests.adapters.redis.user_stores import CLUSTER, SINGLE, store_at, use
from tests.servers.redis_user import USER, make_user
from tests.servers.valkey import Valkey


def forget_all(nodes: Sequence[Valkey]) -> None:
    """Delete all keys and scripts of earlier tests."""
    for node in nodes:
        with closing(node.client()) as client:
            client.flushall()
            client.script_flush()


def commands(rights: Sequence[str]) -> list[str]:
    return [right for right in rights if right.startswith("+")]


def without(rights: Sequence[str], taken: str) -> list[str]:
    return [right for right in rights if right != taken]


def test_the_listed_rights_are_all_that_is_needed(valkey: Valkey) -> None:
    forget_all([valkey])
    with closing(store_at(make_user([valkey], SINGLE))) as store:
        store.ping()
        use(store)


@pytest.mark.parametrize("right", commands(SINGLE))
def test_each_of_them_is_needed_and_its_lack_is_named_before_anything_is_written(valkey: Valkey, right: str) -> None:
    forget_all([valkey])
    url = make_user([valkey], without(SINGLE, right))

    with closing(store_at(url)) as store, pytest.raises(StoreRefusedError, match=rf"'{right[1:]}' command\. Grant"):
        store.meta(0)
    with closing(store_at(url)) as store, pytest.raises(StoreRefusedError, match="Grant"):
        use(store)


def rights_lacking(url: str, nodes: Sequence[Valkey], *, topic: str = "readings", cluster: bool = False) -> list[str]:
    """Return the rights that `check` says a user lacks; it has written nothing by that."""
    forget_all(nodes)
    facts = examine_store(RedisSettings(url=SecretStr(url), cluster=cluster), "group", topic)
    for node in nodes:
        with closing(node.client()) as client:
            assert client.dbsize() == 0
    assert facts.user == USER
    return sorted({one.right for one in facts.refusals})


def test_check_says_which_right_is_lacking_and_writes_nothing(valkey: Valkey) -> None:
    assert rights_lacking(make_user([valkey], SINGLE), [valkey]) == []
    for right in commands(SINGLE):
        assert rights_lacking(make_user([valkey], without(SINGLE, right)), [valkey]) == [right]
    few = without(without(SINGLE, "+hgetall"), "+scan")
    assert rights_lacking(make_user([valkey], few), [valkey]) == ["+hgetall", "+scan"]
    others = [*without(SINGLE, "~sd:*"), "~sd:{group/others*"]
    assert rights_lacking(make_user([valkey], others), [valkey]) == ["~sd:*"]
    assert rights_lacking(make_user([valkey], others), [valkey], topic="others") == []


def test_a_user_whose_name_is_like_what_the_server_says_of_keys_lacks_what_it_lacks(valkey: Valkey) -> None:
    """The server says: User data-access has no permissions to run the 'scan' command."""
    with closing(valkey.client()) as client:
        client.execute_command("ACL", "SETUSER", "data-access", "on", ">secret", *without(SINGLE, "+scan"))  # type: ignore[no-untyped-call]  # redis-py
    url = f"redis://data-access:secret@127.0.0.1:{valkey.port}/0"

    facts = examine_store(RedisSettings(url=SecretStr(url)), "group", "readings")

    assert [one.right for one in facts.refusals] == ["+scan"]


def test_check_says_which_right_is_lacking_on_a_cluster(cluster: list[Valkey]) -> None:
    assert rights_lacking(make_user(cluster, CLUSTER), cluster, cluster=True) == []
    for right in ("+scan", "+hgetall"):
        assert rights_lacking(make_user(cluster, without(CLUSTER, right)), cluster, cluster=True) == [right]


def test_keys_of_others_need_not_be_granted_and_ones_own_must_be(valkey: Valkey) -> None:
    forget_all([valkey])
    only_one_topic = [*without(SINGLE, "~sd:*"), "~sd:{group/readings*"]

    with closing(store_at(make_user([valkey], only_one_topic))) as store:
        store.ping()
        use(store)
    with (
        closing(store_at(make_user([valkey], only_one_topic), partition_name="others")) as store,
        pytest.raises(StoreRefusedError, match=r"permissions to access .*key.*\. Grant .*docs/security\.md"),
    ):
        store.meta(0)


def test_asking_for_the_memory_is_optional(valkey: Valkey) -> None:
    with closing(store_at(make_user([valkey], [*SINGLE, "+info"]))) as store:
        assert store.eviction_warning() is None
    with closing(store_at(make_user([valkey], SINGLE))) as store, pytest.raises(StoreRefusedError, match="'info' command"):
        store.eviction_warning()


def test_the_listed_rights_are_all_that_is_needed_on_a_cluster(cluster: list[Valkey]) -> None:
    forget_all(cluster)
    with closing(store_at(make_user(cluster, CLUSTER), cluster=True)) as store:
        store.ping()
        use(store)


@pytest.mark.parametrize(
    ("right", "said"), [("+cluster|slots", "grant the Redis user CLUSTER SLOTS"), ("+command", "'command'")]
)
def test_each_of_those_for_a_cluster_is_needed_and_its_lack_is_named(cluster: list[Valkey], right: str, said: str) -> None:
    assert right in CLUSTER
    with (
        closing(store_at(make_user(cluster, without(CLUSTER, right)), cluster=True)) as store,
        pytest.raises(StoreRefusedError, match=re.escape(said)),
    ):
        store.meta(0)


def test_rights_that_are_granted_later_are_seen(valkey: Valkey) -> None:
    with closing(store_at(make_user([valkey], without(SINGLE, "+mget")))) as store:
        with pytest.raises(StoreRefusedError):
            store.ping()
        make_user([valkey], SINGLE)
        store.ping()
