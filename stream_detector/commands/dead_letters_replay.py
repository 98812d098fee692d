"""`stream-detector dead-letters replay`: send dead letters back to their topics after a fix, exactly once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from stream_detector.adapters.kafka.examination import KafkaExamination
from stream_detector.adapters.kafka.newest import NewestRecords
from stream_detector.adapters.kafka.replay import Positions, Replay, replayed
from stream_detector.adapters.kafka.span_reader import KafkaReader
from stream_detector.checkup.replay_choice import Choice, Tally
from stream_detector.errors import StreamDetectorError
from stream_detector.ingest.dead_letter_origin import DeadLetter, read_dead_letter, returned
from stream_detector.readings import Message
from stream_detector.settings.kafka_settings import KafkaSettings

#: Records that go back in one transaction, at most.
BATCH = 500
BATCH_BYTES = 4_000_000
Say = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Batch:
    """The letters that go back next, and the positions after them and after those that stay."""

    letters: list[DeadLetter]
    positions: Positions


def replay(settings: KafkaSettings, choice: Choice, *, does_it: bool, sent: Say) -> Tally:
    """Send the chosen letters back that are in the topic now, or only count them; `sent` is told after each transaction.

    Blocks; every wait is bounded. Raises StreamDetectorError: what was committed before stays, and another call goes on.
    """
    tally = Tally()
    with closing(NewestRecords(settings, settings.dead_letter_topic)) as source:
        if not source.bounds:
            msg = f"there is no topic {settings.dead_letter_topic} at {settings.brokers}"
            raise StreamDetectorError(msg)
        if not does_it:
            for _ in _batches(source, choice, _starts(settings, source, choice), tally, settings.input_topic):
                pass
            return tally
        partitions = {topic: _partitions(settings, topic) for topic in choice.topics}
        with closing(Replay(settings)) as target:  # before the positions are read: see adapters/kafka/replay.py
            for batch in _batches(source, choice, _starts(settings, source, choice), tally, settings.input_topic):
                target.commit(_messages(batch.letters, partitions), batch.positions)
                sent(tally.fates["sent"])
    return tally


def kept_since_ms(settings: KafkaSettings, topic: str, now_ms: int) -> int | None:
    """Return from which time on a topic keeps records; None if for ever, or if this user may not know."""
    with KafkaExamination(settings.model_copy(update={"input_topic": topic})) as examination:
        configs = examination.topic("input_topic").configs or {}
    retention_ms = int(configs.get("retention.ms", "-1"))
    return None if retention_ms < 0 else now_ms - retention_ms


def _partitions(settings: KafkaSettings, topic: str) -> frozenset[int]:
    with closing(KafkaReader(settings, topic)) as reader:
        return frozenset(reader.partitions())


def _starts(settings: KafkaSettings, source: NewestRecords, choice: Choice) -> Positions:
    """Return where each origin goes on: at its position, or at the log's start; also if the topic was created again."""
    known = replayed(settings, sorted(itertools.product(choice.reasons, choice.topics)), source.bounds)
    return {
        origin: {
            partition: begin if not begin <= found.get(partition, -1) <= end else found[partition]
            for partition, (begin, end) in source.bounds.items()
        }
        for origin, found in known.items()
    }


def _batches(source: NewestRecords, choice: Choice, starts: Positions, tally: Tally, input_topic: str) -> Iterator[Batch]:
    """Yield the letters that go back, at most BATCH at a time; each partition in order, each letter once.

    A letter that does not say its topic counts as one of the input topic. Those of a topic that is not chosen move no position:
    another replay, with other settings, may be about them.
    """
    first = {partition: min(of[partition] for of in starts.values()) for partition in source.bounds}
    letters: list[DeadLetter] = []
    moved: Positions = {}
    size = 0
    for records in source.stream(first):
        for record in records:
            letter = read_dead_letter(record)
            origin = letter.reason, letter.topic or input_topic
            position = starts.get(origin, {}).get(record.partition, 0)
            fate = choice.fate(letter, position)
            tally.count(letter, fate, is_removed=choice.is_removed(letter))
            if fate == "sent before" or origin not in starts:
                continue
            moved.setdefault(origin, {})[record.partition] = record.offset + 1
            if fate == "sent":
                letters.append(letter)
                size += letter.value_bytes
            if len(letters) >= BATCH or size >= BATCH_BYTES:
                yield Batch(letters, moved)
                letters, moved, size = [], {}, 0
    if moved:
        yield Batch(letters, moved)


def _messages(letters: Sequence[DeadLetter], partitions: Mapping[str, frozenset[int]]) -> list[Message]:
    """Return the records as they were, in the order in which they were in their topics, each to its partition."""
    ordered = sorted(letters, key=lambda letter: (letter.topic, letter.partition, letter.offset))
    for letter in ordered:
        if not partitions[letter.topic]:
            msg = f"there is no topic {letter.topic} to send records back to: start the service, which creates it, or create it"
            raise StreamDetectorError(msg)
    return [
        replace(
            returned(letter, letter.topic),
            timestamp_ms=letter.timestamp if letter.timestamp >= 0 else None,
            partition=letter.partition if letter.partition in partitions[letter.topic] else None,
        )
        for letter in ordered
    ]
