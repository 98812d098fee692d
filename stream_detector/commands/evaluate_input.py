"""Reads what `evaluate` measures on: labelled readings in files of any form, and healthy ones for the simple detectors."""

from __future__ import annotations

import argparse
from dataclasses import replace

from stream_detector.commands.file_options import file_options
from stream_detector.commands.progress import print_to_stderr
from stream_detector.commands.score_rows import in_row_order
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
from stream_detector.state.condition import Condition
from stream_detector.tables.dataset import Dataset, clean
from stream_detector.tables.foreign.read import ReadFiles, read_files
from stream_detector.tables.row_choice import while_true
from stream_detector.tables.time_checks import check_order


def read_labelled(arguments: argparse.Namespace, features: tuple[str, ...], parsing: Parsing) -> tuple[Dataset, GroundTruth]:
    """Read the labelled readings, and say how they were understood. Raises InputDataError."""
    column = arguments.label_column
    beside = () if arguments.events or arguments.labels or column in features else (column,)
    read = read_files(arguments.input, features, (), parsing, file_options(arguments), beside=beside)
    rows = in_row_order(read.dataset) if read.joined else read.dataset
    where = ", ".join(map(str, arguments.input))
    out_of_order = check_order(where, rows.codes, rows.times_ms, rows.sensors)
    for note in (*read.lines(), *rows.notes, *out_of_order):
        print_to_stderr(note)
    truth = _truth(arguments, replace(read, dataset=rows), features, parsing)
    if unknown := [name for name in rows.unread if name != column]:
        print_to_stderr(f"ignored, unknown to the model: {', '.join(unknown)}")
    return rows.select(features), truth


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
