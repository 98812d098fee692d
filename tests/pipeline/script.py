"""Scripts of steps and failures, and the stage on which replicas play them on one log."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from stream_detector.detection.governor import Governor
from stream_detector.pipeline.activity import Activity
from stream_detector.pipeline.config import CommitPolicy
from stream_detector.state.bucket_state import Assembly
from stream_detector.state.codec.decode import decode
from tests.fakes.fragile_store import Snapshot
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import (
    INPUT,
    MODEL,
    SECOND_MS,
    START_MS,
    ReplicaConfig,
    every_batch_in_flight,
    reading,
    some_rules,
)
from tests.pipeline.sparkplug_log import NAMES, fill_sparkplug, partition_of
from tests.pipeline.world import World

SENSORS = 5
SHAPE = MODEL.window_length, len(MODEL.features), len(MODEL.members)
ACCEPT_MS = 6 * SECOND_MS
#: Of so small a budget that a few incidents raise the limit.
GOVERNOR = Governor(spare=0.5)
#: Margin of the running mean of the surprise.
SUSTAINED = 0.002
#: Turns after the last reading in which all silences are found, also those of sensors that are not in memory.
SETTLED_TURNS = 70
#: About one message in three completes a reading, and one value in four is held.
ASSEMBLY = Assembly(bucket_ms=1500, hold_ms=9000)
#: How long a sensor may be without a reading; about one pause in five is longer.
SILENT_S = 8
BROKEN = b"not a reading"
#: For so long, now and then, a feature of all sensors has another name.
RENAMED, RENAMED_MS, RENAMED_EVERY_MS = ("a", "bb"), 40 * SECOND_MS, 120 * SECOND_MS


@dataclass(frozen=True, slots=True)
class Script:
    """A log to read, and the configuration of its readers."""

    seed: int
    records: int
    partitions: int
    stride: int
    scores_partial: bool = False
    assembles: bool = False  # each message has one feature
    is_sparkplug: bool = False

    def plant(self) -> ReplicaConfig:
        """Return the configuration of a replica that reads it."""
        return ReplicaConfig(
            stride=self.stride,
            accept_ms=ACCEPT_MS,
            silent_s=SILENT_S,
            rule_config=some_rules(),
            governor=GOVERNOR,
            sustained_margin=SUSTAINED,
            scores_partial=self.scores_partial,
            assembly=ASSEMBLY if self.assembles else None,
            preset="sparkplug" if self.is_sparkplug else "native",
        )

    @property
    def sensors(self) -> list[tuple[str, int]]:
        """The names of the sensors, and their partitions."""
        if self.is_sparkplug:
            return [(name, partition_of(at, self.partitions)) for at, name in enumerate(NAMES)]
        return [(f"s{sensor}", sensor % self.partitions) for sensor in range(SENSORS)]


@dataclass(frozen=True, slots=True)
class Pace:
    """Which batches stay in flight, which wait to be committed, and when and how writes reach the store."""

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
    """The writes sent to the store arrive, whether or not their sender is alive."""


@dataclass(frozen=True, slots=True)
class RememberStore:
    pass


@dataclass(frozen=True, slots=True)
class StoreFallsBack:
    """The store returns to the remembered state, as in a failover to a lagging replica."""


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


class NeverIdle(Activity):
    """Activity in which no partition is ever idle, nor the whole input."""

    @property
    def quiet_s(self) -> float:
        """Return 0."""
        return 0.0

    def idle_s(self, partition: int) -> int:  # noqa: ARG002 - of any
        """Return 0."""
        return 0


def ignore_idle_time(replica: Replica) -> None:
    """Let a replica announce by the log alone: how long it idles differs from run to run."""
    replica.pipeline._silences._activity = NeverIdle()


def fill(world: World, script: Script) -> None:
    """Write a log with every kind of reading: late, repeated, after a gap, without values, or undecodable."""
    if script.is_sparkplug:
        fill_sparkplug(world, script.seed, script.records, script.partitions)
        return
    random = np.random.default_rng(script.seed)
    now_ms = START_MS
    for _ in range(script.records):
        sensor = int(random.integers(SENSORS))
        now_ms += int(random.choice([0, 300, 1000, 1000, 2500, 90_000], p=[0.1, 0.3, 0.3, 0.2, 0.08, 0.02]))
        time_ms = now_ms - int(random.choice([0, 2 * SECOND_MS], p=[0.9, 0.1]))
        values = [None if random.random() < 0.15 else float(random.integers(10)) for _ in range(2)]
        if script.assembles:
            values[int(random.integers(2))] = None
        names = RENAMED if script.assembles and now_ms % RENAMED_EVERY_MS < RENAMED_MS else MODEL.features
        value = BROKEN if random.random() < 0.05 else reading(f"s{sensor}", time_ms, *values, features=names)
        partition = sensor % script.partitions
        world.log.append(INPUT, partition, value, key=f"s{sensor}".encode(), timestamp=now_ms)
        if random.random() < 0.1:
            world.log.append_gap(INPUT, partition, int(random.integers(1, 3)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """The published events and stored records after a run."""

    alerts: dict[bytes, list[bytes]]
    dead_letters: list[tuple[bytes | None, ...]]
    stored: list[bytes | None]


def outcome(world: World, script: Script) -> Outcome:
    letters = [(value, *(content for _, content in headers)) for value, headers in world.dead_letters()]
    stored = [world.store.records(partition, [name])[0] for name, partition in script.sensors]
    return Outcome(
        world.alerts_by_sensor(),
        sorted(letters, key=repr),
        [None if one is None else normalized(one, script) for one in stored],
    )


def normalized(stored: bytes, script: Script) -> bytes:
    """Return a stored record in the form that memory holds, without the rows outside the window."""
    records, is_there = decode([stored], *SHAPE, assembles=script.assembles)
    assert is_there.all()
    ages = (records["header"]["count"].astype(int)[:, None] - 1 - np.arange(MODEL.window_length)) % MODEL.window_length
    records["rows"][ages >= records["header"]["filled"][:, None]] = np.zeros((), records["rows"].dtype)
    return records.tobytes()


@lru_cache(maxsize=64)
def quiet_run(script: Script) -> Outcome:
    world = World(script.partitions)
    fill(world, script)
    replica = Replica(world, every_batch_in_flight(script.plant()))
    ignore_idle_time(replica)
    replica.run(records=1)
    for _ in range(3):
        replica.turn()
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
        plant = replace(
            script.plant(),
            max_sensors=max_sensors,
            slice_records=slice_records,
            overlap_records=pace.overlap_records,
            commits=pace.commits,
            stores_late=pace.stores_late,
            whole_bytes=pace.whole_bytes,
        )
        self.replicas = [Replica(self.world, plant) for _ in range(replicas)]
        for replica in self.replicas:
            ignore_idle_time(replica)

    def play(self, step: Step) -> None:
        match step:
            case Poll(replica, records):
                self._at(replica).turn(min(records, self.most_records))
            case Crash(replica):
                self.replicas[replica % len(self.replicas)] = self._at(replica).crash()
                ignore_idle_time(self._at(replica))
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
        """End all failures and read to the end of the log."""
        self.play(StoreUp())
        self.play(AnswersLost(0))
        self.play(Arrive())
        settled = 0
        for _ in range(1000):
            for replica in self.replicas:
                replica.turn(self.most_records)
            settled = settled + 1 if all(replica.pipeline.is_ready for replica in self.replicas) and self._is_done() else 0
            if settled > SETTLED_TURNS:
                return
        raise AssertionError(f"stuck: committed {self.world.committed()}, ends {self.world.ends()}")

    def run_until_restored(self) -> None:
        """Step the replicas until they have restored their partitions."""
        while not all(replica.pipeline.is_ready for replica in self.replicas):
            for replica in self.replicas:
                replica.turn(0)

    def _is_done(self) -> bool:
        lag = sum(replica.pipeline.store_lag for replica in self.replicas)
        assigned = sum(replica.pipeline.assigned for replica in self.replicas)
        return assigned == self.partitions and self.world.committed() == self.world.ends() and not lag

    def _at(self, replica: int) -> Replica:
        return self.replicas[replica % len(self.replicas)]
