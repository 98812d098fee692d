"""Looks at a topic for `stream-detector init`: reads a sample, and finds out what its records hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from stream_detector.assembly import input_limits
from stream_detector.discovery.clock_proposal import clocks_of, guess_clock
from stream_detector.discovery.clocks import Clocks
from stream_detector.discovery.guess import guess_input
from stream_detector.discovery.guessed import Guess
from stream_detector.discovery.nodes import is_birth, is_sparkplug
from stream_detector.discovery.profile import Profile, profile_of
from stream_detector.discovery.proposal import Proposal
from stream_detector.discovery.topic_proposal import TopicFacts, propose
from stream_detector.errors import InputDataError
from stream_detector.ingest.payload import Payload
from stream_detector.logs import silence_kafka_client
from stream_detector.readings import Record
from stream_detector.settings.input_reading import input_reader
from stream_detector.settings.input_settings import InputSettings
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.registry_settings import RegistrySettings
from stream_detector.tables.topic_span import TopicReader

#: The newest records that are looked at, of all partitions together.
MOST_RECORDS = 40_000
_PER_READ = 5_000
#: Records before the newest of a partition in which births of Sparkplug nodes are searched.
_MOST_BEFORE = 2_000_000
#: Local times are at most this far ahead of UTC.
_ANY_CLOCK_MS = 15 * 3_600_000


def propose_for_topic(brokers: str, topic: str, redis_url: str, registry_url: str | None, time_zone: str = "") -> Proposal:
    """Look at a topic and return the settings for it. Blocks, bounded. Raises InputDataError."""
    silence_kafka_client()
    settings = KafkaSettings(brokers=brokers, input_topic=topic)
    facts, records, births = _sample(settings)
    try:
        guess, profile, clocks = understand(records, _registry(registry_url), time_zone, births)
    except ValueError as error:
        msg = f"topic {topic}: {error}. docs/formats.md says what can be read, and how to describe other records"
        raise InputDataError(msg) from None
    return propose(facts, guess, profile, clocks, {"redis_url": redis_url, "registry_url": registry_url or ""})


def understand(
    records: Sequence[Record], registry: Payload | None = None, time_zone: str = "", births: Sequence[Record] = ()
) -> tuple[Guess, Profile, Clocks]:
    """Return how a sample is read, what its readings look like, and what their clocks show; `time_zone` may be given.

    `births` are those of Sparkplug nodes before the sample.
    Raises ValueError, with what the records look like, if they cannot be read.
    """
    guess = guess_input(records, registry)
    if time_zone:
        guess.set("time_zone", time_zone, "of times without a zone, as given")
    settings = InputSettings(**guess.settings)
    reader = input_reader(settings, registry if settings.payload == "registry" else None)
    if reader.nodes:
        reader.nodes.is_one_log = True
        reader.learn([*births, *records])
    # Clocks first: local times that are ahead of their records would be refused, and seen by nobody.
    clocks = clocks_of(profile := profile_of(records, reader, replace(input_limits(settings), max_future_ms=_ANY_CLOCK_MS)))
    guess_clock(guess, profile, clocks)
    profile = profile_of(records, reader, input_limits(InputSettings(**guess.settings)))
    if not profile.readings:
        msg = f"no record could be read as {guess.format}; {profile.example}"
        raise ValueError(msg)
    return guess, profile, clocks


def _sample(settings: KafkaSettings) -> tuple[TopicFacts, list[Record], list[Record]]:
    """Read the newest records of each partition, and the births before them if they are messages of Sparkplug nodes.

    Blocks, bounded; raises InputDataError if there are none.
    """
    from stream_detector.adapters.kafka.span_reader import KafkaReader
    from stream_detector.adapters.kafka.topics import KafkaTopics

    topic = settings.input_topic
    with KafkaTopics(settings) as topics:
        description = topics.describe(topic)
    if description is None:
        msg = f"topic {topic} does not exist at {settings.brokers}"
        raise InputDataError(msg)
    with closing(KafkaReader(settings, topic)) as reader:
        bounds = reader.bounds_of(description.partitions)
        share = max(1, MOST_RECORDS // max(1, len(bounds)))
        records, oldest = list[Record](), list[int]()
        for number, (first, end) in bounds.items():
            if first < end:
                oldest += [record.timestamp for record in reader.read(number, first, min(end, first + 1), 1).records]
            start = max(first, end - share)
            while start < end:
                chunk = reader.read(number, start, end, _PER_READ)
                records += chunk.records
                start = chunk.stop
        births = _births_before(reader, bounds, share) if is_sparkplug(records) else []
    if not records:
        msg = f"topic {topic} holds no records: send some first, or check the name"
        raise InputDataError(msg)
    newest = max(record.timestamp for record in records)
    span = max(0.0, (newest - min([*oldest, newest])) / 1000)
    count = sum(end - first for first, end in bounds.values())
    return TopicFacts(topic, settings.brokers, len(bounds), count, span), records, births


def _births_before(reader: TopicReader, bounds: Mapping[int, tuple[int, int]], share: int) -> list[Record]:
    """Return the births before the newest records of each partition, by their topics."""
    births: list[Record] = []
    for number, (first, end) in bounds.items():
        start = max(first, end - share - _MOST_BEFORE)
        while start < end - share:
            chunk = reader.read(number, start, end - share, _PER_READ)
            births += filter(is_birth, chunk.records)
            start = chunk.stop
    return births


def _registry(url: str | None) -> Payload | None:
    """Return what reads records by the schemas of the registry that was given."""
    if url is None:
        return None
    from stream_detector.adapters.registry.open import registry_payload

    return registry_payload(RegistrySettings(url=url))
