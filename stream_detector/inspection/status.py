"""Puts together what is known of a running detector, and says what is wrong with it and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from stream_detector.inspection.alarms import Alarms, OpenIncident, with_stored
from stream_detector.inspection.dead_letters import DeadLetters, Unusable
from stream_detector.inspection.learning_words import LearningWords
from stream_detector.inspection.progress import GroupProgress, Speed
from stream_detector.inspection.sensors import SILENT, SensorStatus
from stream_detector.inspection.stored import StoredSensors
from stream_detector.timestamps import duration

#: A service that reads commits within so many seconds, whatever the settings say.
STANDING_SECONDS = 15.0
BUILT_IN = "the built-in model"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at, by the settings."""

    brokers: str
    input_topic: str
    group_id: str
    alerts_topic: str
    dead_letter_topic: str
    redis: str  # its address, without secrets
    model: str  # directory
    model_name: str  # empty: there is no model that can be used
    model_problem: str  # why there is none
    has_built_in: bool  # without a model, the built-in one scores
    budget_per_sensor_day: float
    model_tag: int = 0  # by which records name it
    model_ms: int = 0  # when it was written
    built_in_tag: int = 0
    options: str = ""  # with which a command finds these settings, with a space before


@dataclass(frozen=True, slots=True)
class KafkaPart:
    """What Kafka said."""

    group: GroupProgress
    speed: Speed
    standing_s: float  # for so long no position has moved although there is something to read; 0: it moves, or is at the end
    alarms: Alarms
    dead_letters: DeadLetters


@dataclass(frozen=True, slots=True)
class Outage:
    """Why something does not answer, and since when."""

    seconds: float  # since it last answered, or since it was first asked
    reason: str


@dataclass(frozen=True, slots=True)
class Status:
    """The whole. A part is None as long as it was never known; with an outage it is what was known last."""

    at_ms: int
    subject: Subject
    kafka: KafkaPart | None
    kafka_outage: Outage | None
    stored: StoredSensors | None
    redis_outage: Outage | None

    @property
    def learning(self) -> LearningWords | None:
        """Return how far the learning is; None if there is a model, or no detector has said anything for long."""
        return self.stored.learning if self.stored is not None and not self.subject.model_name else None

    @property
    def model_in_use(self) -> str:
        """Return the model that judged the newest reading; empty if that is not known, or there is none in the directory."""
        subject, newest = self.subject, self.stored.newest if self.stored else None
        if newest is None or not subject.model_name:
            return ""
        if newest.model_tag == subject.model_tag:
            return subject.model_name
        if newest.model_tag == subject.built_in_tag:
            return BUILT_IN
        models = self.kafka.alarms.models if self.kafka else {}
        return models.get(newest.model_tag, "another model")

    @property
    def open_incidents(self) -> tuple[OpenIncident, ...]:
        """Return the open incidents, the newest first."""
        if self.kafka is None:
            empty = Alarms(0, 0, is_complete=False, open=())
            return with_stored(empty, self.stored.sensors) if self.stored else ()
        return with_stored(self.kafka.alarms, self.stored.sensors if self.stored else ())

    def unusable(self, sensor: SensorStatus) -> Unusable | None:
        """Return what became of the records of a silent sensor, if they arrive but cannot be used."""
        if sensor.state != SILENT or self.kafka is None:
            return None
        return self.kafka.dead_letters.since(sensor.sensor, sensor.last_ms)

    @property
    def allowed_alarms(self) -> float | None:
        """Return how many alarms of the score the budget allows all sensors in a day; None if that is not known."""
        if self.stored is None or not self.subject.model_name:
            return None
        return self.stored.total * self.subject.budget_per_sensor_day


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with the detector, not with the sensors: what, and what to do."""

    code: str
    text: str


def problems_of(status: Status) -> list[Problem]:
    """Return what is wrong, the most fundamental first. `no_model` is in the list only if the model cannot be used."""
    found = [*_away(status), *_of_kafka(status)]
    if status.stored is not None:
        found += _of_store(status)
    if status.subject.model_problem and not status.subject.model_name:
        found.append(Problem("model", status.subject.model_problem))
    return found


def _away(status: Status) -> list[Problem]:
    found = []
    parts = (("kafka", "Kafka", status.kafka_outage, status.kafka), ("redis", "Redis", status.redis_outage, status.stored))
    for code, name, outage, part in parts:
        if outage is not None and part is None:
            found.append(Problem(code, f"{name} cannot be read: {outage.reason}"))
        elif outage is not None:
            text = f"{name} has not answered for {duration(outage.seconds)}, and what it said then is shown: {outage.reason}"
            found.append(Problem(code, text))
    return found


def _of_kafka(status: Status) -> list[Problem]:
    part, subject = status.kafka, status.subject
    if part is None:
        return []
    if not part.group.partitions:
        text = f"there is no topic {subject.input_topic} at {subject.brokers}: check STREAM_DETECTOR_KAFKA__INPUT_TOPIC"
        return [Problem("no_topic", text)]
    if not part.group.members:
        how = "has no members" if part.group.has_committed else "has no members and never committed a position"
        start = f"Start `stream-detector run{subject.options}` with these settings"
        text = f"no detector seems to run: group {subject.group_id} {how}. {start}"
        return [Problem("no_detector", text)]
    if part.standing_s >= STANDING_SECONDS:
        text = (
            f"no position has moved for {duration(part.standing_s)}, though {part.group.lag:,} records wait: read the "
            "detector's log and /readyz; it may be starting, restoring, or waiting for Redis"
        )
        return [Problem("standing", text)]
    return []


def _of_store(status: Status) -> list[Problem]:
    stored, subject = status.stored, status.subject
    assert stored is not None
    if not stored.persisted:
        text = (
            f"Redis at {subject.redis} holds no state of group {subject.group_id} and topic {subject.input_topic}: either no "
            "detector has run yet, or it uses another Redis, group or topic. Compare STREAM_DETECTOR_REDIS__URL, "
            "STREAM_DETECTOR_KAFKA__GROUP_ID and STREAM_DETECTOR_KAFKA__INPUT_TOPIC with its settings"
        )
        return [Problem("no_state", text)]
    found = []
    if stored.foreign_layouts:
        text = (
            f"stored state has layout {stored.foreign_layouts[0]}, which this version cannot read: use the version that "
            "the detector runs"
        )
        found.append(Problem("layout", text))
    if subject.model_name and not stored.fits_model:
        text = (
            f"the model in {subject.model} has other features or another window than the stored state: the detector may run "
            "with another model, or not have started with this one yet. Set STREAM_DETECTOR_MODEL__DIRECTORY as it has it"
        )
        found.append(Problem("other_model", text))
    return found
