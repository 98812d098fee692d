"""What the client's parser gives of batches that are damaged, bomb-like or strangely named: everything that can be read."""

from __future__ import annotations

import gzip
import logging
import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import dropwhile
from types import SimpleNamespace
from typing import Any

import lz4.frame
import pytest
import zstandard
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import KafkaError, OffsetOutOfRangeError
from kafka.future import Future
from kafka.record import MemoryRecords, MemoryRecordsBuilder
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.util import calc_crc32c
from kafka.structs import OffsetAndMetadata

from stream_detector.adapters.kafka.client_patches import damaged_batches
from stream_detector.adapters.kafka.client_patches.damaged_batches import Damage, DeliverableBatches
from stream_detector.adapters.kafka.client_patches.partition_records import partition_records
from stream_detector.adapters.kafka.client_patches.patched_fetcher import PatchedFetcher
from tests.adapters.kafka.kafka_bytes import ours

TP = TopicPartition("readings", 0)
CRC, ATTRIBUTES, RECORDS = 17, 21, 61  # places in a batch
LENGTH = range(8, 12)
Change = Callable[[bytearray], object]


def batch(first: int, values: Sequence[bytes], headers: Sequence[tuple[str, bytes]] = (), codec: int = 0) -> bytes:
    """Return a batch of records as it is in a log, from offset `first` on."""
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1 << 20)
    for value in values:
        builder.append(timestamp=1000, key=b"k", value=value, headers=list(headers))
    builder.close()
    content = bytearray(builder.buffer())
    if codec:
        compress = {1: gzip.compress, 3: lz4.frame.compress, 4: zstandard.compress}[codec]
        content[RECORDS:] = compress(bytes(content[RECORDS:]))
        struct.pack_into(">h", content, ATTRIBUTES, codec)
    struct.pack_into(">qi", content, 0, first, len(content) - 12)
    return bytes(sealed(content))


def sealed(content: bytearray) -> bytearray:
    """Give a batch the checksum of its content."""
    struct.pack_into(">I", content, CRC, calc_crc32c(bytes(content[ATTRIBUTES:])))
    return content


def changed(content: bytes, change: Change) -> bytes:
    mutable = bytearray(content)
    change(mutable)
    return bytes(mutable)


def flip(place: int) -> Change:
    def change(content: bytearray) -> None:
        content[place] ^= 0x55

    return change


def named(content: bytes, name: bytes) -> bytes:
    """Replace the header's name "xx" and mend the checksum."""
    return bytes(sealed(bytearray(content.replace(b"xx", name))))


def fetched(batches: Sequence[bytes], position: int) -> bytes:
    """Return what a broker returns: from the first batch that ends after the position, by its own account."""
    return b"".join(dropwhile(lambda content: DefaultRecordBatch(content).next_offset <= position, batches))


class Log:
    """One partition of a log in bytes, fetched and parsed by the client's own parser."""

    def __init__(self, *batches: bytes, end: int | None = None, gives_up: bool = True) -> None:
        self._batches = batches
        self._end = end
        self._does_give_up = gives_up
        self.damages: list[Damage] = []

    def read(self, position: int = 0) -> tuple[list[int], int]:
        """Fetch everything; return the offsets of the records from a position on, and the position after it."""
        records, stop = self.records(position)
        return [record.offset for record in records], stop

    def records(self, position: int = 0) -> tuple[list[Any], int]:
        content = fetched(self._batches, position)
        batches = DeliverableBatches(MemoryRecords(content), position, lambda: self._end, self._note)
        parsed = partition_records(position, TP, batches)
        found = parsed.take(1000)
        assert not parsed, "the client would go on asking"
        return found, parsed.next_fetch_offset

    def _note(self, damage: Damage) -> bool:
        self.damages.append(damage)
        return self._does_give_up or not damage.may_recover


def three(change: Change = lambda _: None, codec: int = 0) -> list[bytes]:
    """Return batches of the offsets 0 to 3, 4 to 7 and 8 to 11, the one in the middle changed."""
    made = [batch(first, [b"%d" % place for place in range(first, first + 4)], codec=codec) for first in (0, 4, 8)]
    return [made[0], changed(made[1], change), made[2]]


@pytest.mark.parametrize("codec", [0, 1, 3, 4])
def test_sound_batches_are_read_as_the_client_reads_them(codec: int) -> None:
    content = b"".join(three(codec=codec))
    log = Log(*three(codec=codec), end=12)
    plain = Fetcher.PartitionRecords(2, TP, MemoryRecords(content)).take(1000)

    assert log.records(2) == ([ours(record, TP) for record in plain], 12)
    assert log.damages == []


@pytest.mark.parametrize("end", [4, 6, 11])
def test_what_was_appended_while_the_broker_read_is_no_damage_though_it_lies_beyond_the_end_that_it_named(end: int) -> None:
    log = Log(*three(), end=end)

    assert log.read() == (list(range(12)), 12)
    assert log.damages == []


BODY, LAST_OFFSET_DELTA = 70, 26


@pytest.mark.parametrize("place", [16, CRC, LAST_OFFSET_DELTA, 30, BODY], ids=str)
def test_a_damaged_batch_is_passed_over_and_nothing_else(place: int) -> None:
    log = Log(*three(flip(place)))

    before, stop = log.read()
    after, end = log.read(stop)

    assert (before, stop, after, end) == ([0, 1, 2, 3], 8, [8, 9, 10, 11], 12)
    assert [(damage.start, damage.stop, damage.may_recover) for damage in log.damages] == [(4, 8, True)]


def test_a_damage_that_is_not_given_up_is_where_the_fetch_ends() -> None:
    log = Log(*three(flip(BODY)), gives_up=False)

    assert log.read() == ([0, 1, 2, 3], 4)
    assert log.read(4) == ([], 4)
    assert log.read(6) == ([], 6)


def test_a_damage_at_the_end_of_what_was_fetched_reaches_at_most_to_the_logs_end() -> None:
    claims_too_much = lambda content: struct.pack_into(">i", content, 23, 1_000_000)  # noqa: E731

    assert Log(*three(claims_too_much)[:2], end=8).read(4) == ([], 8)
    assert Log(*three(flip(BODY))[:2], end=12).read(4) == ([], 8)


def test_a_damaged_batch_that_claims_to_end_before_it_begins_is_left_by_one_offset() -> None:
    claims_too_little = lambda content: struct.pack_into(">i", content, 23, -100)  # noqa: E731

    assert Log(*three(claims_too_little)[:2], end=12).read() == ([0, 1, 2, 3], 5)


@pytest.mark.parametrize("offset", [-4, 0, 100, 1 << 40])
def test_offsets_that_cannot_be_are_a_damage_though_the_checksum_does_not_tell(offset: int) -> None:
    log = Log(*three(lambda content: struct.pack_into(">q", content, 0, offset)), end=12)

    assert log.read() == ([0, 1, 2, 3], 8)
    assert log.read(8) == ([8, 9, 10, 11], 12)


@pytest.mark.parametrize("length", [-1, 0, 5])
def test_a_batch_without_a_sensible_length_is_a_damage(length: int) -> None:
    log = Log(*three(lambda content: struct.pack_into(">i", content, 8, length)))

    assert log.read() == ([0, 1, 2, 3], 5)


@pytest.mark.parametrize("place", [place for place in range(97) if place not in LENGTH])
def test_wherever_a_bit_flips_the_client_neither_raises_nor_hangs(place: int) -> None:
    log = Log(*three(flip(place)), end=12)

    offsets, stop = log.read()

    assert offsets[:4] == [0, 1, 2, 3]
    assert stop > 4
    assert set(offsets[4:]) <= {4, 5, 6, 7, 8, 9, 10, 11}


def test_header_names_that_are_no_utf8_cost_nobody_a_record() -> None:
    values = [b"a", b"b", b"c"]
    log = Log(named(batch(0, values, [("xx", b"v")]), b"\xff\xfe"), batch(3, [b"d"]))

    records, stop = log.records()

    assert ([record.value for record in records], stop) == ([*values, b"d"], 4)
    assert records[0].headers == (("\\xff\\xfe", b"v"),)
    assert log.damages == []


def test_a_read_that_ended_among_such_header_names_goes_on_among_them() -> None:
    log = Log(named(batch(0, [b"a", b"b", b"c"], [("xx", b"v")]), b"\xff\xfe"))

    assert log.read(2) == ([2], 3)


def test_the_rest_of_a_batch_that_nobody_can_decode_is_given_up_at_once() -> None:
    def too_many_headers(content: bytearray) -> None:
        content[-1] = 40  # 20 headers of the last record, which has none
        sealed(content)

    log = Log(*three(too_many_headers), gives_up=False)

    assert log.read() == ([0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11], 12)
    assert [(damage.start, damage.stop, damage.may_recover) for damage in log.damages] == [(7, 8, False)]


@pytest.mark.parametrize("codec", [1, 3, 4])
def test_what_decompresses_to_too_much_is_given_up_at_once(codec: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damaged_batches, "MAXIMUM_UNCOMPRESSED_BYTES", 100_000)
    log = Log(batch(0, [b"a"]), batch(1, [bytes(200_000)], codec=codec), batch(2, [b"b"]), gives_up=False)

    assert log.read() == ([0], 2)
    assert log.read(2) == ([2], 3)
    assert [(damage.start, damage.stop) for damage in log.damages] == [(1, 2)]
    assert "more than 100000 bytes" in log.damages[0].reason


def test_a_fetch_ends_when_enough_was_decompressed_and_goes_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damaged_batches, "MAXIMUM_UNCOMPRESSED_BYTES", 100_000)
    log = Log(*(batch(first, [bytes(60_000)], codec=4) for first in range(4)))

    assert [log.read(position) for position in (0, 2)] == [([0, 1], 2), ([2, 3], 4)]
    assert log.damages == []


@pytest.mark.parametrize("codec", [1, 3, 4])
def test_what_does_not_decompress_is_given_up_at_once(codec: int) -> None:
    def no_frame(content: bytearray) -> None:
        content[RECORDS : RECORDS + 8] = bytes(8)
        sealed(content)

    log = Log(*three(no_frame, codec), gives_up=False)

    assert log.read() == ([0, 1, 2, 3, 8, 9, 10, 11], 12)
    assert [(damage.start, damage.stop) for damage in log.damages] == [(4, 8)]


# -- patience

POLL_MS = 200


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class OneFetchAtATime:
    """What PatchedFetcher needs of a consumer: each poll parses what a fetch from the present position returns."""

    def __init__(self, *batches: bytes) -> None:
        self._batches = batches
        state = SimpleNamespace(highwater=12, position=OffsetAndMetadata(0, "", -1))
        self._state = state
        self._coordinator = SimpleNamespace(time_to_next_poll=lambda: 0.0, need_rejoin=lambda: False)
        self._fetcher = SimpleNamespace(
            PartitionRecords=Fetcher.PartitionRecords,
            send_fetches=list,
            _completed_fetches=deque[bytes](),
            _fetch_futures=deque[Future](),
            _next_partition_records=None,
            _subscriptions=SimpleNamespace(assignment={TP: state}),
        )

    def poll(self, *, timeout_ms: float, max_records: int | None) -> dict[TopicPartition, list[Any]]:
        assert timeout_ms == POLL_MS
        position = self._state.position.offset
        content = fetched(self._batches, position)
        parsed = self._fetcher.PartitionRecords(position, TP, MemoryRecords(content))
        records = parsed.take(max_records)
        self._state.position = OffsetAndMetadata(parsed.next_fetch_offset, "", -1)
        return {TP: records} if records else {}


@pytest.fixture
def clock() -> Clock:
    return Clock()


def polls(fetching: PatchedFetcher) -> Iterator[list[int]]:
    while True:
        yield [record.offset for records in fetching.poll(POLL_MS).values() for record in records]


def test_a_damage_is_waited_for_then_passed_over_counted_and_logged_once(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    slept: list[float] = []
    fetching = PatchedFetcher(OneFetchAtATime(*three(flip(BODY))), 5.0, clock, slept.append)
    reading = polls(fetching)

    assert next(reading) == [0, 1, 2, 3]
    assert next(reading) == []
    clock.now = 4.9
    assert (next(reading), slept, fetching.take_lost_offsets()) == ([], [0.1, 0.1], 0)
    clock.now = 5.0
    assert (next(reading), next(reading)) == ([], [8, 9, 10, 11])
    assert (fetching.take_lost_offsets(), fetching.take_lost_offsets()) == (4, 0)
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.ERROR]
    assert "readings partition 0: offsets 4 to 7 cannot be read: its checksum is wrong" in caplog.messages[1]


def test_a_damage_that_passes_costs_nothing(clock: Clock) -> None:
    consumer = OneFetchAtATime(*three(flip(BODY)))
    fetching = PatchedFetcher(consumer, 5.0, clock, lambda _: None)
    reading = polls(fetching)
    assert (next(reading), next(reading)) == ([0, 1, 2, 3], [])

    consumer._batches = OneFetchAtATime(*three())._batches  # another replica of the partition leads now
    clock.now = 60.0

    assert (next(reading), fetching.take_lost_offsets()) == ([4, 5, 6, 7, 8, 9, 10, 11], 0)


def test_a_damage_that_passed_and_comes_back_is_waited_for_anew(clock: Clock) -> None:
    consumer = OneFetchAtATime(*three(flip(BODY)))
    damaged, sound = consumer._batches, OneFetchAtATime(*three())._batches
    fetching = PatchedFetcher(consumer, 5.0, clock, lambda _: None)
    reading = polls(fetching)
    assert (next(reading), next(reading)) == ([0, 1, 2, 3], [])
    consumer._batches = sound
    assert next(reading) == [4, 5, 6, 7, 8, 9, 10, 11]

    consumer._batches, clock.now = damaged, 60.0
    consumer._state.position = OffsetAndMetadata(4, "", -1)

    assert (next(reading), fetching.take_lost_offsets()) == ([], 0)


def test_a_damage_that_was_given_up_is_passed_over_at_once_when_it_is_met_again(clock: Clock) -> None:
    consumer = OneFetchAtATime(*three(flip(BODY)))
    fetching = PatchedFetcher(consumer, 5.0, clock, lambda _: None)
    reading = polls(fetching)
    next(reading), next(reading)
    clock.now = 5.0
    next(reading)
    assert fetching.take_lost_offsets() == 4

    consumer._state.position = OffsetAndMetadata(0, "", -1)  # a failed commit: everything is read again

    assert (next(reading), next(reading), fetching.take_lost_offsets()) == ([0, 1, 2, 3], [8, 9, 10, 11], 0)


class ScriptedPolls:
    """A client whose polls give what they are told: numbers by partition, or an error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: dict[int, list[int]] | KafkaError) -> None:
        self.asked: list[tuple[float, int | None]] = []
        self._answers = list(answers)
        self.fetching = PatchedFetcher(OneFetchAtATime(*three()))
        monkeypatch.setattr(self.fetching, "poll", self._poll)

    def _poll(self, timeout_ms: float, max_records: int | None = None) -> dict[TopicPartition, list[Any]]:
        self.asked.append((timeout_ms, max_records))
        answer = self._answers.pop(0)
        if isinstance(answer, KafkaError):
            raise answer
        return {TopicPartition("readings", number): list(records) for number, records in answer.items()}

    def poll(self, timeout_ms: float, most: int = 100) -> dict[int, list[int]]:
        return {partition.partition: records for partition, records in self.fetching.poll_latest(timeout_ms, most).items()}


def test_what_came_since_the_client_asked_is_polled_too(monkeypatch: pytest.MonkeyPatch) -> None:
    client = ScriptedPolls(monkeypatch, {0: [1, 2], 1: [3]}, {0: [4], 2: [5]})

    assert client.poll(0) == {0: [1, 2, 4], 1: [3], 2: [5]}
    assert client.asked == [(0, 100), (10, 97)]


@pytest.mark.parametrize(("timeout_ms", "first"), [(0, {}), (500, {0: [1, 2, 3, 4]})], ids=["nothing", "full"])
def test_nothing_or_a_full_poll_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, timeout_ms: float, first: dict[int, list[int]]
) -> None:
    client = ScriptedPolls(monkeypatch, first)

    assert client.poll(timeout_ms, most=4) == first
    assert client.asked == [(0, 4)]


def test_what_a_poll_waited_for_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    client = ScriptedPolls(monkeypatch, {}, {0: [1]})

    assert client.poll(500) == {0: [1]}
    assert client.asked == [(0, 100), (500, 100)]


def test_a_join_is_answered_in_one_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    client = ScriptedPolls(monkeypatch, {0: [1]})
    client.fetching._coordinator.need_rejoin = lambda: True

    assert client.poll(500) == {0: [1]}
    assert client.asked == [(500, 100)]


def test_what_is_kept_is_not_waited_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    client = ScriptedPolls(monkeypatch, {0: [1]}, {0: [2]})

    assert client.poll(500) == {0: [1, 2]}
    assert client.asked == [(0, 100), (10, 99)]


def test_an_answer_that_comes_between_the_clients_look_and_its_wait_ends_the_wait() -> None:
    consumer = OneFetchAtATime(*three())
    fetcher = consumer._fetcher
    PatchedFetcher(consumer)
    fetcher.send_fetches()
    assert not fetcher._fetch_futures

    fetcher._completed_fetches.append(b"an answer")
    fetcher.send_fetches()

    assert [future.is_done for future in fetcher._fetch_futures] == [True]


def test_an_error_of_the_second_poll_waits_for_the_next_so_nothing_in_hand_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    error = OffsetOutOfRangeError({TopicPartition("readings", 1): 7})
    client = ScriptedPolls(monkeypatch, {0: [1, 2]}, error, {0: [3]}, {})

    assert client.poll(0) == {0: [1, 2]}
    with pytest.raises(OffsetOutOfRangeError) as raised:
        client.poll(0)
    assert raised.value is error
    assert client.poll(0) == {0: [3]}
