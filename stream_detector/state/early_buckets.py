"""Tells which buckets are complete before the next one begins: a pure fold over a sensor's messages.

A bucket's set is *full* when every feature that stands has a value of this bucket. A gateway that scans sends nothing more
then, and the reading need not wait for the next scan. Whether a sensor's messages are like that is learned: in so many buckets
in a row with a full set, no message followed it. One that does sets the count to 0; its value stands from then on, and is
part of the next reading. A bucket whose set never fills, because a feature is held, changes no count.

The message that begins a bucket completes the one before or none, so a message completes one reading at most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Int64Array
from stream_detector.state.bucket_clock import Messages, Progress
from stream_detector.state.bucket_state import DONE, FOLLOWED, FULL, BucketStates

_MOST = (1 << 8) - 1


@dataclass(frozen=True, slots=True)
class Early:
    """Which messages [N] complete their own bucket, and found a pending one that was complete."""

    completes: BoolArray  # [N]
    was_done: BoolArray  # [N] the bucket that was pending before the message


def complete_early(states: BucketStates, messages: Messages, progress: Progress, has_all: BoolArray, enough: int) -> Early:
    """Fold messages [N] into the stages of their sensors' buckets [S], in place.

    `has_all` [N] says where each feature that stands after a message has a value of its bucket.
    """
    if not len(has_all):
        return Early(has_all, has_all)
    position, first = np.arange(len(has_all)), messages.first[messages.group]
    begins, in_time = progress.bucket > progress.pending, ~progress.is_late
    opened = np.maximum.accumulate(np.where(begins | messages.starts, position, 0))
    is_carried = ~begins[opened]
    stage, punctual = states["stage"][messages.group], states["punctual"][messages.group].astype(np.int64)

    def since_opened(at: BoolArray, carried: BoolArray) -> tuple[BoolArray, BoolArray]:
        """Return whether it was so in the bucket up to each message, and in the bucket that was pending before it."""
        after = (_newest(at) >= opened) | (is_carried & carried)
        return after, np.where(messages.starts, carried, np.roll(after, 1))

    is_full, was_full = since_opened(in_time & has_all, stage & FULL > 0)
    follows = in_time & ~begins & was_full
    is_followed, was_followed = since_opened(follows, stage & FOLLOWED > 0)
    ends_punctual = begins & was_full & ~was_followed
    ended, last_follows = np.cumsum(ends_punctual), _newest(follows)
    since_start = punctual + ended - ended[first] + ends_punctual[first]
    count = np.where(last_follows >= first, ended - ended[np.maximum(last_follows, 0)], since_start)
    completes = in_time & has_all & ~begins & ~was_full & (count >= enough)
    is_done, was_done = since_opened(completes, stage & DONE > 0)
    last = np.append(messages.first[1:], len(position)) - 1
    states["punctual"] = np.minimum(count[last], _MOST)
    states["stage"] = (FULL * is_full + FOLLOWED * is_followed + DONE * is_done)[last]
    return Early(completes, was_done)


def _newest(chosen: BoolArray) -> Int64Array:
    """Return the position of the newest chosen message as of each, itself included; -1: none."""
    return np.asarray(np.maximum.accumulate(np.where(chosen, np.arange(len(chosen)), -1)))
