"""Takes a batch through the detector (read, in flight, decided), and removes partitions from it.

A batch is in flight while its readings are in the windows and being scored. None of them is committed then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from stream_detector.detection.detected import Detected
from stream_detector.detection.detector import Detector
from stream_detector.detection.events import Event
from stream_detector.detection.pending_batch import PendingBatch
from stream_detector.detection.rules.changes import RuleChange
from stream_detector.detection.scored_readings import Decisions
from stream_detector.pipeline.partition import Partition
from stream_detector.pipeline.renamed_early import EarlyQuestions
from stream_detector.ports import Chunk
from stream_detector.readings import BoolArray, Decoded, Readings
from stream_detector.state.appended import Appended

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Batch:
    """The result of one poll: chunks, and all their records decoded, in the same order."""

    chunks: Sequence[Chunk]
    decoded: Decoded

    @property
    def records(self) -> int:
        """How many records were polled."""
        return sum(len(chunk.records) for chunk in self.chunks)

    def only(self, partitions: Collection[int]) -> Batch:
        """Return the batch without the chunks of other partitions."""
        lost = {chunk.partition for chunk in self.chunks} - set(partitions)
        if not lost:
            return self
        kept = [chunk for chunk in self.chunks if chunk.partition not in lost]
        return Batch(kept, drop_undetected(lost, self.decoded))


@dataclass(frozen=True, slots=True)
class Announced:
    """An event that no reading caused, and the partition whose position it is committed with."""

    partition: int
    event: Event


@dataclass(frozen=True, slots=True)
class Scored:
    """A batch with its decisions; or the silences announced in a partition, with an empty chunk that ends where it starts."""

    batch: Batch
    owners: Sequence[Partition]  # of the chunks; a partition that was revoked or restored since is another object
    detected: Detected
    announced: tuple[Announced, ...] = ()
    notes: Mapping[int, str] = field(default_factory=dict)  # of the partitions, as of the chunks' ends
    renamed: Sequence[str] = ()  # questions about tags that may have new names

    @property
    def has_output(self) -> bool:
        """Whether it has an event or a dead letter."""
        decisions = self.detected.decisions
        has_events = bool(self.detected.rule_changes) or (decisions is not None and bool(decisions.transitions))
        return bool(self.batch.decoded.rejected or self.announced) or has_events

    def of_owners(self, is_owned: Callable[[Partition], bool]) -> Scored:
        """Return the batch without the partitions that were revoked or restored since."""
        kept = [at for at, owner in enumerate(self.owners) if is_owned(owner)]
        if len(kept) == len(self.owners):
            return self
        lost = frozenset(owner.number for owner in self.owners if not is_owned(owner))
        chunks, owners = [self.batch.chunks[at] for at in kept], [self.owners[at] for at in kept]
        decoded, detected = drop_partitions(lost, self.batch.decoded, self.detected)
        announced = tuple([one for one in self.announced if one.partition not in lost])
        return Scored(Batch(chunks, decoded), owners, detected, announced, self.notes, self.renamed)


@dataclass(frozen=True, slots=True)
class _Pending:
    batch: Batch
    owners: Sequence[Partition]
    pending: PendingBatch
    renamed: Sequence[str]


class InFlight:
    """The batch in flight, if there is one."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._early = EarlyQuestions(detector)
        self._pending: _Pending | None = None

    def __bool__(self) -> bool:
        return self._pending is not None

    @property
    def records(self) -> int:
        """How many records of the batch in flight were polled; 0 without one."""
        return 0 if self._pending is None else self._pending.batch.records

    def start(self, batch: Batch, partitions: Mapping[int, Partition]) -> None:
        """Append a batch to the windows and start scoring. Its sensors must be in memory, and no other batch in flight."""
        owners = [partitions[chunk.partition] for chunk in batch.chunks]
        decoded = batch.decoded
        pending = self._detector.begin(decoded.readings, decoded.deaths, decoded.unknown)
        self._pending = _Pending(batch, owners, pending, self._early.look(decoded.unknown))
        for chunk, owner in zip(batch.chunks, owners, strict=True):
            owner.appended_to(chunk.stop)

    def decide(self) -> Scored | None:
        """Wait for the scores of the batch in flight, and decide. Return None if no batch was in flight."""
        pending, self._pending = self._pending, None
        if pending is None:
            return None
        detected = self._detector.finish(pending.pending)
        return Scored(pending.batch, pending.owners, detected, renamed=pending.renamed)

    def drop(self) -> None:
        """Forget the batch in flight: it will be read again."""
        self._pending = None


def drop_undetected(lost: Collection[int], decoded: Decoded) -> Decoded:
    """Return the decoded records without the readings and rejections of some partitions: as if never polled."""
    return _decoded(lost, decoded, _kept(lost, decoded.readings))


def drop_partitions(lost: Collection[int], decoded: Decoded, detected: Detected) -> tuple[Decoded, Detected]:
    """Return a decided batch without the readings and rejections of some partitions: as if never polled."""
    is_kept = _kept(lost, detected.readings_of(decoded.readings))
    appended = detected.appended
    is_accepted = is_kept[appended.reading]  # of the accepted readings, those that are kept
    decisions = None if detected.decisions is None else _decisions(detected.decisions, is_accepted)
    return drop_undetected(lost, decoded), Detected(
        _appended(appended, is_kept, is_accepted),
        detected.scales.take(is_accepted),
        0 if decisions is None else int((~np.isnan(decisions.scores)).sum()),
        decisions,
        _rule_changes(lost, detected.rule_changes, is_kept),
        None if detected.scorable is None else detected.scorable[is_accepted],
        None if detected.assembled is None else detected.assembled.without(lost),
    )


def _kept(lost: Collection[int], readings: Readings) -> BoolArray:
    return ~np.isin(readings.partitions, list(lost))


def _decoded(lost: Collection[int], decoded: Decoded, is_kept: BoolArray) -> Decoded:
    return replace(
        decoded,
        readings=decoded.readings.take(is_kept),
        rejected=[one for one in decoded.rejected if one.record.partition not in lost],
        tombstones=Counter({number: count for number, count in decoded.tombstones.items() if number not in lost}),
        lost=_without(lost, decoded.lost),
        excluded=_without(lost, decoded.excluded),
        missing=_without(lost, decoded.missing),
        deaths=[one for one in decoded.deaths if one.partition not in lost],
        unknown=[one for one in decoded.unknown if one.partition not in lost],
        surplus=Counter({number: count for number, count in decoded.surplus.items() if number not in lost}),
    )


def _without(lost: Collection[int], of_partitions: Mapping[int, _T]) -> dict[int, _T]:
    return {number: content for number, content in of_partitions.items() if number not in lost}


def _appended(appended: Appended, is_kept: BoolArray, is_accepted: BoolArray) -> Appended:
    filled, count = appended.filled[is_accepted], appended.count[is_accepted]
    place, late = np.cumsum(is_kept) - 1, appended.lateness.take(is_kept[appended.lateness.reading])
    return replace(
        appended,
        reading=place[appended.reading[is_accepted]],
        slot=appended.slot[is_accepted],
        rank=appended.rank[is_accepted],
        filled=filled,
        count=count,
        times_ms=appended.times_ms[is_accepted],
        interval_ms=appended.interval_ms[is_accepted],
        pause_ms=appended.pause_ms[is_accepted],
        window_start=appended.window_start[is_accepted],
        late=int(is_kept.sum() - is_accepted.sum()),
        lateness=replace(late, reading=place[late.reading]),
        jump_ms=appended.jump_ms[is_accepted],
        clock_ms=appended.clock_ms[is_accepted],
        idle=None if appended.idle is None else appended.idle[is_accepted],
        restarted=int(((filled == 1) & (count > 1)).sum()),
    )


def _rule_changes(lost: Collection[int], changes: Sequence[RuleChange], is_kept: BoolArray) -> tuple[RuleChange, ...]:
    place = np.cumsum(is_kept) - 1
    return tuple([replace(one, reading=int(place[one.reading])) for one in changes if one.partition not in lost])


def _decisions(decisions: Decisions, is_accepted: BoolArray) -> Decisions:
    place = np.cumsum(is_accepted) - 1
    return Decisions(
        scores=decisions.scores[is_accepted],
        thresholds=decisions.thresholds[is_accepted],
        anomalous=decisions.anomalous[is_accepted],
        surprises=decisions.surprises[is_accepted],
        factors=decisions.factors[is_accepted],
        level_counts=decisions.level_counts[is_accepted],
        needed=decisions.needed[is_accepted],
        holding=decisions.holding[is_accepted],
        held_above=decisions.held_above[is_accepted],
        transitions=[
            replace(one, position=int(place[one.position])) for one in decisions.transitions if is_accepted[one.position]
        ],
        acceptances=[],  # they were applied when the batch was decided
        beyond=decisions.beyond.take(is_accepted) if decisions.beyond else None,
    )
