"""Measures every way in which a replica restores its state. bench_restore.py prints the figures."""

from __future__ import annotations

import multiprocessing
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field

from kafka import KafkaConsumer, TopicPartition
from pydantic import SecretStr

from stream_detector.adapters.kafka.incident_log import KafkaIncidentLog
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.ingest.dead_letters import DeadLetterLimit
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.pipeline.build import build_pipeline
from stream_detector.pipeline.config import LagBounds, PipelineConfig, RestoreConfig
from stream_detector.pipeline.restore import Ports
from stream_detector.pipeline.state_access import open_state
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import RedisSettings
from tests.benchmarks.restore_load import LIVE_SENSORS, Received, commit, live, names, write_rounds
from tests.fakes.scorer import ChecksumScorer
from tests.integration.replica import connect
from tests.integration.topics import Topics
from tests.pipeline.replica_config import ReplicaConfig
from tests.servers.valkey import Valkey

RESTORED, LIVE, PARTITIONS = 0, 1, 2
WINDOW_LENGTH, SLICE_RECORDS = 32, 4096
MODEL = ModelSpec("checksum", "v1", ("value",), WINDOW_LENGTH, 1.0, ("checksum",))
MARGIN = 10.0  # nothing is anomalous
REPLAYED_ROUNDS = 4
HOUR_MS = 3_600_000
PATIENCE_SECONDS = 1800.0
QUIET_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Measured:
    """The cost of one way to become ready again."""

    name: str
    records: int
    elapsed_seconds: float
    cpu_seconds: float
    steps: list[float] = field(default_factory=list)  # seconds


class Watch:
    """Measures this process."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._elapsed, self._cpu = time.perf_counter(), time.process_time()
        self.steps: list[float] = []

    def stop(self, records: int) -> Measured:
        """Return the resources used since the start."""
        elapsed, cpu = time.perf_counter() - self._elapsed, time.process_time() - self._cpu
        return Measured(self._name, records, elapsed, cpu, self.steps)


class Replica:
    """A replica with the rules of a plant, and the service's sizes of slices and polls."""

    def __init__(self, kafka: KafkaSettings, redis: RedisSettings, plant: ReplicaConfig, parts: ExitStack) -> None:
        self._scorer = ChecksumScorer()
        detector = plant.detector(self._scorer)
        to = connect(kafka, redis, parts)
        state = open_state(to.store, detector, time.monotonic, secrets.token_bytes)
        decoder = JsonDecoder(detector.model.features, InputLimits())
        self.pipeline = build_pipeline(
            Ports(to.source, to.sink, decoder, detector, state, KafkaIncidentLog(kafka)),
            DeadLetterLimit(1.0, 1_000_000, 1_000_000),
            PipelineConfig(kafka.input_topic, kafka.alerts_topic, kafka.dead_letter_topic),
            RestoreConfig("earliest", plant.lookback_ms, slice_records=plant.slice_records),
            time.monotonic,
            bounds=LagBounds(200_000, 300.0),
        )
        self.readings = self.replayed = 0
        self.actions: list[str] = []

    def run(self, watch: Watch, until: Callable[[], bool]) -> None:
        """Step until a condition holds; fail after a bound."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not until():
            assert time.monotonic() < deadline, "it did not come about in time"
            begun = time.perf_counter()
            report = self.pipeline.step()
            if report.did_work:
                watch.steps.append(time.perf_counter() - begun)
            self.readings += report.readings
            self.replayed += report.replayed
            self.actions += report.restores.elements()
            self._scorer.windows_seen.clear()


class Bench:
    """One log of one fleet, and the replicas that restore from it."""

    def __init__(self, topics: Topics, valkey: Valkey, sensors: int, readings: int) -> None:
        self._topics, self._valkey = topics, valkey
        self._kafka = topics.settings
        self._redis = RedisSettings(url=SecretStr(valkey.url))
        self._sensors = names(RESTORED, PARTITIONS, sensors)
        self._live_sensors = names(LIVE, PARTITIONS, LIVE_SENSORS)
        self._readings = readings
        self._plant = ReplicaConfig(
            model=MODEL,
            known=(),
            margin=MARGIN,
            lookback_ms=HOUR_MS,
            slice_records=SLICE_RECORDS,
            max_sensors=2 * sensors + SLICE_RECORDS,
        )
        self._rounds = 0

    def run(self) -> Iterator[Measured]:
        """Yield the measurements, one after the other."""
        self._write(self._readings)
        yield self.consume("consume only, plain client", 0)
        self._commit_all()
        yield self.ready("rebuild, Redis empty", "rebuild")
        self._write(2)
        yield from self.meet_all()
        self._write(REPLAYED_ROUNDS)
        yield self.consume("consume only, replayed span", -REPLAYED_ROUNDS * len(self._sensors))
        self._commit_all()
        yield self.ready("replay, scored by the checksum", "replay")

    def consume(self, name: str, start: int) -> Measured:
        """Read a span of the log, from a position or a number of records before its end, and discard it."""
        tp = TopicPartition(self._kafka.input_topic, RESTORED)
        consumer = KafkaConsumer(
            bootstrap_servers=self._kafka.brokers, enable_auto_commit=False, max_poll_records=SLICE_RECORDS
        )
        consumer.assign([tp])
        stop = consumer.end_offsets([tp])[tp]
        first = start if start >= 0 else stop + start
        consumer.seek(tp, first)
        watch = Watch(name)
        while consumer.position(tp) < stop:
            consumer.poll(timeout_ms=500)
        measured = watch.stop(stop - first)
        consumer.close(autocommit=False)
        return measured

    def ready(self, name: str, action: str) -> Measured:
        """Start a replica; measure until it is ready."""
        with ExitStack() as parts:
            watch = Watch(name)
            replica = Replica(self._kafka, self._redis, self._plant, parts)
            replica.run(watch, lambda: replica.pipeline.is_ready)
            measured = watch.stop(replica.replayed)
            assert action in replica.actions, f"{name}: {replica.actions}"
            replica.pipeline.finish()
        return measured

    def meet_all(self) -> Iterator[Measured]:
        """Restart with Redis intact; measure the start, two readings of each sensor, and a rewrite of an emptied Redis."""
        with ExitStack() as parts:
            watch = Watch("restart, Redis intact: ready")
            replica = Replica(self._kafka, self._redis, self._plant, parts)
            replica.run(watch, lambda: replica.pipeline.is_ready)
            yield watch.stop(0)
            for turn, name in enumerate(("one reading of each sensor, loaded from Redis", "one of each, in memory"), start=1):
                watch, before = Watch(name), replica.readings
                replica.run(watch, lambda turn=turn: replica.readings >= turn * len(self._sensors))  # type: ignore[misc] # bound now
                yield watch.stop(replica.readings - before)
            with closing(self._valkey.client()) as client:
                client.flushall()
            watch, began = Watch("Redis emptied, rewritten from memory"), time.perf_counter()
            replica.pipeline.finish()  # looks whether all is stored, in one step as a reading would cause it
            watch.steps.append(time.perf_counter() - began)
            yield watch.stop(len(self._sensors))

    def beside_live(self) -> tuple[Measured, list[float], list[float]]:
        """Rebuild one partition while the replica's other one gets readings; return the latter's delays during and after it."""
        self._lose(RESTORED)
        with self._live_partition() as stop_live, ExitStack() as parts:
            replica = Replica(self._kafka, self._redis, self._plant, parts)
            replica.run(Watch(""), lambda: replica.readings > 0)  # the live partition is restored, the other has begun
            begun, watch = time.time(), Watch("rebuild beside a live partition")
            replica.run(watch, lambda: replica.pipeline.is_ready)
            ready, measured = time.time(), watch.stop(replica.replayed)
            assert "rebuild" in replica.actions, replica.actions
            replica.run(Watch(""), lambda: time.time() > ready + QUIET_SECONDS)
            received = stop_live()
        meanwhile = [one for one in received if begun <= one.written_seconds < ready]
        after = [one for one in received if ready <= one.written_seconds]
        return measured, _late(meanwhile), _late(after)

    def _write(self, rounds: int) -> None:
        """Append this many readings of each sensor."""
        write_rounds(self._kafka.brokers, self._kafka.input_topic, self._sensors, self._rounds, rounds)
        self._rounds += rounds

    def _commit_all(self) -> None:
        """Commit the end of the log as the group's position, as if it had processed everything."""
        commit(self._kafka, self._topics.ends())

    def _lose(self, partition: int) -> None:
        with closing(self._valkey.client()) as client:
            assert client.delete(*client.keys(f"sd:*:{partition}}}:meta"))

    @contextmanager
    def _live_partition(self) -> Iterator[Callable[[], list[Received]]]:
        """Start a process that writes readings to the live partition and reads their events; yield a function that stops it."""
        processes = multiprocessing.get_context("spawn")
        ours, theirs = processes.Pipe()
        process = processes.Process(target=live, args=(self._kafka, self._live_sensors, LIVE, theirs))
        process.start()
        ours.recv()  # it is ready

        def stop() -> list[Received]:
            ours.send(None)
            received: list[Received] = ours.recv()
            return received

        try:
            yield stop
        finally:
            process.kill()
            process.join()


def _late(received: list[Received]) -> list[float]:
    return [one.received_seconds - one.written_seconds for one in received]
