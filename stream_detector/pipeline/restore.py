"""Carries out restore plans, in slices between polls, so that the other partitions go on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stream_detector.detection.detector import Detector
from stream_detector.errors import RetriableError
from stream_detector.pipeline.keeper import StateKeeper
from stream_detector.pipeline.partition import Partition
from stream_detector.pipeline.restore_plan import Action, Facts, Plan, choose_plan
from stream_detector.pipeline.step_report import StepReport
from stream_detector.ports import Chunk, Decoder, IncidentLog, Sink, Source
from stream_detector.readings import Membership

logger = logging.getLogger(__name__)

#: Records read to learn the time of the newest one; most of them may be transaction markers.
_TAIL_RECORDS = 64
_WAIT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class RestoreConfig:
    """Where a new group starts, how much history fills the windows, and how restoring and polling take turns."""

    start: str | int = "latest"  # latest, earliest, or milliseconds since 1970
    lookback_ms: int = 0
    max_lookback_records: int = 5_000_000
    slice_records: int = 4096
    restore_seconds: float = 1.0  # between two polls, and then for one more slice at most
    retry_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class RestorePorts:
    """What restoring works with."""

    source: Source
    sink: Sink
    decoder: Decoder
    detector: Detector
    keeper: StateKeeper
    incidents: IncidentLog


class Restorer:
    """Brings partitions from what is stored to their committed positions."""

    def __init__(self, ports: RestorePorts, rules: RestoreConfig) -> None:
        self._ports = ports
        self._rules = rules

    def restore(
        self, partition: Partition, membership: Callable[[], Membership | None], report: Callable[[], StepReport]
    ) -> Iterator[float]:
        """Restore a partition and start reading it; yields between slices for how many seconds to wait at least.

        Raises RetriableError when a port did not answer: begin again.
        """
        self._ports.detector.arena.drop(partition.number)
        plan = self._plan(partition)
        while plan.action is Action.WAIT:
            yield _WAIT_SECONDS
            plan = self._plan(partition)
        self._announce(partition, plan, report())
        if plan.must_commit:
            self._commit(partition, plan, membership())
        if plan.action is Action.REBUILD:
            yield from self._rebuild(partition, plan, report)
        else:
            yield from self._replay(partition, plan, report)
        partition.finish_restoring()
        report().restores[plan.action.value] += 1
        self._ports.source.seek(partition.number, partition.next)

    def _plan(self, partition: Partition) -> Plan:
        source, number = self._ports.source, partition.number
        meta = self._ports.keeper.meta(number)
        partition.topic_id = source.topic_id()
        committed = source.committed(number)
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
                layout=self._ports.keeper.layout,
                meta=meta,
                first_start=self._first_position(number) if committed is None else log_end,
            )
        )

    def _first_position(self, number: int) -> int:
        if isinstance(self._rules.start, int):
            return self._ports.source.position_at(number, self._rules.start)
        return self._ports.source.bounds(number)[0 if self._rules.start == "earliest" else 1]

    def _announce(self, partition: Partition, plan: Plan, report: StepReport) -> None:
        level = logging.ERROR if plan.suspicious else logging.INFO
        logger.log(
            level,
            "partition %d: %s at %d: %s",
            partition.number,
            plan.action.value,
            plan.position,
            plan.reason,
            extra={"partition": partition.number, "action": plan.action.value, "position": plan.position},
        )
        report.lost_readings += plan.lost_readings

    def _commit(self, partition: Partition, plan: Plan, membership: Membership | None) -> None:
        """Commit where reading starts, before anything is scored; for a new group in all its partitions."""
        if membership is None:
            msg = "not a member of the group now"
            raise RetriableError(msg)
        source = self._ports.source
        positions = {partition.number: plan.position}
        if plan.starts_group:
            others = (number for number in source.partitions() - positions.keys() if source.committed(number) is None)
            positions |= {number: self._first_position(number) for number in others}
        self._ports.sink.commit([], positions, membership)

    def _replay(self, partition: Partition, plan: Plan, report: Callable[[], StepReport]) -> Iterator[float]:
        """Fold the readings that the store lacks into its state; their events are already on the alerts topic."""
        partition.continue_from_stored()
        if plan.action is Action.REPLAY:
            for chunk in self._read(partition.number, plan.replay_from, plan.position):
                self._fold(partition, chunk, report(), scoring=True)
                partition.appended_to(chunk.stop)
                self._persist(partition, report())
                yield 0.0
        partition.appended_to(plan.position)
        self._persist(partition, report())

    def _rebuild(self, partition: Partition, plan: Plan, report: Callable[[], StepReport]) -> Iterator[float]:
        """Fill the windows from the readings before the position; what comes from scores starts from the model's prior."""
        self._ports.keeper.begin(partition)
        partition.continue_from_stored()
        for chunk in self._read(partition.number, self._lookback(partition.number, plan.position), plan.position):
            self._fold(partition, chunk, report(), scoring=False)
            if self._is_crowded():
                yield from self._store_changes(partition, report)
            else:
                yield 0.0
        yield from self._store_changes(partition, report)
        if plan.reopens_incidents:
            self._reopen_incidents(partition, plan.position)
            yield from self._store_changes(partition, report)
        partition.appended_to(plan.position)
        self._persist(partition, report())

    def _is_crowded(self) -> bool:
        """Say whether what is not stored, and so cannot make room, leaves too little for another slice or batch."""
        arena = self._ports.detector.arena
        return arena.unsaved_count + self._rules.slice_records > arena.max_sensors

    def _store_changes(self, partition: Partition, report: Callable[[], StepReport]) -> Iterator[float]:
        """Write what a rebuild has changed, in calls of bounded size.

        One that is cut short begins again, so nothing is gained by writing each slice.
        """
        while len(self._ports.detector.arena.unsaved(partition.number, 1)):
            partition.appended_to(partition.next + 1)
            self._persist(partition, report(), self._rules.slice_records)
            yield 0.0

    def _reopen_incidents(self, partition: Partition, position: int) -> None:
        """Take up the incidents that published events leave open, so that they are closed one day."""
        incidents = self._ports.incidents.open_incidents(partition.number, position)
        if incidents:
            self._admit(partition, {partition.number: [incident.sensor_id for incident in incidents]})
            self._ports.detector.reopen(partition.number, incidents)
            logger.info("partition %d: took up %d open incidents", partition.number, len(incidents))

    def _lookback(self, number: int, position: int) -> int:
        """Return from where the readings before a position fill the windows."""
        source = self._ports.source
        log_start = source.bounds(number)[0]
        earliest = max(log_start, position - self._rules.max_lookback_records)
        if earliest >= position:
            return position
        tail = source.read(number, max(earliest, position - _TAIL_RECORDS), position, _TAIL_RECORDS)
        if not tail.records:
            return earliest
        since = tail.records[-1].timestamp - self._rules.lookback_ms
        return min(max(earliest, source.position_at(number, max(0, since))), position)

    def _read(self, number: int, start: int, stop: int) -> Iterator[Chunk]:
        while start < stop:
            chunk = self._ports.source.read(number, start, stop, self._rules.slice_records)
            start = chunk.stop
            yield chunk

    def _fold(self, partition: Partition, chunk: Chunk, report: StepReport, *, scoring: bool) -> None:
        readings = self._ports.decoder.decode(chunk.records).readings
        report.replayed += len(chunk.records)
        self._admit(partition, {partition.number: readings.sensors})
        self._ports.detector.detect(readings, scoring=scoring)

    def _admit(self, partition: Partition, sensors: dict[int, list[str]]) -> None:
        if self._ports.keeper.admit_sensors({partition.number: partition}, sensors):
            msg = f"sensors of partition {partition.number} cannot be loaded now"
            raise RetriableError(msg)

    def _persist(self, partition: Partition, report: StepReport, most: int | None = None) -> None:
        if not self._ports.keeper.persist(partition, report, most):
            msg = f"the stored state of partition {partition.number} was changed meanwhile"
            raise RetriableError(msg)
