"""Polls of a consumer that stands still: damage is waited for, then skipped; what arrived since the last poll is read too."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import KafkaError, OffsetOutOfRangeError
from kafka.future import Future
from kafka.record import MemoryRecords
from kafka.structs import OffsetAndMetadata

from stream_detector.adapters.kafka.client_patches.patched_fetcher import PatchedFetcher
from tests.adapters.kafka.client_patches.damaged_bytes import BODY, TP, fetched, flip, three
from tests.fakes.clock import Clock

POLL_MS = 200


class OneFetchAtATime:
    """The part of a consumer that PatchedFetcher uses: each poll parses a fetch from the current position."""

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
    return Clock(0.0)


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
    clock.seconds = 4.9
    assert (next(reading), slept, fetching.take_lost_offsets()) == ([], [0.1, 0.1], 0)
    clock.seconds = 5.0
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
    clock.seconds = 60.0

    assert (next(reading), fetching.take_lost_offsets()) == ([4, 5, 6, 7, 8, 9, 10, 11], 0)


def test_a_damage_that_passed_and_comes_back_is_waited_for_anew(clock: Clock) -> None:
    consumer = OneFetchAtATime(*three(flip(BODY)))
    damaged, sound = consumer._batches, OneFetchAtATime(*three())._batches
    fetching = PatchedFetcher(consumer, 5.0, clock, lambda _: None)
    reading = polls(fetching)
    assert (next(reading), next(reading)) == ([0, 1, 2, 3], [])
    consumer._batches = sound
    assert next(reading) == [4, 5, 6, 7, 8, 9, 10, 11]

    consumer._batches, clock.seconds = damaged, 60.0
    consumer._state.position = OffsetAndMetadata(4, "", -1)

    assert (next(reading), fetching.take_lost_offsets()) == ([], 0)


def test_a_damage_that_was_given_up_is_passed_over_at_once_when_it_is_met_again(clock: Clock) -> None:
    consumer = OneFetchAtATime(*three(flip(BODY)))
    fetching = PatchedFetcher(consumer, 5.0, clock, lambda _: None)
    reading = polls(fetching)
    next(reading), next(reading)
    clock.seconds = 5.0
    next(reading)
    assert fetching.take_lost_offsets() == 4

    consumer._state.position = OffsetAndMetadata(0, "", -1)  # a failed commit: everything is read again

    assert (next(reading), next(reading), fetching.take_lost_offsets()) == ([0, 1, 2, 3], [8, 9, 10, 11], 0)


class ScriptedPolls:
    """A client with scripted polls: each returns numbers by partition, or raises an error."""

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
