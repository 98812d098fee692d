"""Carries out restore plans, in slices between polls, so that other partitions continue."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from stream_detector.detection.detector import Detector
from stream_detector.detection.silence import PartitionSilence, read_note
from stream_detector.errors import RetriableError
from stream_detector.pipeline.config import RestoreConfig
from stream_detector.pipeline.partition import Partition
from stream_detector.pipeline.recollection import recollect
from stream_detector.pipeline.restore_plan import Action, Facts, Plan, choose_plan
from stream_detector.pipeline.state_access import StateAccess
from stream_detector.pipeline.step_report import StepReport
from stream_detector.ports import Chunk, Decoder, IncidentLog, Sink, Source
from stream_detector.readings import Membership

logger = logging.getLogger(__name__)

#: Records read to learn the time of the newest one; most of them may be transaction markers.
_TAIL_RECORDS = 64
_WAIT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports and the detector that the pipeline works with."""

    source: Source
    sink: Sink
    decoder: Decoder
    detector: Detector
    state: StateAccess
    incidents: IncidentLog


class Restoration:
    """Brings one partition from its stored state to its committed position, one slice per `advance`.

    After an error it cannot continue: start over with a new Restoration of a new Partition.
    """

    def __init__(self, partition: Partition, ports: Ports, config: RestoreConfig) -> None:
        self._partition = partition
        self._ports = ports
        self._config = config
        self._membership: Membership | None = None
        self._report = StepReport()
        self._committed: PartitionSilence | None = None  # as of the committed position
        self._stored: PartitionSilence | None = None  # as of the stored position
        self._slices = self._restore()

    def advance(self, membership: Membership | None, report: StepReport) -> float | None:
        """Restore the next slice under this membership; return the seconds to wait before the next one.

        Return None once the partition is ready and is being read from its committed position. Blocks, bounded. Raises
        RetriableError if a port did not answer.
        """
        self._membership, self._report = membership, report
        return next(self._slices, None)

    def _restore(self) -> Iterator[float]:
        """Restore the partition and start reading it; between slices, yield the least seconds to wait."""
        partition = self._partition
        self._ports.detector.drop(partition.number)
        plan = self._plan()
        while plan.action is Action.WAIT:
            yield _WAIT_SECONDS
            plan = self._plan()
        self._announce(plan)
        if plan.must_commit:
            self._commit(plan)
        yield from self._recollect(plan)
        yield from self._rebuild(plan) if plan.action is Action.REBUILD else self._replay(plan)
        partition.finish_restoring()
        self._report.restores[plan.action.value] += 1
        self._ports.source.seek(partition.number, partition.next)

    def _plan(self) -> Plan:
        source, partition = self._ports.source, self._partition
        number = partition.number
        meta = self._ports.state.guard.meta(number)
        partition.topic_id = source.topic_id()
        committed = source.committed(number)
        self._committed = None if committed is None else read_note(source.note(number), committed)
        self._stored = None if meta is None else read_note(meta.note, meta.next_position)
        log_start, log_end = source.bounds(number)
        if meta is not None:
            partition.found_stored(meta.epoch, meta.next_position)
        return choose_plan(
            Facts(
                partition=number,
                committed=committed,
                group_started=committed is not None or source.committed(0) is not None,
                log_start=log_start,
                log_end=log_end,
                topic_id=partition.topic_id,
                layout=self._ports.detector.layout,
                meta=meta,
                first_start=self._first_position(number) if committed is None else log_end,
            )
        )

    def _first_position(self, number: int) -> int:
        if isinstance(self._config.start, int):
            return self._ports.source.position_at(number, self._config.start)
        return self._ports.source.bounds(number)[0 if self._config.start == "earliest" else 1]

    def _announce(self, plan: Plan) -> None:
        number = self._partition.number
        level = logging.ERROR if plan.suspicious else logging.INFO
        logger.log(
            level,
            "partition %d: %s at %d: %s",
            number,
            plan.action.value,
            plan.position,
            plan.reason,
            extra={"partition": number, "action": plan.action.value, "position": plan.position},
        )
        self._report.lost_readings += plan.lost_readings

    def _commit(self, plan: Plan) -> None:
        """Commit where reading starts, before anything is scored; for a new group in all its partitions."""
        if self._membership is None:
            msg = "not a member of the group now"
            raise RetriableError(msg)
        source = self._ports.source
        positions = {self._partition.number: plan.position}
        if plan.starts_group:
            others = (number for number in source.partitions() - positions.keys() if source.committed(number) is None)
            positions |= {number: self._first_position(number) for number in others}
        notes = {} if self._committed is None else {self._partition.number: self._committed.note(plan.position)}
        self._ports.sink.commit([], positions, self._membership, notes)

    def _recollect(self, plan: Plan) -> Iterator[float]:
        """Remember what the records before those that are read next have said, if their meaning depends on it."""
        source, partition, detector = self._ports.source, self._partition, self._ports.detector
        starts_over = plan.action is Action.REBUILD

        def take_up(kept: Mapping[str, bytes]) -> None:
            detector.silences.deaths.restore(partition.number, kept, starts_over=starts_over)
            detector.new_names.restore(partition.number, kept, starts_over=starts_over)

        if self._ports.decoder.memory is None:
            if detector.assembles:
                with self._ports.state.guard.asking() as store:
                    take_up(store.kept(partition.number))
            return
        start = plan.replay_from if plan.action is Action.REPLAY else plan.position
        if plan.action is Action.REBUILD:
            start = self._lookback(plan.position)
        slices = recollect(
            partition.number,
            partition.topic_id,
            start,
            self._ports.state,
            self._ports.decoder,
            bounds=source.bounds(partition.number),
            most_records=self._config.max_lookback_records,
            read=self._read,
            on_kept=take_up,
        )
        for records in slices:
            self._report.replayed += records
            yield 0.0

    def _replay(self, plan: Plan) -> Iterator[float]:
        """Fold the readings after the stored position into the state; their events are already on the alerts topic."""
        partition = self._partition
        partition.continue_from_stored()
        committed = self._committed or PartitionSilence()
        clock = committed.clock if self._stored is None else self._stored.clock
        silences = self._ports.detector.silences
        silences.restore(partition.number, replace(committed, clock=clock))
        if plan.action is Action.REPLAY:
            for chunk in self._read(plan.replay_from, plan.position):
                self._fold(chunk, scoring=True)
                partition.appended_to(chunk.stop)
                self._persist()
                yield 0.0
        partition.appended_to(plan.position)
        self._persist()

    def _rebuild(self, plan: Plan) -> Iterator[float]:
        """Fill the windows from the readings before the position. State derived from scores starts from the model's prior."""
        partition, silences = self._partition, self._ports.detector.silences
        silences.restore(partition.number, self._committed and self._committed.before_rebuild())
        self._ports.state.writer.begin(partition)
        partition.continue_from_stored()
        for chunk in self._read(self._lookback(plan.position), plan.position):
            self._fold(chunk, scoring=False)
            if self._is_crowded():
                yield from self._store_changes()
            else:
                yield 0.0
        yield from self._store_changes()
        if plan.reopens_incidents:
            self._reopen_incidents(plan.position)
            yield from self._store_changes()
        partition.appended_to(plan.position)
        partition.is_loaded = True
        self._persist()

    def _is_crowded(self) -> bool:
        """Return whether unsaved sensors, which cannot be evicted, leave too little room for another slice or batch."""
        arena = self._ports.detector.arena
        return arena.unsaved_count + self._config.slice_records > arena.max_sensors

    def _store_changes(self) -> Iterator[float]:
        """Persist the sensors that a rebuild has changed, in calls of bounded size.

        An interrupted rebuild starts over, so persisting after every slice would gain nothing.
        """
        partition = self._partition
        while len(self._ports.detector.arena.unsaved(partition.number, 1)):
            partition.appended_to(partition.next + 1)
            self._persist(self._config.slice_records)
            yield 0.0

    def _reopen_incidents(self, position: int) -> None:
        """Reopen the incidents that published events leave open, so that they will be closed eventually."""
        number = self._partition.number
        incidents = self._ports.incidents.open_incidents(number, position)
        if incidents:
            self._load([incident.sensor_id for incident in incidents])
            self._ports.detector.reopen(number, incidents)
            logger.info("partition %d: reopened %d incidents", number, len(incidents))

    def _lookback(self, position: int) -> int:
        """Return the position from which reading up to `position` fills the windows."""
        source, number = self._ports.source, self._partition.number
        log_start = source.bounds(number)[0]
        earliest = max(log_start, position - self._config.max_lookback_records)
        if earliest >= position:
            return position
        tail = source.read(number, max(earliest, position - _TAIL_RECORDS), position, _TAIL_RECORDS)
        if not tail.records:
            return earliest
        since = tail.records[-1].timestamp - self._config.lookback_ms
        return min(max(earliest, source.position_at(number, max(0, since))), position)

    def _read(self, start: int, stop: int) -> Iterator[Chunk]:
        while start < stop:
            chunk = self._ports.source.read(self._partition.number, start, stop, self._config.slice_records)
            start = chunk.stop
            yield chunk

    def _fold(self, chunk: Chunk, *, scoring: bool) -> None:
        decoded = self._ports.decoder.decode(chunk.records)
        readings = decoded.readings
        self._report.replayed += len(chunk.records)
        self._load(readings.sensors)
        self._ports.detector.detect(readings, decoded.deaths, decoded.unknown, scoring=scoring)

    def _load(self, sensors: list[str]) -> None:
        partition = self._partition
        if self._ports.state.loader.load_sensors({partition.number: sensors}, {partition.number: partition}):
            msg = f"sensors of partition {partition.number} cannot be loaded now"
            raise RetriableError(msg)

    def _persist(self, most: int | None = None) -> None:
        """Persist the partition's unsaved sensors, or at most `most` of them."""
        if not self._ports.state.writer.persist(self._partition, self._report, most):
            msg = f"the stored state of partition {self._partition.number} is not as this replica left it"
            raise RetriableError(msg)
