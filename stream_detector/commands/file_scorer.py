"""Reads a file to score, with the model of a directory, or with the built-in one on the columns that the file has."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream_detector.built_in.members import LENGTH
from stream_detector.built_in.scorer import BuiltIn
from stream_detector.commands.file_options import file_options
from stream_detector.commands.model_start import start_scorer
from stream_detector.commands.parsing_options import parsing_of
from stream_detector.commands.score_rows import in_row_order, in_state
from stream_detector.settings.schema import Settings
from stream_detector.state.condition import Condition
from stream_detector.state.record_layout import WindowShape
from stream_detector.state.sensor_names import coverage_line

if TYPE_CHECKING:
    from stream_detector.assembly import TrainedScorer
    from stream_detector.tables.dataset import Dataset
    from stream_detector.training.inspection import Inspection

BUILT_IN_SAYS = (
    "model: built-in, which was trained on no machine: each feature is judged alone, by what its own sensor showed before in "
    "this file. `stream-detector train` learns how features go together"
)


@dataclass(frozen=True, slots=True)
class FileScorer:
    """A model that is ready to score, the readings of a file in its features, and sentences on both."""

    scorer: TrainedScorer
    dataset: Dataset
    notes: tuple[str, ...]
    about_model: tuple[str, ...]


def file_scorer(arguments: argparse.Namespace, settings: Settings) -> FileScorer:
    """Read the input with --model, or without one with the built-in model. Raises InputDataError, ModelError, SettingsError."""
    if arguments.model is None:
        return _built_in(arguments, settings)
    from stream_detector.tables.foreign.read import read_files

    scorer = in_state(start_scorer(arguments.model, settings), arguments.only_while)
    parsing = parsing_of(arguments, settings, scorer.spec)
    read = read_files([arguments.input], scorer.spec.features, parsing=parsing, options=file_options(arguments))
    dataset = in_row_order(read.dataset) if read.joined else read.dataset
    unread = (f"ignored, unknown to the model: {', '.join(dataset.unread)}",) if dataset.unread else ()
    known = coverage_line(dataset.sensors, scorer.calibration.sensors)
    return FileScorer(scorer, dataset, (*read.lines(), *dataset.notes), (*unread, known))


def _built_in(arguments: argparse.Namespace, settings: Settings) -> FileScorer:
    from stream_detector.tables.foreign.read import read_files

    read = read_files([arguments.input], parsing=parsing_of(arguments, settings), options=file_options(arguments))
    dataset = in_row_order(read.dataset) if read.joined else read.dataset
    scorer, about = built_in_on(dataset, arguments.only_while)
    return FileScorer(scorer, dataset.select(scorer.spec.features), (*read.lines(), *dataset.notes), about)


def built_in_on(dataset: Dataset, only_while: Condition | None) -> tuple[BuiltIn, tuple[str, ...]]:
    """Return the built-in model on the columns of a file that `train` would take as features, and sentences on that."""
    from stream_detector.tables.dataset import clean
    from stream_detector.training.inspection import Choices, inspect

    found = inspect(clean(dataset)[0], Choices(find_missing=False))
    shape = WindowShape(found.dataset.features, LENGTH, found.counters)
    return in_state(BuiltIn(shape, context=found.context), only_while), (*_taken_as(found), BUILT_IN_SAYS)


def _taken_as(found: Inspection) -> list[str]:
    """Say which columns are not judged as measurements; the sentences of the inspection name options of `train`."""
    kinds = (
        ("left out, for they look like no measurements", found.left_out),
        ("watched by how fast they rise", found.counters),
        ("not scored, for they look like set points", found.context),
    )
    return [f"{what}: {', '.join(names)}" for what, names in kinds if names]
