"""Brings what a decoder remembers of a partition's log into memory: what is stored, and what the log holds beyond it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping

from stream_detector.pipeline.state_access import StateAccess
from stream_detector.ports import Chunk, Decoder

logger = logging.getLogger(__name__)


def recollect(
    partition: int,
    topic_id: str,
    start: int,
    state: StateAccess,
    decoder: Decoder,
    *,
    bounds: tuple[int, int],
    most_records: int,
    read: Callable[[int, int], Iterator[Chunk]],
    on_kept: Callable[[Mapping[str, bytes]], None],
) -> Iterator[int]:
    """Remember a partition's log before position `start`, from which it will be read; yield the records of each slice.

    Where nothing is stored, the log is searched back to its beginning (`bounds` has that and its end), at most `most_records`.
    What is stored counts only if nothing between it and `start` is missing: a birth that was not seen would give values wrong
    names. `on_kept` is called with all that is stored. Raises RetriableError and StoreUnavailableError.
    """
    memory = decoder.memory
    if memory is None:
        return
    with state.guard.asking() as store:
        kept = store.kept(partition)
    memory.restore(partition, kept, topic_id)
    on_kept(kept)
    log_start, log_end = bounds
    first, known = max(log_start, start - most_records), memory.known_to(partition)
    if known is not None and not min(first, start) <= known <= log_end:
        text = "partition %d: what was known of it ends at %d, and the log is not there from then on: nothing of it is used"
        logger.warning(text, partition, known)
        memory.forget_births(partition)
        known = None
    for chunk in read(first if known is None else known, start):
        decoder.learn(chunk.records)
        yield len(chunk.records)
    memory.read_to(partition, start)
