"""Measures each stage of the hot path alone, and compares their sum with the full path, on real Kafka and Valkey.

Two services are put together as `stream-detector run` does it, in groups of their own, on stored sensors, and both warm up.
Then one processes the measured turns in steps of the pipeline. The other only lends its parts: one stage after the other
processes all polled batches, and the clocks run only while a part of the service works.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace

import numpy as np

from stream_detector.assembly import SCALE_WINDOWS
from stream_detector.commands.connections import connect
from stream_detector.commands.run_model import load_model
from stream_detector.commands.run_pipeline import Pipelines
from stream_detector.detection.decision import decide
from stream_detector.detection.detected import Detected
from stream_detector.detection.scored_readings import ScoredReadings
from stream_detector.model_store.model_directory import load_artifact
from stream_detector.pipeline.in_flight import Batch, Scored
from stream_detector.pipeline.pipeline import Pipeline
from stream_detector.pipeline.step_report import StepReport
from stream_detector.ports import Chunk, Polled
from stream_detector.readings import Decoded, Float32Array, Int64Array
from stream_detector.service.service import tune_garbage_collector
from stream_detector.service.watchdog import Heartbeat
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import ModelSettings, RedisSettings, Settings
from tests.benchmarks.performance.figures import AT_MOST, LESS, NEITHER, Figure, Places, RunSize
from tests.benchmarks.performance.fleet_log import FleetLog
from tests.benchmarks.performance.models import LARGE, SMALL, trained_model
from tests.benchmarks.performance.seeding import seed
from tests.benchmarks.restore_load import commit
from tests.integration.topics import Topics
from tests.servers.valkey import Valkey

PART = "stages alone"
SENSORS = 1000
WARM_UP_TURNS = 20
GOAL = 1.3
PATIENCE_SECONDS = 600.0
CONSUME, DECODE, APPEND, SCORE = "consume", "decode", "admit, append, learn", "score"
DECIDE, EXPLAIN, COMMIT, PERSIST = "decide", "explain and render", "commit", "persist"


@dataclass(slots=True)
class Cost:
    """Seconds of the clock, and of all cores in this process."""

    elapsed: float = 0.0
    cpu: float = 0.0


class Stopwatch:
    """Adds up the time of each stage."""

    def __init__(self) -> None:
        self.costs: dict[str, Cost] = {}

    @contextmanager
    def running(self, stage: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        cost = self.costs.setdefault(stage, Cost())
        elapsed, cpu = time.perf_counter(), time.process_time()
        yield
        cost.elapsed += time.perf_counter() - elapsed
        cost.cpu += time.process_time() - cpu


def measure(places: Places, size: RunSize) -> list[Figure]:
    """Return the cost of each stage in microseconds a reading, for both shapes of windows."""
    turns = size.choose(quick=50, full=150)
    small = _of_shape(places, SMALL, turns, key="overhead_over_sum_of_stages")
    return small + _of_shape(places, LARGE, turns, key=None)


def _of_shape(places: Places, shape: tuple[int, int], turns: int, key: str | None) -> list[Figure]:
    window_length, features = shape
    model = ModelSettings(directory=trained_model(places.models, window_length, features))
    name = f"stages-{uuid.uuid4().hex[:8]}"
    with ExitStack() as resources:
        topics = resources.enter_context(closing(Topics(places.kafka.brokers, name, partitions=1)))
        spec = load_artifact(model.directory).spec
        log = FleetLog(spec, SENSORS, SCALE_WINDOWS * window_length, WARM_UP_TURNS + turns)
        log.write(places.kafka.brokers, topics.settings.input_topic, 0, 1 + WARM_UP_TURNS)
        kafkas = topics.settings, topics.settings.model_copy(update={"group_id": f"{name}-alone"})
        whole, alone = (_service(places, model, kafka, log, resources) for kafka in kafkas)
        tune_garbage_collector()
        log.write(places.kafka.brokers, topics.settings.input_topic, 1 + WARM_UP_TURNS, 1 + WARM_UP_TURNS + turns)
        whole.read(turns * SENSORS)
        stages = _Alone(alone).run((1 + WARM_UP_TURNS + turns) * SENSORS)
    shown = f"{features} features, window {window_length}" if features > 1 else f"univariate, window {window_length}"
    return _figures(shown, stages, whole, turns * SENSORS, key)


def _service(places: Places, model: ModelSettings, kafka: KafkaSettings, log: FleetLog, resources: ExitStack) -> _Bench:
    """Build a service that has read the warm-up turns, in a group that continues from a seeded store."""
    seed(model.directory, log, kafka, RedisSettings.model_validate({"url": places.valkey.url}))
    commit(kafka, {0: SENSORS})
    service = _Bench(kafka, places.valkey, model, resources)
    service.read(WARM_UP_TURNS * SENSORS)
    return service


def _figures(shape: str, stages: dict[str, Cost], whole: _Bench, readings: int, key: str | None) -> list[Figure]:
    summed = Cost(sum(cost.elapsed for cost in stages.values()), sum(cost.cpu for cost in stages.values()))
    found = []
    for name, cost in {**stages, "sum of the stages": summed, "the whole": whole.cost}.items():
        found.append(Figure(PART, f"{name}, {shape}", 1e6 * cost.elapsed / readings, "us a reading"))
        found.append(Figure(PART, f"{name}, {shape}, CPU", 1e6 * cost.cpu / readings, "us of CPU a reading"))
    found.append(Figure(PART, f"readings in a batch, {shape}", readings / whole.batches, "readings", better=NEITHER))
    found.append(Figure(PART, f"events in 1000 readings, {shape}", 1000 * whole.events / readings, "events", better=NEITHER))
    cpu_ratio = whole.cost.cpu / summed.cpu
    found.append(Figure(PART, f"the whole over the sum of its stages, {shape}, CPU", cpu_ratio, "ratio", better=LESS))
    ratio = whole.cost.elapsed / summed.elapsed
    found.append(Figure(PART, f"the whole over the sum of its stages, {shape}", ratio, "ratio", key, (AT_MOST, GOAL)))
    return found


class _Bench:
    """A service in this process, stepped by the benchmark."""

    def __init__(self, kafka: KafkaSettings, valkey: Valkey, model: ModelSettings, resources: ExitStack) -> None:
        redis = RedisSettings.model_validate({"url": valkey.url})
        self.settings = Settings(kafka=kafka, redis=redis, model=model)
        watched = load_model(self.settings)
        connections = connect(self.settings, resources)
        storing = resources.enter_context(ThreadPoolExecutor(1, "storing"))
        self.pipeline: Pipeline = Pipelines(self.settings, connections, storing, Heartbeat(0.0))(watched)
        self.batches = self.events = 0
        self.cost = Cost()

    def read(self, readings: int) -> None:
        """Step until it has committed this many more readings; keep the time taken."""
        self.batches = self.events = 0
        watch, deadline = Stopwatch(), time.monotonic() + PATIENCE_SECONDS
        while readings > 0:
            assert time.monotonic() < deadline, "the readings are not read in time"
            with watch.running("steps"):
                report = self.pipeline.step()
            readings -= report.readings
            self.batches += report.committed_batches
            self.events += report.alerts.total()
        self.cost = watch.costs["steps"]


class _Alone:
    """The resources of a service, each used on all batches before the next one is."""

    def __init__(self, bench: _Bench) -> None:
        self._bench = bench
        self._ports = bench.pipeline._ports
        self._partitions = bench.pipeline._assignment.ready()
        self._watch = Stopwatch()

    def run(self, end: int) -> dict[str, Cost]:
        """Pass the readings up to this position through the stages; return the time of each, in the order of the hot path."""
        polls = self._consume(end)
        decoded = [self._decode(polled.chunks) for polled in polls]
        detected = [self._append_and_persist(polled, one) for polled, one in zip(polls, decoded, strict=True)]
        errors = [self._score(one) for one in detected]
        decided = [self._decide(*each) for each in zip(decoded, detected, errors, strict=True)]
        for polled, one, outcome in zip(polls, decoded, decided, strict=True):
            self._publish(polled, one, outcome)
        order = (CONSUME, DECODE, APPEND, SCORE, DECIDE, EXPLAIN, COMMIT, PERSIST)
        return {stage: self._watch.costs[stage] for stage in order}

    def _consume(self, end: int) -> list[Polled]:
        polls: list[Polled] = []
        while not polls or polls[-1].chunks[-1].stop < end:
            with self._watch.running(CONSUME):
                polled = self._ports.source.poll(0.5)
            if polled.chunks:
                polls.append(polled)
        return polls

    def _decode(self, chunks: tuple[Chunk, ...]) -> Decoded:
        with self._watch.running(DECODE):
            return self._ports.decoder.decode([record for chunk in chunks for record in chunk.records])

    def _append_and_persist(self, polled: Polled, decoded: Decoded) -> Detected:
        """Append and persist in turns, because only the changes of the current batch can be persisted."""
        with self._watch.running(APPEND):
            waiting = self._ports.state.loader.load_sensors_of(decoded.readings, self._partitions)
            detected = self._ports.detector.detect(decoded.readings, scoring=False)
        assert not waiting
        for chunk in polled.chunks:
            self._partitions[chunk.partition].appended_to(chunk.stop)
            self._partitions[chunk.partition].committed_to(chunk.stop)
        with self._watch.running(PERSIST):
            are_stored = [self._ports.state.writer.persist(one, StepReport()) for one in self._partitions.values()]
        assert all(are_stored)
        return detected

    def _score(self, detected: Detected) -> Float32Array:
        chosen = _full(detected, self._ports.detector.model.window_length)
        errors = np.full((len(detected.appended.reading), len(self._ports.detector.model.members)), np.nan, np.float32)
        windows, scales = detected.appended.windows(chosen), detected.scales.take(chosen)
        with self._watch.running(SCORE):
            errors[chosen] = self._ports.detector._scorer.start(windows, scales)()
        return errors

    def _decide(self, decoded: Decoded, detected: Detected, errors: Float32Array) -> Detected:
        appended, arena, rules = detected.appended, self._ports.detector.arena, self._ports.detector._rules
        touched, groups = np.unique(appended.slot, return_inverse=True)
        readings = ScoredReadings(
            groups=groups,
            ranks=appended.rank,
            times_ms=decoded.readings.times_ms[appended.reading],
            places=decoded.readings.places[appended.reading],
            errors=errors,
            wanted=np.ones(len(groups), np.bool_),
            scorable=~np.isnan(errors[:, 0]),
            interval_ms=appended.interval_ms,
            jump_ms=appended.jump_ms,
        )
        header, table_rows = arena.records["header"][touched], arena.table_rows[touched]
        with self._watch.running(DECIDE):
            decisions = decide(header, table_rows, readings, rules)
        arena.records["header"][touched] = header
        return replace(detected, decisions=decisions)

    def _publish(self, polled: Polled, decoded: Decoded, detected: Detected) -> None:
        with self._watch.running(EXPLAIN):
            messages = self._bench.pipeline._committer.messages(Scored(Batch(polled.chunks, decoded), (), detected))
        with self._watch.running(COMMIT):
            self._ports.sink.commit(messages, {chunk.partition: chunk.stop for chunk in polled.chunks}, polled.membership)


def _full(detected: Detected, window_length: int) -> Int64Array:
    return np.flatnonzero(detected.appended.filled == window_length)
