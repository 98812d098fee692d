"""Names and small parts that the suites of ports.StateStore share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stream_detector.ports import PartitionMeta, StateStore

EPOCH = b"epoch--1"
OTHER_EPOCH = b"epoch--2"


@dataclass(frozen=True, slots=True)
class Backend:
    """A store, and a function that deletes one sensor's record, as expiry would."""

    store: StateStore
    lose: Callable[[int, str], object]


def meta_at(next_position: int, epoch: bytes = EPOCH) -> PartitionMeta:
    return PartitionMeta(next_position, epoch, layout="layout-1", topic_id="topic-1")


def position_of(store: StateStore, partition: int = 0) -> int:
    meta = store.meta(partition)
    assert meta is not None
    return meta.next_position
