"""A store as a user of its own opens it, and all that a detector does with one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest
from pydantic import SecretStr

from stream_detector.adapters.redis.store import RedisStore
from stream_detector.ports import PartitionMeta, SensorUpdate, StoreVerdict
from stream_detector.settings.schema import RedisSettings
from tests.pipeline.updates import together, whole
from tests.servers.processes import ServerMissingError
from tests.servers.redis_user import documented_rights

EPOCH = b"epoch--1"
SINGLE = documented_rights(cluster=False)
CLUSTER = documented_rights(cluster=True)
LIFETIME_SECONDS = 100.0


def missing(error: ServerMissingError) -> NoReturn:
    if os.environ.get("CI"):
        raise error
    pytest.skip(str(error))


def store_at(url: str, *, cluster: bool = False, ca_file: Path | None = None, partition_name: str = "readings") -> RedisStore:
    """Return a store whose clock advances by a lifetime at every call, so that every write renews."""
    seconds = iter(range(10**6))
    settings = RedisSettings(url=SecretStr(url), cluster=cluster, ca_file=ca_file, ttl_seconds=LIFETIME_SECONDS)
    return RedisStore(settings, "group", partition_name, lambda: LIFETIME_SECONDS * next(seconds))


def use(store: RedisStore) -> None:
    """Do all that a detector does with partitions, except the check of rights beforehand."""
    store._is_proven = True
    for partition in range(4):  # on several nodes of a Cluster
        store.begin(partition, PartitionMeta(0, EPOCH, "layout", "topic"))
        assert store.meta(partition) == PartitionMeta(0, EPOCH, "layout", "topic")
        assert store.persist(partition, EPOCH, 0, 1, together(whole("pump", b"h1aa"))) == StoreVerdict.APPLIED
        update = SensorUpdate("pump", b"h2bb", b"h1", ((0, 3),))
        assert store.persist(partition, EPOCH, 1, 2, together(update)) == StoreVerdict.APPLIED
        assert store.load(partition, EPOCH, ["pump"]) == [b"h2ba"]
        assert store.kept(partition) == {}
    store.scan(0, EPOCH, "", 10)
    store.leave_learning(b"collecting", 60.0)
    assert store.learning() == b"collecting"
