"""Tells late messages from those of a clock that was set back, bucket by bucket: a pure fold over a sensor's messages.

A message of an earlier bucket than the pending one is late: the reading of its bucket is complete. If a clock went back, every
later message would be late. So late *buckets* are counted as lateness.py counts late readings, by the same two rules. The
message that begins the last of them is on the new clock: there, the bucket after the pending one begins with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Int64Array
from stream_detector.state.bucket_state import BucketStates
from stream_detector.state.lateness import LIVE_READINGS

_MOST = (1 << 16) - 1


@dataclass(frozen=True, slots=True)
class Messages:
    """The messages of a batch [N], grouped by sensor and in log order within one. S sensors."""

    group: Int64Array  # [N] 0 ... S-1
    starts: BoolArray  # [N] the first of a sensor
    first: Int64Array  # [S] where each sensor's messages start
    times_ms: Int64Array  # [N]
    stamps_ms: Int64Array  # [N] of their records; negative: not known
    bucket: Int64Array  # [N]


@dataclass(frozen=True, slots=True)
class Progress:
    """Which bucket each message [N] found pending. Buckets are counted on one clock that is never set back."""

    shift: Int64Array  # [N] buckets by which the sensor's clock was set back in this batch; its own number is this much less
    bucket: Int64Array  # [N] of the message
    pending: Int64Array  # [N] before the message; NO_BUCKET: none
    is_set_back: BoolArray  # [N] the first message on a clock that was set back
    is_orderly: BoolArray  # [N] late, and of a later bucket than the late message before it

    @property
    def is_late(self) -> BoolArray:
        """Which messages [N] are of an earlier bucket than the pending one."""
        return np.asarray(self.bucket < self.pending)


def follow(states: BucketStates, messages: Messages, enough: int) -> Progress:
    """Fold messages into the late buckets in a row of their sensors' states [S], in place.

    `enough` orderly late buckets are a clock that was set back, however their records came.
    """
    is_set_back, is_orderly = np.zeros((2, len(messages.bucket)), np.bool_)
    shift = np.zeros(len(messages.bucket), np.int64)
    progress = Progress(shift, messages.bucket, _pending(states, messages, messages.bucket), is_set_back, is_orderly)
    if not (progress.is_late.any() or states["late_run"].any()):
        return progress
    runs = _Runs(states, messages)
    while len(at := runs.set_back(progress.is_late, enough)):
        since = np.full(len(messages.first), len(shift))
        since[messages.group[at]] = at
        step = np.zeros(len(messages.first), np.int64)
        step[messages.group[at]] = progress.pending[at] + 1 - progress.bucket[at]
        shift = shift + np.where(np.arange(len(shift)) >= since[messages.group], step[messages.group], 0)
        is_set_back[at] = True
        bucket = messages.bucket + shift
        progress = Progress(shift, bucket, _pending(states, messages, bucket), is_set_back, is_orderly)
    runs.write(states, progress.is_late)
    return Progress(shift, progress.bucket, progress.pending, is_set_back, runs.is_newer)


def _pending(states: BucketStates, messages: Messages, bucket: Int64Array) -> Int64Array:
    """Return the newest bucket of the sensor before each message [N]."""
    if not len(bucket):
        return bucket
    before = states["bucket"][messages.group]
    base = messages.group * (1 + int(max(bucket.max(), before.max())) - int(min(bucket.min(), before.min())))
    newest = np.maximum.accumulate(np.maximum(bucket, np.where(messages.starts, before, bucket)) + base)
    return np.where(messages.starts, before, np.concatenate([[0], newest[:-1]]) - base)


class _Runs:
    """The late buckets in a row among messages [N], grouped by sensor."""

    def __init__(self, states: BucketStates, messages: Messages) -> None:
        self._messages = messages
        self._carried = {name: states[name][messages.group].astype(np.int64) for name in _LATE}
        before = np.where(messages.starts, self._carried["late_bucket"], np.roll(messages.bucket, 1))
        self._rise = np.sign(messages.bucket - before)
        self._run = self._live = self._begun = np.zeros(len(messages.bucket), np.int64)
        self.is_newer = np.zeros(len(messages.bucket), np.bool_)

    def set_back(self, is_late: BoolArray, enough: int) -> Int64Array:
        """Return the positions of the messages, at most one of a sensor, that complete a run among the late ones."""
        messages, carried = self._messages, self._carried
        continues = is_late & np.where(messages.starts, carried["late_run"] > 0, np.roll(is_late, 1))
        self.is_newer = continues & (self._rise > 0)
        breaks = is_late & (~continues | (self._rise < 0))
        is_live = self.is_newer & self._came_live(self.is_newer | breaks)
        self._run = self._lengths(self.is_newer, breaks, carried["late_run"])
        self._live = self._lengths(is_live, breaks | (self.is_newer & ~is_live), carried["late_live"])
        complete = np.flatnonzero(is_late & ((self._run >= enough) | (self._live >= LIVE_READINGS)))
        _, first = np.unique(messages.group[complete], return_index=True)
        return np.asarray(complete[first])

    def _came_live(self, begins: BoolArray) -> BoolArray:
        """Return whether a late bucket's first record came as far after that of the bucket before as it says, or nearly."""
        messages, position = self._messages, np.arange(len(begins))
        self._begun = np.maximum.accumulate(np.where(begins, position, -1))
        before = np.concatenate([[-1], self._begun[:-1]])
        is_carried = before < messages.first[messages.group]
        time_ms = np.where(is_carried, self._carried["late_time_ms"], messages.times_ms[before])
        stamp_ms = np.where(is_carried, self._carried["late_stamp_ms"], messages.stamps_ms[before])
        came = messages.stamps_ms - stamp_ms
        return np.asarray((messages.stamps_ms >= 0) & (stamp_ms >= 0) & (2 * came >= messages.times_ms - time_ms))

    def _lengths(self, extends: BoolArray, breaks: BoolArray, carried: Int64Array) -> Int64Array:
        """Return the length of the run as of each late message [N]: 1 where it breaks."""
        messages, position = self._messages, np.arange(len(extends))
        total = np.cumsum(extends)
        begin = np.maximum.accumulate(np.where(breaks, position, -1))
        start = messages.first[messages.group]
        own = total - total[np.maximum(begin, 0)] + 1
        return np.where(begin >= start, own, carried + total - total[start] + extends[start])

    def write(self, states: BucketStates, is_late: BoolArray) -> None:
        """Write the late buckets that each sensor ends with."""
        messages = self._messages
        last = np.append(messages.first[1:], len(is_late)) - 1
        begun = self._begun[last]
        is_carried = begun < messages.first
        of_run = {
            "late_bucket": messages.bucket[last],
            "late_time_ms": np.where(is_carried, states["late_time_ms"], messages.times_ms[begun]),
            "late_stamp_ms": np.where(is_carried, states["late_stamp_ms"], messages.stamps_ms[begun]),
            "late_run": np.minimum(self._run[last], _MOST),
            "late_live": np.minimum(self._live[last], _MOST),
        }
        for name in _LATE:
            states[name] = np.where(is_late[last], of_run[name], 0)


_LATE = ("late_bucket", "late_time_ms", "late_stamp_ms", "late_run", "late_live")
