"""One round of the campaign: its own topics, a steady feed of readings, replicas that fail, and the check of the outcome."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from stream_detector.readings import Message, Record
from tests.chaos.checker import (
    Findings,
    Leniency,
    check_limits_moved,
    compare_alerts,
    compare_dead_letters,
    expected_events,
    longest_stall_seconds,
)
from tests.chaos.feed import Feed, MakeRecords, records_of
from tests.integration.plants import plant_of
from tests.integration.replica_process import Life, ReplicaProcess
from tests.integration.topics import Topics, until
from tests.integration.worker import Setup

SETTLE_SECONDS = 120.0
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a round."""

    replicas: int = 3
    partitions: int = 6
    sensors: int = 20  # of each partition
    seconds_per_second: float = 3.0  # of event time; each sensor sends a reading per second of it


@dataclass(frozen=True, slots=True)
class RoundResult:
    """The outcome of a round."""

    fault: str
    plant: str
    count: int
    unit: str
    readings: int
    events: int
    findings: Findings
    longest_stall_seconds: float
    read_again: int
    seconds: float
    steps: Counter[str] = field(default_factory=Counter)
    crashes: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether events were compared, none is missing, duplicated or wrong, and no process ended by itself."""
        return not self.findings.total and not self.crashes and self.events > 0 and self.count > 0


def failed(fault: str, crash: str) -> RoundResult:
    """Return the row of a round that could not finish."""
    return RoundResult(
        fault=fault,
        plant="",
        count=0,
        unit="",
        readings=0,
        events=0,
        findings=Findings(),
        longest_stall_seconds=0.0,
        read_again=0,
        seconds=0.0,
        crashes=(crash,),
    )


@dataclass(frozen=True, slots=True)
class Places:
    """The servers of a round. The replicas use these addresses, the round itself uses `brokers`."""

    brokers: str
    redis_url: str
    logs: Path
    redis_cluster: bool = False
    kafka_proxy_url: str | None = None
    kafka_changes: dict[str, Any] = field(default_factory=dict)


class Round:
    """Topics, feed and replicas under one name. Use it as a context; `live` or `strike`, then `check`."""

    def __init__(
        self,
        name: str,
        places: Places,
        setup: Setup,
        shape: Shape = Shape(),
        *,
        make_records: MakeRecords = records_of,
    ) -> None:
        self.name, self.setup, self.shape = name, setup, shape
        self.topics = Topics(
            places.brokers,
            name,
            shape.partitions,
            **{
                "start": "earliest",
                "session_timeout_seconds": 1,
                "transaction_timeout_seconds": 2,
                "request_timeout_seconds": 5,
                "max_poll_records": 60,
            }
            | places.kafka_changes,
        )
        produce, speed = self.topics.produce, shape.seconds_per_second
        self.feed = Feed(produce, shape.sensors, shape.partitions, speed, make_records)
        self.replicas = [self._replica(number, places) for number in range(shape.replicas)]
        self.crashes: list[str] = []
        self._began = time.monotonic()

    def _replica(self, number: int, places: Places) -> ReplicaProcess:
        """Return a replica process; the last of several has an instance ID, which makes it a static group member."""
        changes: dict[str, Any] = {}
        if places.kafka_proxy_url:
            changes["extra"] = {"proxy_url": places.kafka_proxy_url}
        if number and number == self.shape.replicas - 1:
            changes["instance_id"] = f"static-{number}"
        settings = self.topics.settings.model_copy(update=changes)
        log = places.logs / f"{self.name}-{number}.log"
        return ReplicaProcess(settings, places.redis_url, log, cluster=places.redis_cluster)

    def __enter__(self) -> Self:
        # Two seconds of history make all sensors known before the first fault.
        self.feed.advance()
        self.feed.advance()
        self.feed.start()
        return self

    def __exit__(self, *_: object) -> None:
        for replica in self.replicas:
            replica.kill()
        self.feed.stop()
        self.topics.close()

    def live(self, lives: Sequence[Life], meanwhile: Callable[[], object] = lambda: None) -> int:
        """Restart the replicas after each death until all fates are used; return the number of lives."""
        remaining: Iterator[Life] = iter(lives)
        spent = 0
        while spent < len(lives):
            for replica in self.replicas:
                if spent < len(lives) and replica.has_ended():
                    self._note_crash(replica)
                    replica.start(life=next(remaining))
                    spent += 1
            meanwhile()
            time.sleep(POLL_SECONDS)
        for replica in self.replicas:
            until(replica.has_ended, SETTLE_SECONDS)
            self._note_crash(replica)
        return spent

    def run_quietly(self) -> None:
        """Start every replica that does not run, without a fate."""
        for replica in self.replicas:
            if replica.has_ended():
                self._note_crash(replica)
                replica.start(life=Life(setup=self.setup, seconds=float("inf")))

    def await_caught_up(self, patience_seconds: float = SETTLE_SECONDS) -> None:
        """Wait until all records that are in the topic now are committed."""
        self.topics.await_all_committed(patience_seconds)

    def strike(self, count: int, inject: Callable[[], None], rest_seconds: float = 1.0) -> int:
        """Run the replicas and inject faults into their dependencies, each after they have recovered from the last."""
        self.run_quietly()
        self.await_caught_up()
        for _ in range(count):
            inject()
            self.await_caught_up()
            time.sleep(rest_seconds)
        return count

    def settle(self) -> None:
        """Wait until everything is read, committed and persisted, and stop the replicas gracefully."""
        self.feed.stop()
        self.run_quietly()
        try:
            self.await_caught_up()
        except AssertionError:
            self.crashes.append(f"stalled: committed {self.topics.committed()} of {self.topics.ends()}")
        for replica in self.replicas:
            code = replica.stop()
            if code != 0:
                self.crashes.append(replica.crashed() or f"exit code {code}")

    def check(
        self,
        count: int,
        unit: str,
        fault: str,
        leniency: Leniency = Leniency(),  # noqa: B008 - frozen
        *,
        compare: Callable[[Sequence[Message], Sequence[Record], Leniency, Findings], None] = compare_alerts,
    ) -> RoundResult:
        """Settle, and compare the alerts and dead letters with those of a crash-free run."""
        self.settle()
        self.topics.await_stable(SETTLE_SECONDS)
        findings = Findings()
        inputs, alerts = self.topics.input(), self.topics.alerts()
        compare(expected_events(inputs, self.setup.plant, alerts), alerts, leniency, findings)
        plant = plant_of(self.setup.plant)
        if plant.governor is not None:
            check_limits_moved(alerts, findings)
        compare_dead_letters(inputs, plant.decoder(), self.topics.dead_letters(), findings)
        return RoundResult(
            fault=fault,
            plant=self.setup.plant,
            count=count,
            unit=unit,
            readings=len(inputs),
            events=len(alerts),
            findings=findings,
            longest_stall_seconds=longest_stall_seconds(inputs, alerts),
            read_again=sum(replica.read_again() for replica in self.replicas),
            seconds=time.monotonic() - self._began,
            steps=sum((replica.steps_reached() for replica in self.replicas), Counter()),
            crashes=tuple(self.crashes),
        )

    def _note_crash(self, replica: ReplicaProcess) -> None:
        crash = replica.crashed()
        if crash:
            self.crashes.append(crash)
