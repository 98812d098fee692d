"""Writes sensors' state to the store once it is committed, and rewrites what the store has lost.

The store follows the log and never leads: the writer persists only the state of committed readings.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from stream_detector.errors import StoreUnavailableError
from stream_detector.pipeline.executor import Executor, InlineExecutor, no_op
from stream_detector.pipeline.partition import REBUILDING, Partition
from stream_detector.pipeline.state_snapshot import WHOLE_BYTES, StateSnapshot, take_snapshots, unsaved_updates
from stream_detector.pipeline.step_report import StepReport
from stream_detector.pipeline.store_guard import StoreGuard
from stream_detector.ports import Keeper, PartitionMeta, StateStore, StoreVerdict, Updates
from stream_detector.state.arena import Arena

logger = logging.getLogger(__name__)

_REWRITE_SENSORS = 4096
_IS_STORED = (StoreVerdict.APPLIED, StoreVerdict.ALREADY_APPLIED)


def no_note(partition: int, position: int) -> str:  # noqa: ARG001 - a partition that has learned nothing
    """Return an empty note."""
    return ""


@dataclass(frozen=True, slots=True)
class PersistRequest:
    """A snapshot to persist; `start` is the position of the partition's stored state before it."""

    partition: int
    epoch: bytes
    start: int
    snapshot: StateSnapshot


@dataclass(frozen=True, slots=True)
class PersistResults:
    """The store's verdicts on requests, in order, up to the first without an answer, and the error of that one."""

    verdicts: list[StoreVerdict]
    error: StoreUnavailableError | None = None


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """The snapshots that the executor is persisting, and the future of their results."""

    snapshots: list[tuple[Partition, StateSnapshot]]
    results: Future[PersistResults]


def persist_all(store: StateStore, requests: Sequence[PersistRequest], on_progress: Callable[[], None]) -> PersistResults:
    """Persist one partition after the other, up to the first without an answer from the store."""
    verdicts: list[StoreVerdict] = []
    try:
        for one in requests:
            snapshot = one.snapshot
            verdicts.append(store.persist(one.partition, one.epoch, one.start, snapshot.position, snapshot.updates))
            on_progress()
    except StoreUnavailableError as error:
        return PersistResults(verdicts, error)
    return PersistResults(verdicts)


class StateWriter:
    """Moves unsaved records from the arena to the store.

    Not thread-safe. The executor persists the snapshots of `persist_async` in parallel; call `await_persisted` before any
    other request to the store, and before a partition is dropped from the arena.
    """

    def __init__(
        self,
        guard: StoreGuard,
        arena: Arena,
        layout: str,
        random_bytes: Callable[[int], bytes],
        *,
        note_of: Callable[[int, int], str] = no_note,
        keepers: Sequence[Keeper] = (),
        executor: Executor | None = None,
        whole_bytes: int = WHOLE_BYTES,
        on_progress: Callable[[], None] = no_op,
    ) -> None:
        """`note_of` returns what a partition in memory has learned, as a note that goes with a position; `keepers` keep more.

        The writer calls `on_progress` after each persisted part, possibly in the executor's thread.
        """
        self._guard = guard
        self._arena = arena
        self._layout = layout
        self._random_bytes = random_bytes
        self._note_of = note_of
        self._keepers = tuple(keepers)
        self._executor = executor or InlineExecutor()
        self._whole_bytes = whole_bytes
        self._on_progress = on_progress
        self._under_way: _UnderWay | None = None

    def begin(self, partition: Partition, position: int = REBUILDING) -> None:
        """Start a new, empty epoch of a partition's stored state; raises StoreUnavailableError."""
        epoch = self._random_bytes(8)
        with self._guard.asking() as store:
            note = self._note_of(partition.number, position)
            store.begin(partition.number, PartitionMeta(position, epoch, self._layout, partition.topic_id, note))
        partition.started_epoch(epoch, position)
        self._arena.mark_lost(partition.number)
        for keeper in self._keepers:
            keeper.mark_lost(partition.number)

    def is_up_to_date(self, partition: Partition) -> bool:
        """Return whether the store, as far as is known, has all committed state of a partition and accepts more."""
        is_checked = partition.checked_at == self._guard.required_check
        is_sound = is_checked and not partition.rewriting and not self._guard.is_away
        return is_sound and partition.persisted == partition.committed

    def snapshots(self, partitions: Sequence[Partition], most: int | None = None) -> list[tuple[Partition, StateSnapshot]]:
        """Copy the unsaved state of partitions, of at most `most` sensors each."""
        parts = [(self._arena.unsaved(partition.number, most), partition.next) for partition in partitions]
        taken = take_snapshots(self._arena, parts, self._whole_bytes)
        return [(one, self._with_note(one, snapshot)) for one, snapshot in zip(partitions, taken, strict=True)]

    def persist(self, partition: Partition, report: StepReport, most: int | None = None) -> bool:
        """Bring the stored state up to `next`. Return False if it is not as this replica left it: restore the partition.

        Everything in memory must be committed. If the store has lost the partition, it is rewritten from memory. With `most`,
        at most that many changed sensors are written: for a rebuild, whose positions are only counters. Raises
        StoreUnavailableError.
        """
        if partition.rewriting:
            self._rewrite(partition)
            return True
        if not partition.unsaved:
            return self._is_still_there(partition, report)
        ((_, snapshot),) = self.snapshots([partition], most)
        verdict = self._write(partition, snapshot.position, snapshot.updates)
        if verdict is StoreVerdict.GAP:
            return self._close_gap(partition, report)
        if verdict is StoreVerdict.AHEAD:
            logger.error("partition %d: another owner has written its state", partition.number)
            return False
        self._record_stored(partition, snapshot)
        return True

    def persist_async(self, snapshots: list[tuple[Partition, StateSnapshot]]) -> None:
        """Start to persist snapshots, one partition after the other; does not wait for the store."""
        requests = [PersistRequest(one.number, one.epoch, one.persisted, snapshot) for one, snapshot in snapshots]
        task = partial(persist_all, self._guard.lend(), requests, self._on_progress)
        self._under_way = _UnderWay(snapshots, self._executor.submit(task))

    def await_persisted(self) -> None:
        """Wait for `persist_async`, if it is running; raises StoreUnavailableError. `is_up_to_date` shows a refusal."""
        under_way, self._under_way = self._under_way, None
        if under_way is None:
            return
        results = under_way.results.result()
        self._guard.take_back()
        with self._guard.asking():  # the guard must see a failure in the other thread too
            for (partition, snapshot), verdict in zip(under_way.snapshots, results.verdicts, strict=False):
                if verdict in _IS_STORED:
                    self._record_stored(partition, snapshot)
            if results.error is not None:
                raise results.error

    def _with_note(self, partition: Partition, snapshot: StateSnapshot) -> StateSnapshot:
        return replace(snapshot, updates=self._whole(partition.number, snapshot.position, snapshot.updates))

    def _whole(self, number: int, position: int, updates: Updates) -> Updates:
        """Return the updates of sensors with those of their partition."""
        kept = {name: content for keeper in self._keepers for name, content in keeper.unsaved(number, position).items()}
        return replace(updates, note=self._note_of(number, position), kept=kept)

    def _write(self, partition: Partition, position: int, updates: Updates) -> StoreVerdict:
        with self._guard.asking() as store:
            return store.persist(partition.number, partition.epoch, partition.persisted, position, updates)

    def _record_stored(self, partition: Partition, snapshot: StateSnapshot) -> None:
        self._arena.mark_saved(partition.number, snapshot.progress)
        partition.persisted_to(snapshot.position)
        partition.checked_at = self._guard.required_check
        self._saved(partition.number, snapshot.position)

    def _saved(self, number: int, position: int) -> None:
        for keeper in self._keepers:
            keeper.saved(number, position)

    def _is_still_there(self, partition: Partition, report: StepReport) -> bool:
        """Check that the store still has a partition, if a check is required."""
        if partition.checked_at == self._guard.required_check or not partition.restored:
            return True
        meta = self._guard.meta(partition.number)
        partition.checked_at = self._guard.required_check
        is_there = meta is not None and (meta.epoch, meta.next_position) == (partition.epoch, partition.persisted)
        return is_there or self._close_gap(partition, report)

    def _close_gap(self, partition: Partition, report: StepReport) -> bool:
        """Find out why the stored position is unexpected, and bring it up to `next` if memory has all that this needs."""
        meta = self._guard.meta(partition.number)
        if meta is not None and meta.epoch == partition.epoch and partition.persisted < meta.next_position < partition.next:
            # An earlier persist was applied although its answer was lost. Everything that it wrote still counts as unsaved.
            partition.persisted_to(meta.next_position)
            return self.persist(partition, report)
        if meta is not None or not partition.restored:
            # A failover lost the newest writes, or a restoration was running: memory may not have all sensors.
            logger.error("partition %d: the state store has lost its newest writes", partition.number)
            return False
        logger.error("the state store has lost partition %d: rewriting it from memory", partition.number)
        report.rewritten_partitions += 1
        self._guard.require_check()
        self._rewrite(partition)
        return True

    def _rewrite(self, partition: Partition) -> None:
        """Write all sensors in memory in a new epoch, which becomes usable with the last slice."""
        partition.rewriting = True
        arena = self._arena
        arena.mark_lost(partition.number)  # even if the store fails now: no sensor is evicted before the last slice is written
        slots = arena.held(partition.number)
        slices = np.array_split(slots, max(1, -(-len(slots) // _REWRITE_SENSORS)))
        self.begin(partition, -len(slices))
        for number, part in enumerate(slices, start=1):
            stop = partition.next if number == len(slices) else partition.persisted + 1
            updates = unsaved_updates(arena, part, self._whole_bytes)
            if self._write(partition, stop, self._whole(partition.number, stop, updates)) not in _IS_STORED:
                msg = f"the state store changed while partition {partition.number} was being rewritten"
                raise StoreUnavailableError(msg)
            partition.persisted_to(stop)
            self._on_progress()
        arena.mark_saved(partition.number, arena.progress(slots))
        partition.rewriting, partition.checked_at = False, self._guard.required_check
        self._saved(partition.number, partition.persisted)
