"""What `stream-detector train` prints: progress bars, the data in a line, the model in a few."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_detector.calibration import SECONDS_PER_DAY
from stream_detector.dataset import Dataset
from stream_detector.model.artifact import Artifact

if TYPE_CHECKING:
    from rich.console import Console

    from stream_detector.model.fitting import Progress


@contextmanager
def progress_bars(console: Console) -> Iterator[Progress]:
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


def describe_data(dataset: Dataset) -> str:
    """Say what is trained on, in one line."""
    first, last = (
        datetime.fromtimestamp(int(time_ms) / 1000.0, UTC).strftime("%Y-%m-%d %H:%M:%S")
        for time_ms in (dataset.times_ms.min(), dataset.times_ms.max())
    )
    return (
        f"data: {len(dataset):,} readings of {len(dataset.sensors):,} sensors, {len(dataset.features)} features "
        f"({', '.join(dataset.features[:8])}{', ...' if len(dataset.features) > 8 else ''}), {first} to {last} UTC"
    )


def describe_model(artifact: Artifact, directory: Path) -> str:
    """Say in a few lines what came out; all of it is in report.json as well."""
    report, spec = artifact.report, artifact.spec
    context = report["data"]["context_features"]
    readings_a_day = SECONDS_PER_DAY / spec.sampling_interval_seconds
    rarest = readings_a_day / artifact.calibration.readings
    lines = [
        f"model: {directory} (name {spec.name}, version {spec.version})",
        f"  {artifact.network.decoder} decoder, {artifact.network.units} units",
        f"  windows of {spec.window_length} readings, one every {spec.sampling_interval_seconds:g} s; "
        f"{report['windows']['fit']:,} fitted, {report['windows']['calibration_used']:,} used for calibration",
        f"  loss {report['best']['training']:.3f} in training, {report['best']['validation']:.3f} in validation "
        f"(step {report['best']['step']}; a model that knows nothing has about "
        f"{report['best']['validation_of_zero']:.3f}); {report['seconds']:.0f} s",
        f"  the calibration has seen budgets down to {rarest:.2g} false alarms per sensor and day; "
        "for smaller ones the threshold is extrapolated",
    ]
    if context:
        lines.insert(3, f"  context, never scored: {', '.join(context)}")
    return "\n".join(lines)
