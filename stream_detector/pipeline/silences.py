"""Announces sensors that have fallen silent, between two batches.

What is announced is committed together with the notes of the positions, which say so (detection/silence.py). When a sensor is
announced changes no event, only how soon it comes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from stream_detector.detection.events import Event
from stream_detector.detection.input_silence import PARTITION as INPUT_PARTITION
from stream_detector.detection.input_watch import announce_input, close_input
from stream_detector.detection.silence_watch import SilentSensor
from stream_detector.pipeline.activity import Activity
from stream_detector.pipeline.in_flight import Announced, Batch, Scored
from stream_detector.pipeline.log_ends import LogEnds
from stream_detector.pipeline.partition import Partition
from stream_detector.pipeline.restore import Ports
from stream_detector.pipeline.roll_call import RollCall
from stream_detector.pipeline.sweep import Sweeps
from stream_detector.ports import Chunk, Polled

#: The sensors are looked through at most this often, because that takes a pass over all sensors in memory.
_LOOK_SECONDS = 1.0
#: The brokers are asked for the ends of the log at most this often, and only while nothing arrives.
_ASK_SECONDS = 2.0
_LEARN_SECONDS = 30.0


class Silences:
    """Looks for sensors that are due, at most once a second, whether or not readings arrive."""

    def __init__(self, ports: Ports, input_topic: str, clock: Callable[[], float]) -> None:
        self._ports = ports
        self._watch = ports.detector.silences
        self._topic = input_topic
        self._clock = clock
        self._activity = Activity()
        self._sweeps = Sweeps(ports.state, ports.detector, clock)
        self._looked_at = self._learned_at = -math.inf
        self._typical_limit_s = math.inf
        self._ends = LogEnds(ports.source, clock)
        self._roll_call = RollCall(ports.detector, self._ends)

    def follow(self, polled: Polled) -> None:
        """Note where readings arrived."""
        now = self._clock()
        if now - self._learned_at >= _LEARN_SECONDS:
            self._typical_limit_s, self._learned_at = self._watch.typical_limit_s(), now
        self._forget(polled.revoked | polled.assigned)
        arrived_in = [chunk.partition for chunk in polled.chunks if chunk.records]
        is_quiet = self._watch.is_on and not arrived_in and self._activity.quiet_s >= _ASK_SECONDS
        elsewhere = is_quiet and self._ends.have_moved(_ASK_SECONDS, beside=self._watch.partitions())
        self._activity.look(now, arrived_in, elsewhere=elsewhere, longest_quiet_s=self._typical_limit_s)

    def noted(self, scored: Scored) -> Scored:
        """Return a decided batch with the notes of its partitions, as of now: no later batch may be appended yet."""
        return replace(scored, notes={owner.number: self._note(owner) for owner in scored.owners})

    def announce(self, partitions: Mapping[int, Partition], *, are_all: bool) -> list[Scored]:
        """Return the silences to announce in these partitions, which are ready and read; `are_all`: there are no others.

        No batch may be in flight, and the store not be in use: a slice of the stored sensors is read too.
        """
        if not self._watch.is_on:
            return []
        self._forget(self._ports.detector.partitions() - partitions.keys())
        found = [self._announced(one.partition, one.until_s, one.absent) for one in self._sweeps.advance(partitions)]
        if self._clock() - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = self._clock()
            watched = [one for one in partitions.values() if self._sweeps.has_all_in_memory(one)]
            found += [self._announced(partition, until_s) for partition, until_s in self._due(watched)]
            found += self._about_input(partitions) if are_all else []
            if are_all and len(watched) == len(partitions):
                self._roll_call.look(self._clock(), partitions, self._typical_limit_s)
        return [scored for scored in found if scored.announced]

    def _due(self, partitions: Iterable[Partition]) -> list[tuple[Partition, int]]:
        """Return the partitions in which a sensor is due, and the second by which it is."""
        now = {one.number: self._watch.of(one.number).clock.second for one in partitions}
        until = {number: second + self._activity.idle_s(number) for number, second in now.items()}
        due = self._watch.partitions_with_due(until)
        idle = {number for number in due if until[number] > now[number]}
        is_read_up = self._read_up(one for one in partitions if one.number in idle) if idle else set()
        return [
            (one, until[one.number] if one.number in is_read_up else now[one.number]) for one in partitions if one.number in due
        ]

    def _read_up(self, partitions: Iterable[Partition]) -> set[int]:
        """Return those of the partitions that are read to the end of their log, and whose note has room for a mark."""
        ends = self._ends.ends(0.0)
        return {one.number for one in partitions if ends.get(one.number) == one.next and self._watch.of(one.number).has_room}

    def _announced(self, partition: Partition, until_s: int, absent: Sequence[SilentSensor] = ()) -> Scored:
        """Announce the sensors of a partition that are due by a second of its active time."""
        number, position = partition.number, partition.next
        return self._said(partition, self._ports.detector.announce(number, position, until_s, self._topic, absent))

    def _about_input(self, partitions: Mapping[int, Partition]) -> list[Scored]:
        """Say that nothing at all arrives, or that readings are back. One replica does: the owner of one partition."""
        owner, detector = partitions.get(INPUT_PARTITION), self._ports.detector
        open_one = self._watch.of(INPUT_PARTITION).input if owner else None
        if owner is None or (open_one is None and self._activity.quiet_s < self._typical_limit_s):
            return []
        ends = self._ends.ends(_ASK_SECONDS)
        if not all(number in ends and ends[number] <= one.next for number, one in partitions.items()):
            return []
        total, event = sum(ends.values()), None
        if open_one is None:
            event = announce_input(detector, total, owner.next, self._typical_limit_s, self._topic)
        elif total > open_one.total:
            event = close_input(detector, self._topic)
        return [self._said(owner, [event])] if event else []

    def _said(self, partition: Partition, events: Sequence[Event]) -> Scored:
        """Return events that no reading caused, to be committed with the position of a partition."""
        number, position = partition.number, partition.next
        nothing = self._ports.decoder.decode(())
        scored = Scored(
            Batch([Chunk(number, position, position, ())], nothing),
            [partition],
            self._ports.detector.detect(nothing.readings),
            tuple([Announced(number, event) for event in events]),
        )
        return self.noted(scored)

    def _note(self, partition: Partition) -> str:
        silence = self._watch.of(partition.number)
        silence.forget_marks(partition.persisted)
        return silence.note(partition.next)

    def _forget(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._activity.forget(number)
