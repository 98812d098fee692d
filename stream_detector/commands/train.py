"""`stream-detector train`: train a model on files or on a span of the input topic."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stream_detector.commands.argument_types import count, missing, moment, share
from stream_detector.commands.settings_options import add_settings_options
from stream_detector.commands.train_input import read_files, read_topic, train_parsing
from stream_detector.commands.train_output import describe_data, describe_model, progress_bars
from stream_detector.files import check_replaceable, check_writable
from stream_detector.gate.baseline_comparison import GateResult
from stream_detector.model.artifact import Artifact, NetworkSpec
from stream_detector.model_store.model_directory import is_model, save_artifact
from stream_detector.tables.dataset import clean
from stream_detector.training.preparation import Prepared, TrainingConfig, prepare
from stream_detector.values import NO_MISSING_VALUES

if TYPE_CHECKING:
    from rich.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    _add_data_options(parser.add_argument_group("data"))
    _add_model_options(parser.add_argument_group("model"))
    training = parser.add_argument_group("training")
    training.add_argument("--steps", type=count, metavar="N", help="gradient steps (default: 250 to 1000, depending on data)")
    training.add_argument("--seed", type=int, default=0, metavar="N", help="equal seeds and data give equal models")


def _add_data_options(data: argparse._ArgumentGroup) -> None:
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
    data.add_argument("--ignore-columns", type=_names, default=(), metavar="A,B", help="columns that are not features")
    data.add_argument(
        "--missing-values",
        type=missing,
        default=NO_MISSING_VALUES,
        metavar="A,B",
        help="words and numbers that mean missing, such as 'Stale,-9999,temperature=-1'; the model keeps them for the stream",
    )
    data.add_argument(
        "--context-columns",
        type=_names,
        metavar="A,B",
        help="features that inform the model but are never scored, such as commands; '' for none "
        "(default: those that hold only 0 and 1)",
    )


def _add_model_options(model: argparse._ArgumentGroup) -> None:
    model.add_argument("--output", type=Path, required=True, metavar="DIR", help="model directory; replaces a model there")
    model.add_argument("--name", default="attention-autoencoder", help="model name in events")
    model.add_argument("--window-length", type=count, default=64, metavar="N", help="readings per window")
    model.add_argument("--units", type=count, default=64, metavar="N", help="size of the LSTM layers")
    model.add_argument("--dropout", type=share, default=0.0, metavar="SHARE", help="dropout after encoder and decoder")
    model.add_argument(
        "--decoder",
        choices=("both", "context", "sequence"),
        default="both",
        help="decode from one vector per window, from weighted steps, or from both",
    )
    model.add_argument(
        "--bottleneck",
        type=count,
        metavar="N",
        help="values per weighted step that reach the decoder (default: half the units)",
    )
    model.add_argument(
        "--attention-units", type=count, default=32, metavar="N", help="size of additive attention; see also --attention-bias"
    )
    model.add_argument(
        "--attention-bias", action="store_true", help="attention with a bias per step, instead of the additive form"
    )
    model.add_argument(
        "--uniform-attention", action="store_true", help="give all steps the same weight, to measure what attention contributes"
    )


def main(arguments: argparse.Namespace) -> int:
    """Train, save, and print the results."""
    from rich.console import Console

    check_replaceable(arguments.output, is_model)
    check_writable(arguments.output)
    console = Console(highlight=False, markup=False)
    dataset, repairs = clean(read_topic(arguments, console) if arguments.from_topic else read_files(arguments))
    for note in dataset.notes:
        console.print(note, soft_wrap=True)
    for repair in repairs:
        console.print(f"repaired: {repair}", soft_wrap=True)
    console.print(describe_data(dataset), soft_wrap=True)
    artifact, result = _train_and_save(prepare(dataset, _config(arguments)), arguments.output, console)
    console.print(describe_model(artifact, result, arguments.output), soft_wrap=True)
    return 0


def _train_and_save(prepared: Prepared, output: Path, console: Console) -> tuple[Artifact, GateResult]:
    """Train with a progress bar and write the directory; return the model and the gate's result."""
    # TensorFlow loads here, slowly, so errors in the data are reported before it.
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
        missing_values=train_parsing(arguments).missing,
    )


def _names(text: str) -> tuple[str, ...]:
    """Parse names separated by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
