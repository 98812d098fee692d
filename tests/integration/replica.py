"""A replica on the real adapters, with a checksum as its model: it starts fast, and a test can predict its scores."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from stream_detector.adapters.kafka.incident_log import KafkaIncidentLog
from stream_detector.adapters.kafka.sink import KafkaSink
from stream_detector.adapters.kafka.source import KafkaSource
from stream_detector.adapters.redis.store import RedisStore
from stream_detector.assembly import start_position
from stream_detector.detection.detector import Detector
from stream_detector.ingest.dead_letters import DeadLetterLimit
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.pipeline.build import build_pipeline as put_together
from stream_detector.pipeline.config import AT_ONCE, CommitPolicy, PipelineConfig, RestoreConfig
from stream_detector.pipeline.executor import Executor
from stream_detector.pipeline.pipeline import Pipeline
from stream_detector.pipeline.restore import Ports
from stream_detector.pipeline.state_access import open_state
from stream_detector.pipeline.state_snapshot import WHOLE_BYTES
from stream_detector.pipeline.step_report import StepReport
from stream_detector.ports import Decoder
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import RedisSettings
from tests.integration.topics import PATIENCE_SECONDS
from tests.pipeline.replica_config import ReplicaConfig

MUCH = 1_000_000


@dataclass(frozen=True, slots=True)
class Connections:
    """The adapters of a replica."""

    source: KafkaSource
    sink: KafkaSink
    store: RedisStore
    executor: Executor


def connect(kafka: KafkaSettings, redis: RedisSettings, parts: ExitStack) -> Connections:
    """Open the adapters; `parts` closes them as the service does."""
    store = RedisStore(redis, kafka.group_id, kafka.input_topic)
    parts.callback(store.close)
    source = KafkaSource(kafka)
    parts.callback(source.close)
    sink = KafkaSink(kafka)
    parts.callback(sink.close)
    return Connections(source, sink, store, parts.enter_context(ThreadPoolExecutor(1)))


def build_pipeline(
    kafka: KafkaSettings,
    to: Connections,
    detector: Detector | None = None,
    clock: Callable[[], float] = time.monotonic,
    *,
    overlap_records: int = 0,
    commits: CommitPolicy = AT_ONCE,
    whole_bytes: int = WHOLE_BYTES,
    decoder: Decoder | None = None,
) -> Pipeline:
    """Build a pipeline on the adapters, with a checksum as its model by default. It never stops because of bad records."""
    plant = ReplicaConfig()
    detector = detector or plant.detector()
    decoder = decoder or JsonDecoder(detector.model.features, InputLimits())
    state = open_state(
        to.store,
        detector,
        clock,
        secrets.token_bytes,
        retry_seconds=plant.bounds.retry_seconds,
        executor=to.executor,
        whole_bytes=whole_bytes,
        memory=decoder.memory,
    )
    return put_together(
        Ports(to.source, to.sink, decoder, detector, state, KafkaIncidentLog(kafka)),
        DeadLetterLimit(1.0, MUCH, MUCH),
        PipelineConfig(
            kafka.input_topic,
            kafka.alerts_topic,
            kafka.dead_letter_topic,
            poll_seconds=0.2,
            overlap_records=overlap_records,
            commits=commits,
        ),
        RestoreConfig(start_position(kafka), plant.lookback_ms, slice_records=10, retry_seconds=0.2),
        clock,
        bounds=plant.bounds,
    )


class Replica:
    """A replica in this process, stepped by the test."""

    def __init__(self, kafka: KafkaSettings, redis_url: str, detector: Detector | None = None) -> None:
        self._parts = ExitStack()
        redis = RedisSettings.model_validate({"url": redis_url, "timeout_seconds": 2.0})
        self.connections = connect(kafka, redis, self._parts)
        self.pipeline = build_pipeline(kafka, self.connections, detector)
        self.reports: list[StepReport] = []

    def step(self) -> None:
        """Take one step and keep its report."""
        self.reports.append(self.pipeline.step())

    def run(self, until: Callable[[], bool], patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Step until a condition holds; fail after a bound. The condition must be cheap."""
        run_all([self], until, patience_seconds)

    def total(self, count: str) -> int:
        """Return the sum of a count over the steps so far."""
        return sum(getattr(report, count) for report in self.reports)

    def restores(self) -> list[str]:
        """Return how partitions were restored so far, by action."""
        return [action for report in self.reports for action in report.restores.elements()]

    def close(self) -> None:
        """Stop gracefully. Idempotent."""
        self._parts.close()


def run_all(replicas: list[Replica], until: Callable[[], bool], patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Step several replicas in turn until a condition holds; fail after a bound."""
    deadline = time.monotonic() + patience_seconds
    while not until():
        assert time.monotonic() < deadline, "it did not come about in time"
        for replica in replicas:
            replica.step()
