"""Assembles messages of single features into readings, one per sensor and time bucket: a pure fold over a sensor's messages.

A bucket is a span of event time, the same for all sensors. A sensor's newest bucket is *pending*; the first message of a later
one completes it, or the last of its own, where the sensor's messages are known to end with it (early_buckets.py). The reading
has the time of the bucket's end, and of each feature the newest value by then, unless that is older than the hold: report by
exception is quiet while nothing changes. A null that the sender says counts as a value: it ends what was held. The reading's
place in the log is that of the message that completed it. Buckets in which a sensor sends nothing give no reading.

A message of an earlier bucket is late. It changes no reading that is complete, but where its value is newer than the one
that stands, it stands from now on. A clock that was set back is told by bucket_clock.py; the values that stood are then as old
on the new clock as they were on the old one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from stream_detector.readings import BoolArray, Float64Array, FloatArray, Int32Array, Int64Array, Readings
from stream_detector.state.bucket_clock import Messages, Progress, follow
from stream_detector.state.bucket_state import NO_BUCKET, NO_TIME, Assembly, BucketStates
from stream_detector.state.early_buckets import complete_early
from stream_detector.state.lateness import FEWEST_READINGS, Late
from stream_detector.state.repeated_hour import settle_times


@dataclass(frozen=True, slots=True)
class Assembled:
    """The readings that the messages of a batch complete, in log order. C readings, N messages."""

    messages: Readings  # [N]
    readings: Readings  # [C]
    slots: Int32Array  # [C]
    is_held: BoolArray  # [C, F] the value is of an earlier bucket: its feature said nothing new
    is_set_back: BoolArray  # [C] the first on a clock that was set back
    late: Late  # the late messages
    bucket_ms: int

    def without(self, partitions: Collection[int]) -> Assembled:
        """Return it without the messages and readings of these partitions."""
        of_messages, of_readings = (~np.isin(part.partitions, list(partitions)) for part in (self.messages, self.readings))
        late = self.late.take(of_messages[self.late.reading])
        return Assembled(
            messages=self.messages.take(of_messages),
            readings=self.readings.take(of_readings),
            slots=self.slots[of_readings],
            is_held=self.is_held[of_readings],
            is_set_back=self.is_set_back[of_readings],
            late=replace(late, reading=(np.cumsum(of_messages) - 1)[late.reading]),
            bucket_ms=self.bucket_ms,
        )


def assemble(states: BucketStates, slots: Int32Array, messages: Readings, assembly: Assembly, window_length: int) -> Assembled:
    """Fold messages, whose sensors' states are in `slots` [N], into these states, in place; return what they complete.

    A feature that a message does not have is NaN in it. Of a sensor that is quiet for a while, the pending bucket stays
    pending. The result does not depend on how the log was cut into batches.
    """
    settle_times(states["newest_ms"], slots, messages)
    order = np.argsort(slots, kind="stable")
    grouped = _grouped(slots[order], messages, order, assembly.bucket_ms)
    touched = slots[order[grouped.first]]
    before = states[touched]
    after = before.copy()
    progress = follow(after, grouped, max(window_length, FEWEST_READINGS))
    nulls = None if messages.nulls is None else messages.nulls[order]
    newest = _newest(before, grouped, progress.shift * assembly.bucket_ms, messages.values[order], nulls)
    fold = _Fold(assembly, before, grouped, progress, newest)
    fold.write(after)
    early = complete_early(after, grouped, progress, fold.have_all(), assembly.enough_punctual)
    states[touched] = after
    of_next = (progress.bucket > progress.pending) & (progress.pending != NO_BUCKET) & ~early.was_done
    completes = np.flatnonzero(of_next | early.completes)
    completes = completes[np.argsort(order[completes])]
    is_own, group = early.completes[completes], grouped.group[completes]
    stop = completes + is_own
    values, is_held = fold.values(
        newest.row[completes] - 1 + is_own, np.where(is_own, progress.bucket[completes], progress.pending[completes])
    )
    return Assembled(
        messages=messages,
        readings=_readings(messages, order[completes], fold.ends_ms(completes, is_own), fold.stamps_ms(stop, group), values),
        slots=slots[order[completes]],
        is_held=is_held,
        is_set_back=fold.are_set_back(stop, group),
        late=fold.late(slots, order),
        bucket_ms=assembly.bucket_ms,
    )


def _grouped(slot: Int32Array, messages: Readings, order: Int64Array, bucket_ms: int) -> Messages:
    starts = np.ones(len(slot), np.bool_)
    starts[1:] = slot[1:] != slot[:-1]
    times_ms = messages.times_ms[order]
    return Messages(
        group=np.cumsum(starts) - 1,
        starts=starts,
        first=np.flatnonzero(starts),
        times_ms=times_ms,
        stamps_ms=np.full(len(slot), -1) if messages.stamps_ms is None else messages.stamps_ms[order],
        bucket=times_ms // bucket_ms,
    )


def _readings(
    messages: Readings, completed_by: Int64Array, times_ms: Int64Array, stamps_ms: Int64Array, values: Float64Array
) -> Readings:
    """Return readings [C] that the messages at these positions completed."""
    return Readings(
        sensors=[messages.sensors[at] for at in completed_by.tolist()],
        partitions=messages.partitions[completed_by],
        places=messages.places[completed_by],
        times_ms=times_ms,
        values=values.astype(np.float32) if messages.values.dtype == np.float32 else values,
        stamps_ms=None if messages.stamps_ms is None else stamps_ms,
        told_ms=messages.times_ms[completed_by],
    )


@dataclass(frozen=True, slots=True)
class _Newest:
    """The newest value of each feature as of each of E rows: of each sensor its state, then its messages."""

    row: Int64Array  # [N] of each message
    last: Int64Array  # [S] each sensor's last
    times_ms: Int64Array  # [E, F] on the clock that is never set back; NO_TIME: there is none
    values: Float64Array  # [E, F] of the rows themselves
    source: Int64Array  # [E, F] the row that has the newest

    def of(self, rows: Int64Array) -> Float64Array:
        """Return the newest values [K, F] as of these rows [K]; NaN: none, or it was null."""
        source = self.source[rows]
        return self.values[source, np.arange(source.shape[1])]


def _newest(
    before: BucketStates, grouped: Messages, shift_ms: Int64Array, values: FloatArray, nulls: BoolArray | None
) -> _Newest:
    """Find the newest value or null of each feature by event time; of two at one time, the later in the log."""
    sensors, features = before["values"].shape
    count = len(grouped.group)
    row, of_state = np.arange(count) + grouped.group + 1, grouped.first + np.arange(sensors)
    rows = np.empty((count + sensors, features))
    rows[row], rows[of_state] = values, before["values"]
    times_ms = np.empty((count + sensors, features), np.int64)
    times_ms[row] = (grouped.times_ms + shift_ms)[:, np.newaxis]
    times_ms[of_state] = before["times_ms"]
    is_there = ~np.isnan(rows)
    is_there[of_state] = before["times_ms"] != NO_TIME
    if nulls is not None:
        is_there[row] |= nulls
    if not count:
        return _Newest(row, of_state, times_ms, rows, times_ms)
    known = times_ms[is_there]
    low, high = (int(known.min()) - 1, int(known.max())) if len(known) else (0, 0)
    base = np.empty((count + sensors, 1), np.int64)
    base[row, 0], base[of_state, 0] = grouped.group * (high - low + 1), np.arange(sensors) * (high - low + 1)
    key = np.where(is_there, times_ms, low) + base
    running = np.maximum.accumulate(key, axis=0)
    is_newest = is_there & (key == running)
    is_newest[of_state] = True
    position = np.arange(count + sensors)[:, np.newaxis]
    source = np.maximum.accumulate(np.where(is_newest, position, 0), axis=0)
    times_ms = running - base
    times_ms[times_ms == low] = NO_TIME
    return _Newest(row, np.append(of_state[1:], count + sensors) - 1, times_ms, rows, source)


@dataclass(frozen=True, slots=True)
class _Fold:
    """The messages of a batch, and the states before it."""

    assembly: Assembly
    before: BucketStates  # [S]
    grouped: Messages
    progress: Progress
    newest: _Newest

    def values(self, rows: Int64Array, pending: Int64Array) -> tuple[Float64Array, BoolArray]:
        """Return the values [K, F] that stand after these rows [K] at the end of these buckets [K], and which are held."""
        times_ms, start_ms = self.newest.times_ms[rows], (pending * self.assembly.bucket_ms)[:, np.newaxis]
        values = np.where(self._stand(times_ms, start_ms), self.newest.of(rows), np.nan)
        return values, ~np.isnan(values) & (times_ms < start_ms)

    def have_all(self) -> BoolArray:
        """Return after which messages [N] every feature that stands has a value of the message's bucket."""
        times_ms = self.newest.times_ms[self.newest.row]
        start_ms = (self.progress.bucket * self.assembly.bucket_ms)[:, np.newaxis]
        stands = self._stand(times_ms, start_ms) & ~np.isnan(self.newest.of(self.newest.row))
        return np.asarray(stands.any(axis=1) & ~(stands & (times_ms < start_ms)).any(axis=1))

    def _stand(self, times_ms: Int64Array, start_ms: Int64Array) -> BoolArray:
        """Return which values or nulls of these times [K, F] are not over when the buckets with these starts [K, 1] end."""
        return np.asarray(start_ms + self.assembly.bucket_ms - times_ms <= self.assembly.hold_ms)

    def ends_ms(self, at: Int64Array, is_own: BoolArray) -> Int64Array:
        """Return when the buckets end, by their sensors' own clocks, of these messages [K], or pending before them."""
        progress = self.progress
        before = np.where(self.grouped.starts[at], 0, progress.shift[at - 1])
        own = progress.bucket[at] - progress.shift[at]
        return np.asarray((np.where(is_own, own, progress.pending[at] - before) + 1) * self.assembly.bucket_ms)

    def stamps_ms(self, stop: Int64Array, group: Int64Array) -> Int64Array:
        """Return the times of the last records in time of these sensors [K] before these messages [K]."""
        newest, is_here = self._newest_before(stop, group, ~self.progress.is_late)
        return np.where(is_here, self.grouped.stamps_ms[newest], self.before["stamp_ms"][group])

    def are_set_back(self, stop: Int64Array, group: Int64Array) -> BoolArray:
        """Return whether the buckets of these sensors [K] that were pending before these messages [K] are the first so."""
        newest, is_here = self._newest_before(stop, group, self.progress.bucket > self.progress.pending)
        return np.where(is_here, self.progress.is_set_back[newest], self.before["is_set_back"][group] > 0)

    def late(self, slots: Int32Array, order: Int64Array) -> Late:
        """Return the late messages; they are behind the start of the pending bucket."""
        at, progress = np.flatnonzero(self.progress.is_late), self.progress
        start_ms = (progress.pending[at] - progress.shift[at]) * self.assembly.bucket_ms
        behind_ms = start_ms - self.grouped.times_ms[at]
        return Late(order[at], slots[order[at]], behind_ms, progress.is_orderly[at])

    def write(self, after: BucketStates) -> None:
        """Write what is pending now into the states [S]; their late buckets are there already."""
        grouped, progress, first = self.grouped, self.progress, self.grouped.first
        if not len(first):
            return
        sensors, stop = np.arange(len(first)), np.append(first[1:], len(grouped.group))
        last, shift_ms = stop - 1, progress.shift * self.assembly.bucket_ms
        bucket = np.maximum(progress.bucket[last], progress.pending[last])
        values, _ = self.values(self.newest.last, bucket)
        times_ms = self.newest.times_ms[self.newest.last]
        stands = self._stand(times_ms, (bucket * self.assembly.bucket_ms)[:, np.newaxis])
        newest_ms = np.maximum.reduceat(grouped.times_ms + shift_ms, first)
        after["bucket"] = bucket - progress.shift[last]
        after["newest_ms"] = np.maximum(self.before["newest_ms"], newest_ms) - shift_ms[last]
        after["stamp_ms"] = self.stamps_ms(stop, sensors)
        after["is_set_back"] = self.are_set_back(stop, sensors)
        after["values"] = values
        after["times_ms"] = np.where(stands, times_ms - shift_ms[last, np.newaxis], NO_TIME)

    def _newest_before(self, stop: Int64Array, group: Int64Array, chosen: BoolArray) -> tuple[Int64Array, BoolArray]:
        """Return the newest chosen message before each of these [K], and whether it is one of these sensors' [K]."""
        newest = np.concatenate([[-1], np.maximum.accumulate(np.where(chosen, np.arange(len(chosen)), -1))])[stop]
        return newest, newest >= self.grouped.first[group]
