"""The engine on a log in memory: every reading once in the copy, by sensor and in order, whatever fails."""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.errors import CommitFailedError, DeadLetterLimitError, RegistryUnavailableError, RetriableError
from stream_detector.ingest.dead_letters import DeadLetterLimit
from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.native_shape import NativeShape
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.ingest.record_shape import RawReading
from stream_detector.readings import Record
from stream_detector.rekey.engine import LATEST, EngineConfig, Rekeyer, committed_of_all
from stream_detector.rekey.rewriter import Rewriter, Targets
from tests.fakes.memory_log import MemoryLog
from tests.fakes.memory_sink import MemorySink
from tests.fakes.memory_source import MemorySource

PARTITIONS, SENSORS = 3, 2
START_MS = 1_767_300_000_000
GROUP = "group-rekey"


@dataclass(slots=True)
class Registered:
    """The native format, for which a registry must be asked that may be away. Implements RecordShape."""

    is_away: bool = False

    def read(self, record: Record) -> Sequence[RawReading | RejectionError]:
        if self.is_away:
            msg = "the schema registry does not answer"
            raise RegistryUnavailableError(msg)
        return NativeShape().read(record)


@dataclass
class Plant:
    """An unkeyed topic and a process that re-keys it."""

    log: MemoryLog = field(default_factory=MemoryLog)
    now: float = 0.0
    written: int = 0
    config: EngineConfig = field(default_factory=lambda: EngineConfig(most_records=7))
    registry: Registered = field(default_factory=Registered)

    def __post_init__(self) -> None:
        self.log.create_topic("plant", PARTITIONS)
        self.log.create_topic("copy", 2)
        self.log.create_topic("dead")
        self.start()

    def start(self) -> None:
        self.source = MemorySource(self.log, "plant", GROUP, max_poll_records=5)
        self.sink = MemorySink(self.log, "plant")
        rewriter = Rewriter(InputReader(self.registry), InputLimits(), Targets("copy", "dead", 1000))
        limit = DeadLetterLimit(0.5, 10, 10)
        self.rekeyer = Rekeyer(self.source, self.sink, rewriter, limit, self.config, clock=self.tick)

    def tick(self) -> float:
        self.now += 0.001
        return self.now

    def produce(self, count: int, partition: int | None = None) -> None:
        for place in range(self.written, self.written + count):
            document = {"sensor_id": f"s{place % SENSORS}", "timestamp": START_MS + place, "values": {"place": place}}
            number = place * 7 // 3 % PARTITIONS if partition is None else partition
            self.log.append("plant", number, json.dumps(document).encode(), timestamp=START_MS + place)
        self.written += count

    def step(self, times: int = 1) -> None:
        for _ in range(times):
            try:
                self.rekeyer.step(0.0)
            except (RetriableError, CommitFailedError):
                continue

    def run(self) -> None:
        ends = {number: self.log.bounds("plant", number)[1] for number in range(self.log.partition_count("plant"))}
        for _ in range(200):
            self.step()
            if committed_of_all(self.source, ends):
                return
        pytest.fail("it does not come to an end")

    def copied(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for record in self.log.records("copy"):
            document = json.loads(record.value or b"")
            found[document["sensor_id"]].append(document["values"]["place"])
        return dict(found)

    def expected(self) -> dict[str, list[int]]:
        return {f"s{number}": list(range(number, self.written, SENSORS)) for number in range(SENSORS)}


def test_while_the_schema_registry_is_away_nothing_is_committed_and_then_nothing_is_lost() -> None:
    plant = Plant()
    plant.produce(20)
    plant.run()
    committed = {number: plant.source.committed(number) for number in range(PARTITIONS)}
    plant.produce(20)
    plant.registry.is_away = True
    for _ in range(10):
        with contextlib.suppress(RegistryUnavailableError):
            plant.rekeyer.step(0.0)
    assert {number: plant.source.committed(number) for number in range(PARTITIONS)} == committed

    plant.registry.is_away = False
    plant.run()

    assert plant.copied() == plant.expected()
    assert not plant.log.records("dead")


def test_readings_come_by_sensor_in_the_order_of_their_records_times() -> None:
    plant = Plant()
    plant.produce(60)

    plant.run()

    assert plant.copied() == plant.expected()
    assert {record.timestamp for record in plant.log.records("copy")} == {START_MS + place for place in range(60)}
    assert plant.rekeyer.lag() == 0


@given(
    st.lists(
        st.sampled_from(["produce", "step", "before", "after", "rebalance", "evict", "kill", "grow", "away", "back"]),
        max_size=30,
    )
)
def test_whatever_fails_every_reading_is_copied_once_and_in_order(events: list[str]) -> None:
    plant = Plant()
    for event in events:
        if event == "produce":
            plant.produce(11)
        elif event == "before":
            plant.sink.fail_next_commit("before")
        elif event == "after":
            plant.sink.fail_next_commit("after")
        elif event == "rebalance":
            plant.source.rebalance()
        elif event == "evict":
            plant.source.evict()
        elif event in ("away", "back"):
            plant.registry.is_away = event == "away"
        elif event == "kill":
            plant.source.kill()
            plant.start()
        elif event == "grow":
            plant.log.add_partitions("plant", plant.log.partition_count("plant") + 1)
            plant.produce(3, plant.log.partition_count("plant") - 1)
        plant.step()
    plant.produce(5)
    plant.registry.is_away = False
    plant.run()

    assert plant.copied() == plant.expected()


def test_a_new_group_that_starts_at_the_end_commits_where_it_starts() -> None:
    plant = Plant(config=EngineConfig(start_ms=LATEST))
    plant.produce(9)
    plant.run()
    plant.source.kill()
    plant.produce(6)
    plant.start()
    plant.run()

    assert sorted(place for places in plant.copied().values() for place in places) == list(range(9, 15))


def test_a_new_group_starts_at_a_time() -> None:
    plant = Plant(config=EngineConfig(start_ms=START_MS + 20))
    plant.produce(30)

    plant.run()

    assert sorted(place for places in plant.copied().values() for place in places) == list(range(20, 30))


def test_a_partition_that_is_added_later_is_read_from_its_beginning_wherever_the_group_started() -> None:
    plant = Plant(config=EngineConfig(start_ms=LATEST))
    plant.run()
    plant.log.add_partitions("plant", PARTITIONS + 1)
    plant.produce(8, partition=PARTITIONS)

    plant.step(10)
    plant.run()

    assert plant.copied() == plant.expected()


def test_records_that_are_no_readings_become_dead_letters_and_tombstones_are_passed() -> None:
    plant = Plant()
    plant.produce(12)
    plant.log.append("plant", 1, b"no reading", timestamp=START_MS + 20)
    plant.log.append("plant", 1, b"", timestamp=START_MS + 21)

    plant.run()

    assert plant.copied() == plant.expected()
    (letter,) = plant.log.records("dead")
    assert dict(letter.headers)["stream_detector.offset"] == str(plant.log.records("plant", 1)[-2].offset).encode()


def test_a_topic_of_something_else_stops_it_before_it_drains_into_the_dead_letters() -> None:
    plant = Plant()
    for place in range(30):
        plant.log.append("plant", 0, b"no reading", timestamp=START_MS + place)

    with pytest.raises(DeadLetterLimitError, match="plant partition 0 offset"):
        plant.step(30)

    assert plant.log.committed(GROUP, "plant")[0] < 30


def test_retention_that_was_faster_is_counted_and_the_rest_is_copied() -> None:
    plant = Plant()
    plant.produce(10, partition=0)
    plant.run()
    plant.source.kill()
    plant.produce(10, partition=0)
    plant.log.trim("plant", 0, 14)
    plant.start()

    lost = sum(plant.rekeyer.step(0.0).lost_records for _ in range(10))

    assert lost == 4
    assert sorted(place for places in plant.copied().values() for place in places) == [*range(10), *range(14, 20)]
