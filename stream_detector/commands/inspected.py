"""What `status` and `show` look at: the model of the settings, without running it, and the clients, which only read."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from stream_detector.adapters.kafka.group_view import GroupView
from stream_detector.adapters.kafka.span_reader import KafkaReader
from stream_detector.adapters.kafka.topic_tail import TopicTail
from stream_detector.adapters.kafka.topics import KafkaTopics
from stream_detector.adapters.redis.client import checked_address
from stream_detector.adapters.redis.store import RedisStore
from stream_detector.assembly import (
    TrainedScorer,
    budget_per_sensor_day,
    decision_rules,
    input_assembly,
    scale_config,
    silence_rules,
)
from stream_detector.built_in.model import built_in_model
from stream_detector.commands.input_payload import reader_of
from stream_detector.detection.calibration import Calibration
from stream_detector.detection.model_spec import ModelSpec, tag_of
from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.errors import ModelError, PermanentDeliveryError, SettingsError, StreamDetectorError
from stream_detector.ingest.input_reader import InputReader
from stream_detector.inspection.alarms import NewestRecords, alarms_of
from stream_detector.inspection.dead_letters import Senders, dead_letters_of
from stream_detector.inspection.judge import Judge, Model
from stream_detector.inspection.learning_words import read_words
from stream_detector.inspection.progress import (
    RECENT_SECONDS,
    GroupProgress,
    PartitionProgress,
    record_share,
    records_waiting,
    speed_between,
)
from stream_detector.inspection.status import KafkaPart, Subject
from stream_detector.inspection.stored import Bounds, Note, StoredSensors, look_through
from stream_detector.model.artifact import Artifact
from stream_detector.model_store.model_directory import MANIFEST, is_absent, load_artifact
from stream_detector.readings import Float32Array
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import Settings
from stream_detector.state.idle import OnlyWhile
from stream_detector.state.record_layout import WindowShape

#: As many of the newest records of the alerts and of the dead-letter topic are read.
MOST_ALERTS, MOST_DEAD_LETTERS = 20_000, 5_000
#: And of a re-keyed topic, to count what is no record.
MOST_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Inspected:
    """What the settings name, and the model among it."""

    subject: Subject
    model: Model | None
    artifact: Artifact | None

    @property
    def uses_built_in(self) -> bool:
        """Whether `run` scores with the built-in model, for there is no other."""
        return self.artifact is None and not self.subject.model_problem and self.subject.has_built_in


def inspected(settings: Settings) -> Inspected:
    """Read the model of the settings, if there is one. Raises SettingsError for settings that do not fit it."""
    artifact, problem = _artifact(settings)
    model = model_of(artifact, settings) if artifact else None
    spec = artifact.spec if artifact else None
    kafka, alerts = settings.kafka, settings.alerts
    budget = budget_per_sensor_day(artifact.calibration, alerts) if artifact else alerts.budget_per_sensor_day
    subject = Subject(
        brokers=kafka.brokers,
        input_topic=kafka.input_topic,
        group_id=kafka.group_id,
        alerts_topic=kafka.alerts_topic,
        dead_letter_topic=kafka.dead_letter_topic,
        redis=checked_address(settings.redis),
        model=str(settings.model.directory),
        model_name=f"{spec.name} {spec.version}" if spec else "",
        model_problem=problem,
        has_built_in=settings.model.built_in,
        budget_per_sensor_day=budget,
        model_tag=tag_of(spec.version) if spec else 0,
        model_ms=_written_ms(settings.model.directory) if spec else 0,
        built_in_tag=tag_of(built_in_model().version),
    )
    return Inspected(subject, model, artifact)


def _written_ms(directory: Path) -> int:
    """Return when a model was written; 0 if that cannot be told."""
    try:
        return round(1000 * (directory / MANIFEST).stat().st_mtime)
    except OSError:
        return 0


def model_of(artifact: Artifact, settings: Settings) -> Model:
    """Return what is needed of a model to judge records."""
    return _model(artifact.spec, artifact.calibration, artifact.healthy, artifact.fleet.deviation, settings)


def built_in_model_of(scorer: TrainedScorer, settings: Settings) -> Model:
    """Return what is needed of the built-in model to judge records."""
    return _model(scorer.spec, scorer.calibration, scorer.healthy, scorer.fallback_deviation, settings)


def _model(
    spec: ModelSpec, calibration: Calibration, healthy: HealthyData, deviation: Float32Array, settings: Settings
) -> Model:
    return Model(
        shape=WindowShape(spec.features, spec.window_length, spec.counters),
        members=len(spec.members),
        rules=decision_rules(spec, calibration, settings.state, settings.alerts, settings.rules, healthy=healthy),
        scales=scale_config(spec, calibration, healthy, deviation),
        only_while=OnlyWhile.parse(spec.only_while, spec.features),
        assembly=input_assembly(settings.input),
    )


def _artifact(settings: Settings) -> tuple[Artifact | None, str]:
    """Return the model, or why there is none that can be used; without any, no reason."""
    try:
        if is_absent(settings.model.directory):
            return None, ""
        return load_artifact(settings.model.directory), ""
    except ModelError as error:
        return None, str(error)


@dataclass(slots=True)
class KafkaLook:
    """Looks at the group and the topics, with clients that it opens when needed. For one thread."""

    settings: Settings
    clock_ms: Callable[[], int]
    plant: Settings | None = None  # how the plant's topic is read, where it is re-keyed before the detector
    _group: GroupView | None = None
    _input: KafkaReader | None = None
    _alerts: TopicTail | None = None
    _dead: TopicTail | None = None
    _rekeyed: TopicTail | None = None
    _senders: Senders | None = None
    _before: GroupProgress | None = None
    _moved_s: float | None = None  # when a position last moved, or there was nothing to read
    notes: dict[int, Note] = field(default_factory=dict)  # as of the last look; read by another thread

    def look(self) -> KafkaPart:
        """Look once. Blocks, bounded; raises StreamDetectorError, and begins with new clients the next time."""
        try:
            return self._look()
        except StreamDetectorError:
            self.close()
            raise

    def _look(self) -> KafkaPart:
        kafka = self.settings.kafka
        now = self.progress()
        speed = speed_between(self._before, now)
        if self._before is None or speed.committed is not None or self._before.partitions != now.partitions:
            self._before = now
        self._alerts = self._alerts or TopicTail(kafka, kafka.alerts_topic, MOST_ALERTS)
        plant = self.plant or self.settings
        self._senders = self._senders or Senders(_reader(self.settings), {plant.kafka.input_topic: _reader(plant)})
        topics = frozenset((kafka.input_topic, plant.kafka.input_topic))
        self._dead = self._dead or TopicTail(kafka, kafka.dead_letter_topic, MOST_DEAD_LETTERS)
        alerts, dead = newest_of(kafka, self._alerts), newest_of(kafka, self._dead)
        return KafkaPart(
            group=now,
            speed=speed,
            standing_s=now.at_s - (self._moved_s or now.at_s),
            alarms=alarms_of(alerts, kafka.input_topic, self.clock_ms()),
            dead_letters=dead_letters_of(dead, topics, self.clock_ms(), self._senders),
        )

    def progress(self) -> GroupProgress:
        """Look at the positions only."""
        kafka = self.settings.kafka
        self._group = self._group or GroupView(kafka)
        self._input = self._input or KafkaReader(kafka, kafka.input_topic)
        numbers = self._input.partitions()
        if not numbers:
            check_hidden(kafka, kafka.input_topic)
        described, committed = self._group.describe(), self._group.committed()
        ends = self._input.ends_of(numbers) if numbers else {}
        recent = self._input.positions_at(numbers, max(0, self.clock_ms() - round(1000 * RECENT_SECONDS)))
        self.notes = {number: Note(one.position, one.note) for number, one in committed.items()}
        newest = self._newest_offsets(ends)
        partitions = tuple([self._partition(one, ends[one], recent[one], newest.get(one)) for one in numbers])
        found = GroupProgress(time.monotonic(), partitions, described.members, described.state)
        if self._before is None or not found.lag or found.total_committed != self._before.total_committed:
            self._moved_s = found.at_s
        return found

    def _partition(self, number: int, end: int, recent: int | None, offsets: list[int] | None) -> PartitionProgress:
        """Return a partition's progress; `offsets` are those of its newest records, where marks do not count."""
        note = self.notes.get(number)
        if offsets is None:
            return PartitionProgress(number, end, note, recent)
        waiting = records_waiting(offsets, note.position, end) if note else None
        return PartitionProgress(number, end, note, recent, record_share(offsets, end), waiting)

    def _newest_offsets(self, ends: Mapping[int, int]) -> dict[int, list[int]]:
        """Return the offsets of the newest records of each partition of a topic that the detector re-keys, ascending.

        It is written in transactions, often with few records each. Without the right to read it, all positions count as
        records, and nothing is returned.
        """
        kafka = self.settings.kafka
        if self.plant is None or self.plant.kafka.input_topic == kafka.input_topic:
            return {}
        self._rekeyed = self._rekeyed or TopicTail(kafka, kafka.input_topic, MOST_COUNTED)
        offsets: dict[int, list[int]] = {number: [] for number in ends}
        try:
            records = self._rekeyed.refresh()
        except PermanentDeliveryError:
            return {}
        for record in records:
            offsets.setdefault(record.partition, []).append(record.offset)
        return offsets

    def close(self) -> None:
        """Close the clients. Idempotent, bounded."""
        for client in (self._group, self._input, self._alerts, self._dead, self._rekeyed):
            if client is not None:
                client.close()
        self._group = self._input = self._alerts = self._dead = self._rekeyed = None


def _reader(settings: Settings) -> InputReader | None:
    """Return what reads records; None where the settings of a schema registry, or its packages, are lacking here."""
    try:
        return reader_of(settings)
    except SettingsError:
        return None


def check_hidden(kafka: KafkaSettings, topic: str) -> None:
    """Raise PermanentDeliveryError if a topic seems not to exist because this user may not see it."""
    with KafkaTopics(kafka) as topics:
        topics.describe(topic)


def newest_of(kafka: KafkaSettings, tail: TopicTail) -> NewestRecords:
    """Return the newest records of a topic. Raises PermanentDeliveryError if the user may not read it."""
    records = tail.refresh()
    if not tail.exists:
        check_hidden(kafka, tail.topic)
    return NewestRecords(records, tail.is_cut, tail.exists)


@dataclass(frozen=True, slots=True)
class StoreLook:
    """Looks through the stored sensors."""

    settings: Settings
    model: Model | None
    store: RedisStore
    bounds: Bounds
    notes: Callable[[], dict[int, Note]]

    def look(self) -> StoredSensors:
        """Look once. Blocks, bounded; raises StoreUnavailableError."""
        silences = silence_rules(self.settings.rules)
        judge_of = partial(Judge.of, model=self.model, silences=silences)
        found = look_through(self.store, judge_of, self.notes(), self.bounds, time.monotonic)
        return replace(found, learning=read_words(self.store.learning()))


def open_store(settings: Settings) -> RedisStore:
    """Return the store as a reader; it connects at the first call."""
    return RedisStore(settings.redis, settings.kafka.group_id, settings.kafka.input_topic, is_reader=True)
