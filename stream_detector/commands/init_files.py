"""Looks at files for `stream-detector init`: reads them as `train` does, and finds out what they hold."""

from __future__ import annotations

import argparse
import csv
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_detector.commands.file_options import file_options, typed_again
from stream_detector.commands.parsing_options import parsing_of
from stream_detector.discovery.file_profile import profile_of_rows
from stream_detector.discovery.file_proposal import FileFacts, propose_for_rows
from stream_detector.discovery.machine_columns import MachineColumns, machine_columns
from stream_detector.discovery.machine_state import Readings, find_state
from stream_detector.discovery.naming import listed
from stream_detector.discovery.proposal import Proposal
from stream_detector.discovery.standstill import find_standing, question
from stream_detector.discovery.tag_names import split_of
from stream_detector.errors import InputDataError
from stream_detector.ingest.parsing import Parsing
from stream_detector.ingest.times import has_zone
from stream_detector.settings.schema import Settings

if TYPE_CHECKING:
    from stream_detector.tables.dataset import Dataset
    from stream_detector.tables.foreign.options import FileOptions
    from stream_detector.tables.foreign.read import ReadFiles
    from stream_detector.tables.foreign.understanding import Understood


@dataclass(frozen=True, slots=True)
class FilesProposal:
    """Settings for files, and what `train` and `score` need beside them, as it is typed."""

    proposal: Proposal
    train_options: tuple[str, ...]
    score_options: tuple[str, ...]


def propose_for_files(arguments: argparse.Namespace) -> FilesProposal:
    """Read files and return settings to train on them. Raises InputDataError with the option that decides, if one is needed."""
    from stream_detector.tables.dataset import clean

    parsing, options = parsing_of(arguments, Settings()), file_options(arguments)
    read, options, machines, unsure = _read(arguments, parsing, options)
    dataset, repairs = clean(read.dataset)
    profile = profile_of_rows(dataset.sensors, dataset.features, dataset.codes, dataset.times_ms, dataset.values)
    forms = [*_forms(read), *machines, *read.dataset.notes, *(f"Repaired: {repair}" for repair in repairs)]
    zone = str(arguments.time_zone or "")
    zoneless = any(_is_zoneless(one) for one in read.files)
    proposal = propose_for_rows(FileFacts(forms, zone, zoneless), profile)
    only_while = () if unsure else _only_while(dataset, proposal)
    proposal.doubts += [*unsure, *_warnings(dataset, proposal)]
    if not unsure and read.joined is not None and not options.sensor_from and len(dataset.sensors) == 1:
        proposal.doubts.append(
            "all tags count as those of one machine, for nothing says otherwise: if they are of several, name "
            "--sensor-column, or how their names split with --sensor-from"
        )
    typed = typed_again(options, read.joined.options if read.joined is not None else None)
    typed += ["--repeated-hour", arguments.repeated_hour] if arguments.repeated_hour else []
    ignored = ["--ignore-columns", ",".join(arguments.ignore_columns)] if arguments.ignore_columns else []
    return FilesProposal(proposal, (*typed, *ignored, *only_while), tuple(typed))


def next_steps(found: FilesProposal, inputs: Sequence[Path], output: Path) -> str:
    """Return the commands to type next."""
    files, config = " ".join(shlex.quote(str(path)) for path in inputs), shlex.quote(str(output))
    model = shlex.quote(str(output.parent / "model"))  # as the file has it, which is seen from its folder
    train, score = (f" {shlex.join(options)}" if options else "" for options in (found.train_options, found.score_options))
    return (
        f"  stream-detector train --input {files} --config {config} --output {model}{train}\n"
        f"  stream-detector score --model {model} --input FILE --config {config} --output scored.csv{score}\n\n"
        "For the stream, init --brokers HOST:PORT --topic TOPIC looks at the topic and writes settings for run."
    )


def _read(
    arguments: argparse.Namespace, parsing: Parsing, options: FileOptions
) -> tuple[ReadFiles, FileOptions, tuple[str, ...], tuple[str, ...]]:
    """Read the files, by machines where the names of tags or columns tell them apart; say so, or what is not sure of it."""
    from stream_detector.tables.foreign.read import read_files

    read = read_files(arguments.input, None, arguments.ignore_columns, parsing, options)
    is_told = options.sensor_from or options.sensor_column or (options.long and options.long.sensor)
    if is_told or len(read.dataset.sensors) > 1:
        return read, options, (), ()
    names, of_tags = read.dataset.features, read.joined is not None
    if of_tags and (split := split_of(names)) is not None:
        pattern = split.pattern
        said = f"What is before the last {split.sign!r} of a tag is its machine: {listed(split.machines, 3)}."
    elif (columns := machine_columns(names)) is None:
        return read, options, (), ()
    elif not columns.is_sure:
        return read, options, (), (_doubt(columns),)
    else:
        pattern = columns.pattern
        said = (
            f"Proposed: --sensor-from {shlex.quote(pattern)}, for {columns.says()}: these are {len(columns.machines)} "
            "machines. If they are parts of one machine, which should be judged together, leave the option out."
        )
    options = replace(options, sensor_from=pattern)
    return read_files(arguments.input, None, arguments.ignore_columns, parsing, options), options, (said,), ()


def _doubt(columns: MachineColumns) -> str:
    """Ask whether columns are of several machines, and say how to decide."""
    return (
        f"{columns.says()}: are these several machines? If so, add --sensor-from {shlex.quote(columns.pattern)} to this "
        "command (if the machine comes last, with sensor and feature the other way round); if they are parts of one machine, "
        "leave it as it is. Until then no --only-while is proposed"
    )


def _only_while(dataset: Dataset, proposal: Proposal) -> tuple[str, ...]:
    """Return the option that trains on machines at work only if a feature tells when, and say why; else how, if they stand."""
    readings, excluded = Readings(dataset.features, dataset.codes, dataset.values), _no_measurements(dataset)
    state = find_state(readings, excluded) or find_standing(readings)
    if state and state.is_sure:
        proposal.found.append(
            f"Proposed: --only-while '{state.condition}', for {state.reason()}. The model then learns the machine at work, and "
            "run judges only that; without the option it learns and judges a standing machine too (docs/idle.md)."
        )
        return "--only-while", state.condition
    if state:
        proposal.doubts.append(question(state, "add --only-while '{}' to train, or leave times out with --exclude FROM/TO"))
    return ()


def _no_measurements(dataset: Dataset) -> list[str]:
    """Return the columns that `train` leaves out as labels or quality codes, so that no condition can be on them."""
    from stream_detector.training.column_kinds import Column, code_kind

    starts = np.searchsorted(dataset.codes, np.arange(len(dataset.sensors)))
    columns = (Column(name, dataset.column(name), starts, dataset.rows, dataset.times_ms) for name in dataset.features)
    return [column.name for column in columns if code_kind(column) is not None]


def _forms(read: ReadFiles) -> list[str]:
    from stream_detector.tables.foreign.understanding import shared_lines

    lines = shared_lines(read.files)
    return [*lines, *read.lines()[len(shared_lines([one for one in read.files if not one.is_own])) :]]


def _is_zoneless(file: Understood) -> bool:
    """Return whether the times of a file have no zone: as it was understood, or by its first time."""
    if "zone" in file.facts:
        return file.facts["zone"].startswith("none")
    if not file.is_own or file.facts.get("format") == "Parquet":
        return False
    return _first_time_is_zoneless(file.name)


def _first_time_is_zoneless(path: Path) -> bool:
    from stream_detector.tables.columns import TIME_COLUMN
    from stream_detector.tables.foreign.form import text_form
    from stream_detector.tables.foreign.options import AS_IT_LOOKS
    from stream_detector.tables.foreign.sources import Source

    source = Source(path)
    lines = source.head().decode("utf-8-sig", "replace").splitlines()[1:2]
    form = text_form(source, AS_IT_LOOKS)
    cells = next(csv.reader(lines, delimiter=form.delimiter), [])
    at = list(form.names).index(TIME_COLUMN)
    try:
        return len(cells) > at and not has_zone(cells[at])
    except ValueError:
        return False


def _warnings(dataset: Dataset, proposal: Proposal) -> list[str]:
    """Return what `train` would warn of: too little history, empty cells, sensors that fill no window."""
    from stream_detector.tables.windowless import windowless_warning
    from stream_detector.training.history import first_warnings

    length = proposal.settings().get("learning", {}).get("window_length")
    if not isinstance(length, int):
        return []
    try:
        return [*filter(None, (*first_warnings(dataset, length), windowless_warning(dataset, length)))]
    except InputDataError:
        return []
