"""Between the arena and the store: loads sensors when they are met, persists what changed, bears the store's absence.

Sensors in memory go on being scored while the store is away, up to a bound; sensors that are not in memory wait, for
whether they are new cannot be known then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from stream_detector.detection.detector import Detector
from stream_detector.errors import StoreUnavailableError
from stream_detector.pipeline.executor import Executor, InlineExecutor, no_op
from stream_detector.pipeline.partition import REBUILDING, Partition
from stream_detector.pipeline.sensor_loader import decode_stored
from stream_detector.pipeline.state_snapshot import (
    WHOLE_BYTES,
    PersistRequest,
    PersistResults,
    StateSnapshot,
    persist_all,
    savings_of,
    unsaved_updates,
)
from stream_detector.pipeline.step_report import StepReport
from stream_detector.ports import PartitionMeta, StateStore, StoreVerdict
from stream_detector.readings import Readings

logger = logging.getLogger(__name__)

_REWRITE_SENSORS = 4096
_LOOKED_AT, _WARN_SECONDS = 16, 60.0


@dataclass(frozen=True, slots=True)
class LagBounds:
    """How far the store may lag behind before the stream holds."""

    readings: int
    seconds: float
    retry_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """What was handed to the store, and the store's answers when it has given them."""

    savings: list[tuple[Partition, StateSnapshot]]
    answers: Future[PersistResults]


class StateKeeper:
    """Moves sensors' records between the detector's arena and the store.

    One thread, but for what is handed over: the executor persists that in parallel, and it is collected before anything else
    is asked of the store or a partition is dropped from the arena.
    """

    def __init__(
        self,
        store: StateStore,
        detector: Detector,
        bounds: LagBounds,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        *,
        executor: Executor | None = None,
        whole_bytes: int = WHOLE_BYTES,
        on_progress: Callable[[], None] = no_op,
    ) -> None:
        """`on_progress` is called whenever the store has taken a part of what may be many, from another thread as well."""
        self._store = store
        self._detector = detector
        self._bounds = bounds
        self._clock = clock
        self._random_bytes = random_bytes
        self._executor = executor or InlineExecutor()
        self._whole_bytes = whole_bytes
        self._on_progress = on_progress
        self._under_way: _UnderWay | None = None
        self._away_since: float | None = None
        self._retry_at = self._warn_at = 0.0
        self._doubts = 0
        self.layout = detector.layout

    @property
    def is_away(self) -> bool:
        """Whether the store did not answer when last asked."""
        return self._away_since is not None

    def meta(self, partition: int) -> PartitionMeta | None:
        """Read what the store knows of a partition; raises StoreUnavailableError."""
        with self._asking():
            return self._store.meta(partition)

    def begin(self, partition: Partition, position: int = REBUILDING) -> None:
        """Start a partition's stored state anew, empty; raises StoreUnavailableError."""
        epoch = self._random_bytes(8)
        with self._asking():
            self._store.begin(partition.number, PartitionMeta(position, epoch, self.layout, partition.topic_id))
        partition.started_epoch(epoch, position)
        self._detector.arena.unstored(partition.number)

    def admit(self, partitions: dict[int, Partition], readings: Readings) -> frozenset[int]:
        """Bring the readings' sensors into memory; return the partitions for which that is not possible now."""
        by_partition: dict[int, list[str]] = {}
        for number, sensor in zip(readings.partitions.tolist(), readings.sensors, strict=True):
            by_partition.setdefault(number, []).append(sensor)
        return self.admit_sensors(partitions, by_partition)

    def admit_sensors(self, partitions: dict[int, Partition], by_partition: dict[int, list[str]]) -> frozenset[int]:
        """Bring sensors into memory; return the partitions for which that is not possible now."""
        arena = self._detector.arena
        arena.next_batch()
        lacking = {number: arena.touch(number, sensors) for number, sensors in by_partition.items()}
        missing = {number: sensors for number, sensors in lacking.items() if sensors}
        return frozenset(number for number, sensors in missing.items() if not self._load(partitions[number], sensors))

    def _load(self, partition: Partition, sensors: list[str]) -> bool:
        try:
            with self._asking():
                stored = self._store.load(partition.number, partition.epoch, sensors)
                meta = self._store.meta(partition.number)  # after the sensors: what is still there now was there then
        except StoreUnavailableError:
            return False
        if meta is not None and meta.epoch == partition.epoch and meta.next_position < partition.persisted:
            self.doubt()  # it fell back, and these sensors with it: the next look at it restores the partition
            return False
        if not self._detector.arena.room(len(sensors)):  # nobody is sent to a store that does not answer
            return False
        self._warn_of_divided(partition.number, sensors)
        self._detector.admit(partition.number, sensors, *decode_stored(self._detector, stored))
        return True

    def _warn_of_divided(self, partition: int, sensors: list[str]) -> None:
        """Say, once a minute at most, that a sensor is held in two partitions; a look at a few of them, for many are loaded."""
        if self._clock() < self._warn_at:
            return
        for sensor in sensors[:_LOOKED_AT]:
            other = self._detector.arena.partition_beside(partition, sensor)
            if other is not None:
                self._warn_at = self._clock() + _WARN_SECONDS
                logger.warning(
                    "sensor %r is read from partition %d and from %d: it has a window in each, which may never fill. All "
                    "readings of a sensor need the same key (after partitions were added this is said, and passes)",
                    sensor[:100],
                    other,
                    partition,
                )
                return

    def persist(self, partition: Partition, report: StepReport, most: int | None = None) -> bool:
        """Bring the store up to `next`; False: what is stored is not what it was, restore the partition.

        All that is in memory must be committed. A store that has lost the partition is given all of it anew from memory. With
        `most`, only so many of the changed sensors are written: for a rebuild, whose positions only count. Raises
        StoreUnavailableError.
        """
        if partition.persisted == partition.next and not partition.rewriting:
            return self._is_still_there(partition, report)
        if partition.rewriting:
            self._rewrite(partition)
            return True
        ((_, saving),) = self.savings([partition], most)
        verdict = self.store(partition, saving)
        if verdict == StoreVerdict.GAP:
            return self._close_gap(partition, report)
        if verdict == StoreVerdict.AHEAD:
            logger.error("partition %d: another owner has written its state", partition.number)
            return False
        return True

    def keeps_up(self, partition: Partition, position: int) -> bool:
        """Say whether the store, as far as is known, has all of a partition's state at a position and takes what follows."""
        is_sound = partition.checked_at == self._doubts and not partition.rewriting and not self.is_away
        return is_sound and partition.persisted == position

    def savings(self, partitions: Sequence[Partition], most: int | None = None) -> list[tuple[Partition, StateSnapshot]]:
        """Take what the store lacks of partitions' state as it is now, or of so many sensors of each."""
        arena = self._detector.arena
        parts = [(arena.unsaved(partition.number, most), partition.next) for partition in partitions]
        return list(zip(partitions, savings_of(arena, parts, self._whole_bytes), strict=True))

    def store(self, partition: Partition, saving: StateSnapshot) -> StoreVerdict:
        """Hand what was taken to the store, once. Raises StoreUnavailableError."""
        with self._asking():
            verdict = self._store.persist(
                partition.number, partition.epoch, partition.persisted, saving.position, saving.updates
            )
        self._note(partition, saving, verdict)
        return verdict

    def hand_over(self, savings: list[tuple[Partition, StateSnapshot]]) -> None:
        """Begin to hand the store what was taken, partition by partition; `collect` it before anything else is asked."""
        handed = [PersistRequest(one.number, one.epoch, one.persisted, saving) for one, saving in savings]
        task = partial(persist_all, self._store, handed, self._on_progress)
        self._under_way = _UnderWay(savings, self._executor.submit(task))

    def collect(self) -> None:
        """Wait for what was handed over, if something was; raises StoreUnavailableError. A refusal shows in `keeps_up`."""
        under_way, self._under_way = self._under_way, None
        if under_way is None:
            return
        answers = under_way.answers.result()
        with self._asking():
            for (partition, saving), verdict in zip(under_way.savings, answers.verdicts, strict=False):
                self._note(partition, saving, verdict)
            if answers.error is not None:
                raise answers.error

    def _note(self, partition: Partition, saving: StateSnapshot, verdict: StoreVerdict) -> None:
        """Note what the store has now."""
        if verdict in (StoreVerdict.APPLIED, StoreVerdict.ALREADY_APPLIED):
            self._detector.arena.saved(partition.number, saving.marked)
            partition.persisted_to(saving.position)
            partition.checked_at = self._doubts

    def doubt(self) -> None:
        """Have every partition looked up at its next persist: the store may have lost what it had."""
        self._doubts += 1

    def _is_still_there(self, partition: Partition, report: StepReport) -> bool:
        """Look whether the store still has a partition, if there is a doubt."""
        if partition.checked_at == self._doubts or not partition.restored:
            return True
        meta = self.meta(partition.number)
        partition.checked_at = self._doubts
        is_there = meta is not None and (meta.epoch, meta.next_position) == (partition.epoch, partition.persisted)
        return is_there or self._close_gap(partition, report)

    def _close_gap(self, partition: Partition, report: StepReport) -> bool:
        """Find out why the store is not where it was left, and bring it up to `next` if memory suffices for that."""
        meta = self.meta(partition.number)
        if meta is not None and meta.epoch == partition.epoch and partition.persisted < meta.next_position < partition.next:
            # An earlier persist was applied although its answer was lost. All that it wrote is still among the unsaved.
            partition.persisted_to(meta.next_position)
            return self.persist(partition, report)
        if meta is not None or not partition.restored:
            # A failover lost the newest writes, or a restoration was under way: memory need not have all sensors.
            logger.error("partition %d: the state store has lost what was written last", partition.number)
            return False
        logger.error("the state store has lost partition %d: writing it anew from memory", partition.number)
        report.rewritten_partitions += 1
        self.doubt()
        self._rewrite(partition)
        return True

    def _rewrite(self, partition: Partition) -> None:
        """Write all sensors in memory in a new epoch. It becomes usable with the last slice."""
        partition.rewriting = True
        arena = self._detector.arena
        arena.unstored(partition.number)  # be the store as it may: nobody makes room before the last slice is written
        slots = arena.held(partition.number)
        slices = np.array_split(slots, max(1, -(-len(slots) // _REWRITE_SENSORS)))
        self.begin(partition, -len(slices))
        for number, part in enumerate(slices, start=1):
            stop = partition.next if number == len(slices) else partition.persisted + 1
            with self._asking():
                verdict = self._store.persist(
                    partition.number,
                    partition.epoch,
                    partition.persisted,
                    stop,
                    unsaved_updates(arena, part, self._whole_bytes),
                )
            if verdict not in (StoreVerdict.APPLIED, StoreVerdict.ALREADY_APPLIED):
                msg = f"the state store changed while partition {partition.number} was written anew"
                raise StoreUnavailableError(msg)
            partition.persisted_to(stop)
            self._on_progress()
        arena.saved(partition.number, arena.marked(slots))
        partition.rewriting, partition.checked_at = False, self._doubts

    def must_hold(self, partitions: list[Partition]) -> bool:
        """Say whether the store lags so far that no more may be read."""
        if self._away_since is None:
            return False
        lag = sum(partition.committed - partition.persisted for partition in partitions)
        return lag > self._bounds.readings or self._clock() - self._away_since > self._bounds.seconds

    def answers(self) -> bool:
        """Ask the store, if it is time to; say whether it answers."""
        try:
            with self._asking():
                self._store.ping()
        except StoreUnavailableError:
            return False
        return True

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Guard a request: after a failure the next one waits, so that an absent store does not slow the stream."""
        if self._under_way is not None:
            msg = "the store is asked before what it was handed is collected"
            raise RuntimeError(msg)
        if self._away_since is not None and self._clock() < self._retry_at:
            msg = "the state store did not answer a moment ago"
            raise StoreUnavailableError(msg)
        try:
            yield
        except StoreUnavailableError as error:
            if self._away_since is None:
                self._away_since = self._clock()
                said = "the state store is away: %s. Sensors in memory go on, others wait"
                logger.error(said, str(error).rstrip("."))
            self._retry_at = self._clock() + self._bounds.retry_seconds
            raise
        if self._away_since is not None:
            logger.warning("the state store answers again after %.1f s", self._clock() - self._away_since)
            self._away_since = None
            self.doubt()
