"""Reads what `evaluate` measures on: labelled readings in files of any form, and healthy ones for the simple detectors."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stream_detector.commands.file_options import file_options
from stream_detector.commands.file_scorer import built_in_on
from stream_detector.commands.model_start import start_scorer
from stream_detector.commands.parsing_options import parsing_of
from stream_detector.commands.progress import print_to_stderr
from stream_detector.commands.score_rows import in_row_order, in_state
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.errors import InputDataError
from stream_detector.evaluation.labels import (
    GroundTruth,
    labels_of_column,
    labels_of_events,
    labels_of_file,
    labels_of_values,
    no_labels,
)
from stream_detector.ingest.parsing import Parsing
from stream_detector.settings.schema import Settings
from stream_detector.state.condition import Condition
from stream_detector.tables.dataset import Dataset, clean
from stream_detector.tables.foreign.read import ReadFiles, read_files
from stream_detector.tables.row_choice import while_true
from stream_detector.tables.time_checks import check_order

if TYPE_CHECKING:
    from stream_detector.assembly import TrainedScorer
    from stream_detector.evaluation.attention_check import Expecter

KNOWS_NO_SENSOR = (
    "the built-in model knows no sensor: what it expected is not drawn, and its explanations are not checked. The simple "
    "detectors saw healthy rows before, it did not"
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A model that is ready to score, labelled readings in its features, and how values and times of files are read."""

    scorer: TrainedScorer
    network: Expecter | None  # shows what the network of the model reads; None: it has none
    dataset: Dataset
    truth: GroundTruth
    parsing: Parsing


def read_labelled(arguments: argparse.Namespace, settings: Settings) -> Labelled:
    """Read the labelled readings with --model, or without one with the built-in model, and say how they were understood.

    Raises InputDataError, ModelError, SettingsError.
    """
    if arguments.model is None:
        return _of_built_in(arguments, settings)
    scorer = in_state(start_scorer(arguments.model, settings), arguments.only_while)
    features, column = scorer.spec.features, arguments.label_column
    parsing = parsing_of(arguments, settings, scorer.spec)
    beside = () if arguments.events or arguments.labels or column in features else (column,)
    read = _in_order(read_files(arguments.input, features, (), parsing, file_options(arguments), beside=beside), arguments)
    truth = _truth(arguments, read, features, parsing)
    if unknown := [name for name in read.dataset.unread if name != column]:
        print_to_stderr(f"ignored, unknown to the model: {', '.join(unknown)}")
    return Labelled(scorer, scorer.network, read.dataset.select(features), truth, parsing)


def _of_built_in(arguments: argparse.Namespace, settings: Settings) -> Labelled:
    """Take as features what `train` would, but never the label."""
    parsing = parsing_of(arguments, settings)
    read = _in_order(read_files(arguments.input, parsing=parsing, options=file_options(arguments)), arguments)
    measured = read.dataset.select([name for name in read.dataset.features if name != arguments.label_column])
    scorer, about = built_in_on(measured, arguments.only_while)
    for note in about:
        print_to_stderr(note)
    truth = _truth(arguments, read, scorer.spec.features, parsing)
    truth = replace(truth, notes=(*truth.notes, KNOWS_NO_SENSOR))
    return Labelled(scorer, None, measured.select(scorer.spec.features), truth, parsing)


def _in_order(read: ReadFiles, arguments: argparse.Namespace) -> ReadFiles:
    """Return files whose rows are in the order of a stream, and say how they were understood."""
    rows = in_row_order(read.dataset) if read.joined else read.dataset
    where = ", ".join(map(str, arguments.input))
    out_of_order = check_order(where, rows.codes, rows.times_ms, rows.sensors)
    for note in (*read.lines(), *rows.notes, *out_of_order):
        print_to_stderr(note)
    return replace(read, dataset=rows)


def read_baseline_training(arguments: argparse.Namespace, spec: ModelSpec, parsing: Parsing) -> Dataset | None:
    """Read the healthy readings that the simple detectors are fitted to; None if no file is named. Raises InputDataError."""
    if not arguments.baseline_training:
        return None
    read = read_files(arguments.baseline_training, spec.features, (), parsing, file_options(arguments))
    dataset, _ = clean(read.dataset)
    return dataset.take(while_true(dataset, Condition.parse(spec.only_while))[0]) if spec.only_while else dataset


def _truth(arguments: argparse.Namespace, read: ReadFiles, features: tuple[str, ...], parsing: Parsing) -> GroundTruth:
    """Read the labels from the source that the options name. Raises InputDataError."""
    column, dataset = arguments.label_column, read.dataset
    if arguments.events:
        return labels_of_events(arguments.events, dataset, parsing)
    if arguments.labels:
        return labels_of_file(arguments.labels, column, dataset, parsing)
    if column in features:
        msg = (
            f"column {column} is a feature of the model, so it was trained on the labels; "
            f"train again with --ignore-columns {column}, or name another column with --label-column"
        )
        raise InputDataError(msg)
    if all(one.is_own for one in read.files) and read.joined is None:
        return labels_of_column([one.name for one in read.files], column)
    if column not in dataset.features:
        raise no_labels(arguments.input[0], column, dataset.unread)
    return labels_of_values(dataset.column(column), column, ", ".join(map(str, arguments.input)))
