"""Reads the training data of `stream-detector train`: files, or a span of the input topic."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from stream_detector.assembly import input_assembly, input_limits
from stream_detector.commands.file_options import file_options, typed_again
from stream_detector.commands.input_payload import build_decoder, reader_of
from stream_detector.commands.parsing_options import parsing_of
from stream_detector.commands.settings_options import settings_of
from stream_detector.errors import InputDataError, SettingsError
from stream_detector.ingest.earlier import learn_before
from stream_detector.ingest.parsing import Parsing
from stream_detector.logs import silence_kafka_client
from stream_detector.settings.group import PREFIX
from stream_detector.state.condition import Condition
from stream_detector.state.idle import OnlyWhile
from stream_detector.tables.dataset import Dataset
from stream_detector.tables.foreign.read import ReadFiles
from stream_detector.tables.foreign.read import read_files as files_in_any_form
from stream_detector.tables.row_choice import while_true, with_last_values, without_spans
from stream_detector.tables.topic_dataset import read_topic_span
from stream_detector.tables.topic_span import find_features, find_span
from stream_detector.timestamps import to_ms
from stream_detector.training.inspection import Inspection
from stream_detector.values import NO_MISSING_VALUES

if TYPE_CHECKING:
    from rich.console import Console


def read_files(arguments: argparse.Namespace, say: Callable[[str], object] = lambda _: None) -> Dataset:
    """Read the input files, and say how those were understood that are not in the product's own form.

    Raises SettingsError for options that only apply to the topic.
    """
    if arguments.since or arguments.until or arguments.features:
        msg = "--since, --until and --features are for --from-topic"
        raise SettingsError(msg)
    options = file_options(arguments)
    read = files_in_any_form(arguments.input, None, arguments.ignore_columns, train_parsing(arguments), options)
    for line in read.lines():
        say(line)
    arguments.form = _form_again(arguments, read)
    return read.dataset


def _form_again(arguments: argparse.Namespace, read: ReadFiles) -> list[str]:
    """Return the options with which other commands read files as these were read, also those that the data chose."""
    zone, hour = arguments.time_zone, arguments.repeated_hour
    times = (("--time-zone", str(zone) if zone else None), ("--repeated-hour", hour))
    form = typed_again(file_options(arguments), read.joined.options if read.joined is not None else None)
    return [*form, *(text for name, value in times if value for text in (name, value))]


def follow_setting(arguments: argparse.Namespace, only_while: str | None) -> None:
    """Take the condition of the settings where none was given on the command line."""
    arguments.says_only_while = "--only-while"
    if arguments.only_while is None and only_while:
        arguments.only_while, arguments.says_only_while = Condition.parse(only_while), f"{PREFIX}LEARNING__ONLY_WHILE"


def chosen_rows(dataset: Dataset, arguments: argparse.Namespace) -> tuple[Dataset, list[str]]:
    """Return the rows of a cleaned dataset that --exclude and --only-while leave, and a sentence on each."""
    dataset, notes = without_spans(dataset, arguments.exclude, train_parsing(arguments).zone)
    if arguments.only_while is None:
        return dataset, notes
    kept, note = while_true(dataset, arguments.only_while, arguments.says_only_while)
    known = "the model keeps the condition, and run, score and evaluate judge only readings in this state (docs/idle.md)"
    return with_last_values(dataset, arguments.only_while).cut(~kept), [*notes, f"{note}; {known}"]


def check_state(inspection: Inspection, only_while: Condition | None, option: str) -> None:
    """Raise InputDataError unless the model will have all features of the condition, and none of them as a counter."""
    if only_while is None:
        return
    try:
        OnlyWhile.parse(only_while.text, inspection.dataset.features, inspection.counters)
    except ValueError as error:
        advice = "; a column that was left out stays with --keep-columns" if inspection.left_out else ""
        msg = f"{option} {error}{advice}"
        raise InputDataError(msg) from None


def train_parsing(arguments: argparse.Namespace) -> Parsing:
    """Return how values and times are read: as the settings and the options say."""
    parsing = parsing_of(arguments, settings_of(arguments))
    return replace(parsing, missing=parsing.missing | (arguments.missing_values or NO_MISSING_VALUES))


def read_topic(arguments: argparse.Namespace, console: Console) -> Dataset:
    """Read a span of the input topic and print what was skipped. Raises InputDataError if the topic does not exist."""
    from stream_detector.adapters.kafka.span_reader import KafkaReader
    from stream_detector.adapters.kafka.topics import KafkaTopics

    silence_kafka_client()
    settings = settings_of(arguments)
    topic = settings.kafka.input_topic
    with KafkaTopics(settings.kafka) as topics:
        description = topics.describe(topic)
    if description is None:
        msg = f"topic {topic} does not exist at {settings.kafka.brokers}"
        raise InputDataError(msg)
    with closing(KafkaReader(settings.kafka, topic)) as reader:
        span = find_span(reader, description.partitions, _to_ms(arguments.since), _to_ms(arguments.until))
        shape = reader_of(settings)
        if settings.input.repartition and shape.nodes:
            shape.nodes.is_one_log = True
            for partition in description.partitions:
                learn_before(reader, shape, partition, reader.bounds(partition)[1])
        features = arguments.features or find_features(reader, span, shape)
        kept = _without(features, arguments.ignore_columns)
        limits = replace(input_limits(settings.input), parsing=train_parsing(arguments))
        if arguments.features or arguments.part_of_run:
            limits = replace(limits, ignore_unknown_features=True)
        with console.status(f"reading {span.length:,} records of {topic}"):
            decoder, assembly = build_decoder(shape, features, limits), input_assembly(settings.input)
            dataset, notes = read_topic_span(
                reader, span, decoder, features, assembly=assembly, is_one_log=settings.input.repartition
            )
    for note in notes:
        console.print(note, soft_wrap=True)
    return dataset if kept == tuple(features) else dataset.select(kept)


def notes_for_run(arguments: argparse.Namespace, left_out: Collection[str]) -> tuple[str, ...]:
    """Return a note on the setting that `run` needs if features of the topic were left out, by options or by themselves."""
    if not arguments.from_topic or not (arguments.features or arguments.ignore_columns or left_out):
        return ()
    if arguments.part_of_run or settings_of(arguments).input.unknown_features == "ignore":
        return ()
    return ("run accepts records with the features left out here only with STREAM_DETECTOR_INPUT__UNKNOWN_FEATURES=ignore",)


def _without(features: tuple[str, ...], ignored: tuple[str, ...]) -> tuple[str, ...]:
    """Return the features without the ignored ones; raise InputDataError if an ignored one is not a feature."""
    if absent := [name for name in ignored if name not in features]:
        msg = f"--ignore-columns: {', '.join(absent)} is not a feature (features: {', '.join(features)})"
        raise InputDataError(msg)
    return tuple(name for name in features if name not in ignored)


def _to_ms(time: datetime | None) -> int | None:
    return None if time is None else to_ms(time)
