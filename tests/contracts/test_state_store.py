"""The contract of ports.StateStore, on the fake, on a real Valkey and on a real cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from stream_detector.errors import StoreUnavailableError
from stream_detector.ports import PartitionMeta, SensorUpdate, StateStore, StoreVerdict
from tests.contracts.stores import EPOCH, OTHER_EPOCH, Backend, meta_at, position_of
from tests.pipeline.updates import together, whole

NASTY_NAMES = [
    "{}",
    "a}:meta",
    "{a}{b}",
    "meta",
    "two words",
    "line\nbreak\r\n",
    "nul\0byte",
    "%7Bescaped%7D",
    "ünïcode-Pumpe-泵",
    "\ud800",
    ":",
    "*",
    "x" * 256,
    "x" * 255 + "y",
]


def test_a_partition_never_begun_has_no_meta(store: StateStore) -> None:
    assert store.meta(0) is None


def test_the_note_moves_with_the_position(store: StateStore) -> None:
    store.begin(0, replace(meta_at(7), note="as begun"))
    begun = store.meta(0)

    store.persist(0, EPOCH, 7, 9, replace(together(), note="at nine"))
    store.persist(0, EPOCH, 7, 9, replace(together(), note="a retry"))  # already applied
    moved = store.meta(0)
    store.persist(0, EPOCH, 9, 10, together())

    assert begun == replace(meta_at(7), note="as begun")
    assert moved == replace(meta_at(9), note="at nine")
    assert store.meta(0) == meta_at(10)


def scanned(store: StateStore, partition: int, epoch: bytes, count: int) -> dict[str, bytes]:
    """Scan a partition to its end."""
    found: dict[str, bytes] = {}
    cursor = ""
    for _ in range(1000):
        page = store.scan(partition, epoch, cursor, count)
        found |= page.records
        cursor = page.cursor
        if not cursor:
            return found
    raise AssertionError("the scan does not end")


@pytest.mark.parametrize("count", [1, 7, 1000])
def test_a_scan_finds_every_sensor_of_its_partition_and_epoch(store: StateStore, count: int) -> None:
    names = [name for name in NASTY_NAMES if len(name) < 100] + [f"pump-{number}" for number in range(40)]
    many = {name: f"record of {place}".encode() for place, name in enumerate(names)}
    store.begin(0, meta_at(0))
    store.begin(1, meta_at(0))
    store.persist(0, EPOCH, 0, 1, together(*(whole(*one) for one in many.items())))
    store.persist(1, EPOCH, 0, 1, together(whole("elsewhere", b"x")))

    assert scanned(store, 0, EPOCH, count) == many
    assert scanned(store, 1, EPOCH, count) == {"elsewhere": b"x"}
    assert scanned(store, 0, OTHER_EPOCH, count) == {}
    assert scanned(store, 2, EPOCH, count) == {}


def test_begin_replaces_the_meta_of_its_partition_only(store: StateStore) -> None:
    store.begin(0, meta_at(7))
    store.begin(1, meta_at(11))

    store.begin(0, PartitionMeta(3, OTHER_EPOCH, layout="layout-2", topic_id="topic-2"))

    assert store.meta(0) == PartitionMeta(3, OTHER_EPOCH, layout="layout-2", topic_id="topic-2")
    assert store.meta(1) == meta_at(11)


def test_positions_up_to_the_largest_offset_are_exact(store: StateStore) -> None:
    largest = 2**63 - 1
    store.begin(0, meta_at(largest - 1))

    assert store.persist(0, EPOCH, largest - 1, largest, together()) == StoreVerdict.APPLIED
    assert position_of(store) == largest


def test_records_come_back_in_the_order_asked_for_and_unknown_sensors_as_none(store: StateStore) -> None:
    store.begin(0, meta_at(0))

    assert store.persist(0, EPOCH, 0, 5, together(whole("a", b"\x00\xff"), whole("b", b""))) == StoreVerdict.APPLIED

    assert store.load(0, EPOCH, ["b", "unknown", "a"]) == [b"", None, b"\x00\xff"]
    assert store.load(0, EPOCH, []) == []
    assert position_of(store) == 5


def test_a_sensor_of_one_partition_is_absent_in_another(store: StateStore) -> None:
    store.begin(0, meta_at(0))
    store.begin(1, meta_at(0))

    store.persist(0, EPOCH, 0, 1, together(whole("a", b"zero")))

    assert store.load(1, EPOCH, ["a"]) == [None]


def test_a_persist_without_updates_moves_the_position(store: StateStore) -> None:
    store.begin(0, meta_at(0))

    assert store.persist(0, EPOCH, 0, 4, together()) == StoreVerdict.APPLIED
    assert position_of(store) == 4


def test_only_the_spans_are_written_where_the_prefix_is_as_expected(store: StateStore) -> None:
    store.begin(0, meta_at(0))
    store.persist(0, EPOCH, 0, 1, together(whole("a", b"h1aabbcc")))

    update = SensorUpdate("a", b"h2AABBCC", expected_prefix=b"h1", spans=((0, 2), (4, 6)))

    assert store.persist(0, EPOCH, 1, 2, together(update)) == StoreVerdict.APPLIED
    assert store.load(0, EPOCH, ["a"]) == [b"h2aaBBcc"]


def test_an_unchanged_sensor_may_have_no_spans(store: StateStore) -> None:
    store.begin(0, meta_at(0))
    store.persist(0, EPOCH, 0, 1, together(whole("a", b"h1")))

    assert store.persist(0, EPOCH, 1, 2, together(SensorUpdate("a", b"h1", expected_prefix=b"h1"))) == StoreVerdict.APPLIED
    assert store.load(0, EPOCH, ["a"]) == [b"h1"]


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(None, id="missing"),
        pytest.param(b"h0------", id="another prefix"),
        pytest.param(b"h", id="shorter than the prefix"),
    ],
)
def test_what_is_not_as_expected_is_written_whole_beside_a_neighbour_that_is(store: StateStore, stored: bytes | None) -> None:
    store.begin(0, meta_at(0))
    others = [] if stored is None else [whole("a", stored)]
    store.persist(0, EPOCH, 0, 1, together(*others, whole("neighbour", b"h1xxxxxx")))

    update = SensorUpdate("a", b"h2AABBCC", expected_prefix=b"h1", spans=((0, 2),))
    neighbour = SensorUpdate("neighbour", b"h2XXXXXX", expected_prefix=b"h1", spans=((0, 3),))

    assert store.persist(0, EPOCH, 1, 2, together(update, neighbour)) == StoreVerdict.APPLIED
    assert store.load(0, EPOCH, ["a", "neighbour"]) == [b"h2AABBCC", b"h2Xxxxxx"]


def test_a_sensor_lost_by_the_store_is_written_whole(backend: Backend) -> None:
    store = backend.store
    store.begin(0, meta_at(0))
    store.persist(0, EPOCH, 0, 1, together(whole("a", b"h1aa")))
    backend.lose(0, "a")
    assert store.load(0, EPOCH, ["a"]) == [None]

    update = SensorUpdate("a", b"h2aa", expected_prefix=b"h1", spans=((0, 2),))

    assert store.persist(0, EPOCH, 1, 2, together(update)) == StoreVerdict.APPLIED
    assert store.load(0, EPOCH, ["a"]) == [b"h2aa"]


def test_a_new_epoch_makes_all_sensors_absent(store: StateStore) -> None:
    store.begin(0, meta_at(0))
    store.persist(0, EPOCH, 0, 1, together(whole("a", b"h1aa")))

    store.begin(0, meta_at(1, OTHER_EPOCH))

    assert store.load(0, OTHER_EPOCH, ["a"]) == [None]


def test_a_sensor_of_an_older_epoch_is_written_whole(store: StateStore) -> None:
    store.begin(0, meta_at(0))
    store.persist(0, EPOCH, 0, 1, together(whole("a", b"h1aa")))
    store.begin(0, meta_at(1, OTHER_EPOCH))

    update = SensorUpdate("a", b"h2bb", expected_prefix=b"h1", spans=((0, 2),))

    assert store.persist(0, OTHER_EPOCH, 1, 2, together(update)) == StoreVerdict.APPLIED
    assert store.load(0, OTHER_EPOCH, ["a"]) == [b"h2bb"]


@pytest.mark.parametrize(
    ("next_position", "epoch", "verdict"),
    [
        pytest.param(20, EPOCH, StoreVerdict.ALREADY_APPLIED, id="our own retry"),
        pytest.param(21, EPOCH, StoreVerdict.AHEAD, id="further than we go"),
        pytest.param(10, OTHER_EPOCH, StoreVerdict.AHEAD, id="another owner began anew"),
        pytest.param(9, EPOCH, StoreVerdict.GAP, id="behind us"),
        pytest.param(15, EPOCH, StoreVerdict.GAP, id="in the middle of what we write"),
        pytest.param(-5, EPOCH, StoreVerdict.GAP, id="negative"),
    ],
)
def test_a_persist_that_does_not_fit_writes_nothing(
    store: StateStore, next_position: int, epoch: bytes, verdict: StoreVerdict
) -> None:
    store.begin(0, meta_at(-100, epoch))
    store.persist(0, epoch, -100, next_position, together(whole("a", b"h1aa")))

    updates = together(SensorUpdate("a", b"h2bb", expected_prefix=b"h1", spans=((0, 4),)), whole("new", b"h1cc"))

    assert store.persist(0, EPOCH, 10, 20, updates) == verdict
    assert store.meta(0) == meta_at(next_position, epoch)
    assert store.load(0, epoch, ["a", "new"]) == [b"h1aa", None]


def test_a_persist_into_a_partition_without_meta_is_a_gap(store: StateStore) -> None:
    assert store.persist(0, EPOCH, 0, 1, together(whole("a", b"h1aa"))) == StoreVerdict.GAP
    assert store.meta(0) is None


def test_the_same_persist_again_changes_nothing(store: StateStore) -> None:
    store.begin(0, meta_at(0))
    store.persist(0, EPOCH, 0, 1, together(whole("a", b"h1aa")))
    update = SensorUpdate("a", b"h2bb", expected_prefix=b"h1", spans=((0, 3),))

    assert store.persist(0, EPOCH, 1, 2, together(update)) == StoreVerdict.APPLIED
    assert store.persist(0, EPOCH, 1, 2, together(update)) == StoreVerdict.ALREADY_APPLIED

    assert store.load(0, EPOCH, ["a"]) == [b"h2ba"]
    assert position_of(store) == 2


@pytest.mark.parametrize("stop", [4, 5])
def test_a_persist_that_does_not_move_forward_is_a_programming_error(store: StateStore, stop: int) -> None:
    store.begin(0, meta_at(5))

    with pytest.raises(ValueError, match="moves forward"):
        store.persist(0, EPOCH, 5, stop, together())


def test_no_name_of_a_sensor_touches_another_or_the_meta(store: StateStore) -> None:
    store.begin(0, meta_at(0))
    records = [str(number).encode() for number in range(len(NASTY_NAMES))]

    updates = [whole(name, record) for name, record in zip(NASTY_NAMES, records, strict=True)]

    assert store.persist(0, EPOCH, 0, 1, together(*updates)) == StoreVerdict.APPLIED
    assert store.load(0, EPOCH, NASTY_NAMES) == records
    assert store.meta(0) == meta_at(1)


def test_a_batch_of_4096_sensors_is_one_persist(store: StateStore) -> None:
    store.begin(0, meta_at(0))
    names = [f"sensor-{number}" for number in range(4096)]
    store.persist(0, EPOCH, 0, 1, together(*(whole(name, b"h1" + bytes(100)) for name in names)))

    updates = [SensorUpdate(name, b"h2" + b"\x01" * 100, b"h1", ((0, 2), (50, 54))) for name in names]

    assert store.persist(0, EPOCH, 1, 2, together(*updates)) == StoreVerdict.APPLIED
    assert set(store.load(0, EPOCH, names)) == {b"h2" + bytes(48) + b"\x01" * 4 + bytes(48)}


def test_a_store_that_answers_can_be_pinged_and_closed_twice(store: StateStore) -> None:
    store.ping()

    store.close()
    store.close()


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda store: store.meta(0), id="meta"),
        pytest.param(lambda store: store.begin(0, meta_at(0)), id="begin"),
        pytest.param(lambda store: store.load(0, EPOCH, ["a"]), id="load"),
        pytest.param(lambda store: store.persist(0, EPOCH, 0, 1, together()), id="persist"),
        pytest.param(lambda store: store.scan(0, EPOCH, "", 10), id="scan"),
        pytest.param(lambda store: store.ping(), id="ping"),
    ],
)
def test_a_store_that_does_not_answer_says_so(unavailable_store: StateStore, call: Callable[[StateStore], object]) -> None:
    with pytest.raises(StoreUnavailableError):
        call(unavailable_store)
