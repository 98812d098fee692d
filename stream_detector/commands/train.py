"""`stream-detector train`: a model from files, or from a span of the input topic."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_detector.calibration import SECONDS_PER_DAY
from stream_detector.commands.option_types import count, share
from stream_detector.dataset import Dataset, clean, read_dataset
from stream_detector.model.artifact import Artifact, NetworkSpec, is_model, save_artifact
from stream_detector.model.directory import check_replaceable
from stream_detector.model.preparation import Prepared, TrainingConfig, prepare

if TYPE_CHECKING:
    from rich.console import Console

    from stream_detector.model.fitting import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    data = parser.add_argument_group("data")
    data.add_argument(
        "--input",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="CSV or Parquet with columns timestamp (ISO 8601 or epoch), sensor_id (left out: one sensor), then features",
    )
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
    model.add_argument("--window-length", type=count, default=32, metavar="N", help="readings per window")
    model.add_argument("--units", type=count, default=64, metavar="N", help="size of the LSTM layers")
    model.add_argument("--dropout", type=share, default=0.2, metavar="SHARE", help="dropout after encoder and decoder")
    model.add_argument(
        "--decoder",
        choices=("context", "sequence"),
        default="context",
        help="from one vector per window, or from weighted steps",
    )
    model.add_argument(
        "--bottleneck", type=count, metavar="N", help="values per step that reach the sequence decoder (default: half)"
    )
    model.add_argument(
        "--attention-units", type=count, metavar="N", help="additive attention of this size (default: a bias per step)"
    )

    fit = parser.add_argument_group("training")
    fit.add_argument("--steps", type=count, metavar="N", help="gradient steps (default: by the data, 250 to 1000)")
    fit.add_argument("--seed", type=int, default=0, metavar="N", help="equal seeds and data give equal models")


def main(arguments: argparse.Namespace) -> int:
    """Train, save, and say what came out."""
    from rich.console import Console

    check_replaceable(arguments.output, is_model)
    console = Console(highlight=False, markup=False)
    dataset, repairs = clean(_read(arguments))
    for repair in repairs:
        console.print(f"repaired: {repair}", soft_wrap=True)
    console.print(_describe_data(dataset), soft_wrap=True)
    artifact = _train_and_save(prepare(dataset, _config(arguments)), arguments.output, console)
    console.print(_describe_model(artifact, arguments.output), soft_wrap=True)
    return 0


def _read(arguments: argparse.Namespace) -> Dataset:
    return read_dataset(arguments.input, ignore=arguments.ignore_columns)


def _train_and_save(prepared: Prepared, output: Path, console: Console) -> Artifact:
    """Train with a progress bar and write the directory; return the model."""
    # TensorFlow is loaded here: data errors are told before.
    from stream_detector.model.picture import draw_training
    from stream_detector.model.training import train

    started = time.monotonic()
    with _progress_bar(console) as progress:
        training = train(prepared, progress)
    seconds = round(time.monotonic() - started, 1)
    report = {**training.artifact.report, "seconds": seconds, "trained_at": datetime.now(UTC).isoformat(timespec="seconds")}
    artifact = replace(training.artifact, report=report)
    picture = draw_training(training.losses, training.example, prepared.dataset.features)
    save_artifact(artifact, output, picture)
    return artifact


def _config(arguments: argparse.Namespace) -> TrainingConfig:
    network = NetworkSpec(
        units=arguments.units,
        dropout=arguments.dropout,
        decoder=arguments.decoder,
        bottleneck=arguments.bottleneck,
        attention_units=arguments.attention_units,
    )
    return TrainingConfig(
        name=arguments.name,
        window_length=arguments.window_length,
        network=network,
        seed=arguments.seed,
        steps=arguments.steps,
        context_features=arguments.context_columns,
    )


@contextmanager
def _progress_bar(console: Console) -> Iterator[Progress]:
    """Show a bar for each phase of the training."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<11}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Bars(*columns, console=console) as bars:
        tasks: dict[str, Any] = {}

        def update(phase: str, done: int, total: int, loss: float | None) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(phase, total=total, note="")
            note = "" if loss is None else f"validation loss {loss:.3f}"
            bars.update(tasks[phase], completed=done, total=total, note=note)

        yield update


def _describe_data(dataset: Dataset) -> str:
    first, last = (
        datetime.fromtimestamp(int(time_ms) / 1000.0, UTC).strftime("%Y-%m-%d %H:%M:%S")
        for time_ms in (dataset.times_ms.min(), dataset.times_ms.max())
    )
    return (
        f"data: {len(dataset):,} readings of {len(dataset.sensors):,} sensors, {len(dataset.features)} features "
        f"({', '.join(dataset.features[:8])}{', ...' if len(dataset.features) > 8 else ''}), {first} to {last} UTC"
    )


def _describe_model(artifact: Artifact, directory: Path) -> str:
    """Say in a few lines what came out; all of it is in report.json as well."""
    report, spec = artifact.report, artifact.spec
    context = report["data"]["context_features"]
    readings_a_day = SECONDS_PER_DAY / spec.sampling_interval_seconds
    rarest = readings_a_day / artifact.calibration.readings
    lines = [
        f"model: {directory} (name {spec.name}, version {spec.version})",
        f"  windows of {spec.window_length} readings, one every {spec.sampling_interval_seconds:g} s; "
        f"{report['windows']['fit']:,} fitted, {report['windows']['calibration_used']:,} used for calibration",
        f"  loss {report['best']['training']:.3f} in training, {report['best']['validation']:.3f} in validation "
        f"(step {report['best']['step']}; a model that knows nothing has about "
        f"{report['best']['validation_of_zero']:.3f}); {report['seconds']:.0f} s",
        f"  the calibration has seen budgets down to {rarest:.2g} false alarms per sensor and day; "
        "for smaller ones the threshold is extrapolated",
    ]
    if context:
        lines.insert(2, f"  context, never scored: {', '.join(context)}")
    return "\n".join(lines)


def _names(text: str) -> tuple[str, ...]:
    """Parse names separated by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
