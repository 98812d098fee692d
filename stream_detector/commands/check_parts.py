"""What `check` looks at: each part by itself, so that a broken one does not hide the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TypeVar

from stream_detector.adapters.kafka.examination import KafkaExamination
from stream_detector.adapters.kafka.newest import NewestRecords
from stream_detector.adapters.kafka.span_reader import KafkaReader
from stream_detector.adapters.redis.examination import examine_store
from stream_detector.assembly import decision_rules, input_assembly, input_limits, input_parsing, restore_config
from stream_detector.checkup.findings import Finding, counted, ok, unchecked, warning, wrong
from stream_detector.checkup.history_findings import retention_findings
from stream_detector.checkup.kafka_facts import KafkaFacts, LogFacts
from stream_detector.checkup.kafka_findings import broker_findings, replica_findings, right_findings, topic_findings
from stream_detector.checkup.model_findings import (
    ModelFacts,
    feature_findings,
    interval_findings,
    sensor_findings,
    unit_findings,
)
from stream_detector.checkup.sample import Sample, sample_of
from stream_detector.checkup.sample_findings import key_findings, record_findings
from stream_detector.checkup.store_findings import BYTES_BESIDE, not_reached, store_findings
from stream_detector.commands.input_payload import build_decoder, reader_of
from stream_detector.commands.run_pipeline import watch_of
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.rules_only import RulesOnly
from stream_detector.errors import RetriableError, StoreRefusedError, StreamDetectorError
from stream_detector.gate.promotion import promotion_warning
from stream_detector.ingest.earlier import learn_before
from stream_detector.ingest.feature_names import feature_names
from stream_detector.ingest.input_reader import InputReader
from stream_detector.model_store.model_directory import is_absent, load_artifact
from stream_detector.pipeline.feature_search import WINDOW_LENGTH
from stream_detector.readings import Decoded, Record
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import Settings
from stream_detector.state.idle import OnlyWhile
from stream_detector.state.record_layout import WindowShape, record_dtype, without_rules
from stream_detector.tables.span_assembly import SpanAssembler, one_log

T = TypeVar("T")
_ANSWER = "init wrote this as service.unanswered; run starts only without that line"


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found in the input topic."""

    log: LogFacts
    records: list[Record]
    reader: InputReader  # which knows the records before these, if it needs to


def findings_of(settings: Settings, sample_records: int, replicas: int | None) -> list[Finding]:
    """Look at everything; return what was found, in the order of the trip of a reading. Blocks, bounded."""
    found = [wrong("settings", f"{one}. {_ANSWER}") for one in settings.service.unanswered]
    kafka = _attempt(found, "Kafka", lambda: _kafka_facts(settings.kafka))
    if kafka is not None:
        found += broker_findings(kafka, settings.kafka.brokers, _how(settings.kafka))
        found += right_findings(kafka, settings.kafka.group_id)
        found += topic_findings(kafka, creates=settings.kafka.create_topics)
    of_model: list[Finding] = []
    model = _attempt(of_model, "model", lambda: _model(settings, of_model))
    looked = None
    if kafka is not None and kafka.topics["input_topic"].exists:
        looked = _attempt(found, "records", lambda: _look(settings, sample_records))
        found += _topic_holds(settings, kafka, model, looked)
    sample = None
    if looked is not None:
        sample = _attempt(found, "records", lambda: _sample(settings, model, looked))
    if kafka is not None:
        found += replica_findings(kafka, settings.kafka.group_id, replicas)
    if sample is not None and kafka is not None:
        topic = kafka.topics["input_topic"]
        found += key_findings(sample, topic.partitions, looked.log if looked else None, repartition=settings.input.repartition)
        found += record_findings(
            sample,
            topic.name,
            settings.dead_letters.max_share,
            ignores_unknown=settings.input.unknown_features == "ignore",
        )
    found += of_model
    if model is not None and sample is not None and sample.readings:
        found += _comparison(settings, model, sample)
    found += _store(settings, model, sample)
    return [finding.typed(_words(settings)) for finding in found]


def _words(settings: Settings) -> dict[str, str]:
    """Return what stands for the words in commands, without secrets."""
    words = {"HOST:PORT": settings.kafka.brokers, "DIRECTORY": str(settings.model.directory)}
    return words | ({"User:DETECTOR": f"User:{settings.kafka.sasl_username}"} if settings.kafka.sasl_username else {})


def _attempt(found: list[Finding], about: str, look: Callable[[], T]) -> T | None:
    """Look; add a finding and return None if that fails."""
    try:
        return look()
    except StoreRefusedError as error:
        found.append(wrong(about, str(error)))
    except RetriableError as error:
        found.append(unchecked(about, str(error)))
    except StreamDetectorError as error:
        found.append(wrong(about, str(error)))
    return None


def _kafka_facts(settings: KafkaSettings) -> KafkaFacts:
    with KafkaExamination(settings) as examination:
        return examination.facts()


def _how(settings: KafkaSettings) -> str:
    """Say how the connection is made, without secrets."""
    tls = "with TLS" if settings.security_protocol.endswith("SSL") else "without TLS"
    user = f" as {settings.sasl_username} ({settings.sasl_mechanism})" if settings.sasl_username else ""
    return tls + user


def _model(settings: Settings, found: list[Finding]) -> ModelFacts | None:
    """Load the model, without compiling it. Raises ModelError or SettingsError, as `run` would."""
    directory = settings.model.directory
    train = f"stream-detector train --from-topic --output {directory}"
    if is_absent(directory):
        text, watch = f"there is no model in {directory}", watch_of(is_scored=settings.model.built_in)
        if settings.model.required:
            found.append(wrong("model", f"{text}, and MODEL__REQUIRED refuses to start without one", train))
        elif settings.learning.enabled:
            found.append(ok("model", f"{text}: {watch}, and run learns one as soon as the topic holds enough"))
        else:
            found.append(warning("model", f"{text}: {watch} (docs/rules.md#without-a-model)", train))
        return None
    artifact = load_artifact(directory)
    spec = artifact.spec
    decision_rules(spec, artifact.calibration, settings.state, settings.alerts, settings.rules, healthy=artifact.healthy)
    known = len(artifact.calibration.sensors)
    holds = f"{counted(len(spec.features), 'feature')}, windows of {spec.window_length} readings, {counted(known, 'sensor')}"
    found.append(ok("model", f"{spec.name} {spec.version} in {directory}: {holds}"))
    if doubt := promotion_warning(artifact.report, settings.model.refuse_unpromoted):
        found.append(warning("model", doubt, "docs/model.md#is-it-worth-running"))
    return ModelFacts(spec, artifact.calibration.sensors, artifact.healthy)


def _look(settings: Settings, count: int) -> Looked:
    kafka, reader = settings.kafka, reader_of(settings)
    with closing(NewestRecords(kafka, kafka.input_topic)) as newest:
        looked = Looked(newest.log(), newest.of_each_partition(count), reader)
    if reader.nodes:
        reader.nodes.is_one_log = settings.input.repartition
        with closing(KafkaReader(kafka, kafka.input_topic)) as log:
            for partition, (_, end) in log.bounds_of(log.partitions()).items():
                learn_before(log, reader, partition, end)
    return looked


def _topic_holds(settings: Settings, kafka: KafkaFacts, model: ModelFacts | None, looked: Looked | None) -> Iterable[Finding]:
    """Judge the retention, also where the records cannot be read: a short one may have removed them just now."""
    spec = model.spec if model else RulesOnly(WindowShape(("any",), WINDOW_LENGTH)).spec
    slowest_ms = float(model.sensors.interval_ms.max()) if model and len(model.sensors.interval_ms) else 0.0
    lookback_ms = restore_config(spec, settings, slowest_ms).lookback_ms
    return retention_findings(kafka.topics["input_topic"], looked.log if looked else None, lookback_ms)


def _sample(settings: Settings, model: ModelFacts | None, looked: Looked) -> Sample:
    """Decode the records twice: with all their features, to see what there is, and as the stream would."""
    spec, reader, records = model.spec if model else None, looked.reader, looked.records
    sent = feature_names(records, input_parsing(settings.input, spec).missing, reader)
    wanted = spec.features if spec else ()
    features = (*wanted, *(name for name in sent if name not in wanted))
    limits, lenient = (input_limits(settings.input, spec, ignores_unknown=ignores) for ignores in (False, True))
    everything = build_decoder(reader, features, lenient).decode(records)
    as_run = build_decoder(reader, spec.features, limits).decode(records) if spec else everything
    only_while = OnlyWhile.parse(spec.only_while, features) if spec else None
    return sample_of(records, features, _assembled(settings, everything), as_run.rejected, only_while)


def _assembled(settings: Settings, decoded: Decoded) -> Decoded:
    """Return the readings as the model sees them: of messages of single features, those that are assembled of them."""
    assembly, readings = input_assembly(settings.input), decoded.readings
    if assembly is None:
        return decoded
    messages = one_log([readings]) if settings.input.repartition else readings
    return replace(decoded, readings=SpanAssembler(assembly, readings.values.shape[1]).take(messages))


def _comparison(settings: Settings, model: ModelFacts, sample: Sample) -> Iterator[Finding]:
    yield from feature_findings(model, sample, ignores_unknown=settings.input.unknown_features == "ignore")
    yield from unit_findings(model, sample)
    yield from interval_findings(model, sample)
    yield from sensor_findings(model, sample)


def _store(settings: Settings, model: ModelFacts | None, sample: Sample | None) -> list[Finding]:
    seen = len(sample.sensors) if sample else 0
    sensors = max(seen, len(model.sensors) if model else 0)
    spec = model.spec if model else None
    needed = sensors * _record_bytes(spec, len(sample.features) if sample else 1)
    try:
        facts = examine_store(settings.redis, settings.kafka.group_id, settings.kafka.input_topic)
    except StoreRefusedError as error:
        return [wrong("Redis", str(error))]
    except RetriableError as error:
        return [not_reached(str(error))]
    except StreamDetectorError as error:
        return [wrong("Redis", str(error))]
    return list(store_findings(facts, needed, sensors))


def _record_bytes(spec: ModelSpec | None, features: int) -> int:
    """Return what a sensor takes in Redis, at most."""
    length, members, counters = WINDOW_LENGTH, 1, 0
    if spec is not None:
        length, features, members, counters = spec.window_length, len(spec.features), len(spec.members), len(spec.counters)
    return without_rules(record_dtype(length, max(1, features), members, counters)).itemsize + BYTES_BESIDE
