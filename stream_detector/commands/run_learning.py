"""Learns a model from what the topic holds, in a thread of `run`, while there is none: count, train, judge, promote."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from stream_detector.adapters.kafka.span_reader import KafkaReader
from stream_detector.assembly import input_assembly
from stream_detector.commands.input_payload import reader_of
from stream_detector.commands.run_model import topic_decoder
from stream_detector.commands.settings_options import copyable
from stream_detector.commands.train_process import Ended, TrainProcess
from stream_detector.errors import InputDataError, ModelError, RetriableError, StreamDetectorError
from stream_detector.gate.promotion import promotion_warning
from stream_detector.model_store.candidate import TRAINING_TEXT, CandidatePlace, PutOff, is_learned
from stream_detector.model_store.model_directory import is_absent, load_artifact
from stream_detector.service.collection import Amount, Enough, describe_collection
from stream_detector.service.learning_status import COLLECTING, TRAINING, WAITING, LearningStatus
from stream_detector.settings.schema import Settings
from stream_detector.tables.topic_count import TimeSpan, TopicCount, choose_span

logger = logging.getLogger(__name__)

#: How often the topic, and the model's directory, are looked at.
LOOK_SECONDS = 5.0
_STOP_SECONDS = 15.0
#: Wait after the first training that failed; twice as long after each further one, at most as after one that was rejected.
_FAILED_SECONDS = 60.0
#: Fewest records that a training is cut down to.
_FEWEST_RECORDS = 10_000


class Learner:
    """Runs until there is a model. `request` makes the service take it over, from any thread."""

    def __init__(self, settings: Settings, options: Sequence[str], status: LearningStatus) -> None:
        """`options` say where the command line found its settings; a training reads them again."""
        self._settings, self._options, self._status = settings, tuple(options), status
        self._place = CandidatePlace(settings.model.directory)
        self._enough = Enough(
            settings.learning.readings, max(settings.learning.readings_per_sensor, settings.learning.window_length)
        )
        self._most_records = settings.learning.most_records
        self._span_ms = round(settings.learning.span_hours * 3_600_000)
        self._retry_at, self._why, self._failures, self._since_s = -math.inf, "", 0, time.time()
        self._reader: KafkaReader | None = None
        self._count: TopicCount | None = None
        self._request: Callable[[], None] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="learning", daemon=True)

    def start(self) -> None:
        """Begin to count."""
        self._thread.start()

    def attach(self, request: Callable[[], None]) -> None:
        """Say what takes over a model once it is there."""
        self._request = request

    def end(self) -> None:
        """Learn no more, and end a training under way."""
        self._stop.set()
        self._status.end()

    def close(self) -> None:
        """End, and wait until nothing of it is left, at most some seconds."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        try:
            while not self._stop.is_set() and not self._is_over():
                self._attempt()
                self._stop.wait(LOOK_SECONDS)
        finally:
            self._forget()
            self._status.end()
            self._status.leave("", "")

    def _attempt(self) -> None:
        """Look once, and train if there is enough. A failure is said, and nothing else: the rules go on."""
        try:
            self._look()
        except RetriableError as error:
            self._forget()
            self._status.say(WAITING, f"waiting: the topic cannot be read now: {error}")
        except InputDataError as error:
            self._status.say(COLLECTING, f"collecting: no readings yet: {error}")
        except StreamDetectorError as error:
            self._status.say(WAITING, f"waiting: {error}")
        except Exception:  # the thread must not end silently, and the service not at all
            logger.exception("learning failed, and is tried again in %g s", self._settings.learning.retry_seconds)
            self._forget()
            self._put_off("of an error in the program, which the log has")

    def _is_over(self) -> bool:
        """Return whether there is a model, and have it taken over if `run` learned it, this one or another replica."""
        try:
            if is_absent(self._settings.model.directory):
                return False
        except ModelError:
            return False
        if not is_learned(self._settings.model.directory):
            return True  # somebody's own, which SIGHUP takes up
        if self._request is not None:
            self._request()
        return self._request is not None

    def _look(self) -> None:
        reader, count = self._opened()
        partitions = reader.partitions()
        amount = self._counted(count, partitions)
        self._status.count(amount, self._enough)
        if not self._enough.is_met(amount):
            self._status.say(COLLECTING, describe_collection(amount, self._enough))
        elif (left := self._retry_at - time.monotonic()) > 0:
            self._status.say(WAITING, f"waiting: there is no model, because {self._why}. Next attempt in {_minutes(left)}")
        else:
            self._train(reader, partitions)

    def _opened(self) -> tuple[KafkaReader, TopicCount]:
        if self._reader is None or self._count is None:
            self._reader = KafkaReader(self._settings.kafka, self._settings.kafka.input_topic)
            self._count = TopicCount(
                self._reader,
                lambda features: topic_decoder(self._settings, features),
                reader_of(self._settings),
                bucket_ms=assembly.bucket_ms if (assembly := input_assembly(self._settings.input)) else None,
            )
        return self._reader, self._count

    def _counted(self, count: TopicCount, partitions: Sequence[int]) -> Amount:
        def amount() -> Amount:
            return Amount(count.readings, len(count.sensors), count.per_minute, count.records)

        count.look(partitions, self._span_ms, lambda _: self._enough.is_met(amount()))
        return amount()

    def _train(self, reader: KafkaReader, partitions: Sequence[int]) -> None:
        with self._place.locked() as lock:
            if lock is None:
                self._status.say(WAITING, f"waiting: another process trains in {self._place.workplace}", is_of_another=True)
                return
            if not is_absent(self._settings.model.directory):
                return  # promoted by another replica meanwhile
            if self._follows_another():
                return
            span = choose_span(reader, partitions, self._span_ms, self._most_records)
            if span is None:
                return
            times = _as_text(span)
            self._status.say(TRAINING, f"training: from records of {times[0]} to {times[1]}")
            ended = self._process(times, lock).run(self._stop)
            if not self._stop.is_set():
                self._conclude(ended)

    def _follows_another(self) -> bool:
        """Wait as long as another replica does whose training gave no model; not because of one before this start."""
        found = self._place.last_put_off()
        left = found.until_s - time.time() if found else 0.0
        if found is None or found.at_s < self._since_s or left <= 0:
            return False
        self._why, self._retry_at, self._most_records = found.why, time.monotonic() + left, found.most_records
        return True

    def _process(self, times: tuple[str, str], lock: int) -> TrainProcess:
        settings = self._settings
        steps = () if settings.learning.steps is None else ("--steps", str(settings.learning.steps))
        arguments = (
            *("--from-topic", *self._options, "--since", times[0], "--until", times[1]),
            *("--output", str(self._place.candidate), "--name", settings.model.directory.absolute().name or "model", *steps),
        )

        def progress(text: str) -> None:
            self._status.say(TRAINING, f"training: {text}, from records of {times[0]} to {times[1]}")

        return TrainProcess(settings.learning, arguments, lock, progress)

    def _conclude(self, ended: Ended) -> None:
        """Promote the candidate if it is good enough; else say why not, and when the next attempt is."""
        if ended.failure is not None:
            if ended.needs_less:
                self._most_records = max(_FEWEST_RECORDS, self._most_records // 2)
            self._failures += 1
            self._fail("failed", f"the training failed: {ended.failure}", _FAILED_SECONDS * 2.0 ** (self._failures - 1))
            return
        self._failures = 0
        self._place.keep_report("\n".join(ended.report))
        by_chance = not self._settings.model.refuse_unpromoted
        try:
            doubt = promotion_warning(load_artifact(self._place.candidate).report, refuse=True, but_by_chance=by_chance)
        except ModelError as error:
            where = self._place.reject()
            self._log_training("rejected", ended, where)
            self._fail("rejected", f"what was learned is not good enough: {_reason(error)}. It is in {where}")
            return
        self._place.promote()
        self._status.attempted("promoted")
        self._log_training("promoted", ended, self._settings.model.directory, doubt)
        logger.info("learning: there is a model in %s; the service takes it over", self._settings.model.directory)

    def _log_training(self, outcome: str, ended: Ended, directory: Path, doubt: str | None = None) -> None:
        """Log what the training said, in one record; `doubt` is why a model was hardly good enough."""
        more = copyable(f"stream-detector train --from-topic --output {self._settings.model.directory}", self._options)
        lines = [
            f"training: {outcome}",
            *ended.summary,
            *([f"taken all the same, for there is no other: {doubt}"] if doubt else []),
            f"the whole report: {directory / TRAINING_TEXT}; with more of the topic: {more}",
        ]
        logger.info("%s", "\n  ".join(lines), extra={"outcome": outcome})

    def _fail(self, outcome: str, why: str, wait_seconds: float = math.inf) -> None:
        self._status.attempted(outcome)
        wait_seconds = self._put_off(why, wait_seconds)
        left = _minutes(wait_seconds)
        logger.warning("learning: %s. The next attempt, with the readings until then, is in %s", why, left)
        now = time.time()
        self._place.put_off(PutOff(now, now + wait_seconds, why, self._most_records))

    def _put_off(self, why: str, wait_seconds: float = math.inf) -> float:
        """Try again after so long, at most after the setting; return after how long."""
        wait_seconds = min(wait_seconds, self._settings.learning.retry_seconds)
        self._why, self._retry_at = why, time.monotonic() + wait_seconds
        return wait_seconds

    def _forget(self) -> None:
        """Close the reader; the next look counts from the beginning."""
        reader, self._reader, self._count = self._reader, None, None
        if reader is not None:
            reader.close()


def _reason(error: ModelError) -> str:
    """Return what the gate found, without what to do about the setting, which is not what refused here."""
    return str(error).partition(", and STREAM_DETECTOR_MODEL__REFUSE_UNPROMOTED")[0]


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60)} minutes"


def _as_text(span: TimeSpan) -> tuple[str, str]:
    """Return a span as the options of `train` take it."""
    since, until = (
        datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for time_ms in (span.since_ms, span.until_ms)
    )
    return since, until
