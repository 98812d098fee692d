"""The property of the design: however the log is cut and whatever fails, the alerts are those of a quiet run.

A quiet run polls one record at a time and nothing fails. A script of steps, drawn by hypothesis, cuts the same log into
polls of any size and lets processes, commits and the store fail at any point. Then each sensor's events must be the same
bytes in the same order, and what is stored of each sensor the same record.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_detector.pipeline.config import CommitPolicy
from stream_detector.pipeline.state_snapshot import WHOLE_BYTES
from stream_detector.state.codec.decode import decode
from stream_detector.state.record_layout import record_dtype
from stream_detector.timestamps import iso_time
from tests.examples import examples
from tests.fakes.fragile_store import Snapshot
from tests.fakes.scorer import checksum_error
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import (
    INPUT,
    MINUTE_MS,
    MODEL,
    SECOND_MS,
    START_MS,
    ReplicaConfig,
    every_batch_in_flight,
    reading,
)
from tests.pipeline.world import World

SENSORS = 5
SHAPE = MODEL.window_length, len(MODEL.features), len(MODEL.members)
ACCEPT_MS = 6 * SECOND_MS
BROKEN = b"not a reading"


@dataclass(frozen=True, slots=True)
class Script:
    """A log to read, and a set-up to read it with."""

    seed: int
    records: int
    partitions: int
    stride: int


@dataclass(frozen=True, slots=True)
class Pace:
    """Which batches are left in flight, what waits to be committed, and when and how the store gets what it was handed."""

    overlap_records: int
    commits: CommitPolicy
    stores_late: bool
    whole_bytes: int


@dataclass(frozen=True, slots=True)
class Poll:
    replica: int
    records: int


@dataclass(frozen=True, slots=True)
class Crash:
    replica: int


@dataclass(frozen=True, slots=True)
class CommitFails:
    replica: int
    when: Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Rebalance:
    replica: int


@dataclass(frozen=True, slots=True)
class Evict:
    replica: int


@dataclass(frozen=True, slots=True)
class StoreDown:
    healthy_persists: int


@dataclass(frozen=True, slots=True)
class StoreUp:
    pass


@dataclass(frozen=True, slots=True)
class AnswersLost:
    persists: int


@dataclass(frozen=True, slots=True)
class Arrive:
    """What was sent to the store arrives, be its sender alive or not."""


@dataclass(frozen=True, slots=True)
class RememberStore:
    pass


@dataclass(frozen=True, slots=True)
class StoreFallsBack:
    """To what was remembered, as in a failover to a replica that lags."""


@dataclass(frozen=True, slots=True)
class WipeStore:
    pass


Step = (
    Poll
    | Crash
    | CommitFails
    | Rebalance
    | Evict
    | StoreDown
    | StoreUp
    | AnswersLost
    | Arrive
    | RememberStore
    | StoreFallsBack
    | WipeStore
)


def fill(world: World, script: Script) -> None:
    """Write a log with everything that readings do: come late, twice, after gaps, without values, or undecodable."""
    random = np.random.default_rng(script.seed)
    now_ms = START_MS
    for _ in range(script.records):
        sensor = int(random.integers(SENSORS))
        now_ms += int(random.choice([0, 300, 1000, 1000, 2500, 90_000], p=[0.1, 0.3, 0.3, 0.2, 0.08, 0.02]))
        time_ms = now_ms - int(random.choice([0, 2 * SECOND_MS], p=[0.9, 0.1]))
        values = [None if random.random() < 0.15 else float(random.integers(10)) for _ in range(2)]
        value = BROKEN if random.random() < 0.05 else reading(f"s{sensor}", time_ms, *values)
        partition = sensor % script.partitions
        world.log.append(INPUT, partition, value, key=f"s{sensor}".encode(), timestamp=now_ms)
        if random.random() < 0.1:
            world.log.append_gap(INPUT, partition, int(random.integers(1, 3)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run leaves behind."""

    alerts: dict[bytes, list[bytes]]
    dead_letters: list[tuple[bytes | None, ...]]
    stored: list[bytes | None]


def outcome(world: World, script: Script) -> Outcome:
    letters = [(value, *(content for _, content in headers)) for value, headers in world.dead_letters()]
    stored = [world.store.records(sensor % script.partitions, [f"s{sensor}"])[0] for sensor in range(SENSORS)]
    return Outcome(world.alerts_by_sensor(), sorted(letters, key=repr), [None if one is None else said(one) for one in stored])


def said(stored: bytes) -> bytes:
    """Return what a stored record says, in whatever form: the one in memory, without the rows that are not of the window."""
    records, is_there = decode([stored], *SHAPE, unit_ms=1)
    assert is_there.all()
    ages = (records["header"]["count"].astype(int)[:, None] - 1 - np.arange(MODEL.window_length)) % MODEL.window_length
    records["rows"][ages >= records["header"]["filled"][:, None]] = np.zeros((), records["rows"].dtype)
    return records.tobytes()


@lru_cache(maxsize=64)
def quiet_run(script: Script) -> Outcome:
    world = World(script.partitions)
    fill(world, script)
    Replica(world, every_batch_in_flight(ReplicaConfig(stride=script.stride, accept_ms=ACCEPT_MS))).run(records=1)
    return outcome(world, script)


class Stage:
    """Replicas that read one log while a script is played."""

    def __init__(self, script: Script, pace: Pace, max_sensors: int, replicas: int) -> None:
        self.world = World(script.partitions)
        fill(self.world, script)
        self.partitions = script.partitions
        self.remembered: Snapshot | None = None
        self.most_records = min(max_sensors, 500)
        slice_records = min(3, max_sensors)
        plant = ReplicaConfig(
            stride=script.stride,
            accept_ms=ACCEPT_MS,
            max_sensors=max_sensors,
            slice_records=slice_records,
            overlap_records=pace.overlap_records,
            commits=pace.commits,
            stores_late=pace.stores_late,
            whole_bytes=pace.whole_bytes,
        )
        self.replicas = [Replica(self.world, plant) for _ in range(replicas)]

    def play(self, step: Step) -> None:
        match step:
            case Poll(replica, records):
                self._at(replica).turn(min(records, self.most_records))
            case Crash(replica):
                self.replicas[replica % len(self.replicas)] = self._at(replica).crash()
            case CommitFails(replica, when):
                self._at(replica).sink.fail_next_commit(when)
            case Rebalance(replica):
                self._at(replica).rebalance()
            case Evict(replica):
                self._at(replica).evict()
            case _:
                self._disturb_store(step)

    def _disturb_store(self, step: Step) -> None:
        store = self.world.store
        match step:
            case StoreDown(healthy_persists):
                store.healthy_persists = healthy_persists
            case StoreUp():
                store.healthy_persists, store.unavailable = None, False
            case AnswersLost(persists):
                store.lost_answers = persists
            case Arrive():
                self.world.in_transit.arrive()
            case RememberStore():
                if len(store.positions()) == self.partitions and min(store.positions().values()) >= 0:
                    self.remembered = store.snapshot()
            case StoreFallsBack():
                if self.remembered:
                    store.roll_back(self.remembered)
            case WipeStore():
                store.wipe()

    def finish(self) -> None:
        """Let everything be well again, and read to the end."""
        self.play(StoreUp())
        self.play(AnswersLost(0))
        self.play(Arrive())
        for _ in range(1000):
            for replica in self.replicas:
                replica.turn(self.most_records)
            if all(replica.pipeline.is_ready for replica in self.replicas) and self._is_done():
                return
        raise AssertionError(f"stuck: committed {self.world.committed()}, ends {self.world.ends()}")

    def run_until_restored(self) -> None:
        """Bring the replicas to where they read."""
        while not all(replica.pipeline.is_ready for replica in self.replicas):
            for replica in self.replicas:
                replica.turn(0)

    def _is_done(self) -> bool:
        lag = sum(replica.pipeline.store_lag for replica in self.replicas)
        assigned = sum(replica.pipeline.assigned for replica in self.replicas)
        return assigned == self.partitions and self.world.committed() == self.world.ends() and not lag

    def _at(self, replica: int) -> Replica:
        return self.replicas[replica % len(self.replicas)]


def test_quiet_runs_have_all_that_can_happen_to_a_sensor() -> None:
    """Else the properties below would say little."""
    runs = [quiet_run(Script(seed, records=90, partitions=1, stride=1)) for seed in range(10)]
    events = [json.loads(value) for run in runs for values in run.alerts.values() for value in values]
    stored = [np.frombuffer(record, record_dtype(*SHAPE))[0] for run in runs for record in run.stored if record]

    assert {event["status"] for event in events} == {"opened", "updated", "closed"}
    assert {event["incident"]["accepted"] for event in events} == {False, True}
    assert {event["sensor_state"] for event in events} == {"warming", "provisional", "ready"}
    counts = np.array([record["moments"]["count"] for record in stored])
    assert (counts == 0).all(axis=1).any()  # known to the model
    assert (counts == ReplicaConfig().learned_count).any()  # learned, and standing still
    assert ((counts > 0) & (counts < ReplicaConfig().learned_count)).any()
    assert any(record["header"]["accepted"] > 0 for record in stored)


_replica = st.integers(0, 1)
_polls = st.builds(Poll, _replica, st.integers(1, 40))
_failures = st.one_of(
    st.builds(Crash, _replica),
    st.builds(CommitFails, _replica, st.sampled_from(["before", "after"])),
    st.builds(Rebalance, _replica),
    st.builds(Evict, _replica),
    st.builds(StoreDown, st.integers(0, 3)),
    st.builds(StoreUp),
    st.builds(AnswersLost, st.integers(1, 2)),
    st.builds(Arrive),
    st.builds(RememberStore),
    st.builds(StoreFallsBack),
)
_lossless_failures = st.one_of(
    st.builds(StoreDown, st.integers(0, 3)),
    st.builds(StoreUp),
    st.builds(AnswersLost, st.integers(1, 2)),
    st.builds(Arrive),
)
_paces = st.builds(
    Pace,
    overlap_records=st.sampled_from([0, 5, 1000]),
    commits=st.builds(CommitPolicy, seconds=st.sampled_from([0.0, 0.5, 2.5, 1000.0]), records=st.sampled_from([5, 1000])),
    stores_late=st.booleans(),
    whole_bytes=st.sampled_from([0, WHOLE_BYTES]),
)
_scripts = st.builds(
    Script,
    seed=st.integers(0, 9),
    records=st.sampled_from([8, 30, 90]),
    partitions=st.integers(1, 3),
    stride=st.sampled_from([1, 1, 3]),
)


@settings(max_examples=examples(80), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    script=_scripts,
    pace=_paces,
    steps=st.lists(st.one_of(_polls, _polls, _failures), max_size=40),
    max_sensors=st.sampled_from([1000, 3]),
    replicas=st.integers(1, 2),
)
def test_whatever_fails_the_events_are_those_of_a_quiet_run(
    script: Script, pace: Pace, steps: list[Step], max_sensors: int, replicas: int
) -> None:
    stage = Stage(script, pace, max_sensors, replicas)

    for step in steps:
        stage.play(step)
    stage.finish()

    assert outcome(stage.world, script) == quiet_run(script)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    script=_scripts,
    pace=_paces,
    steps=st.lists(st.one_of(_polls, _polls, _lossless_failures, st.builds(WipeStore)), max_size=40),
)
def test_a_store_that_loses_everything_while_the_sensors_are_in_memory_changes_no_event(
    script: Script, pace: Pace, steps: list[Step]
) -> None:
    stage = Stage(script, pace, max_sensors=1000, replicas=1)
    stage.run_until_restored()

    for step in steps:
        stage.play(step)
    stage.finish()

    assert outcome(stage.world, script).alerts == quiet_run(script).alerts


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    script=_scripts,
    pace=_paces,
    steps=st.lists(st.one_of(_polls, _polls, _failures, st.builds(WipeStore)), max_size=40),
    max_sensors=st.sampled_from([1000, 3]),
    replicas=st.integers(1, 2),
)
def test_whatever_is_lost_no_event_comes_from_a_wrong_window(
    script: Script, pace: Pace, steps: list[Step], max_sensors: int, replicas: int
) -> None:
    """A store that loses everything while a process ends takes levels and incidents along; windows stay right."""
    stage = Stage(script, pace, max_sensors, replicas)

    for step in steps:
        stage.play(step)
    stage.finish()

    events = stage.world.events()
    assert len({event["event_id"] for event in events}) == len(events)
    for event in events:
        if event["score"] is not None:
            window = event["window"]
            expected = {feature["name"]: feature["expected"] for feature in event["features"]}
            firsts = offsets_at(stage.world, event["sensor_id"], window["partition"], window["start"])
            windows = [
                window_rows(stage.world, event["sensor_id"], window["partition"], first, window["last_offset"])
                for first in firsts
            ]
            checksums = [checksum_error(rows) for rows in windows if len(rows) == MODEL.window_length]
            assert any(expected["a"] == pytest.approx(checksum, rel=1e-5) for checksum in checksums)


def offsets_at(world: World, sensor: str, partition: int, time: str) -> list[int]:
    """Return where a sensor's readings of an event time are: where two have it, the later is dropped, if the first was seen."""
    return [
        record.offset
        for record in world.log.records(INPUT, partition)
        if record.key == sensor.encode()
        and record.value != BROKEN
        and iso_time(json.loads(record.value or b"")["timestamp"]) == time
    ]


def window_rows(world: World, sensor: str, partition: int, first: int, last: int) -> list[list[float]]:
    """Return a sensor's rows between two offsets, by the rules of the input: what is not newer is dropped."""
    rows: list[list[float]] = []
    newest_ms = -1
    for record in world.log.records(INPUT, partition):
        if record.key != sensor.encode() or not first <= record.offset <= last or record.value == BROKEN:
            continue
        fields = json.loads(record.value or b"")
        if fields["timestamp"] > newest_ms:
            assert newest_ms < 0 or fields["timestamp"] - newest_ms <= MINUTE_MS
            newest_ms = fields["timestamp"]
            rows.append([math.nan if number is None else number for number in fields["values"].values()])
    return rows
