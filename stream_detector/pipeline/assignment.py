"""Tracks this replica's partitions and group membership, and restores partitions in slices between polls."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from stream_detector.errors import CommitFailedError, RetriableError
from stream_detector.logs import OutageLog
from stream_detector.pipeline.config import RestoreConfig
from stream_detector.pipeline.executor import no_op
from stream_detector.pipeline.partition import Partition
from stream_detector.pipeline.restore import Ports, Restoration
from stream_detector.pipeline.step_report import StepReport
from stream_detector.readings import Membership

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Scheduled:
    """A restoration, and the clock time from which its next slice may be restored."""

    restoration: Restoration
    due: float


class Assignment:
    """The assigned partitions: each is ready or being restored. Every restore starts with a new Partition object."""

    def __init__(
        self, ports: Ports, config: RestoreConfig, clock: Callable[[], float], on_progress: Callable[[], None] = no_op
    ) -> None:
        self._ports = ports
        self._config = config
        self._clock = clock
        self._on_progress = on_progress
        self._partitions: dict[int, Partition] = {}
        self._restoring: dict[int, _Scheduled] = {}
        self._membership: Membership | None = None
        self._refused: Membership | None = None  # the client may still report it until it learns of its end
        self._outage = OutageLog(logger, clock)

    def __len__(self) -> int:
        return len(self._partitions)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The assigned partitions."""
        return tuple(self._partitions)

    @property
    def membership(self) -> Membership | None:
        """The proof of membership under which positions may be committed; None: not a member now."""
        return self._membership

    @property
    def is_restored(self) -> bool:
        """Whether no partition is being restored."""
        return not self._restoring

    @property
    def is_slice_due(self) -> bool:
        """Whether a restoration can continue now."""
        return any(scheduled.due <= self._clock() for scheduled in self._restoring.values())

    def ready(self) -> dict[int, Partition]:
        """Return the partitions that are not being restored, by number."""
        return {number: partition for number, partition in self._partitions.items() if number not in self._restoring}

    def is_ready(self, partition: Partition) -> bool:
        """Return whether this partition object is still in use and ready: neither revoked nor restored since."""
        return self._partitions.get(partition.number) is partition and partition.number not in self._restoring

    def use_membership(self, claimed: Membership | None) -> None:
        """Use the membership that a poll reports, unless it was refused."""
        self._membership = None if claimed == self._refused else claimed

    def refuse_membership(self) -> None:
        """Never use the current membership again: Kafka refused a commit because it has ended."""
        self._refused = self._membership

    def forget(self, number: int) -> None:
        """Drop a partition that was revoked."""
        self._partitions.pop(number, None)
        self._restoring.pop(number, None)
        self._ports.detector.drop(number)
        if self._ports.decoder.memory is not None:
            self._ports.decoder.memory.forget(number)

    def restore(self, number: int, delay_seconds: float = 0.0) -> None:
        """Begin to restore a partition from scratch. It is not read meanwhile."""
        partition = self._partitions[number] = Partition(number)
        self._ports.detector.drop(number)
        self._ports.source.pause([number])
        restoration = Restoration(partition, self._ports, self._config)
        self._restoring[number] = _Scheduled(restoration, self._clock() + delay_seconds)

    def restore_all(self) -> None:
        """Begin to restore every partition."""
        for number in list(self._partitions):
            self.restore(number)

    def restore_slices(self, report: StepReport) -> None:
        """Advance each restoration by one slice, in turn, as far as the time between two polls allows."""
        if self._membership is None:
            return  # another member may own the partitions and their stored state by now
        until = self._clock() + self._config.restore_seconds
        due = [number for number, scheduled in self._restoring.items() if scheduled.due <= self._clock()]
        for number in due:
            scheduled = self._restoring[number] = self._restoring.pop(number)  # to the end of the queue
            self._restore_slice(number, scheduled, report)
            self._on_progress()
            if self._clock() > until:
                return

    def _restore_slice(self, number: int, scheduled: _Scheduled, report: StepReport) -> None:
        """Restore a slice of a partition; after a RetriableError, start over after a pause."""
        try:
            wait_seconds = scheduled.restoration.advance(self._membership, report)
        except CommitFailedError:
            raise
        except RetriableError as error:
            if not self._ports.state.guard.is_away:  # the guard has logged that the store is away
                self._outage.failed("partition %d: restoring starts over: %s", number, error)
            self.restore(number, self._config.retry_seconds)
            return
        if wait_seconds is None:
            del self._restoring[number]
            self._outage.ended()
        else:
            scheduled.due = self._clock() + wait_seconds
