"""RedisStore on a Cluster that changes while it is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from pydantic import SecretStr

from stream_detector.adapters.redis.store import RedisStore
from stream_detector.errors import StoreUnavailableError
from stream_detector.ports import PartitionMeta, SensorUpdate, StoreVerdict
from stream_detector.settings.schema import RedisSettings
from tests.pipeline.updates import together, whole
from tests.servers.valkey import Valkey, wait_for_agreement
from tests.servers.valkey_slots import move_slot, owner_of, slot_of

EPOCH = b"epoch--1"
META = PartitionMeta(0, EPOCH, layout="layout-1", topic_id="topic-1")
TAG = b"sd:{group/readings:0}:"


@pytest.fixture
def store(own_cluster: list[Valkey]) -> Iterator[RedisStore]:
    settings = RedisSettings(url=SecretStr(own_cluster[0].url), cluster=True, timeout_seconds=1.0)
    with closing(RedisStore(settings, "group", "readings")) as opened:
        opened.begin(0, META)
        assert opened.persist(0, EPOCH, 0, 1, together(whole("a", b"h1aa"))) == StoreVerdict.APPLIED
        yield opened


def test_a_partition_whose_slot_moved_is_followed_to_its_new_node(own_cluster: list[Valkey], store: RedisStore) -> None:
    slot = slot_of(own_cluster, TAG + b"meta")
    source = owner_of(own_cluster, slot)
    target = next(node for node in own_cluster if node is not source)

    assert move_slot(own_cluster, slot, target) == 2

    update = SensorUpdate("a", b"h2bb", expected_prefix=b"h1", spans=((0, 3),))
    assert store.persist(0, EPOCH, 1, 2, together(update)) == StoreVerdict.APPLIED
    assert store.load(0, EPOCH, ["a"]) == [b"h2ba"]
    assert owner_of(own_cluster, slot) is target


def test_a_node_that_lost_its_data_makes_a_gap_when_it_is_back(own_cluster: list[Valkey], store: RedisStore) -> None:
    owner = owner_of(own_cluster, slot_of(own_cluster, TAG + b"meta"))
    update = SensorUpdate("a", b"h2bb", expected_prefix=b"h1", spans=((0, 4),))

    owner.kill()
    with pytest.raises(StoreUnavailableError, match=f"Redis at 127.0.0.1:{own_cluster[0].port}"):
        store.persist(0, EPOCH, 1, 2, together(update))
    owner.start()
    wait_until_whole(own_cluster)

    assert store.persist(0, EPOCH, 1, 2, together(update)) == StoreVerdict.GAP


def wait_until_whole(nodes: list[Valkey]) -> None:
    with ExitStack() as stack:
        wait_for_agreement([stack.enter_context(closing(node.client())) for node in nodes])
