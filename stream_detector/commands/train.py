"""`stream-detector train`: a model from files, or from a span of the input topic."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stream_detector.assembly import input_limits
from stream_detector.commands.argument_types import count, moment, share
from stream_detector.commands.settings_options import add_settings_options, settings_of
from stream_detector.commands.train_output import describe_data, describe_model, progress_bars
from stream_detector.errors import InputDataError, SettingsError
from stream_detector.files import check_replaceable, check_writable
from stream_detector.gate.baseline_comparison import GateResult
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.logs import silence_kafka_client
from stream_detector.model.artifact import Artifact, NetworkSpec
from stream_detector.model_store.model_directory import is_model, save_artifact
from stream_detector.tables.dataset import Dataset, clean, read_dataset
from stream_detector.tables.topic_span import find_features, find_span, read_topic_span
from stream_detector.timestamps import to_ms
from stream_detector.training.preparation import Prepared, TrainingConfig, prepare

if TYPE_CHECKING:
    from rich.console import Console

    from stream_detector.settings.schema import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--input",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="CSV or Parquet with columns timestamp (ISO 8601 or epoch), sensor_id (optional for one sensor), then features",
    )
    source.add_argument("--from-topic", action="store_true", help="read the input topic of the settings instead")
    data.add_argument("--since", type=moment, metavar="TIME", help="with --from-topic: first record time (default: all)")
    data.add_argument("--until", type=moment, metavar="TIME", help="with --from-topic: end of the record times (default: all)")
    data.add_argument("--features", type=_names, metavar="A,B", help="with --from-topic: the features (default: all found)")
    add_settings_options(data)
    data.add_argument("--ignore-columns", type=_names, default=(), metavar="A,B", help="columns that are no features")
    data.add_argument(
        "--context-columns",
        type=_names,
        metavar="A,B",
        help="features that the network sees but that are never scored, such as commands; '' for none; "
        "by default those that hold only 0 and 1",
    )

    model = parser.add_argument_group("model")
    model.add_argument("--output", type=Path, required=True, metavar="DIR", help="directory of the model; a model is replaced")
    model.add_argument("--name", default="attention-autoencoder", help="name that events carry")
    model.add_argument("--window-length", type=count, default=64, metavar="N", help="readings per window")
    model.add_argument("--units", type=count, default=64, metavar="N", help="size of the LSTM layers")
    model.add_argument("--dropout", type=share, default=0.0, metavar="SHARE", help="dropout after encoder and decoder")
    model.add_argument(
        "--decoder",
        choices=("both", "context", "sequence"),
        default="both",
        help="from one vector per window, from weighted steps, or from both",
    )
    model.add_argument(
        "--bottleneck",
        type=count,
        metavar="N",
        help="values per weighted step that reach the decoder (default: half the units)",
    )
    model.add_argument(
        "--attention-units", type=count, default=32, metavar="N", help="size of additive attention; or see --attention-bias"
    )
    model.add_argument(
        "--attention-bias", action="store_true", help="attention with a bias per step, instead of the additive form"
    )
    model.add_argument(
        "--uniform-attention", action="store_true", help="give all steps the same weight, to measure what attention is worth"
    )

    fit = parser.add_argument_group("training")
    fit.add_argument("--steps", type=count, metavar="N", help="gradient steps (default: by the data, 250 to 1000)")
    fit.add_argument("--seed", type=int, default=0, metavar="N", help="equal seeds and data give equal models")


def main(arguments: argparse.Namespace) -> int:
    """Train, save, and print the results."""
    from rich.console import Console

    check_replaceable(arguments.output, is_model)
    check_writable(arguments.output)
    console = Console(highlight=False, markup=False)
    dataset, repairs = clean(_read_topic(arguments, console) if arguments.from_topic else _read_files(arguments))
    for repair in repairs:
        console.print(f"repaired: {repair}", soft_wrap=True)
    console.print(describe_data(dataset), soft_wrap=True)
    artifact, result = _train_and_save(prepare(dataset, _config(arguments)), arguments.output, console)
    console.print(describe_model(artifact, result, arguments.output), soft_wrap=True)
    return 0


def _read_files(arguments: argparse.Namespace) -> Dataset:
    if arguments.since or arguments.until or arguments.features:
        msg = "--since, --until and --features are for --from-topic"
        raise SettingsError(msg)
    return read_dataset(arguments.input, ignore=arguments.ignore_columns)


def _read_topic(arguments: argparse.Namespace, console: Console) -> Dataset:
    """Read a span of the input topic; say what was left out."""
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
        features = arguments.features or find_features(reader, span)
        kept = _without(features, arguments.ignore_columns)
        limits = input_limits(settings.input)
        if arguments.features:
            limits = replace(limits, ignore_unknown_features=True)
        with console.status(f"reading {span.length:,} records of {topic}"):
            dataset, notes = read_topic_span(reader, span, JsonDecoder(features, limits), features)
    for note in (*notes, *_how_to_run(arguments, settings)):
        console.print(note, soft_wrap=True)
    return dataset if kept == tuple(features) else dataset.select(kept)


def _how_to_run(arguments: argparse.Namespace, settings: Settings) -> tuple[str, ...]:
    """Say what `run` needs for records with features that were left out."""
    if settings.input.unknown_features == "ignore" or not (arguments.features or arguments.ignore_columns):
        return ()
    return ("run reads records with features that were left out only with STREAM_DETECTOR_INPUT__UNKNOWN_FEATURES=ignore",)


def _without(features: tuple[str, ...], ignored: tuple[str, ...]) -> tuple[str, ...]:
    """Return the features but for the ignored ones; raise InputDataError if one of those is none."""
    if absent := [name for name in ignored if name not in features]:
        msg = f"--ignore-columns: {', '.join(absent)} is no feature (features: {', '.join(features)})"
        raise InputDataError(msg)
    return tuple(name for name in features if name not in ignored)


def _to_ms(time: datetime | None) -> int | None:
    return None if time is None else to_ms(time)


def _train_and_save(prepared: Prepared, output: Path, console: Console) -> tuple[Artifact, GateResult]:
    """Train with a progress bar and write the directory; return the model and the gate's result."""
    # TensorFlow is loaded here, so data errors are reported first.
    from stream_detector.training.plot import draw_training
    from stream_detector.training.trainer import train

    started = time.monotonic()
    with progress_bars(console) as progress:
        training = train(prepared, progress)
    seconds = round(time.monotonic() - started, 1)
    report = {**training.artifact.report, "seconds": seconds, "trained_at": datetime.now(UTC).isoformat(timespec="seconds")}
    artifact = replace(training.artifact, report=report)
    picture = draw_training(training.losses, training.example, prepared.dataset.features)
    save_artifact(artifact, output, picture)
    return artifact, training.gate_result


def _config(arguments: argparse.Namespace) -> TrainingConfig:
    network = NetworkSpec(
        units=arguments.units,
        dropout=arguments.dropout,
        decoder=arguments.decoder,
        bottleneck=arguments.bottleneck,
        attention_units=None if arguments.attention_bias else arguments.attention_units,
        uniform_attention=arguments.uniform_attention,
    )
    return TrainingConfig(
        name=arguments.name,
        window_length=arguments.window_length,
        network=network,
        seed=arguments.seed,
        steps=arguments.steps,
        context_features=arguments.context_columns,
    )


def _names(text: str) -> tuple[str, ...]:
    """Parse names separated by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
