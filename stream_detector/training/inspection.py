"""Looks through the columns of a history before training, and does what is safe about those that are not measurements.

    error codes         missing, in training and, with the model, in operation
    far values          left out of the training; they raise an alarm when they come again
    labels, quality codes, identifiers, row numbers, clocks      left out
    counters            watched by how fast they rise
    set points          context
    anything doubtful   kept as it is

Everything done or doubted is said in a sentence that names the column, the values, and the option to decide otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stream_detector.errors import InputDataError
from stream_detector.readings import BoolArray, Float64Array
from stream_detector.state.running_scale import NEGLIGIBLE_SHARE
from stream_detector.tables.dataset import Dataset
from stream_detector.training.column_kinds import (
    CLOCK,
    COUNTER,
    IDENTIFIER,
    LABEL,
    MAYBE_COUNTER,
    MAYBE_SET_POINT,
    QUALITY,
    ROW_NUMBER,
    SET_POINT,
    Column,
    code_kind,
    kind_of,
)
from stream_detector.training.far_columns import FarColumn, find_far
from stream_detector.training.far_notes import notes_on_far
from stream_detector.training.far_values import FEWEST_DISTINCT

#: What a column of a kind is, and why it is left out.
_LEFT_OUT = {
    LABEL: "looks like a label, which would show the model the answer",
    QUALITY: "looks like a quality code, not a measurement",
    IDENTIFIER: "looks like an identifier, not a measurement",
    ROW_NUMBER: "numbers the rows",
    CLOCK: "only tells the time",
}


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user has decided about columns; None: decide by what they look like."""

    counters: tuple[str, ...] | None = None
    context: tuple[str, ...] | None = None
    keep: tuple[str, ...] = ()  # measurements, whatever they look like
    find_missing: bool = True  # look for error codes and far values


@dataclass(frozen=True, slots=True)
class Inspection:
    """A history without what is not of the process, and what was found."""

    dataset: Dataset
    counters: tuple[str, ...]
    context: tuple[str, ...]  # features to be context beside those that hold only 0 and 1; none if the user has chosen
    codes: dict[str, tuple[float, ...]]  # error codes by feature: values that mean missing
    left_out: tuple[str, ...]  # columns that are not measurements
    notes: list[str]


def inspect(dataset: Dataset, choices: Choices) -> Inspection:
    """Inspect a cleaned dataset; raise InputDataError for an unknown name, or if no column is left to train on."""
    _check_names(dataset, choices)
    far = {name: find_far(dataset.column(name), dataset.codes) for name in dataset.features} if choices.find_missing else {}
    kinds = _kinds(dataset, choices, far)
    left_out = [name for name, kind in kinds.items() if kind in _LEFT_OUT]
    kept = [name for name in dataset.features if name not in left_out]
    if not kept:
        what = ", ".join(f"{name} ({_LEFT_OUT[kinds[name] or '']})" for name in left_out)
        msg = f"no column is left to train on: {what}. Name those that are measurements in --keep-columns"
        raise InputDataError(msg)
    notes = [_note_on_left_out(name, dataset.column(name), kinds[name] or "") for name in left_out]
    counters = choices.counters if choices.counters is not None else _of_kind(kinds, COUNTER)
    far = {name: _codes_only(far[name]) if name in counters else far[name] for name in kept if name in far}
    notes += [note for name, found in far.items() for note in notes_on_far(name, found, dataset.column(name))]
    context = () if choices.context is not None else _of_kind(kinds, SET_POINT)
    return Inspection(
        dataset=dataset.without(_far_cells(dataset, far)).select(kept),
        counters=tuple(counters),
        context=context,
        codes={name: tuple(sorted(found.codes)) for name, found in far.items() if found.codes},
        left_out=tuple(left_out),
        notes=[*notes, *_notes_on_kept(kinds, choices, counters), *_notes_on_fine(dataset, kept, counters)],
    )


def _check_names(dataset: Dataset, choices: Choices) -> None:
    for option, names in (("--counter-columns", choices.counters or ()), ("--keep-columns", choices.keep)):
        if absent := [name for name in names if name not in dataset.features]:
            msg = f"{option}: {', '.join(absent)} is not a column of the input (features: {', '.join(dataset.features)})"
            raise InputDataError(msg)


def _kinds(dataset: Dataset, choices: Choices, far: Mapping[str, FarColumn]) -> dict[str, str | None]:
    """Return what each column looks like apart from its far values; None where the user has decided."""
    decided = {*choices.keep, *(choices.counters or ()), *(choices.context or ())}
    starts = np.searchsorted(dataset.codes, np.arange(len(dataset.sensors)))
    kinds: dict[str, str | None] = {}
    for name in dataset.features:
        column = Column(name, dataset.column(name), starts, dataset.rows, dataset.times_ms)
        values = np.where(far[name].mask, np.nan, column.values) if name in far else column.values
        kinds[name] = None if name in decided else code_kind(column) or kind_of(replace(column, values=values))
    return kinds


def _codes_only(found: FarColumn) -> FarColumn:
    """Return only the error codes of a counter: it may restart far from where it was."""
    none = np.zeros(len(found.mask), np.bool_)
    return replace(found, mask=found.code_mask, standing=none, repeated={}, single=[], jumps=[], doubtful={}, crowd=0)


def _far_cells(dataset: Dataset, far: Mapping[str, FarColumn]) -> BoolArray:
    """Return which cells [N, F] hold far values."""
    cells = np.zeros(dataset.values.shape, np.bool_)
    for name, found in far.items():
        cells[:, dataset.features.index(name)] = found.mask
    return cells


def _of_kind(kinds: dict[str, str | None], kind: str) -> tuple[str, ...]:
    return tuple(name for name, found in kinds.items() if found == kind)


def _note_on_left_out(name: str, values: Float64Array, kind: str) -> str:
    otherwise = f"if it is a measurement, --keep-columns {name}"
    ones = int(np.count_nonzero(values == 1.0))
    if kind == LABEL and ones:
        otherwise = f"{ones:,} rows are labelled 1: they should not be in a history to learn from; {otherwise}"
    if kind == QUALITY:
        levels, counts = np.unique(values[~np.isnan(values)], return_counts=True)
        found = ", ".join(f"{level:g} {count:,} times" for level, count in zip(levels.tolist(), counts.tolist(), strict=True))
        otherwise = f"{found}; what was measured at bad quality stays in; {otherwise}"
    return f"column {name} {_LEFT_OUT[kind]}: left out ({otherwise})"


def _notes_on_kept(kinds: dict[str, str | None], choices: Choices, counters: Collection[str]) -> list[str]:
    """Return notes on counters and set points, recognised or only suspected."""
    notes = []
    if choices.counters is None and counters:
        notes.append(
            f"{_column(counters)}: only rising, as counters do. Watched by how fast they rise, in training and in operation; "
            f"if they are measurements, --counter-columns ''"
        )
    if choices.counters is None and (suspected := _of_kind(kinds, MAYBE_COUNTER)):
        notes.append(
            f"{_column(suspected)}: only rising, as counters do, but seldom or with many restarts. Kept as measurements; "
            f"if they are counters, --counter-columns {','.join([*counters, *suspected])}"
        )
    if choices.context is None and (commands := _of_kind(kinds, SET_POINT)):
        notes.append(
            f"{_column(commands)}: few values, as states and set points have. Taken as context, never scored; "
            f"to score them, --keep-columns {','.join(commands)}"
        )
    if choices.context is None and (suspected := _of_kind(kinds, MAYBE_SET_POINT)):
        notes.append(
            f"{_column(suspected)}: few values, each for long. Scored as measurements; "
            f"if they are set points or commands, name them and all other commands in --context-columns"
        )
    return notes


def _notes_on_fine(dataset: Dataset, kept: Sequence[str], counters: Collection[str]) -> list[str]:
    """Return notes on measurements whose variation the model cannot see, because it is so small beside their values."""
    notes = []
    starts = np.searchsorted(dataset.codes, np.arange(len(dataset.sensors)))
    for name in kept:
        values = dataset.column(name)
        present = ~np.isnan(values)
        count = np.maximum(np.add.reduceat(present.astype(np.int64), starts), 1)
        mean = np.add.reduceat(np.where(present, values, 0.0), starts) / count
        squares = np.square(np.where(present, values - mean[dataset.codes], 0.0))
        deviation = np.sqrt(np.add.reduceat(squares, starts) / count)
        fine = (deviation > 0) & (deviation < NEGLIGIBLE_SHARE * np.abs(mean))
        if name in counters or not fine.any() or len(np.unique(values[fine[dataset.codes]])) < FEWEST_DISTINCT:
            continue
        at = int(np.argmax(fine))
        notes.append(
            f"column {name}: varies by about {deviation[at]:.3g} around {mean[at]:.10g}, too little beside its value for the "
            f"model, which takes it for constant. Subtract a constant from it at its source; if it is a counter, "
            f"--counter-columns {','.join([*counters, name])}"
        )
    return notes


def _column(names: Collection[str]) -> str:
    return f"column{'s' if len(names) > 1 else ''} {', '.join(names)}"
