"""Formats what `stream-detector train` prints first: progress bars, the data, the model. train_verdict.py has its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_detector.model.artifact import Artifact
from stream_detector.model_store.model_directory import PICTURE
from stream_detector.model_store.serialization import REPORT
from stream_detector.timestamps import duration, shown_time

if TYPE_CHECKING:
    from rich.console import Console

    from stream_detector.tables.dataset import Dataset
    from stream_detector.training.network_fit import Progress

#: Columns of a line of text; terminals have 80.
WIDTH = 78


#: What a line of progress begins with.
PROGRESS = "progress: "
#: What a line of the summary begins with that a training of `run` prints.
SHORT = "in short: "


def progress_lines(console: Console) -> Progress:
    """Return what prints a line for every tenth of a phase, for a program to read."""
    shown: set[tuple[str, int]] = set()

    def update(phase: str, done: int, total: int, loss: float | None) -> None:  # noqa: ARG001 - as the bars take it
        tenth = 10 * done // max(1, total)
        if (phase, tenth) not in shown:
            shown.add((phase, tenth))
            console.print(f"{PROGRESS}{phase}, {10 * tenth} %", soft_wrap=True)

    return update


@contextmanager
def progress_bars(console: Console) -> Iterator[Progress]:
    """Show a progress bar per phase of the training."""
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


def describe_data(dataset: Dataset, zone: tzinfo | None = None) -> str:
    """Describe the data in two lines. Times are UTC without `zone`."""
    first, last = (
        shown_time(int(time_ms) // 1000 * 1000, zone) for time_ms in (dataset.times_ms.min(), dataset.times_ms.max())
    )
    names = f"{', '.join(dataset.features[:8])}{', ...' if len(dataset.features) > 8 else ''}"
    sensors = "1 sensor" if len(dataset.sensors) == 1 else f"{len(dataset.sensors):,} sensors"
    features = "1 feature" if len(dataset.features) == 1 else f"{len(dataset.features)} features"
    return f"data: {len(dataset):,} readings of {sensors}, {features} ({names})\n      {first} to {last}"


def describe_model(artifact: Artifact, directory: Path, *, stays: bool = True, moves: bool = False) -> str:
    """Describe the trained model in a few lines; report.json has everything else. Unless it `stays`, no path is named.

    Nor if it `moves`, with the text beside its files.
    """
    report, spec = artifact.report, artifact.spec
    interval_seconds = spec.sampling_interval_seconds
    name = f"{directory} (name {spec.name}, " if stays else f"{spec.name} ({'' if moves else 'in a temporary directory, '}"
    lines = [
        f"model: {name}version {spec.version})",
        f"  windows of {spec.window_length} readings ({duration(spec.window_length * interval_seconds)}), one every "
        f"{interval_seconds:g} s; trained in {report['seconds']:.0f} s",
    ]
    if moves:
        lines.append(f"  all figures: {REPORT}; picture: {PICTURE}, beside this text")
    elif stays:
        lines.append(f"  all figures: {directory / REPORT}; picture: {directory / PICTURE}")
    if context := report["data"]["context_features"]:
        lines.insert(2, f"  context, never scored: {', '.join(context)}")
    return "\n".join(lines)
