"""What `stream-detector train` prints: progress bars, the data in a line, the model in a few."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_detector.gate.baseline_comparison import Verdict
from stream_detector.gate.promotion import REPORT_KEY, describe
from stream_detector.model.artifact import Artifact
from stream_detector.tables.dataset import Dataset
from stream_detector.training.alarm_budgets import BudgetRow, budget_lines

if TYPE_CHECKING:
    from rich.console import Console

    from stream_detector.training.network_fit import Progress


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


def describe_model(artifact: Artifact, verdict: Verdict, directory: Path) -> str:
    """Say in a few lines what came out; all of it is in report.json as well."""
    report, spec = artifact.report, artifact.spec
    context = report["data"]["context_features"]
    best = report["best"]
    lines = [
        f"model: {directory} (name {spec.name}, version {spec.version})",
        f"  windows of {spec.window_length} readings, one every {spec.sampling_interval_seconds:g} s; "
        f"{report['windows']['fit']:,} fitted, {report['windows']['calibration_used']:,} used for calibration; "
        f"{report['seconds']:.0f} s",
        f"  autoencoder ({artifact.network.decoder} decoder, {artifact.network.units} units): loss {best['training']:.3f} in "
        f"training, {best['validation']:.3f} in validation (step {best['step']}; carrying the last value on has "
        f"{best['validation_of_carrying']:.3f})",
        *describe_members(spec.members, report["members"]),
        *describe_autoencoder(report["autoencoder"]),
        *(f"  {line}" for line in describe(verdict).splitlines()),
        *describe_blame(report[REPORT_KEY]["blame"]),
        "  alarm budgets that the calibration data can vouch for:",
        *(f"  {line}" for line in budget_lines([BudgetRow(**row) for row in report["budgets"]])),
    ]
    if context:
        lines.insert(2, f"  context, never scored: {', '.join(context)}")
    return "\n".join(lines)


def describe_members(scored: Sequence[str], selection: Mapping[str, Any]) -> list[str]:
    """Say which members are scored, and which did harm on injected faults and are left out."""
    left_out = [member for member in selection["members"] if not member["kept"]]
    return [f"  score: the mean surprise of {', '.join(scored)}"] + [
        f"  left out: {member['name']} (without it, {member['gain_without']:+.3f} in AUC-PR on injected faults)"
        for member in left_out
    ]


def describe_autoencoder(emphasis: Mapping[str, Any] | None) -> list[str]:
    """Say how much the autoencoder weighs in the score, and what it is worth there."""
    if emphasis is None or emphasis["gain"] is None:
        return []
    share, gain = emphasis["share"], emphasis["gain"]
    if share == 0.0:
        return ["  left out: autoencoder; injected faults are found better without it"]
    return [f"  the autoencoder makes up {share:.0%} of it, worth {gain:+.3f} in AUC-PR on injected faults"]


def describe_blame(blame: Mapping[str, Any]) -> list[str]:
    """Say how often explanations blame a feature that is faulty."""
    if not blame["faults"]:
        return []
    return [
        f"  blame: a faulty feature comes first in {blame['first']:.0%} of {blame['faults']} faults "
        f"(by chance {blame['first_by_chance']:.0%}), is among the first three in {blame['first_three']:.0%} "
        f"({blame['first_three_by_chance']:.0%})"
    ]
