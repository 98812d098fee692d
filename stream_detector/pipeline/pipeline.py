"""The hot path: poll, detect, commit, persist.

The log is the truth and the store follows it: a batch is first committed to Kafka (events, dead letters and positions in
one transaction), then its state is persisted. So the store is never ahead of the committed position, and a crash anywhere
leaves a state from which a replay of the log gives the same events. docs/delivery.md argues this step by step.

A batch is persisted, in a thread of its own, while the next one is polled. Under load the next one is also polled while a
batch is scored, in threads of the scorer, and committed while the next one is scored: batches are large then, and a processor
should not wait. Small ones are carried through in one step, for that is sooner, and those that say nothing, most of them, wait
for each other to be committed (committer.py). So between two steps there is at most one batch in flight, in the windows,
being scored; behind it what is decided and not committed; and at most one commit that is not known to be persisted.

Every call is bounded. The pipeline knows its ports only, and takes the clock as an argument.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.detection.detector import PendingBatch
from stream_detector.errors import CommitFailedError, MembershipLostError, RetriableError, StoreUnavailableError
from stream_detector.ingest.dead_letters import DeadLetterLimit, dead_letter
from stream_detector.logs import OutageLog
from stream_detector.pipeline.committer import AT_ONCE, CommitPolicy, Scored, Uncommitted
from stream_detector.pipeline.executor import no_op
from stream_detector.pipeline.partition import Partition
from stream_detector.pipeline.partitions import Assignment
from stream_detector.pipeline.restore import RestoreConfig, RestorePorts
from stream_detector.pipeline.state_snapshot import StateSnapshot
from stream_detector.pipeline.step_report import StepReport, count_batch
from stream_detector.ports import Chunk, Polled
from stream_detector.readings import Decoded, Membership, Message
from stream_detector.state.windows import SensorCounts, sensor_counts

logger = logging.getLogger(__name__)

_NOT_A_MEMBER = "lost the membership of the group"


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """Names of the topics, and bounds."""

    input_topic: str
    alerts_topic: str
    dead_letter_topic: str
    max_dead_letter_bytes: int = 262_144
    poll_seconds: float = 0.5
    overlap_records: int = 4096  # a batch of fewer is carried through in one step
    commits: CommitPolicy = AT_ONCE


@dataclass(frozen=True, slots=True)
class _Batch:
    """A batch in flight: its readings are in the windows, which are being scored; nothing of it is committed."""

    chunks: list[Chunk]
    owners: list[Partition]  # of the chunks; a partition that was given away or is restored since is another object
    decoded: Decoded
    begun: PendingBatch

    @property
    def records(self) -> int:
        """How many were polled."""
        return sum(len(chunk.records) for chunk in self.chunks)


class Pipeline:
    """Reads, detects, publishes; `step` is one turn of the loop.

    `on_progress` is called whenever a part of a step has ended, also in vain: a step may consist of many bounded waits.
    """

    def __init__(
        self,
        ports: RestorePorts,
        limit: DeadLetterLimit,
        rules: PipelineConfig,
        restore_config: RestoreConfig,
        clock: Callable[[], float],
        *,
        on_progress: Callable[[], None] = no_op,
    ) -> None:
        self._ports = ports
        self._source, self._sink, self._keeper = ports.source, ports.sink, ports.keeper
        self._limit = limit
        self._rules = rules
        self._clock = clock
        self._on_progress = on_progress
        self._assignment = Assignment(ports, restore_config, clock, on_progress)
        self._held: set[int] = set()
        self._in_flight: _Batch | None = None
        self._uncommitted = Uncommitted(rules.commits)
        self._membership: Membership | None = None
        self._refused: Membership | None = None  # the client may go on claiming it until it has heard of it
        self._sink_is_broken = False
        self._input_outage = OutageLog(logger, clock, "the input topic is read again")
        self._sink_outage = OutageLog(logger, clock, "the sink is usable again")
        self._report = self._next_report = StepReport()

    @property
    def is_ready(self) -> bool:
        """Whether this replica is a member of the group and scores the readings of all its partitions."""
        return self._membership is not None and self._assignment.is_restored and not self._held

    @property
    def assigned(self) -> int:
        """How many partitions this replica has."""
        return len(self._assignment)

    @property
    def holding(self) -> int:
        """How many partitions wait for the store."""
        return len(self._held)

    @property
    def store_lag(self) -> int:
        """How many offsets the store lags behind the committed positions."""
        return sum(partition.committed - partition.persisted for partition in self._assignment.ready().values())

    def settle(self) -> bool:
        """Commit, wait for the store; say whether all is restored, and all that was decided stored: nothing to replay."""
        self._report = self._next_report
        try:
            if self._in_flight is None and self._uncommitted:
                self._complete(at_once=True)
        except CommitFailedError as error:
            self._start_over(error)
        self._collect()
        return self._assignment.is_restored and not self._uncommitted and not self.store_lag

    def use_rules(self, rules: DecisionRules) -> None:
        """Decide by other rules from the next batch on; call it when settled."""
        self._ports.detector.use_rules(rules)

    def sensor_counts(self) -> SensorCounts:
        """Count the sensors in memory; a pass over all of them."""
        detector = self._ports.detector
        return sensor_counts(detector.arena.records["header"], detector.arena.partitions >= 0, detector.model.window_length)

    def step(self) -> StepReport:
        """Poll once and score what came, or start to; carry the batch before it all the way through; restore a slice."""
        report = self._begin_report()
        try:
            polled = self._source.poll(self._poll_seconds())
        except RetriableError as error:
            self._input_outage.failed("the input topic cannot be read now: %s", error)
            report.source_errors += 1
            self._membership = None
            self._collect()
            return report
        self._input_outage.ended()
        self._on_progress()
        report.lost_readings += polled.lost_readings
        report.polled += sum(len(chunk.records) for chunk in polled.chunks)
        report.is_behind = report.polled >= self._rules.overlap_records
        self._follow_assignment(polled)
        try:
            if self._sink_is_broken:
                self._mend_sink()
            else:
                self._advance(polled)
                if not self._assignment.is_restored:
                    self._await_scores()
                    self._complete(at_once=True)  # only stored sensors can make room for those restored
                    self._collect()
                    self._assignment.restore_slices(self._membership, report)
        except CommitFailedError as error:
            self._start_over(error)
        return report

    def finish(self) -> StepReport:
        """Complete, at the end, the batch in flight, and make sure that the store has what it was given.

        The store may have lost it since. A batch that cannot be committed any more is left to whoever reads on.
        """
        self._begin_report()
        try:
            self._await_scores()
            self._complete(at_once=True)
            if self._uncommitted:
                raise CommitFailedError(_NOT_A_MEMBER)
        except CommitFailedError as error:
            self._report.failed_commits += 1
            logger.warning("the last batch is not committed, it will be read again: %s", error)
            return self._report
        self._collect()
        self._keeper.doubt()
        self._persist()
        return self._report

    def _begin_report(self) -> StepReport:
        """Go on in the report of what was done since the last step."""
        self._report, self._next_report = self._next_report, StepReport()
        return self._report

    def _poll_seconds(self) -> float:
        """Return for how long a poll may wait: until something else is to be done."""
        if self._in_flight is not None:
            return 0.0
        if self._membership is None or self._sink_is_broken:  # nothing can be committed or restored
            return self._rules.poll_seconds
        if self._assignment.is_slice_due:
            return 0.0
        return min(self._rules.poll_seconds, self._uncommitted.left_seconds(self._clock()))

    def _advance(self, polled: Polled) -> None:
        """Start to score what was polled, and complete what was before it; complete a small batch as well.

        The one beside the other if the store keeps up: what it lacks is then known before memory goes on. Else one after
        the other, so that memory is not ahead of what is committed while it is made out what the store has.
        """
        if polled.chunks and self._membership is None:
            raise CommitFailedError(_NOT_A_MEMBER)
        chunks = self._in_sequence(polled.chunks)
        decoded = self._decode(chunks)
        self._collect()
        self._await_scores()
        if not (chunks and self._uncommitted and self._take_up_beside(chunks, decoded)):
            self._complete(at_once=True)
            self._collect()  # only stored sensors can make room
            read = self._assignment.ready().keys() - self._held
            usable = [chunk for chunk in chunks if chunk.partition in read]
            self._take_up(usable, decoded if len(usable) == len(chunks) else self._decode(usable))
        if self._in_flight is not None and self._in_flight.records < self._rules.overlap_records:
            self._await_scores()
            self._complete()

    def _take_up_beside(self, chunks: list[Chunk], decoded: Decoded) -> bool:
        """Start to score a batch, and commit what was before it meanwhile, if due; False: that is to be completed first."""
        if not self._store_keeps_up():
            return False
        is_due = self._uncommitted.is_due(self._clock())
        savings = self._savings() if is_due else []
        if not self._take_up(chunks, decoded, beside_another=True):
            return False
        if is_due:
            self._commit()
            self._keeper.hand_over(savings)
        return True

    def _take_up(self, chunks: list[Chunk], decoded: Decoded, *, beside_another: bool = False) -> bool:
        """Append a batch to the windows and start to score them; False: its sensors find no room beside another batch's.

        Partitions whose sensors cannot be loaded wait.
        """
        partitions = self._assignment.ready()
        waiting = self._keeper.admit(partitions, decoded.readings)
        if waiting and beside_another:
            return False
        if waiting:
            self._report.store_errors += self._keeper.is_away
            self._hold({chunk.partition: chunk.start for chunk in chunks if chunk.partition in waiting})
            chunks = [chunk for chunk in chunks if chunk.partition not in waiting]
            decoded = self._decode(chunks)
        if chunks:
            owners = [partitions[chunk.partition] for chunk in chunks]
            self._in_flight = _Batch(chunks, owners, decoded, self._ports.detector.begin(decoded.readings))
            for chunk, partition in zip(chunks, owners, strict=True):
                partition.appended_to(chunk.stop)
            self._on_progress()
        return True

    def _await_scores(self) -> None:
        """Wait for the scores of the batch in flight, if there is one, and decide; all that is in memory is decided then."""
        batch, self._in_flight = self._in_flight, None
        if batch is not None:
            detected = self._ports.detector.finish(batch.begun)
            scored = Scored(batch.chunks, batch.owners, batch.decoded, detected)
            self._uncommitted.add(scored.of_owners(self._assignment.is_ready), self._clock())

    def _store_keeps_up(self) -> bool:
        ready = self._assignment.ready().values()
        return not self._held and all(self._keeper.keeps_up(partition, partition.committed) for partition in ready)

    def _complete(self, *, at_once: bool = False) -> None:
        """Commit what is decided if that is due, and let the store follow. No batch may be in flight.

        The store is given only what is committed, and as long as it does not keep up nothing waits to be.
        """
        self._collect()
        keeps_up = self._store_keeps_up()
        if self._uncommitted:
            if keeps_up and not at_once and not self._uncommitted.is_due(self._clock()):
                return
            if self._membership is None and not self._uncommitted.has_output:
                return  # nothing is lost by waiting whether the partitions stay ours
            self._commit()
            if keeps_up:
                self._keeper.hand_over(self._savings())
                return
        self._persist()

    def _commit(self) -> None:
        """Write events, dead letters and positions of all that is decided: all of them, or none."""
        batches = self._uncommitted.take()
        if not batches:
            return
        if self._membership is None:
            raise CommitFailedError(_NOT_A_MEMBER)
        for batch in batches:
            self._limit.check(batch.decoded)
        positions = {chunk.partition: chunk.stop for batch in batches for chunk in batch.chunks}
        messages = [message for batch in batches for message in self._messages(batch)]
        self._sink.commit(messages, positions, self._membership)
        ready = self._assignment.ready()
        for number, position in positions.items():
            ready[number].committed_to(position)
        for batch in batches:
            count_batch(self._report, batch.decoded, batch.detected, self._ports.detector.model)
        self._on_progress()

    def _decode(self, chunks: Sequence[Chunk]) -> Decoded:
        return self._ports.decoder.decode([record for chunk in chunks for record in chunk.records])

    def _messages(self, scored: Scored) -> list[Message]:
        rules, detector = self._rules, self._ports.detector
        readings, rejected = scored.decoded.readings, scored.decoded.rejected
        alerts = detector.alerts(readings, scored.detected, rules.input_topic, rules.alerts_topic)
        return alerts + [dead_letter(one, rules.dead_letter_topic, rules.max_dead_letter_bytes) for one in rejected]

    def _savings(self) -> list[tuple[Partition, StateSnapshot]]:
        """Take what the store lacks, as memory is now."""
        ready = self._assignment.ready().values()
        return self._keeper.savings([partition for partition in ready if partition.unsaved])

    def _follow_assignment(self, polled: Polled) -> None:
        """Forget revoked partitions and begin to restore assigned ones."""
        if polled.revoked:
            self._collect()
        self._membership = None if polled.membership == self._refused else polled.membership
        for number in polled.revoked:
            self._held.discard(number)
            self._limit.forget_run(number)
            self._assignment.forget(number)
        if polled.revoked:
            self._uncommitted.keep(self._assignment.is_ready)
        for number in polled.assigned:
            self._restore(number)

    def _in_sequence(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        """Return the chunks that continue their partition's state; restore the partitions of the others."""
        usable, ready = [], self._assignment.ready()
        for chunk in chunks:
            partition = ready.get(chunk.partition)
            if partition is None:
                continue
            if chunk.start == partition.next:
                usable.append(chunk)
            else:
                logger.error("partition %d: read from %d, state is at %d", chunk.partition, chunk.start, partition.next)
                self._restore(chunk.partition)
        return usable

    def _restore(self, number: int) -> None:
        self._collect()
        self._held.discard(number)
        self._limit.forget_run(number)
        self._assignment.restore(number)
        self._uncommitted.keep(self._assignment.is_ready)

    def _start_over(self, error: CommitFailedError) -> None:
        """Forget everything in memory, fence what may still be under way, and restore from the committed positions."""
        logger.warning("starting over from the committed positions: %s", error)
        self._report.failed_commits += 1
        if isinstance(error, MembershipLostError):
            self._refused = self._membership
        self._in_flight = None
        self._uncommitted.forget()
        self._collect()
        self._held.clear()
        self._assignment.restore_all()
        self._limit.forget()
        self._sink_is_broken = True
        self._mend_sink()

    def _mend_sink(self) -> None:
        """Make the sink usable again; no restoration reads committed positions before that."""
        try:
            self._sink.reset()
        except CommitFailedError as error:
            self._sink_outage.failed("the sink is not usable yet: %s", error)
            return
        self._sink_outage.ended()
        self._sink_is_broken = False

    def _hold(self, positions: dict[int, int]) -> None:
        """Stop reading partitions until the store answers; they go on from these positions."""
        fresh = positions.keys() - self._held
        if fresh:
            logger.error("holding partitions %s until the state store answers", sorted(fresh))
        for number, position in positions.items():
            self._source.seek(number, position)
        self._source.pause(list(positions))
        self._held |= positions.keys()

    def _collect(self) -> None:
        """Learn whether the store has what it was handed. Where not, `_persist` makes out why when nothing is in flight."""
        try:
            self._keeper.collect()
        except StoreUnavailableError:
            self._report.store_errors += 1

    def _persist(self) -> None:
        """Let the store follow; hold when it lags too far, go on when it answers again. No batch may be in flight."""
        try:
            for number, partition in self._assignment.ready().items():
                if not self._keeper.persist(partition, self._report):
                    self._restore(number)
                self._on_progress()
        except StoreUnavailableError:
            self._report.store_errors += 1
        ready = self._assignment.ready()
        answers = bool(self._held) and self._keeper.answers()  # asked whatever else: nothing else may be left to ask for
        if self._keeper.must_hold(list(ready.values())):
            self._hold({number: partition.next for number, partition in ready.items() if number not in self._held})
        elif answers and not self.store_lag:
            for number in self._held:
                self._source.seek(number, ready[number].next)
            self._held.clear()
            logger.warning("the state store answers: reading goes on")
