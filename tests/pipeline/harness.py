"""The pipeline on fakes: a log and a store in memory, replicas on them, and ways for all of it to fail."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from stream_detector.detection.calibration import Tails
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.detection.detector import Detector, WindowConfig
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.scorer import WindowErrors
from stream_detector.errors import StoreUnavailableError
from stream_detector.ingest.dead_letters import DeadLetterLimit
from stream_detector.ingest.json_decoder import InputLimits, JsonDecoder
from stream_detector.pipeline.build import build_pipeline
from stream_detector.pipeline.config import AT_ONCE, CommitPolicy, LagBounds, PipelineConfig, RestoreConfig
from stream_detector.pipeline.executor import no_op
from stream_detector.pipeline.restore import Ports
from stream_detector.pipeline.state_access import open_state
from stream_detector.pipeline.state_snapshot import WHOLE_BYTES
from stream_detector.pipeline.step_report import StepReport
from stream_detector.ports import PartitionMeta, StoreVerdict, Updates
from stream_detector.readings import Float32Array
from stream_detector.state.arena import Arena
from stream_detector.state.codec.decode import decode
from stream_detector.state.known_sensors import SensorTable
from stream_detector.state.running_scale import ScaleConfig, Scales
from tests.fakes.memory_log import MemoryLog
from tests.fakes.memory_sink import MemoryIncidentLog, MemorySink
from tests.fakes.memory_source import MemorySource
from tests.fakes.memory_store import MemoryStore

INPUT, ALERTS, DEAD_LETTERS, GROUP = "readings", "alerts", "dead-letters", "detectors"
MODEL = ModelSpec(
    name="checksum",
    version="v1",
    features=("a", "b"),
    window_length=3,
    sampling_interval_seconds=1.0,
    members=("checksum",),
)
#: The sensors that the model knows; the others that tests use, about as many, learn their scales as they go.
KNOWN = ("a", "s0", "s2", "s4", "pump-1", *(f"pump-{partition}-{name}" for partition in range(4) for name in "02a"))
#: The level of a known sensor's errors that are not anomalous: they are spread evenly over [0, 0.75).
LEVEL = 0.375
#: An unknown sensor starts with a level that is higher, and so its surprises are smaller, by so much.
UNKNOWN_ABOVE = 0.0625
TYPICAL = 0.5
_Result = TypeVar("_Result")
Snapshot = tuple[dict[int, PartitionMeta], dict[tuple[int, str], Any]]  # of a store; only to be given back to it
START_MS = 1_700_000_000_000
SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS


class ChecksumScorer:
    """A ports.Scorer whose one error is a checksum of window and scale: of every value and its place, and of nothing else.

    Errors are spread evenly over [0, 1), so about any share of readings can be made anomalous by the margin.
    """

    def __init__(self) -> None:
        self.windows_seen: deque[Float32Array] = deque()

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        """See ports.Scorer."""
        self.windows_seen.extend(windows.copy())
        errors = _fractions(_checksums(windows, scales))
        errors[np.isnan(windows).all(axis=(1, 2))] = np.nan
        return lambda: errors[:, np.newaxis]

    def explain(self, windows: Float32Array, scales: Scales) -> list[WindowErrors]:
        """See ports.Scorer. What is expected is the error, but of the first feature the checksum of the window alone."""
        checksums = _checksums(windows, scales)
        expected = np.tile(_fractions(checksums)[:, np.newaxis, np.newaxis], (1, *windows.shape[1:]))
        expected[:, :, 0] = _fractions(_checksums(windows))[:, np.newaxis]
        return [
            _window_errors(window, int(checksum), values)
            for window, checksum, values in zip(windows, checksums, expected, strict=True)
        ]


def checksum_error(rows: Sequence[Sequence[float]], scales: Scales | None = None) -> float:
    """Return the error of one window, worked out alone; without scales, what an event's first feature is expected to be."""
    return float(_fractions(_checksums(np.array([rows], np.float32), scales))[0])


def _checksums(windows: Float32Array, scales: Scales | None = None) -> NDArray[np.uint64]:
    """Return a whole number below 2**24 for each window [N, T, F]: integer arithmetic, so nothing depends on the batch."""
    columns = [windows.reshape(len(windows), windows.shape[1] * windows.shape[2])]
    if scales is not None:
        columns += [scales.location, scales.deviation]
    flat = np.concatenate(columns, axis=1)
    bits = np.where(np.isnan(flat), np.float32(np.inf), flat).astype(np.float32).view(np.uint32).astype(np.uint64)
    sums = np.full(len(windows), 1469598103934665603, np.uint64)
    for column in bits.T:  # Fowler-Noll-Vo, one value after the other: every place counts
        sums = (sums ^ column) * np.uint64(1099511628211)
        sums ^= sums >> np.uint64(29)
    return np.asarray(sums >> np.uint64(40))


def _fractions(checksums: NDArray[np.uint64]) -> Float32Array:
    """Return checksums as exact fractions of 2**24, which are below 1."""
    return (checksums / np.float64(1 << 24)).astype(np.float32)


def _window_errors(window: Float32Array, checksum: int, expected: Float32Array) -> WindowErrors:
    steps, features = window.shape
    weights = 1 + (checksum >> np.arange(steps)) % 7
    shares = 1 + (checksum >> np.arange(features)) % 5
    return WindowErrors(
        attention=(weights / weights.sum()).astype(np.float32),
        expected=expected,
        feature_share=(shares / shares.sum()).astype(np.float32)[np.newaxis],
        step_share=(weights[::-1] / weights.sum()).astype(np.float32)[np.newaxis],
        imputed=np.isnan(window[-1]),
    )


def stored_counts(world: World, sensors: Sequence[str], partition: int = 0) -> list[int]:
    """Return how many readings the stored state of each sensor is of; 0 where nothing is stored."""
    stored = world.store.records(partition, list(sensors))
    records, is_there = decode(stored, MODEL.window_length, len(MODEL.features), len(MODEL.members), unit_ms=1)
    assert is_there.tolist() == [one is not None for one in stored]
    return [int(count) for count in records["header"]["count"]]


def reading(sensor: str, time_ms: int, *values: float | None, features: Sequence[str] = MODEL.features) -> bytes:
    """Return a reading as a producer writes it."""
    return json.dumps({"sensor_id": sensor, "timestamp": time_ms, "values": dict(zip(features, values, strict=True))}).encode()


class Clock:
    """A clock that only moves when told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


class FragileStore(MemoryStore):
    """A store in memory of which a test says when persists fail."""

    def __init__(self) -> None:
        super().__init__()
        self.healthy_persists: int | None = None  # so many more, then it is unavailable
        self.lost_answers = 0  # so many persists are applied, but the caller never hears of it
        self.verdicts: list[tuple[int, StoreVerdict]] = []

    def persist(self, partition: int, epoch: bytes, start: int, stop: int, updates: Updates) -> StoreVerdict:
        """See ports.StateStore."""
        if self.healthy_persists is not None:
            self.healthy_persists -= 1
            if self.healthy_persists < 0:
                self.healthy_persists, self.unavailable = None, True
        verdict = super().persist(partition, epoch, start, stop, updates)
        self.verdicts.append((partition, verdict))
        if self.lost_answers:
            self.lost_answers -= 1
            msg = "the answer was lost"
            raise StoreUnavailableError(msg)
        return verdict

    def records(self, partition: int, sensors: Sequence[str]) -> list[bytes | None]:
        """Return what is stored of sensors, whatever state the store is in."""
        meta = self._metas.get(partition)
        stored = [self._sensors.get((partition, sensor)) for sensor in sensors]
        return [one.record if one and meta and one.epoch == meta.epoch else None for one in stored]

    def positions(self) -> dict[int, int]:
        """Return up to where the stored state of each partition is."""
        return {partition: meta.next_position for partition, meta in self._metas.items()}

    def snapshot(self) -> Snapshot:
        """Return all that is stored, for a later `roll_back`."""
        return dict(self._metas), dict(self._sensors)

    def roll_back(self, snapshot: Snapshot) -> None:
        """Return to an earlier state, as a failover to a lagging replica does."""
        self._metas, self._sensors = dict(snapshot[0]), dict(snapshot[1])


@dataclass(frozen=True, slots=True)
class Plant:
    """How the detector is set up; tests change what they are about."""

    model: ModelSpec = MODEL
    known: tuple[str, ...] = KNOWN
    margin: float = 0.25  # over the typical 0.5: anomalous from 0.75, one reading in four
    learned_count: int = 8
    accept_ms: int = 60 * MINUTE_MS
    update_ms: int = 3 * SECOND_MS
    quiet_ms: int = 2 * SECOND_MS
    max_gap_ms: int = MINUTE_MS
    stride: int = 1
    max_sensors: int = 1000
    overlap_records: int = 0  # the least that is left in flight
    commits: CommitPolicy = AT_ONCE
    whole_bytes: int = WHOLE_BYTES  # the largest record that is stored whole
    stores_late: bool = False  # when it is waited for, or when World.in_transit is told to arrive
    model_tag: int = 1
    start: str | int = "earliest"
    lookback_ms: int = 10 * MINUTE_MS
    slice_records: int = 3
    bounds: LagBounds = field(default_factory=lambda: LagBounds(readings=1_000_000, seconds=1e9, retry_seconds=0.5))
    dead_letter_share: float = 1.0
    dead_letter_min_count: int = 1_000_000
    dead_letter_run: int = 1_000_000

    def sensors(self) -> SensorTable:
        """Return the table of known sensors: each is on a scale of its own."""
        count, features = len(self.known), len(self.model.features)
        location = np.tile(np.arange(count, dtype=np.float32)[:, np.newaxis], (1, features))
        return SensorTable(
            rows={sensor: row for row, sensor in enumerate(self.known)},
            location=location,
            deviation=1 + location,
            levels=np.full((count, 1), LEVEL),
            counts=np.full(count, 6.0),
        )

    def scales_of(self, sensor: str) -> Scales:
        """Return the scale of one known sensor."""
        table = self.sensors()
        row = table.find([sensor])
        return Scales(table.location[row], table.deviation[row])

    def rules(self) -> DecisionRules:
        """Return rules by which a known sensor's surprise is its error, as long as its level has not moved."""
        table = self.sensors()
        return DecisionRules(
            margin=self.margin,
            typical=TYPICAL,
            tails=Tails(knots=np.array([[-LEVEL, 1.0 - LEVEL]]), surprises=np.array([0.0, 1.0]), scales=np.ones(1)),
            weights=np.ones(1),
            starts=np.array([[LEVEL]] * len(table) + [[LEVEL + UNKNOWN_ABOVE]]),
            start_counts=np.append(table.counts, 0.0) + 4.0,
            update_ms=self.update_ms,
            quiet_ms=self.quiet_ms,
            accept_ms=self.accept_ms,
            model_tag=self.model_tag,
            level_memory_count=50.0,
            level_shift_limit=0.1,
            provisional_shift_limit=0.2,
            memory_share=0.25,
            ready_count=8.0,
        )

    def detector(self, scorer: ChecksumScorer | None = None) -> Detector:
        features = len(self.model.features)
        fallback = np.arange(2, 2 + features, dtype=np.float32)
        scales = ScaleConfig(self.sensors(), fallback, self.learned_count)
        return Detector(
            Arena(self.max_sensors, self.model.window_length, features, len(self.model.members)),
            scorer or ChecksumScorer(),
            self.model,
            self.rules(),
            WindowConfig(self.max_gap_ms, scales, self.stride),
        )


class LateFuture(Future[_Result]):
    """A future whose task runs when somebody waits for it."""

    def __init__(self, task: Callable[[], _Result]) -> None:
        super().__init__()
        self._task = task

    def result(self, timeout: float | None = None) -> _Result:
        """Run the task, unless that was done; return its result."""
        if not self.done():
            self.set_result(self._task())
        return super().result(timeout)


class InTransit:
    """An executor: what was handed to the store and has not arrived: it does when it is waited for, or when a test says so.

    What a process has sent arrives though the process is dead.
    """

    def __init__(self) -> None:
        self._sent: list[LateFuture[Any]] = []

    def submit(self, task: Callable[[], _Result], /) -> Future[_Result]:
        """See pipeline.executor.Executor."""
        future = LateFuture(task)
        self._sent.append(future)
        return future

    def arrive(self) -> None:
        """Let everything arrive that was sent."""
        for future in self._sent:
            future.result()
        self._sent.clear()


class World:
    """What outlives a replica: the log, the store and the way to it, and the clock."""

    def __init__(self, partitions: int = 1) -> None:
        self.log = MemoryLog()
        self.store = FragileStore()
        self.in_transit = InTransit()
        self.clock = Clock()
        self._epochs = itertools.count()
        for topic, count in ((INPUT, partitions), (ALERTS, 1), (DEAD_LETTERS, 1)):
            self.log.create_topic(topic, count)

    def random_bytes(self, size: int) -> bytes:
        """Return bytes that no one else got: what randomness is used for here."""
        return next(self._epochs).to_bytes(size, "big")

    def produce(
        self, sensor: str, time_ms: int, *values: float | None, partition: int = 0, timestamp: int | None = None
    ) -> int:
        """Append a reading; return its offset."""
        stamp = time_ms if timestamp is None else timestamp
        return self.log.append(INPUT, partition, reading(sensor, time_ms, *values), key=sensor.encode(), timestamp=stamp)

    def alerts(self) -> list[bytes]:
        """Return the events on the alerts topic, in order."""
        return [record.value or b"" for record in self.log.records(ALERTS)]

    def events(self) -> list[dict[str, Any]]:
        """Return the events on the alerts topic, decoded."""
        return [json.loads(value) for value in self.alerts()]

    def alerts_by_sensor(self) -> dict[bytes, list[bytes]]:
        """Return each sensor's events, in order."""
        found: dict[bytes, list[bytes]] = defaultdict(list)
        for record in self.log.records(ALERTS):
            found[record.key or b""].append(record.value or b"")
        return dict(found)

    def dead_letters(self) -> list[tuple[bytes | None, tuple[tuple[str, bytes | None], ...]]]:
        """Return values and headers on the dead-letter topic."""
        return [(record.value, record.headers) for record in self.log.records(DEAD_LETTERS)]

    def committed(self) -> dict[int, int]:
        """Return the group's positions."""
        return self.log.committed(GROUP, INPUT)

    def ends(self) -> dict[int, int]:
        """Return the ends of the input topic."""
        return {number: self.log.bounds(INPUT, number)[1] for number in range(self.log.partition_count(INPUT))}


def merged(*reports: StepReport) -> StepReport:
    """Return what several steps did."""
    total = StepReport()
    for report, field_of in itertools.product(reports, fields(StepReport)):
        before, more = getattr(total, field_of.name), getattr(report, field_of.name)
        setattr(total, field_of.name, max(before, more) if field_of.name == "newest_time_ms" else before + more)
    return total


class Replica:
    """One process: all that is lost when it crashes."""

    def __init__(
        self,
        world: World,
        plant: Plant | None = None,
        *,
        instance_id: str | None = None,
        on_progress: Callable[[], None] = no_op,
    ) -> None:
        self.world, self.plant = world, plant or Plant()
        self.joined = False
        self.scorer = ChecksumScorer()
        self.source = MemorySource(world.log, INPUT, GROUP, instance_id)
        self.sink = MemorySink(world.log, INPUT)
        self.detector = self.plant.detector(self.scorer)
        self.state = open_state(
            world.store,
            self.detector,
            world.clock,
            world.random_bytes,
            retry_seconds=self.plant.bounds.retry_seconds,
            executor=world.in_transit if self.plant.stores_late else None,
            whole_bytes=self.plant.whole_bytes,
            on_progress=on_progress,
        )
        decoder = JsonDecoder(self.plant.model.features, InputLimits())
        self.limit = DeadLetterLimit(self.plant.dead_letter_share, self.plant.dead_letter_min_count, self.plant.dead_letter_run)
        self.pipeline = build_pipeline(
            Ports(self.source, self.sink, decoder, self.detector, self.state, MemoryIncidentLog(world.log, INPUT, ALERTS)),
            self.limit,
            PipelineConfig(INPUT, ALERTS, DEAD_LETTERS, overlap_records=self.plant.overlap_records, commits=self.plant.commits),
            RestoreConfig(self.plant.start, self.plant.lookback_ms, slice_records=self.plant.slice_records, retry_seconds=0.5),
            world.clock,
            bounds=self.plant.bounds,
            on_progress=on_progress,
        )

    def turn(self, records: int = 500) -> StepReport:
        """Take one step, a second after the one before, polling at most so many records; its batch may be left in flight."""
        self.world.clock.advance(1.0)
        self.joined = True
        self.source.next_limits.clear()
        self.source.next_limits.append(records)
        return self.pipeline.step()

    def step(self, records: int = 500) -> StepReport:
        """Take a turn, complete its batch if that is not done by another that reads nothing, and wait for the store."""
        reports = [self.turn(records)]
        if self.pipeline._in_flight:
            self.source.next_limits.append(0)
            reports.append(self.pipeline.step())
        self.pipeline.settle()
        return merged(*reports)

    def run(self, records: int = 500, until: Callable[[], bool] | None = None, max_steps: int = 2000) -> None:
        """Step until all is read, restored and stored (or until told); fail if that takes forever."""
        done = until or self.is_done
        for _ in range(max_steps):
            self.turn(records)
            if done():
                return
        msg = f"not done after {max_steps} steps: committed {self.world.committed()}, ends {self.world.ends()}"
        raise AssertionError(msg)

    def is_done(self) -> bool:
        """Whether everything that is in the log is committed and stored."""
        return self.pipeline.is_ready and self.world.committed() == self.world.ends() and not self.pipeline.store_lag

    def rebalance(self) -> None:
        """Take all partitions away and give them back."""
        if self.joined:
            self.source.rebalance()

    def evict(self) -> None:
        """Drop the replica from the group, as one that was stopped for longer than the session time-out."""
        if self.joined:
            self.source.evict()
            self.joined = False

    def crash(self) -> Replica:
        """End as a killed process does; return the process started in its place, with nothing in memory."""
        self.source.kill()
        return Replica(self.world, self.plant)


def changed(plant: Plant, model: ModelSpec | None = None, **changes: object) -> Plant:
    """Return another set-up."""
    if model is not None:
        changes["model"] = model
    return replace(plant, **changes)  # type: ignore[arg-type] # checked by the dataclass
