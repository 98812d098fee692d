"""`stream-detector init`: look at a topic, say what it holds, and write settings that `run` can use as they are."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from stream_detector.assembly import input_limits
from stream_detector.discovery.guess import guess_input
from stream_detector.discovery.guessed import Guess
from stream_detector.discovery.profile import Profile, profile_of
from stream_detector.discovery.proposal import Proposal, TopicFacts, propose, toml_text
from stream_detector.errors import InputDataError
from stream_detector.ingest.payload import Payload
from stream_detector.logs import silence_kafka_client
from stream_detector.readings import Record
from stream_detector.settings.input_reading import input_reader
from stream_detector.settings.input_settings import InputSettings
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.registry_settings import RegistrySettings

#: The newest records that are looked at, of all partitions together.
MOST_RECORDS = 40_000
_PER_READ = 5_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--brokers", required=True, metavar="HOST:PORT", help="brokers, separated by commas")
    parser.add_argument("--topic", required=True, help="topic of the readings; it is only read, without a consumer group")
    parser.add_argument("--output", type=Path, default=Path("detector.toml"), metavar="FILE", help="settings file to write")
    parser.add_argument("--force", action="store_true", help="overwrite the file if it is there")
    parser.add_argument("--redis-url", default="redis://localhost:6379/0", metavar="URL", help="state store for the settings")
    parser.add_argument("--registry-url", metavar="URL", help="schema registry, if the records need one")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")


def main(arguments: argparse.Namespace) -> int:
    """Look, say, write; return the exit code."""
    if arguments.output.exists() and not arguments.force:
        msg = f"{arguments.output} is there already; give another --output, or --force to overwrite it"
        raise InputDataError(msg)
    silence_kafka_client()
    settings = KafkaSettings(brokers=arguments.brokers, input_topic=arguments.topic)
    facts, records = _sample(settings)
    guess, profile = _understand(arguments, records)
    given = {"redis_url": arguments.redis_url, "registry_url": arguments.registry_url or ""}
    proposal = propose(facts, guess, profile, given)
    text = toml_text(proposal, f"Written by stream-detector init for topic {arguments.topic}.")
    _write(arguments.output, text)
    _say(arguments, proposal)
    return 0


def _sample(settings: KafkaSettings) -> tuple[TopicFacts, list[Record]]:
    """Read the newest records of each partition. Blocks, bounded; raises InputDataError if there are none."""
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
    if not records:
        msg = f"topic {topic} holds no records: send some first, or check the name"
        raise InputDataError(msg)
    newest = max(record.timestamp for record in records)
    span = max(0.0, (newest - min([*oldest, newest])) / 1000)
    count = sum(end - first for first, end in bounds.values())
    return TopicFacts(topic, settings.brokers, len(bounds), count, span), records


def _understand(arguments: argparse.Namespace, records: Sequence[Record]) -> tuple[Guess, Profile]:
    try:
        registry = _registry(arguments)
        guess = guess_input(records, registry)
        settings = InputSettings(**guess.settings)
        payload = registry if settings.payload == "registry" else None
        profile = profile_of(records, input_reader(settings, payload), input_limits(settings))
    except ValueError as error:
        msg = f"topic {arguments.topic}: {error}. docs/formats.md says what can be read, and how to describe other records"
        raise InputDataError(msg) from None
    if not profile.readings:
        msg = f"topic {arguments.topic}: no record could be read as {guess.format}; {profile.example}"
        raise InputDataError(msg)
    return guess, profile


def _registry(arguments: argparse.Namespace) -> Payload | None:
    """Return what reads records by the schemas of the registry that was given."""
    if arguments.registry_url is None:
        return None
    from stream_detector.adapters.registry.open import registry_payload

    return registry_payload(RegistrySettings(url=arguments.registry_url))


def _write(path: Path, text: str) -> None:
    """Write the file whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise InputDataError(msg) from None


def _say(arguments: argparse.Namespace, proposal: Proposal) -> None:
    out = arguments.output
    if arguments.json:
        found = {"found": proposal.found, "not_sure": proposal.doubts, "settings": proposal.settings(), "output": str(out)}
        print(json.dumps(found, ensure_ascii=False, indent=2))  # noqa: T201 - the command prints
        return
    for line in (*proposal.found, *(f"Not sure: {doubt}" for doubt in proposal.doubts)):
        print(line)  # noqa: T201 - the command prints
    next_step = f"Wrote {out}: each setting has its reason beside it. Next:\n\n  stream-detector run --config {out}"
    print(f"\n{next_step}")  # noqa: T201 - the command prints
