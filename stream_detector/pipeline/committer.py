"""Queues decided batches and commits them in one transaction.

Batches without output may wait for each other; an event or a dead letter commits everything queued.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from stream_detector.detection.detector import Detector
from stream_detector.detection.event_builder import event_message
from stream_detector.errors import CommitFailedError
from stream_detector.ingest.dead_letters import DeadLetterLimit, dead_letter
from stream_detector.logs import OutageLog
from stream_detector.pipeline.config import PipelineConfig
from stream_detector.pipeline.in_flight import Scored
from stream_detector.pipeline.partition import Partition
from stream_detector.pipeline.step_report import StepReport, count_batch
from stream_detector.ports import Sink
from stream_detector.readings import Membership, Message

logger = logging.getLogger(__name__)

NOT_A_MEMBER = "this replica is no longer a member of the consumer group"


class Committer:
    """The decided batches since the last commit, in order, and the sink that takes them."""

    def __init__(
        self, sink: Sink, detector: Detector, limit: DeadLetterLimit, config: PipelineConfig, clock: Callable[[], float]
    ) -> None:
        self._sink = sink
        self._detector = detector
        self._limit = limit
        self._config = config
        self._clock = clock
        self._batches: list[Scored] = []
        self._since = 0.0
        self._is_broken = False
        self._outage = OutageLog(logger, clock, "the sink is usable again")

    def __bool__(self) -> bool:
        """Whether anything waits to be committed."""
        return bool(self._batches)

    @property
    def is_broken(self) -> bool:
        """Whether the sink must be reset before anything is committed or restored."""
        return self._is_broken

    @property
    def has_output(self) -> bool:
        """Whether an event or a dead letter waits."""
        return any(batch.has_output for batch in self._batches)

    @property
    def is_due(self) -> bool:
        """Whether the waiting batches must be committed now."""
        records = sum(scored.batch.records for scored in self._batches)
        policy = self._config.commits
        is_old = self._clock() - self._since >= policy.seconds or records >= policy.records
        return bool(self._batches) and (is_old or self.has_output)

    @property
    def wait_seconds(self) -> float:
        """How long the waiting batches may still wait; infinite if there are none."""
        return max(0.0, self._since + self._config.commits.seconds - self._clock()) if self._batches else math.inf

    def add(self, scored: Scored) -> None:
        """Add a batch that was just decided."""
        if not self._batches:
            self._since = self._clock()
        if scored.batch.chunks:
            self._batches.append(scored)

    def keep(self, is_owned: Callable[[Partition], bool]) -> None:
        """Drop the readings of partitions that were revoked or restored after their decision."""
        kept = [scored.of_owners(is_owned) for scored in self._batches]
        self._batches = [scored for scored in kept if scored.batch.chunks]

    def forget(self) -> None:
        """Drop everything: it will be read again."""
        self._batches.clear()

    def forget_run(self, number: int) -> None:
        """End a partition's run of dead letters: its next records go to another owner, or are read again."""
        self._limit.forget_run(number)

    def commit(self, membership: Membership | None, report: StepReport) -> None:
        """Write events, dead letters and positions of all waiting batches in one transaction, and clear the queue.

        Raises CommitFailedError if the transaction failed or its outcome is unknown, and the other errors of the sink and
        the DeadLetterLimit.
        """
        batches, self._batches = self._batches, []
        if membership is None:
            raise CommitFailedError(NOT_A_MEMBER)
        for scored in batches:
            self._limit.check(scored.batch.decoded)
        positions = {chunk.partition: chunk.stop for scored in batches for chunk in scored.batch.chunks}
        messages = [message for scored in batches for message in self.messages(scored)]
        notes = {number: note for scored in batches for number, note in scored.notes.items()}
        self._sink.commit(messages, positions, membership, notes)
        for scored in batches:
            for chunk, owner in zip(scored.batch.chunks, scored.owners, strict=True):
                owner.committed_to(chunk.stop)
            count_batch(report, scored, self._detector.model)

    def messages(self, scored: Scored) -> list[Message]:
        """Return the events and dead letters of a batch."""
        config, decoded = self._config, scored.batch.decoded
        alerts = self._detector.alerts(decoded.readings, scored.detected, config.input_topic, config.alerts_topic)
        alerts += [event_message(one.event, config.alerts_topic) for one in scored.announced]
        topic, max_bytes = config.dead_letter_topic, config.max_dead_letter_bytes
        return alerts + [dead_letter(one, topic, max_bytes) for one in decoded.rejected]

    def reset_sink(self) -> None:
        """Fence a transaction that may still be open after a failed commit, now or when `mend_sink` succeeds."""
        self._limit.forget()
        self._is_broken = True
        self.mend_sink()

    def mend_sink(self) -> None:
        """Try to make the sink usable again. Until then, no restoration may read committed positions."""
        try:
            self._sink.reset()
        except CommitFailedError as error:
            self._outage.failed("the sink is not usable yet: %s", error)
            return
        self._outage.ended()
        self._is_broken = False
