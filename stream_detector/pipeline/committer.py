"""What is decided and not committed yet: batches that say nothing can wait, one that says something takes all along."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stream_detector.detection.detector import Detected
from stream_detector.pipeline.in_flight import without
from stream_detector.pipeline.partition import Partition
from stream_detector.ports import Chunk
from stream_detector.readings import Decoded


@dataclass(frozen=True, slots=True)
class CommitPolicy:
    """For how long, and for how many records, a commit of positions alone may wait. An event or a dead letter never waits."""

    seconds: float = 0.0
    records: int = 4096


AT_ONCE = CommitPolicy()


@dataclass(frozen=True, slots=True)
class Scored:
    """A batch that is decided on."""

    chunks: Sequence[Chunk]
    owners: Sequence[Partition]  # of the chunks; a partition that was given away or is restored since is another object
    decoded: Decoded
    detected: Detected

    @property
    def has_output(self) -> bool:
        """Whether there is an event or a dead letter of it."""
        decisions = self.detected.decisions
        return bool(self.decoded.rejected) or (decisions is not None and bool(decisions.transitions))

    def of_owners(self, is_owned: Callable[[Partition], bool]) -> Scored:
        """Return what is left of it: of partitions that are owned now as they were then."""
        kept = [at for at, owner in enumerate(self.owners) if is_owned(owner)]
        if len(kept) == len(self.owners):
            return self
        lost = frozenset(owner.number for owner in self.owners if not is_owned(owner))
        chunks, owners = [self.chunks[at] for at in kept], [self.owners[at] for at in kept]
        return Scored(chunks, owners, *without(lost, self.decoded, self.detected))


class Uncommitted:
    """The batches since the last commit, in their order."""

    def __init__(self, rules: CommitPolicy) -> None:
        self._rules = rules
        self._batches: list[Scored] = []
        self._since = 0.0

    def __bool__(self) -> bool:
        return bool(self._batches)

    @property
    def has_output(self) -> bool:
        """Whether there is an event or a dead letter."""
        return any(batch.has_output for batch in self._batches)

    def add(self, batch: Scored, now: float) -> None:
        """Add what was decided now."""
        if not self._batches:
            self._since = now
        if batch.chunks:
            self._batches.append(batch)

    def is_due(self, now: float) -> bool:
        """Say whether it is to be committed now."""
        records = sum(len(chunk.records) for batch in self._batches for chunk in batch.chunks)
        is_old = now - self._since >= self._rules.seconds or records >= self._rules.records
        return bool(self._batches) and (is_old or self.has_output)

    def left_seconds(self, now: float) -> float:
        """Return for how long what there is may wait; for ever if there is nothing."""
        return max(0.0, self._since + self._rules.seconds - now) if self._batches else math.inf

    def keep(self, is_owned: Callable[[Partition], bool]) -> None:
        """Keep what is of partitions that are owned now as they were when it was decided."""
        kept = [batch.of_owners(is_owned) for batch in self._batches]
        self._batches = [batch for batch in kept if batch.chunks]

    def take(self) -> list[Scored]:
        """Hand over what there is; nothing is left."""
        batches, self._batches = self._batches, []
        return batches

    def forget(self) -> None:
        """Forget all of it: it will be read again."""
        self._batches.clear()
