"""Polls the input topic, follows the assignment, and decodes the chunks that continue the state in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable

from stream_detector.errors import CommitFailedError, RetriableError
from stream_detector.logs import OutageLog
from stream_detector.pipeline.assignment import Assignment
from stream_detector.pipeline.committer import NOT_A_MEMBER
from stream_detector.pipeline.delivery import Delivery
from stream_detector.pipeline.executor import no_op
from stream_detector.pipeline.in_flight import Batch
from stream_detector.pipeline.restore import Ports
from stream_detector.pipeline.step_report import StepReport
from stream_detector.pipeline.undecoded import Undecoded
from stream_detector.ports import Chunk, Polled

logger = logging.getLogger(__name__)


class Intake:
    """Reads batches of the ready partitions."""

    def __init__(
        self,
        ports: Ports,
        assignment: Assignment,
        delivery: Delivery,
        undecoded: Undecoded,
        clock: Callable[[], float],
        *,
        on_progress: Callable[[], None] = no_op,
    ) -> None:
        self._source, self._undecoded = ports.source, undecoded
        self._assignment = assignment
        self._delivery = delivery
        self._on_progress = on_progress
        self._outage = OutageLog(logger, clock, "the input topic is read again")

    @property
    def undecoded(self) -> frozenset[int]:
        """The partitions that are not read until the schema registry answers."""
        return self._undecoded.held

    def poll(self, timeout_seconds: float, report: StepReport) -> Polled | None:
        """Poll, waiting up to the time-out; return None if the input topic cannot be read now."""
        self._undecoded.resume(self._assignment.ready())
        try:
            polled = self._source.poll(timeout_seconds)
        except RetriableError as error:
            self._outage.failed("the input topic cannot be read now: %s", error)
            report.source_errors += 1
            self._assignment.use_membership(None)
            return None
        self._outage.ended()
        self._on_progress()
        report.lost_readings += polled.lost_readings
        report.polled += sum(len(chunk.records) for chunk in polled.chunks)
        return polled

    def follow_assignment(self, polled: Polled, report: StepReport) -> None:
        """Forget revoked partitions and begin to restore assigned ones."""
        if polled.revoked:
            self._delivery.await_store(report)
        self._assignment.use_membership(polled.membership)
        self._delivery.forget(polled.revoked)
        for number in polled.assigned:
            self._delivery.restore(number, report)

    def batch_of(self, polled: Polled, report: StepReport) -> Batch:
        """Decode the chunks that continue their partition's state; begin to restore the partitions of the others.

        Chunks that need a schema that cannot be had now are left out, and will be read again.
        Raises CommitFailedError if the replica is not a member now: others may read these chunks.
        """
        if polled.chunks and self._assignment.membership is None:
            raise CommitFailedError(NOT_A_MEMBER)
        usable, ready = list[Chunk](), self._assignment.ready()
        for chunk in polled.chunks:
            partition = ready.get(chunk.partition)
            if partition is None:
                continue
            if chunk.start == partition.next:
                usable.append(chunk)
            else:
                text = "partition %d: read from %d, but the state is at %d: restoring it"
                logger.error(text, chunk.partition, chunk.start, partition.next)
                self._delivery.restore(chunk.partition, report)
        decodable, decoded = self._undecoded.decode(usable)
        report.registry_errors += len(usable) - len(decodable)
        return Batch(decodable, decoded)
