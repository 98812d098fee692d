"""A replica on fakes: the pipeline as the service builds it, with a checksum as its model."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import fields

from stream_detector.pipeline.build import build_pipeline
from stream_detector.pipeline.executor import no_op
from stream_detector.pipeline.restore import Ports
from stream_detector.pipeline.state_access import open_state
from stream_detector.pipeline.step_report import StepReport
from tests.fakes.memory_sink import MemoryIncidentLog, MemorySink
from tests.fakes.memory_source import MemorySource
from tests.fakes.scorer import ChecksumScorer
from tests.pipeline.replica_config import ALERTS, GROUP, INPUT, ReplicaConfig
from tests.pipeline.world import World


class Replica:
    """One process, with all the state that a crash would lose."""

    def __init__(
        self,
        world: World,
        config: ReplicaConfig | None = None,
        *,
        instance_id: str | None = None,
        on_progress: Callable[[], None] = no_op,
    ) -> None:
        self.world, self.config = world, config or ReplicaConfig()
        self.joined = False
        self.scorer = ChecksumScorer(len(self.config.model.members))
        self.source = MemorySource(world.log, INPUT, GROUP, instance_id)
        self.sink = MemorySink(world.log, INPUT)
        self.detector = self.config.detector(self.scorer)
        self.decoder = self.config.decoder()
        self.state = open_state(
            world.store,
            self.detector,
            world.clock,
            world.random_bytes,
            retry_seconds=self.config.bounds.retry_seconds,
            executor=world.in_transit if self.config.stores_late else None,
            whole_bytes=self.config.whole_bytes,
            on_progress=on_progress,
            memory=self.decoder.memory,
        )
        self.limit = self.config.dead_letter_limit()
        incidents = MemoryIncidentLog(world.log, INPUT, ALERTS)
        self.pipeline = build_pipeline(
            Ports(self.source, self.sink, self.decoder, self.detector, self.state, incidents),
            self.limit,
            self.config.pipeline(),
            self.config.restore(),
            world.clock,
            bounds=self.config.bounds,
            on_progress=on_progress,
        )

    def turn(self, records: int = 500) -> StepReport:
        """Take one step, a second after the previous one, polling at most `records` records. May leave its batch in flight."""
        self.world.clock.advance(1.0)
        self.joined = True
        self.source.next_limits.clear()
        self.source.next_limits.append(records)
        return self.pipeline.step()

    def step(self, records: int = 500) -> StepReport:
        """Take a turn, complete its batch with another that reads nothing if need be, and wait for the store."""
        reports = [self.turn(records)]
        if self.pipeline._in_flight:
            self.source.next_limits.append(0)
            reports.append(self.pipeline.step())
        self.pipeline.settle()
        return merged(*reports)

    def run(self, records: int = 500, until: Callable[[], bool] | None = None, max_steps: int = 2000) -> None:
        """Step until everything is read, restored and stored, or until the given condition holds; fail after a bound."""
        done = until or self.is_done
        for _ in range(max_steps):
            self.turn(records)
            if done():
                return
        msg = f"not done after {max_steps} steps: committed {self.world.committed()}, ends {self.world.ends()}"
        raise AssertionError(msg)

    def is_done(self) -> bool:
        """Whether everything that is in the log is committed and stored."""
        return self.pipeline.is_ready and self.world.committed() == self.world.ends() and not self.pipeline.store_lag

    def rebalance(self) -> None:
        """Revoke all partitions and assign them again."""
        if self.joined:
            self.source.rebalance()

    def evict(self) -> None:
        """Remove the replica from the group, as if it had been suspended beyond the session time-out."""
        if self.joined:
            self.source.evict()
            self.joined = False

    def crash(self) -> Replica:
        """Die as a killed process does; return its replacement, which has nothing in memory."""
        self.source.kill()
        return Replica(self.world, self.config)


def merged(*reports: StepReport) -> StepReport:
    """Add up the reports of several steps."""
    total = StepReport()
    for report, field_of in itertools.product(reports, fields(StepReport)):
        before, more = getattr(total, field_of.name), getattr(report, field_of.name)
        setattr(total, field_of.name, max(before, more) if field_of.name == "newest_time_ms" else before + more)
    return total
