"""Commits decided batches, then persists their state.

Rule one of docs/delivery.md: the store gets only committed state. Persisting runs in parallel with the next poll. Its result is
awaited before any other request to the store, and before a partition is restored or dropped.
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
        """Whether the store, as far as is known, has all committed state and accepts more."""
        ready = self._assignment.ready().values()
        return not self._backpressure.held and all(self._writer.is_up_to_date(partition) for partition in ready)

    def commit_and_persist(self, report: StepReport, *, now: bool = False) -> None:
        """Commit the decided batches if that is due or `now`, then persist their state. No batch may be in flight.

        While the store does not keep up, every batch is committed at once. Raises CommitFailedError.
        """
        self.await_store(report)
        keeps_up = self.store_keeps_up
        if self._committer:
            if keeps_up and not now and not self._committer.is_due:
                return
            if self._assignment.membership is None and not self._committer.has_output:
                return  # it costs nothing to wait and see whether the partitions stay ours
            self.commit(report)
            if keeps_up:
                self.persist_async(self.unsaved_state())
                return
        self.persist(report)

    def commit(self, report: StepReport) -> None:
        """Commit all decided batches; raises CommitFailedError."""
        self._committer.commit(self._assignment.membership, report)
        self._on_progress()

    def unsaved_state(self) -> list[tuple[Partition, StateSnapshot]]:
        """Copy the unsaved state of all ready partitions."""
        return self._writer.snapshots([partition for partition in self._assignment.ready().values() if partition.unsaved])

    def persist_async(self, snapshots: list[tuple[Partition, StateSnapshot]]) -> None:
        """Start to persist snapshots whose positions are committed."""
        self._writer.persist_async(snapshots)

    def await_store(self, report: StepReport) -> None:
        """Wait for the results of `persist_async`. If the store refused a snapshot, the next `persist` finds out why."""
        try:
            self._writer.await_persisted()
        except StoreUnavailableError:
            report.store_errors += 1

    def persist(self, report: StepReport) -> None:
        """Persist all unsaved state, partition by partition, and hold or resume reading. No batch may be in flight."""
        try:
            for number, partition in self._assignment.ready().items():
                if not self._writer.persist(partition, report):
                    self.restore(number, report)
                self._on_progress()
        except StoreUnavailableError:
            report.store_errors += 1
        self._backpressure.adjust(self._assignment.ready())

    def restore(self, number: int, report: StepReport) -> None:
        """Drop a partition's state and its uncommitted readings from memory, and begin to restore it."""
        self.await_store(report)
        self._backpressure.forget(number)
        self._committer.forget_run(number)
        self._assignment.restore(number)
        self._committer.keep(self._assignment.is_ready)

    def forget(self, revoked: frozenset[int]) -> None:
        """Drop revoked partitions: the next owner reads their uncommitted readings. Call `await_store` first."""
        for number in revoked:
            self._backpressure.forget(number)
            self._committer.forget_run(number)
            self._assignment.forget(number)
        if revoked:
            self._committer.keep(self._assignment.is_ready)

    def start_over(self, report: StepReport) -> None:
        """Drop everything, fence any open transaction, and begin to restore all partitions from the committed positions."""
        self._committer.forget()
        self.await_store(report)
        self._backpressure.forget_all()
        self._assignment.restore_all()
        self._committer.reset_sink()

    def check_store(self, report: StepReport) -> None:
        """Check that the store still has everything it accepted, and write again what it lost."""
        self.await_store(report)
        self._guard.require_check()
        self.persist(report)
