"""`stream-detector evaluate`: measure the model on labelled readings and compare it with simple detectors."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_detector.assembly import TrainedScorer, decision_rules
from stream_detector.commands.argument_types import count
from stream_detector.commands.evaluate_budgets import figures_by_budget
from stream_detector.commands.evaluate_input import read_baseline_training, read_labelled
from stream_detector.commands.file_options import add_file_options, add_state_option
from stream_detector.commands.progress import score_with_progress, track
from stream_detector.commands.score_rows import idle_line
from stream_detector.commands.settings_options import add_settings_options, settings_of
from stream_detector.commands.zone_option import add_zone_option, shown_zone
from stream_detector.files import check_output_directory, write_texts
from stream_detector.training.remembering_scorer import RememberingScorer

if TYPE_CHECKING:
    from stream_detector.evaluation.labels import GroundTruth
    from stream_detector.evaluation.offline_scoring import ScoredRows
    from stream_detector.evaluation.report import About
    from stream_detector.evaluation.scorecard import EvaluationConfig, Scorecard
    from stream_detector.readings import Float64Array
    from stream_detector.settings.schema import Settings
    from stream_detector.tables.dataset import Dataset

REPORT, PAGE = "report.json", "report.html"
#: Columns of a line of text; terminals have 80.
WIDTH = 78


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--model", type=Path, metavar="DIR", help="directory written by train (default: the built-in model)")
    parser.add_argument(
        "--input",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="CSV or Parquet, sorted by time: sensor_id, timestamp, the model's features (without --model, any measurements), "
        "and the label. Other tables are read as `convert` reads them",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help=f"directory to write {REPORT} and {PAGE} to")
    _add_label_options(parser)
    _add_measure_options(parser)
    add_state_option(parser)
    add_zone_option(parser, reads=True, shows=True)
    add_settings_options(parser)
    add_file_options(parser.add_argument_group("form of the files (default: as they look)"))


def _add_label_options(parser: argparse.ArgumentParser) -> None:
    labels = parser.add_argument_group("labels (default: a column of the input)")
    labels.add_argument(
        "--label-column", default="label", metavar="NAME", help="column that is 1 where a row is anomalous, else 0"
    )
    other = labels.add_mutually_exclusive_group()
    other.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="read the column from this file, which also has sensor_id and timestamp, as written by simulate",
    )
    other.add_argument(
        "--events",
        type=Path,
        metavar="FILE",
        help="instead of a column, a CSV file of events: sensor_id, start, end",
    )


def _add_measure_options(parser: argparse.ArgumentParser) -> None:
    measures = parser.add_argument_group("measures")
    measures.add_argument(
        "--baseline-training",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="healthy readings to fit the baselines to (default: each sensor's rows before its first label)",
    )
    measures.add_argument(
        "--vus-window",
        type=count,
        metavar="N",
        help="largest label tolerance of VUS-PR in rows (default: each sensor's dominant period)",
    )
    measures.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random scores")
    measures.add_argument("--pictures", type=count, default=20, metavar="N", help="sensors to plot, anomalous ones first")


def main(arguments: argparse.Namespace) -> int:
    """Evaluate; return the exit code."""
    from stream_detector.evaluation.adaptation import adaptation_notes
    from stream_detector.evaluation.explanation_check import check_explanations
    from stream_detector.evaluation.report import build_report
    from stream_detector.evaluation.verdict import verdict_lines
    from stream_detector.tables.rises import with_rises

    check_output_directory(arguments.output, arguments.model)
    settings = settings_of(arguments)
    labelled = read_labelled(arguments, settings)
    scorer, dataset, truth = labelled.scorer, labelled.dataset, labelled.truth
    training = read_baseline_training(arguments, scorer.spec, labelled.parsing)
    config = evaluation_config(scorer, settings, arguments.vus_window, arguments.seed)
    remembering = RememberingScorer(scorer)
    scored = score_with_progress(remembering, dataset, settings)
    budgets = figures_by_budget(remembering, dataset, truth, scored, config=config, settings=settings)
    idle = idle_line(scored.is_idle, scorer.spec)
    if counters := scorer.spec.counters:
        dataset = with_rises(dataset, counters, _gap_limits_ms(dataset, settings))
        training = with_rises(training, counters, _gap_limits_ms(training, settings)) if training else None
    scorecards = _scorecards(dataset, truth, scored, training, config)
    quiet_seconds = [config.times_of(one.interval_seconds).quiet_ms / 1000.0 for one in scorecards]
    notes = [*truth.notes, *adaptation_notes(dataset, scored), *([f"{idle}: not measured, by no detector"] if idle else [])]
    truth = replace(truth, notes=tuple(notes))
    about = _about(arguments, scorer, settings, truth, (min(quiet_seconds), max(quiet_seconds)))
    evaluation = build_report(about, scorecards) | {"budgets": budgets}
    of_full_windows = np.where(scored.is_partial, np.nan, scored.score)
    checks = check_explanations(
        scorer,
        scorer.calibration,
        dataset,
        of_full_windows,
        window_length=scorer.spec.window_length,
        seed=arguments.seed,
        network=labelled.network,
    )
    evaluation |= {"explanations": checks.explanations, "attention": checks.attention}
    evaluation["verdict"] = verdict_lines(evaluation)
    zone = shown_zone(arguments, settings.input)
    _write(arguments.output, evaluation, _plots(scorecards, arguments.pictures, scorer, config, zone))
    _print(evaluation, arguments.output)
    return 0


def _gap_limits_ms(dataset: Dataset, settings: Settings) -> Float64Array:
    from stream_detector.tables.dataset import clean
    from stream_detector.tables.sampling import sensor_paces

    limits = sensor_paces(clean(dataset)[0]).gap_limits_ms()
    if settings.state.max_gap_seconds is not None:
        limits[:] = 1000.0 * settings.state.max_gap_seconds
    return limits


def evaluation_config(
    scorer: TrainedScorer, settings: Settings, vus_window: int | None = None, seed: int = 0
) -> EvaluationConfig:
    """Return what is measured of every detector: incidents close as the model and the settings say."""
    from stream_detector.evaluation.scorecard import EvaluationConfig

    decision = decision_rules(scorer.spec, scorer.calibration, settings.state, settings.alerts)
    assert decision.pace is not None
    return EvaluationConfig(
        decision.pace.quiet_ms,
        scorer.spec.sampling_interval_seconds,
        vus_window,
        seed,
        decision.pace.quiet_intervals,
        scorer.spec.window_length,
        decision.pace.accept_ms,
        decision.pace.accept_intervals,
    )


def _scorecards(
    dataset: Dataset, truth: GroundTruth, scored: ScoredRows, training: Dataset | None, config: EvaluationConfig
) -> list[Scorecard]:
    from stream_detector.evaluation.scorecard import make_scorecard, split_by_sensor

    series = track(split_by_sensor(dataset, truth.labels, scored, truth.silences), "measuring", len(dataset.sensors))
    return [make_scorecard(one, training, config) for one in series]


def _about(
    arguments: argparse.Namespace,
    scorer: TrainedScorer,
    settings: Settings,
    truth: GroundTruth,
    quiet_seconds: tuple[float, float],
) -> About:
    from stream_detector.evaluation.report import About

    rules = decision_rules(scorer.spec, scorer.calibration, settings.state, settings.alerts)
    return About(
        model=scorer.spec.name,
        members=scorer.spec.members,
        model_version=scorer.spec.version,
        inputs=tuple(str(path) for path in arguments.input),
        labels=truth.source,
        budget_per_sensor_day=rules.budget_per_sensor_day,
        quiet_seconds=quiet_seconds,
        seed=arguments.seed,
        notes=truth.notes,
        resolution=rules.resolution,
    )


def _plots(
    scorecards: Sequence[Scorecard], limit: int, scorer: TrainedScorer, config: EvaluationConfig, zone: tzinfo | None
) -> dict[str, bytes]:
    """Plot up to `limit` sensors: those with labelled events first, otherwise in input order."""
    from stream_detector.evaluation.expected_values import expected_values
    from stream_detector.evaluation.plots import plot_series

    chosen = sorted(scorecards, key=lambda one: not one.series.truth().marked().any())[:limit]
    spec, scored = scorer.spec, scorer.healthy.scored
    return {
        one.series.sensor: plot_series(
            one.series,
            expected_values(scorer, scorer.calibration, one.series, spec.titles, spec.window_length, is_scored=scored),
            config.times_of(one.interval_seconds),
            spec.window_length,
            zone,
        )
        for one in chosen
    }


def _write(directory: Path, evaluation: dict[str, Any], pictures: dict[str, bytes]) -> None:
    from stream_detector.evaluation.html_report import to_html
    from stream_detector.evaluation.report import to_json

    write_texts(directory, {REPORT: to_json(evaluation), PAGE: to_html(evaluation, pictures)})


def _print(evaluation: dict[str, Any], directory: Path) -> None:
    """Print the figures that matter, what they mean in words, and the caveats."""
    from rich.console import Console

    from stream_detector.evaluation.budget_choice import budget_table
    from stream_detector.evaluation.explanation_words import explanation_lines
    from stream_detector.evaluation.verdict import terminal_table

    console = Console(highlight=False, markup=False, emoji=False)
    for line in (*terminal_table(evaluation), *budget_table(evaluation)):
        console.print(line, soft_wrap=True)
    notes = [f"note: {note}" for note in evaluation["notes"]]
    for paragraph in ("", *evaluation["verdict"], "", *explanation_lines(evaluation), *notes):
        console.print(textwrap.fill(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False), soft_wrap=True)
    console.print(f"report: {directory / PAGE}, {directory / REPORT}", soft_wrap=True)
