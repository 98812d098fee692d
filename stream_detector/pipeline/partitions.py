"""The partitions that this replica has, and their restoration, a slice at a time between polls."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stream_detector.errors import CommitFailedError, RetriableError
from stream_detector.logs import OutageLog
from stream_detector.pipeline.partition import Partition
from stream_detector.pipeline.restore import RestoreConfig, RestorePorts, Restorer
from stream_detector.pipeline.step_report import StepReport
from stream_detector.readings import Membership

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Restoring:
    """A restoration under way; its next slice is due at a time of the clock."""

    slices: Iterator[float]
    due: float


class Assignment:
    """The assigned partitions: each is ready, or being restored. One that is restored anew is another Partition object."""

    def __init__(
        self, ports: RestorePorts, rules: RestoreConfig, clock: Callable[[], float], on_progress: Callable[[], None]
    ) -> None:
        self._ports = ports
        self._restorer = Restorer(ports, rules)
        self._rules = rules
        self._clock = clock
        self._on_progress = on_progress
        self._partitions: dict[int, Partition] = {}
        self._restoring: dict[int, _Restoring] = {}
        self._membership: Membership | None = None
        self._report = StepReport()
        self._outage = OutageLog(logger, clock)

    def __len__(self) -> int:
        return len(self._partitions)

    @property
    def is_restored(self) -> bool:
        """Whether no partition is being restored."""
        return not self._restoring

    @property
    def is_slice_due(self) -> bool:
        """Whether a restoration can go on now."""
        return any(restoring.due <= self._clock() for restoring in self._restoring.values())

    def ready(self) -> dict[int, Partition]:
        """Return the partitions that are not being restored, by number."""
        return {number: partition for number, partition in self._partitions.items() if number not in self._restoring}

    def is_ready(self, partition: Partition) -> bool:
        """Say whether a partition is still assigned, and as it was: neither given away nor restored since."""
        return self._partitions.get(partition.number) is partition and partition.number not in self._restoring

    def forget(self, number: int) -> None:
        """Let go of a partition that was taken away."""
        self._partitions.pop(number, None)
        self._restoring.pop(number, None)
        self._ports.detector.arena.drop(number)

    def restore(self, number: int, delay_seconds: float = 0.0) -> None:
        """Begin to restore a partition, from nothing; it is not read meanwhile."""
        partition = self._partitions[number] = Partition(number)
        self._ports.detector.arena.drop(number)
        self._ports.source.pause([number])
        slices = self._restorer.restore(partition, lambda: self._membership, lambda: self._report)
        self._restoring[number] = _Restoring(slices, self._clock() + delay_seconds)

    def restore_all(self) -> None:
        """Begin to restore every partition."""
        for number in list(self._partitions):
            self.restore(number)

    def restore_slices(self, membership: Membership | None, report: StepReport) -> None:
        """Advance each restoration by one slice, in turn, as far as the time between two polls goes."""
        if membership is None:
            return  # the partitions may be another member's now, and so is their stored state
        self._membership, self._report = membership, report
        until = self._clock() + self._rules.restore_seconds
        due = [number for number, restoring in self._restoring.items() if restoring.due <= self._clock()]
        for number in due:
            restoring = self._restoring[number] = self._restoring.pop(number)  # to the end of the line
            self._restore_a_slice(number, restoring)
            self._on_progress()
            if self._clock() > until:
                return

    def _restore_a_slice(self, number: int, restoring: _Restoring) -> None:
        """Restore a slice of a partition; what fails for now begins again a moment later."""
        try:
            wait_seconds = next(restoring.slices, None)
        except CommitFailedError:
            raise
        except RetriableError as error:
            if not self._ports.keeper.is_away:  # that the store is away was said when it went
                self._outage.failed("partition %d: restoring begins again: %s", number, error)
            self.restore(number, self._rules.retry_seconds)
            return
        if wait_seconds is None:
            del self._restoring[number]
            self._outage.ended()
        else:
            restoring.due = self._clock() + wait_seconds
