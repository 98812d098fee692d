"""`stream-detector train`: train a model on files or on a span of the input topic."""

from __future__ import annotations

import argparse
import textwrap
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_detector.commands.argument_types import count, moment
from stream_detector.commands.column_options import add_column_options, choices_of, names
from stream_detector.commands.file_options import add_file_options, add_row_options
from stream_detector.commands.model_options import add_model_options, describe_start, follow_settings, training_config
from stream_detector.commands.settings_options import add_settings_options, copyable, settings_arguments, settings_of
from stream_detector.commands.train_bounded import bound
from stream_detector.commands.train_input import (
    check_state,
    chosen_rows,
    notes_for_run,
    read_files,
    read_topic,
)
from stream_detector.commands.train_next import Outcome, next_answer
from stream_detector.commands.train_output import (
    WIDTH,
    describe_data,
    describe_model,
    progress_bars,
    progress_lines,
)
from stream_detector.commands.train_replace import (
    REJECTED,
    Place,
    check_features,
    describe_comparison,
    describe_decision,
    describe_doubt,
    describe_short,
    in_its_order,
    look_at,
)
from stream_detector.commands.zone_option import add_zone_option, shown_zone
from stream_detector.errors import InputDataError
from stream_detector.files import check_writable
from stream_detector.model.artifact import Artifact
from stream_detector.model_store.candidate import marked_as_learned
from stream_detector.model_store.model_directory import save_artifact
from stream_detector.tables.dataset import clean
from stream_detector.tables.windowless import windowless_warning
from stream_detector.training.extent import extent_of
from stream_detector.training.history import first_warnings
from stream_detector.training.inspection import Inspection, inspect
from stream_detector.training.preparation import Prepared, prepare

if TYPE_CHECKING:
    from rich.console import Console

    from stream_detector.gate.baseline_comparison import GateResult
    from stream_detector.settings.schema import Settings
    from stream_detector.training.comparison import Comparison
    from stream_detector.training.network_fit import Progress
    from stream_detector.training.verdict import Verdict

#: Name of the last progress bar.
JUDGING = "judging"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    data = parser.add_argument_group("data")
    _add_data_options(data)
    add_row_options(data)
    add_file_options(parser.add_argument_group("form of the files (default: as they look)"))
    add_model_options(parser.add_argument_group("model"))
    training = parser.add_argument_group("training")
    training.add_argument(
        "--steps",
        type=count,
        metavar="N",
        help="gradient steps (default: 175 to 700 by the data, from scratch 250 to 1000)",
    )
    training.add_argument("--part-of-demo", action="store_true", help=argparse.SUPPRESS)  # its directory is removed after it
    training.add_argument("--part-of-run", default="", help=argparse.SUPPRESS)  # its bounds; `run` judges and promotes it
    training.add_argument("--seed", type=int, default=0, metavar="N", help="equal seeds and data give equal models")


def _add_data_options(data: argparse._ArgumentGroup) -> None:
    source = data.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--input",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="CSV or Parquet with columns timestamp, sensor_id (optional for one sensor), then features; or other tables, "
        "archives and folders, as `convert` reads them",
    )
    source.add_argument("--from-topic", action="store_true", help="read the input topic of the settings instead")
    data.add_argument("--since", type=moment, metavar="TIME", help="with --from-topic: first record time (default: all)")
    data.add_argument("--until", type=moment, metavar="TIME", help="with --from-topic: end of the record times (default: all)")
    data.add_argument("--features", type=names, metavar="A,B", help="with --from-topic: the features (default: all found)")
    add_settings_options(data)
    add_zone_option(data, reads=True, shows=True)
    add_column_options(data)


def main(arguments: argparse.Namespace) -> int:
    """Train, save, and print the results."""
    from rich.console import Console

    if arguments.part_of_run:
        bound(arguments.part_of_run)
    settings = settings_of(arguments)
    follow_settings(arguments, settings)
    place = look_at(arguments.output)
    check_writable(arguments.output)
    console = Console(highlight=False, markup=False)
    say = partial(console.print, soft_wrap=True)
    dataset, repairs = clean(read_topic(arguments, console) if arguments.from_topic else read_files(arguments, say))
    dataset, left_out = chosen_rows(dataset, arguments)
    notes = [*dataset.notes, *(f"repaired: {repair}" for repair in repairs), *left_out]
    for note in notes:
        say(note)
    inspection = inspect(dataset, choices_of(arguments))
    check_state(inspection, arguments.only_while, arguments.says_only_while)
    for note in (*inspection.notes, *notes_for_run(arguments, inspection.left_out)):
        console.print(note, soft_wrap=True)
    zone = shown_zone(arguments, settings.input)
    console.print(describe_data(inspection.dataset, zone), soft_wrap=True)
    check_features(place, inspection.dataset.features, replace=arguments.replace)
    prepared = _prepare(place, inspection, arguments, console)
    bars = nullcontext(progress_lines(console)) if arguments.part_of_run else progress_bars(console)
    trained = _train(prepared, place, settings, bars)
    if arguments.part_of_run:
        trained = replace(trained, artifact=marked_as_learned(trained.artifact))
        from stream_detector.commands.train_summary import print_summary

        print_summary(inspection.dataset, [*notes, *inspection.notes], trained.verdict, trained.gate_result, say)
    return _save(trained, place, arguments, console, zone)


def _prepare(place: Place, inspection: Inspection, arguments: argparse.Namespace, console: Console) -> Prepared:
    """Prepare the training, then warn: what makes a training impossible is an error, and said alone, but for gaps."""
    dataset, length = inspection.dataset, arguments.window_length
    try:
        prepared = prepare(in_its_order(place, dataset), training_config(arguments, inspection))
    except InputDataError:
        if int(np.bincount(dataset.codes).max(initial=0)) >= length:
            _warn([windowless_warning(dataset, length)], console)
        raise
    if not arguments.part_of_demo:
        short = (
            "" if arguments.replace else describe_short(place, extent_of(prepared.dataset, prepared.interval_seconds, length))
        )
        console.print(describe_start(prepared.config), soft_wrap=True)
        _warn([*first_warnings(dataset, length), short, windowless_warning(dataset, length)], console)
    return prepared


def _warn(warnings: Iterable[str | None], console: Console) -> None:
    for warning in filter(None, warnings):
        console.print(textwrap.fill(warning, WIDTH), style="yellow", soft_wrap=True)


@dataclass(frozen=True, slots=True)
class _Trained:
    """A new model, and what is said about it."""

    artifact: Artifact
    picture: bytes
    gate_result: GateResult
    verdict: Verdict
    comparison: Comparison | None  # with the model there; None: there is none, or it cannot be compared


def _train(
    prepared: Prepared,
    place: Place,
    settings: Settings,
    bars: AbstractContextManager[Progress],
) -> _Trained:
    """Train and show the progress, judge the model, and compare it with the one there."""
    # TensorFlow loads here, slowly, so errors in the data are reported before it.
    from stream_detector.training.comparison import compare
    from stream_detector.training.plot import draw_training
    from stream_detector.training.trainer import train
    from stream_detector.training.verdict import judge, with_verdict

    started = time.monotonic()
    with bars as progress:
        training = train(prepared, progress)
        progress(JUDGING, 0, 2, None)
        verdict = judge(prepared, training.artifact, settings)
        progress(JUDGING, 1, 2, None)
        judged, there, comparison = with_verdict(training.artifact, verdict), place.there, None
        if there is not None and there.spec.features == prepared.dataset.features:
            comparison = compare(prepared, there, judged, settings)
        progress(JUDGING, 2, 2, None)
    seconds = round(time.monotonic() - started, 1)
    report = {**judged.report, "seconds": seconds, "trained_at": datetime.now(UTC).isoformat(timespec="seconds")}
    if comparison is not None:
        report["comparison"] = comparison.as_json()
    artifact = replace(judged, report=report)
    picture = draw_training(training.losses, training.example, training.artifact.spec.titles)
    return _Trained(artifact, picture, training.gate_result, verdict, comparison)


def _save(trained: _Trained, place: Place, arguments: argparse.Namespace, console: Console, zone: tzinfo | None) -> int:
    """Write the directory, or the one beside it if the model is worse; print the results, and return the exit code."""
    from stream_detector.commands.train_verdict import describe_verdict

    comparison, is_part = trained.comparison, arguments.part_of_demo or arguments.part_of_run
    is_rejected = comparison is not None and comparison.why_worse() is not None and not arguments.replace
    directory = place.rejected if is_rejected else place.output
    save_artifact(trained.artifact, directory, trained.picture, None if is_rejected else place.previous)
    doubt = describe_doubt(place, comparison) if comparison else None
    decision = describe_decision(place, comparison, replace=arguments.replace)
    outcome = _outcome(trained, place, arguments, is_rejected=is_rejected)
    for text in (
        describe_model(trained.artifact, directory, stays=not is_part, moves=bool(arguments.part_of_run)),
        describe_verdict(trained.verdict, trained.gate_result, zone),
        describe_comparison(comparison) if comparison else "",
        f"\n{doubt}" if doubt else "",
        f"\n{decision}\n" if decision else "",
        "" if is_part else copyable(next_answer(outcome), settings_arguments(arguments)),
    ):
        if text:
            console.print(text, soft_wrap=True)
    return REJECTED if is_rejected else 0


def _outcome(trained: _Trained, place: Place, arguments: argparse.Namespace, *, is_rejected: bool) -> Outcome:
    comparison, missing = trained.comparison, trained.verdict.alarms.missing
    return Outcome(
        directory=place.rejected if is_rejected else place.output,
        inputs=arguments.input or (),
        extent=trained.verdict.history.extent,
        is_promoted=False if missing is not None and missing.why_failed() else trained.gate_result.promoted,
        stays=place.output if is_rejected else None,
        is_too_short=comparison is not None and comparison.why_too_short() is not None,
        has_oddities=bool(trained.verdict.oddities),
        previous=place.previous if place.there is not None and not is_rejected else None,
        form=() if arguments.from_topic else arguments.form,
    )
