"""Formats what `stream-detector train` prints: progress bars, the data in one line, the model in a few."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_detector.gate.baseline_comparison import GateResult
from stream_detector.gate.promotion import REPORT_KEY, describe
from stream_detector.model.artifact import Artifact
from stream_detector.tables.dataset import Dataset
from stream_detector.training.alarm_budgets import BudgetRow, budget_lines

if TYPE_CHECKING:
    from rich.console import Console

    from stream_detector.training.network_fit import Progress


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


def describe_data(dataset: Dataset) -> str:
    """Describe the data in one line."""
    first, last = (
        datetime.fromtimestamp(int(time_ms) / 1000.0, UTC).strftime("%Y-%m-%d %H:%M:%S")
        for time_ms in (dataset.times_ms.min(), dataset.times_ms.max())
    )
    return (
        f"data: {len(dataset):,} readings of {len(dataset.sensors):,} sensors, {len(dataset.features)} features "
        f"({', '.join(dataset.features[:8])}{', ...' if len(dataset.features) > 8 else ''}), {first} to {last} UTC"
    )


def describe_model(artifact: Artifact, result: GateResult, directory: Path) -> str:
    """Describe the trained model in a few lines; report.json has every result."""
    report, spec = artifact.report, artifact.spec
    context = report["data"]["context_features"]
    best = report["best"]
    lines = [
        f"model: {directory} (name {spec.name}, version {spec.version})",
        f"  windows of {spec.window_length} readings, one every {spec.sampling_interval_seconds:g} s; "
        f"{report['windows']['fit']:,} fitted, {report['windows']['calibration_used']:,} used for calibration; "
        f"{report['seconds']:.0f} s",
        f"  autoencoder ({artifact.network.decoder} decoder, {artifact.network.units} units): loss {best['training']:.3f} in "
        f"training, {best['validation']:.3f} in validation (step {best['step']}; repeating the last value has "
        f"{best['validation_of_carrying']:.3f})",
        *describe_members(spec.members, report["members"]),
        *describe_autoencoder(report["autoencoder"]),
        *(f"  {line}" for line in describe(result).splitlines()),
        *describe_attribution(report[REPORT_KEY]["blame"]),
        "  alarm budgets, and whether the calibration data resolve them:",
        *(f"  {line}" for line in budget_lines([BudgetRow(**row) for row in report["budgets"]])),
    ]
    if context:
        lines.insert(2, f"  context, never scored: {', '.join(context)}")
    return "\n".join(lines)


def describe_members(scored: Sequence[str], selection: Mapping[str, Any]) -> list[str]:
    """List the members that are scored, and those left out because the score detects injected faults better without them."""
    left_out = [member for member in selection["members"] if not member["kept"]]
    return [f"  score: the mean surprise of {', '.join(scored)}"] + [
        f"  left out: {member['name']} (without it, {member['gain_without']:+.3f} in AUC-PR on injected faults)"
        for member in left_out
    ]


def describe_autoencoder(weight: Mapping[str, Any] | None) -> list[str]:
    """State the autoencoder's weight in the score, and what it contributes."""
    if weight is None or weight["gain"] is None:
        return []
    share, gain = weight["share"], weight["gain"]
    if share == 0.0:
        return ["  left out: autoencoder; injected faults are detected better without it"]
    return [f"  the autoencoder makes up {share:.0%} of the score, which changes AUC-PR on injected faults by {gain:+.3f}"]


def describe_attribution(found: Mapping[str, Any]) -> list[str]:
    """State how often explanations rank a feature at fault first, or among the first three."""
    if not found["faults"]:
        return []
    return [
        f"  explanations: a feature at fault comes first in {found['first']:.0%} of {found['faults']} faults "
        f"(by chance {found['first_by_chance']:.0%}), is among the first three in {found['first_three']:.0%} "
        f"({found['first_three_by_chance']:.0%})"
    ]
