"""From decided to stored: what is decided is committed, then the store follows.

Rule one of docs/delivery.md: the store gets only what is committed. It gets it in parallel with the next poll; what became of
that is awaited before anything else is asked of the store, and before a partition is restored or dropped.
"""

from __future__ import annotations

from collections.abc import Callable

from stream_detector.errors import StoreUnavailableError
from stream_detector.pipeline.assignment import Assignment
from stream_detector.pipeline.backpressure import Backpressure
from stream_detector.pipeline.committer import Committer
from stream_detector.pipeline.executor import no_op
from stream_detector.pipeline.partition import Partition
from stream_detector.pipeline.state_access import StateAccess
from stream_detector.pipeline.state_snapshot import StateSnapshot
from stream_detector.pipeline.step_report import StepReport


class Delivery:
    """Commits and persists for all ready partitions, and restores those whose state cannot be continued."""

    def __init__(
        self,
        state: StateAccess,
        assignment: Assignment,
        committer: Committer,
        backpressure: Backpressure,
        on_progress: Callable[[], None] = no_op,
    ) -> None:
        self._guard, self._writer = state.guard, state.writer
        self._assignment = assignment
        self._committer = committer
        self._backpressure = backpressure
        self._on_progress = on_progress

    @property
    def store_keeps_up(self) -> bool:
        """Whether the store has all that is committed, as far as is known, and takes what follows."""
        ready = self._assignment.ready().values()
        return not self._backpressure.held and all(self._writer.is_up_to_date(partition) for partition in ready)

    def commit_and_persist(self, report: StepReport, *, now: bool = False) -> None:
        """Commit what is decided, if that is due or must be now, and let the store follow. No batch may be in flight.

        While the store does not keep up, every batch is committed at once. Raises CommitFailedError.
        """
        self.await_store(report)
        keeps_up = self.store_keeps_up
        if self._committer:
            if keeps_up and not now and not self._committer.is_due:
                return
            if self._assignment.membership is None and not self._committer.has_output:
                return  # nothing is lost by waiting whether the partitions stay ours
            self.commit(report)
            if keeps_up:
                self.persist_async(self.unsaved_state())
                return
        self.persist(report)

    def commit(self, report: StepReport) -> None:
        """Commit all that is decided; raises CommitFailedError."""
        self._committer.commit(self._assignment.membership, report)
        self._on_progress()

    def unsaved_state(self) -> list[tuple[Partition, StateSnapshot]]:
        """Copy what the store lacks, as memory is now."""
        return self._writer.snapshots([partition for partition in self._assignment.ready().values() if partition.unsaved])

    def persist_async(self, snapshots: list[tuple[Partition, StateSnapshot]]) -> None:
        """Start to persist snapshots whose positions are committed."""
        self._writer.persist_async(snapshots)

    def await_store(self, report: StepReport) -> None:
        """Wait until the store's answers to what it was handed are known. `persist` finds out why it refused something."""
        try:
            self._writer.await_persisted()
        except StoreUnavailableError:
            report.store_errors += 1

    def persist(self, report: StepReport) -> None:
        """Bring the store up to memory, partition by partition, and hold or resume reading. No batch may be in flight."""
        try:
            for number, partition in self._assignment.ready().items():
                if not self._writer.persist(partition, report):
                    self.restore(number, report)
                self._on_progress()
        except StoreUnavailableError:
            report.store_errors += 1
        self._backpressure.adjust(self._assignment.ready())

    def restore(self, number: int, report: StepReport) -> None:
        """Drop what memory has of a partition, decided or not, and begin to restore it."""
        self.await_store(report)
        self._backpressure.forget(number)
        self._committer.forget_run(number)
        self._assignment.restore(number)
        self._committer.keep(self._assignment.is_ready)

    def forget(self, revoked: frozenset[int]) -> None:
        """Drop revoked partitions: what is decided and not committed of them is the next owner's. The store is awaited."""
        for number in revoked:
            self._backpressure.forget(number)
            self._committer.forget_run(number)
            self._assignment.forget(number)
        if revoked:
            self._committer.keep(self._assignment.is_ready)

    def start_over(self, report: StepReport) -> None:
        """Drop everything, fence what may still be under way, and begin to restore all from the committed positions."""
        self._committer.forget()
        self.await_store(report)
        self._backpressure.forget_all()
        self._assignment.restore_all()
        self._committer.reset_sink()

    def check_store(self, report: StepReport) -> None:
        """Make sure that the store still has all it was given; what it lost is written again."""
        self.await_store(report)
        self._guard.require_check()
        self.persist(report)
