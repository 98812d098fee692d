"""Reads the plant's topic as a member of a group, and writes its readings by sensor, with the positions, in transactions.

A batch is what `merge.py` lets go. Its messages and the positions behind it are one transaction under the membership that the
last poll proved, so that a replica that has lost its partitions writes nothing. After a failed or uncertain commit everything
that was read and not committed is forgotten, and read again from the committed positions. So it is where a schema registry
that is needed to read a batch does not answer.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from stream_detector.errors import CommitFailedError, MembershipLostError, RegistryUnavailableError, RetriableError
from stream_detector.ingest.dead_letters import DeadLetterLimit
from stream_detector.ports import Sink, Source
from stream_detector.readings import Membership, Record
from stream_detector.rekey.merge import Batch, Merge
from stream_detector.rekey.rewriter import Rewriter

logger = logging.getLogger(__name__)

EARLIEST, LATEST = -1, 1 << 62
#: How old the known ends of the partitions may be while nothing comes.
_ENDS_SECONDS = 1.0
#: How long records wait for a partition of which nothing comes.
_PATIENCE_SECONDS = 5.0
#: How many records may wait in memory, roughly, and of a single partition at least.
_MOST_WAITING, _LEAST_WAITING = 65_536, 512


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Where a new group starts, and the bounds of a step."""

    start_ms: int = EARLIEST  # the time of the first record, or one of these
    most_records: int = 4096  # in a transaction


@dataclass(slots=True)
class Report:
    """What a step has done."""

    records: int = 0
    readings: int = 0
    tombstones: int = 0
    dead_letters: Counter[str] = field(default_factory=Counter)
    excluded: Counter[str] = field(default_factory=Counter)  # readings and values that settings leave out
    example: str = ""  # of a dead letter
    failed_commits: int = 0
    lost_records: int = 0  # offsets that retention or damage took before they were read
    is_behind: bool = False  # there is more to read


class Rekeyer:
    """The loop's body. One thread uses it. `clock` counts seconds, from any start."""

    def __init__(
        self,
        source: Source,
        sink: Sink,
        rewriter: Rewriter,
        limit: DeadLetterLimit,
        config: EngineConfig,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._source, self._sink = source, sink
        self._rewriter, self._limit = rewriter, limit
        self._config = config
        self._clock = clock
        self._merge = Merge()
        self._held: set[int] = set()  # assigned partitions
        self._unplaced: set[int] = set()  # those of them that are not read yet, because they have no position
        self._paused: set[int] = set()  # those that have been read far ahead of others
        self._membership: Membership | None = None
        self._refused: Membership | None = None  # the client may still claim it until it learns of its end
        self._begun: dict[int, int] = {}  # where a new group starts: committed even if nothing is there
        self._since: dict[int, int] = {}  # partition -> before this position only what later records need is copied
        self._needs_reset = False
        self._ends: Mapping[int, int] = {}
        self._ends_at = float("-inf")
        self._moved_at = float("-inf")

    @property
    def partitions(self) -> int:
        """How many partitions are read here."""
        return len(self._held) - len(self._unplaced)

    @property
    def is_member(self) -> bool:
        """Whether this process is a member of the group, and reads all the partitions that it has."""
        return self._membership is not None and not self._unplaced

    def lag(self) -> int:
        """Return how many positions lie between the committed ones and the last known ends, in the partitions read here."""
        return sum(max(0, self._ends.get(number, 0) - position) for number, position in self._merge.positions().items())

    def step(self, timeout_seconds: float) -> Report:
        """Poll, and commit what is in order. Raises RetriableError if a broker or a schema registry does not answer.

        Then call it again: nothing is lost.

        Raises DeadLetterLimitError, PermanentDeliveryError and FencedError.
        """
        report = Report()
        if self._needs_reset:
            self._sink.reset()
            self._needs_reset = False
        self._poll(timeout_seconds, report)
        if self._membership is None:
            return report
        self._place(report)
        self._look_up_ends()
        batch = self._merge.take(self._ends, self._config.most_records, waits=self._waits())
        if batch is not None or self._begun:
            self._commit(batch or Batch((), {}), report)
        self._balance()
        report.is_behind = self.lag() > 0
        return report

    def _poll(self, timeout_seconds: float, report: Report) -> None:
        polled = self._source.poll(timeout_seconds)
        report.lost_records += polled.lost_readings
        for number in polled.revoked:
            self._forget(number)
            self._held.discard(number)
        self._held |= polled.assigned
        self._unplaced |= polled.assigned
        if polled.assigned or polled.revoked:
            self._ends_at = float("-inf")
            self._limit.forget()
        self._membership = None if polled.membership == self._refused else polled.membership
        if self._membership is None:
            self._forget_all()
            return
        for chunk in polled.chunks:
            self._merge.add(chunk)

    def _forget(self, number: int) -> None:
        self._merge.forget(number)
        self._unplaced.discard(number)
        self._paused.discard(number)
        self._begun.pop(number, None)

    def _forget_all(self) -> None:
        """Forget all that was read and not committed; it is read again."""
        for number in self._held:
            self._forget(number)
        self._source.pause(sorted(self._held))
        self._unplaced = set(self._held)
        self._limit.forget()

    def _place(self, report: Report) -> None:
        """Begin to read the partitions that have no position yet, where the group has committed."""
        found = {number: self._source.committed(number) for number in sorted(self._unplaced)}
        # A partition that was added to a topic is read from its beginning, wherever the group started.
        placed = self._held - self._unplaced - self._begun.keys()
        has_begun = bool(placed) or any(committed is not None for committed in found.values())
        for number, committed in found.items():
            position = self._start(number, has_begun) if committed is None else self._position(number, committed, report)
            self._merge.begin(number, position)
            self._source.seek(number, position)
            self._unplaced.discard(number)
            self._moved_at = self._clock()

    def _start(self, number: int, has_begun: bool) -> int:
        if has_begun or self._config.start_ms == EARLIEST:
            start, _ = self._source.bounds(number)
        else:
            start = self._source.position_at(number, self._config.start_ms)
        if self._rewriter.needs_births:
            self._since[number], start = start, self._source.bounds(number)[0]
        self._begun[number] = start
        return start

    def _position(self, number: int, committed: int, report: Report) -> int:
        first, end = self._source.bounds(number)
        if committed < first:
            report.lost_records += first - committed
            logger.error("partition %d: retention removed records %d to %d before they were read", number, committed, first - 1)
            return first
        if committed > end:
            logger.error(
                "partition %d ends at %d, before the committed position %d: reading it from %d", number, end, committed, first
            )
            return first
        return committed

    def _look_up_ends(self) -> None:
        """Look up the ends after each poll that found records: what was written before them, elsewhere, comes first."""
        now = self._clock()
        if self._merge.is_waiting() or now - self._ends_at >= _ENDS_SECONDS:
            self._ends, self._ends_at = self._source.ends(), now

    def _waits(self) -> bool:
        """Return whether records wait for partitions of which nothing comes."""
        return self._clock() - self._moved_at < _PATIENCE_SECONDS

    def _balance(self) -> None:
        """Read no further where many records wait for those of other partitions."""
        most = max(_LEAST_WAITING, _MOST_WAITING // max(1, len(self._held)))
        full = {number for number in self._held - self._paused if self._merge.waiting(number) >= most}
        free = {number for number in self._paused if self._merge.waiting(number) < most // 2}
        if full:
            self._source.pause(sorted(full))
        if free:
            self._source.resume(sorted(free))
        self._paused = (self._paused | full) - free

    def _is_copied(self, record: Record) -> bool:
        return record.offset >= self._since.get(record.partition, 0) or self._rewriter.is_birth(record)

    def _commit(self, batch: Batch, report: Report) -> None:
        try:
            rewritten = self._rewriter([record for record in batch.records if self._is_copied(record)])
        except RegistryUnavailableError:  # what was taken out of the merge must be read again, or it would be passed over
            self._forget_all()
            raise
        self._limit.check(rewritten.decoded)
        try:
            self._sink.commit(rewritten.messages, {**self._begun, **batch.positions}, self._membership)
        except CommitFailedError as error:
            logger.warning("a batch was not committed, and is read again: %s", error)
            if isinstance(error, MembershipLostError):
                self._refused = self._membership
            report.failed_commits += 1
            self._needs_reset = True
            self._forget_all()
            return
        self._begun.clear()
        self._moved_at = self._clock()
        rejected = rewritten.decoded.rejected
        report.records += len(batch.records)
        report.readings += rewritten.readings
        report.excluded.update(rewritten.excluded)
        report.tombstones += rewritten.decoded.tombstones.total()
        report.dead_letters.update(one.reason for one in rejected)
        if rejected:
            record = rejected[0].record
            where = f"{record.topic} partition {record.partition} offset {record.offset}"
            report.example = f"{where}: {rejected[0].reason}, {rejected[0].detail}"


def committed_of_all(source: Source, ends: Mapping[int, int]) -> bool:
    """Return whether the group, whoever reads for it, has committed all partitions up to these ends."""
    for number, end in ends.items():
        if end == 0:
            continue
        try:
            position = source.committed(number)
        except RetriableError:
            return False
        if position is None or position < end:
            return False
    return True
