"""The contract of ports.StateStore: any sequence of persists, and what is kept of a partition beside its sensors."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_detector.ports import PartitionMeta, SensorUpdate, StateStore, StoreVerdict
from tests.contracts.stores import EPOCH, OTHER_EPOCH, Backend, meta_at, position_of
from tests.examples import examples
from tests.pipeline.updates import together, whole

SENSORS = ["a", "b", "c"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("persist"), st.dictionaries(st.sampled_from(SENSORS), st.integers(0, 5), max_size=3)),
        st.tuples(st.just("repeat"), st.just({})),
        st.tuples(st.just("lose"), st.dictionaries(st.sampled_from(SENSORS), st.just(0), max_size=2)),
        st.tuples(st.just("new epoch"), st.just({})),
    ),
    max_size=12,
)
PARTITIONS = itertools.count()


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_sequence_of_persists_leaves_what_the_caller_holds(
    backend: Backend, steps: list[tuple[str, dict[str, int]]]
) -> None:
    """A record is a header that counts its changes, and six cells; a change writes the header and one cell.

    The caller's records stay in its memory whatever the store loses, and the next change of a sensor brings it back.
    """
    store, partition, epoch = backend.store, next(PARTITIONS), EPOCH
    held: dict[str, bytes] = {}
    expected: dict[str, bytes] = {}
    position = 0
    last = together()
    store.begin(partition, meta_at(0))

    for step, sensors in steps:
        if step == "persist":
            last = together(*(changed(sensor, held.get(sensor), cell) for sensor, cell in sensors.items()))
            assert store.persist(partition, epoch, position, position + 10, last) == StoreVerdict.APPLIED
            position += 10
            written = {**last.whole, **{update.sensor: update.record for update in last.changed}}
            held |= written
            expected |= written
        elif step == "repeat" and position > 0:
            assert store.persist(partition, epoch, position - 10, position, last) == StoreVerdict.ALREADY_APPLIED
        elif step == "lose":
            for sensor in sensors:
                backend.lose(partition, sensor)
                expected.pop(sensor, None)
        elif step == "new epoch":
            epoch = (int.from_bytes(epoch, "big") + 1).to_bytes(8, "big")
            position, expected = 0, {}
            store.begin(partition, meta_at(0, epoch))

        assert store.load(partition, epoch, SENSORS) == [expected.get(sensor) for sensor in SENSORS]
        assert position_of(store, partition) == position


def changed(sensor: str, held: bytes | None, cell: int) -> tuple[str, bytes] | SensorUpdate:
    if held is None:
        return whole(sensor, bytes([1, 0, 0, 0, 0, 0, 0]))
    record = bytearray(held)
    record[0] += 1
    record[1 + cell] = record[0]
    return SensorUpdate(sensor, bytes(record), expected_prefix=held[:1], spans=((0, 1), (1 + cell, 2 + cell)))


def test_what_is_kept_of_a_partition_is_there_in_every_epoch_and_moves_with_its_position(store: StateStore) -> None:
    kept = {"birth of g/n\ud800": b"\0\xff", "up to": b"5"}
    store.begin(3, PartitionMeta(0, EPOCH, "layout", "topic"))
    before = dict(store.kept(3))
    applied = store.persist(3, EPOCH, 0, 5, replace(together(whole("a", b"1")), kept=kept))
    refused = store.persist(3, EPOCH, 0, 9, replace(together(), kept={"up to": b"9"}))
    store.persist(3, EPOCH, 5, 9, replace(together(), kept={"up to": b"8", "new": b""}))
    store.begin(3, PartitionMeta(-1, OTHER_EPOCH, "layout", "topic"))

    assert (before, applied, refused) == ({}, StoreVerdict.APPLIED, StoreVerdict.GAP)
    assert store.kept(3) == {"birth of g/n\ud800": b"\0\xff", "up to": b"8", "new": b""}
    assert store.kept(4) == {}


def test_what_is_kept_is_written_when_sensors_that_were_lost_are_written_again(backend: Backend) -> None:
    store = backend.store
    store.begin(0, PartitionMeta(0, EPOCH, "layout", "topic"))
    store.persist(0, EPOCH, 0, 1, together(whole("a", b"old")))
    backend.lose(0, "a")
    update = SensorUpdate("a", b"new", b"ol", ((0, 2),))
    store.persist(0, EPOCH, 1, 2, replace(together(), changed=[update], kept={"k": b"1"}))

    assert (store.load(0, EPOCH, ["a"]), store.kept(0)) == ([b"new"], {"k": b"1"})
