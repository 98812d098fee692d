"""The hot path: poll, append, score, decide, commit, persist.

The log is the truth and the store follows it: a batch is first committed to Kafka (events, dead letters and positions in
one transaction), then its state is persisted. So the store is never ahead of the committed position, and a crash anywhere
leaves a state from which a replay of the log gives the same events. docs/delivery.md argues this step by step.

Another thread persists a batch while the loop polls the next one. Under load, the loop also polls the next batch while the
scorer's threads score the current one, and commits the current batch while they score the next one. A small batch completes
within one step, because that is sooner, and batches without output are committed together. So between two steps there are at
most one batch in flight, some decided batches that await their commit, and one commit that is not known to be persisted.

Every call is bounded in time. The pipeline depends only on its ports, and takes the clock as an argument.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.detection.unfilled import Unfilled
from stream_detector.errors import CommitFailedError, MembershipLostError
from stream_detector.pipeline.assignment import Assignment
from stream_detector.pipeline.backpressure import Backpressure
from stream_detector.pipeline.committer import NOT_A_MEMBER, Committer
from stream_detector.pipeline.config import PipelineConfig
from stream_detector.pipeline.delivery import Delivery
from stream_detector.pipeline.executor import no_op
from stream_detector.pipeline.in_flight import Batch, InFlight
from stream_detector.pipeline.intake import Intake
from stream_detector.pipeline.partition import store_lag
from stream_detector.pipeline.restore import Ports
from stream_detector.pipeline.silences import Silences
from stream_detector.pipeline.step_report import StepReport
from stream_detector.ports import Polled
from stream_detector.state.known_sensors import SensorTable
from stream_detector.state.windows import SensorCounts, sensor_counts

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stages:
    """The parts of the pipeline; each has its own state, and all share one assignment."""

    intake: Intake
    assignment: Assignment
    committer: Committer
    backpressure: Backpressure
    delivery: Delivery
    silences: Silences


class Pipeline:
    """Reads, detects and publishes; `step` is one turn of the loop. build.py assembles it."""

    def __init__(
        self, ports: Ports, stages: Stages, config: PipelineConfig, *, on_progress: Callable[[], None] = no_op
    ) -> None:
        self._ports = ports
        self._intake, self._delivery = stages.intake, stages.delivery
        self._assignment, self._committer, self._backpressure = stages.assignment, stages.committer, stages.backpressure
        self._silences = stages.silences
        self._config = config
        self._on_progress = on_progress
        self._in_flight = InFlight(ports.detector)
        self._report = self._next_report = StepReport()

    @property
    def is_ready(self) -> bool:
        """Whether this replica is a member of the group and scores the readings of all its partitions."""
        return self._assignment.membership is not None and self._assignment.is_restored and not self.holding

    @property
    def assigned(self) -> int:
        """How many partitions this replica has."""
        return len(self._assignment)

    @property
    def holding(self) -> int:
        """How many partitions wait for the store or the schema registry."""
        return len(self._backpressure.held | self._intake.undecoded)

    @property
    def waits_for(self) -> str:
        """What keeps partitions from being read, for people; empty if nothing does."""
        if self._intake.undecoded:
            return "waiting for the schema registry"
        return "waiting for the state store" if self._backpressure.held else ""

    @property
    def store_lag(self) -> int:
        """How many offsets the store lags behind the committed positions."""
        return store_lag(self._assignment.ready().values())

    @property
    def sensor_table(self) -> SensorTable:
        """The sensors that the model knows."""
        return self._ports.detector.sensor_table

    def sensor_counts(self) -> SensorCounts:
        """Count the sensors in memory. Scans all of them."""
        detector = self._ports.detector
        held = detector.arena.partitions >= 0
        return sensor_counts(detector.arena.records["header"], held, detector.model.window_length, detector.are_idle())

    def unfilled(self) -> Unfilled:
        """Find the sensors in memory that do not fill their windows. Scans all of them."""
        detector = self._ports.detector
        return detector.unfilled.find(detector.model.window_length)

    def divided_sensors(self) -> int:
        """Return how many sensors were found in a second partition, of those that were looked at since the start."""
        return self._ports.state.loader.divided

    def silent_sensors(self) -> int:
        """Count the sensors in memory whose silence is announced. Scans all of them."""
        return self._ports.detector.silences.count_announced()

    def use_rules(self, rules: DecisionRules) -> None:
        """Decide by other rules from the next batch on. Call it only after `settle` returned True."""
        self._ports.detector.use_rules(rules)

    def take_over(self, other: Pipeline) -> None:
        """Restore the partitions of another pipeline on the same connections, which must be settled and is not used again."""
        for number in other._assignment.numbers:
            self._assignment.restore(number)

    def step(self) -> StepReport:
        """Run one turn: poll a batch and at least start scoring it, complete the batch before it, restore a slice."""
        report = self._begin_report()
        polled = self._intake.poll(self._poll_seconds(), report)  # 1. poll
        if polled is None:
            self._delivery.await_store(report)
            return report
        report.is_behind = report.polled >= self._config.overlap_records
        self._intake.follow_assignment(polled, report)  # 2. follow the assignment
        try:
            if self._committer.is_broken:
                self._committer.mend_sink()
                return report
            batch = self._intake.batch_of(polled, report)
            self._delivery.await_store(report)
            self._decide_in_flight()  # 3. decide the scored batch
            self._announce_silences(polled)
            if not self._append_while_committing(batch):  # 4. in parallel with 5 and 6, or after them:
                self._delivery.commit_and_persist(report, now=True)
                self._append_what_fits(batch)  # 4. append the new batch and start scoring it
            if self._in_flight and self._in_flight.records < self._config.overlap_records:
                self._decide_in_flight()
                self._delivery.commit_and_persist(report)  # 5. commit decided batches, 6. persist committed state
            self._restore_slices()  # 7. restore a slice
        except CommitFailedError as error:
            self._start_over(error)
        return report

    def settle(self) -> bool:
        """Commit all decided batches and wait for the store; return whether nothing is left to restore, commit or replay."""
        self._report = self._next_report
        try:
            if not self._in_flight and self._committer:
                self._delivery.commit_and_persist(self._report, now=True)
        except CommitFailedError as error:
            self._start_over(error)
        self._delivery.await_store(self._report)
        return self._assignment.is_restored and not self._committer and not self.store_lag

    def finish(self) -> StepReport:
        """Before a stop, complete the batch in flight and check that the store has everything it accepted.

        A batch that can no longer be committed is left to the next owner of its partitions.
        """
        report = self._begin_report()
        try:
            self._decide_in_flight()
            self._delivery.commit_and_persist(report, now=True)
            if self._committer:
                raise CommitFailedError(NOT_A_MEMBER)
        except CommitFailedError as error:
            report.failed_commits += 1
            logger.warning("the last batch is not committed and will be read again: %s", error)
            return report
        self._delivery.check_store(report)
        return report

    def _begin_report(self) -> StepReport:
        """Return the report of this step, which includes the work since the last step."""
        self._report, self._next_report = self._next_report, StepReport()
        self._report.new_sensors += self._ports.detector.take_strangers()
        return self._report

    def _poll_seconds(self) -> float:
        """Return how long a poll may wait: until other work is due."""
        if self._in_flight:
            return 0.0
        if self._assignment.membership is None or self._committer.is_broken:  # nothing can be committed or restored
            return self._config.poll_seconds
        if self._assignment.is_slice_due:
            return 0.0
        return min(self._config.poll_seconds, self._committer.wait_seconds)

    def _append_while_committing(self, batch: Batch) -> bool:
        """Append a batch, start scoring it, and meanwhile commit the decided batches if they are due.

        Return False if these must be completed first: if there is no room for the sensors of the new batch, or if the store
        does not keep up, because memory must not be ahead of the committed positions while the stored state is checked.
        """
        if not (batch.chunks and self._committer and self._delivery.store_keeps_up):
            return False
        is_due = self._committer.is_due
        snapshots = self._delivery.unsaved_state() if is_due else []
        ready = self._assignment.ready()
        if self._ports.state.loader.load_sensors_of(batch.decoded.readings, ready):
            return False
        self._in_flight.start(batch, ready)
        self._on_progress()
        if is_due:
            self._delivery.commit(self._report)
            self._delivery.persist_async(snapshots)
        return True

    def _append_what_fits(self, batch: Batch) -> None:
        """Append a batch and start scoring, without partitions that are not ready or whose sensors cannot be loaded now."""
        self._delivery.await_store(self._report)  # only stored sensors can make room
        ready, guard = self._assignment.ready(), self._ports.state.guard
        batch = batch.only(ready.keys() - self._backpressure.held)
        waiting = self._ports.state.loader.load_sensors_of(batch.decoded.readings, ready)
        if waiting:
            self._report.store_errors += guard.is_away
            self._backpressure.hold({chunk.partition: chunk.start for chunk in batch.chunks if chunk.partition in waiting})
            batch = batch.only(ready.keys() - waiting)
        if batch.chunks:
            self._in_flight.start(batch, ready)
            self._on_progress()

    def _announce_silences(self, polled: Polled) -> None:
        """Announce the sensors that have fallen silent. No batch may be in flight, and the store not be in use."""
        if self._assignment.membership is None:
            return  # Kafka does not answer: that nothing arrives tells nothing
        self._silences.follow(polled)
        held = self._backpressure.held | self._intake.undecoded
        read = {number: one for number, one in self._assignment.ready().items() if number not in held}
        for scored in self._silences.announce(read, are_all=len(read) == len(self._assignment)):
            self._committer.add(scored)

    def _decide_in_flight(self) -> None:
        """Wait for the scores of the batch in flight, if any, and decide. Then every reading in memory is decided."""
        scored = self._in_flight.decide()
        if scored is not None:
            self._committer.add(self._silences.noted(scored.of_owners(self._assignment.is_ready)))

    def _restore_slices(self) -> None:
        """Restore a slice of each partition that needs it, with nothing in flight: only stored sensors can be evicted."""
        if self._assignment.is_restored:
            return
        self._decide_in_flight()
        self._delivery.commit_and_persist(self._report, now=True)
        self._delivery.await_store(self._report)
        self._assignment.restore_slices(self._report)

    def _start_over(self, error: CommitFailedError) -> None:
        """Forget everything in memory and restore from the committed positions."""
        logger.warning("starting over from the committed positions: %s", error)
        self._report.failed_commits += 1
        if isinstance(error, MembershipLostError):
            self._assignment.refuse_membership()
        self._in_flight.drop()
        self._delivery.start_over(self._report)
