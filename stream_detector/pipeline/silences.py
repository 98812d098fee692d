"""Announces sensors that have fallen silent, between two batches.

What is announced is committed together with the notes of the positions, which say so (detection/silence.py). When a sensor is
announced changes no event, only how soon it comes.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from stream_detector.detection.silence_watch import SilentSensor
from stream_detector.errors import RetriableError
from stream_detector.logs import OutageLog
from stream_detector.pipeline.activity import Activity
from stream_detector.pipeline.in_flight import Announced, Batch, Scored
from stream_detector.pipeline.partition import Partition
from stream_detector.pipeline.restore import Ports
from stream_detector.pipeline.sweep import Sweeps
from stream_detector.ports import Chunk, Polled

logger = logging.getLogger(__name__)

#: The sensors are looked through at most this often, because that takes a pass over all sensors in memory.
_LOOK_SECONDS = 1.0
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
        self._outage = OutageLog(logger, clock)

    def follow(self, polled: Polled) -> None:
        """Note where readings arrived."""
        now = self._clock()
        if now - self._learned_at >= _LEARN_SECONDS:
            self._typical_limit_s, self._learned_at = self._watch.typical_limit_s(), now
        self._forget(polled.revoked | polled.assigned)
        arrived_in = [chunk.partition for chunk in polled.chunks if chunk.records]
        self._activity.look(now, arrived_in, elsewhere=False, longest_quiet_s=self._typical_limit_s)

    def noted(self, scored: Scored) -> Scored:
        """Return a decided batch with the notes of its partitions, as of now: no later batch may be appended yet."""
        return replace(scored, notes={owner.number: self._note(owner) for owner in scored.owners})

    def announce(self, partitions: Mapping[int, Partition]) -> list[Scored]:
        """Return the silences to announce in these partitions, which are ready and read.

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
        try:
            ends = self._ports.source.ends()
        except RetriableError as error:
            self._outage.failed("the ends of the input topic are not known: %s", error)
            return set()
        self._outage.ended()
        return {one.number for one in partitions if ends.get(one.number) == one.next and self._watch.of(one.number).has_room}

    def _announced(self, partition: Partition, until_s: int, absent: Sequence[SilentSensor] = ()) -> Scored:
        """Announce the sensors of a partition that are due by a second of its active time."""
        number, position = partition.number, partition.next
        events = self._ports.detector.announce(number, position, until_s, self._topic, absent)
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
