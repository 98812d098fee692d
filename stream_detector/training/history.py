"""Says how much history a model was trained on, and whether that is enough for a budget of false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from stream_detector.readings import BoolArray, Float64Array
from stream_detector.tables.dataset import Dataset, sampling_interval_seconds
from stream_detector.timestamps import duration
from stream_detector.training.data_split import starts_of
from stream_detector.training.extent import Extent, extent_of
from stream_detector.training.preparation import Prepared
from stream_detector.training.two_levels import TwoLevels, find_two_levels

#: From this share of empty cells on, most of what a window shows is filled in.
MANY_EMPTY = 0.5
#: Fewer empty cells than this, of all or of one feature, are not worth a word.
FEW_EMPTY, FEW_EMPTY_OF_A_FEATURE = 0.03, 0.1
#: Features with empty cells beyond this are counted, not listed.
LISTED_EMPTY = 4
#: Operating modes beyond this are counted, not listed.
LISTED_MODES = 4


@dataclass(frozen=True, slots=True)
class Mode:
    """A combination of the features that hold only 0 and 1, and its share of the readings that have all of them."""

    text: str
    share: float


@dataclass(frozen=True, slots=True)
class History:
    """The extent of a training's data. Medians are over its sensors."""

    sensors: int
    span_seconds: float  # median, from the first to the last reading, both included
    readings: int  # median
    interval_seconds: float
    window_length: int
    empty_share: float  # of the cells
    lonely_share: float  # of the readings that hold one feature's value and no other; 0 for a single feature
    features: int
    modes: tuple[Mode, ...]  # the commonest first; empty if no feature tells them
    two_levels: tuple[TwoLevels, ...] = ()  # features without a flag that are mostly near one of two levels
    empty_of: tuple[tuple[str, float], ...] = ()  # share of empty cells by feature, the most first; none with hardly any
    starts: int = 0  # after a gap, of all sensors
    only_while: str = ""  # the condition of the training; empty: none

    @property
    def extent(self) -> Extent:
        """Its extent, and what that is enough for."""
        return Extent(self.span_seconds, self.readings, self.interval_seconds, self.window_length)

    @property
    def has_empty(self) -> bool:
        """Whether so many cells are empty that fewer faults are found."""
        return bool(self.empty_of)

    @property
    def is_sparse(self) -> bool:
        """Whether most cells are empty, or most readings hold a single value."""
        return max(self.empty_share, self.lonely_share) >= MANY_EMPTY

    def as_json(self) -> dict[str, Any]:
        """Return the figures for the training report."""
        extent = self.extent
        known = {"enough_seconds": extent.enough_seconds, "is_short": extent.is_short, "is_sparse": self.is_sparse}
        return asdict(self) | known


def history_of(dataset: Dataset, scored: BoolArray, interval_seconds: float, window_length: int) -> History:
    """Measure a cleaned dataset; the features that are not `scored` [F] and hold only 0 and 1 tell the operating modes."""
    extent = extent_of(dataset, interval_seconds, window_length)
    present = ~np.isnan(dataset.values)
    lonely = float((present.sum(axis=1) == 1).mean()) if len(dataset.features) > 1 else 0.0
    empty = 1.0 - present.mean(axis=0)
    return History(
        sensors=len(dataset.sensors),
        span_seconds=extent.span_seconds,
        readings=extent.readings,
        interval_seconds=interval_seconds,
        window_length=window_length,
        empty_share=float(1.0 - present.mean()),
        lonely_share=lonely,
        features=len(dataset.features),
        modes=_modes(dataset, scored),
        two_levels=find_two_levels(dataset, scored),
        empty_of=_empty_features(dataset.features, empty),
    )


def history_of_training(prepared: Prepared) -> History:
    """Measure the history of a training."""
    history = history_of(prepared.dataset, prepared.scored, prepared.interval_seconds, prepared.config.window_length)
    starts = len(starts_of(prepared.dataset, prepared.gap_limits_ms)[0])
    return replace(history, starts=starts, only_while=prepared.config.only_while)


def first_warnings(dataset: Dataset, window_length: int) -> list[str]:
    """Return what the user must know before a training starts: that the history is too short, or mostly empty.

    `dataset` is cleaned. Raises InputDataError if no sensor has two readings.
    """
    everything = np.ones(len(dataset.features), np.bool_)
    history = history_of(dataset, everything, sampling_interval_seconds(dataset), window_length)
    extent, warnings = history.extent, []
    if extent.is_short:
        what = "expect little of this model" if extent.is_far_too_short else "take this model for a trial"
        warnings.append(
            f"{'TOO SHORT' if extent.is_far_too_short else 'SHORT'}: {duration(extent.span_seconds)} of history, "
            f"{extent.readings:,} readings a sensor. Give it {duration(extent.enough_seconds)} or more, or {what}."
        )
    if history.is_sparse:
        warnings.append(
            f"MOSTLY EMPTY: {history.empty_share:.0%} of the cells hold no value"
            + (f", and {history.lonely_share:.0%} of the rows only one." if history.lonely_share >= MANY_EMPTY else ".")
            + " What is missing is filled in, so this model sees little of how the features belong together. If they come at "
            "times of their own, bring them to common times first: a row every so many seconds, with the last value of each."
        )
    elif history.has_empty:
        warnings.append(
            f"EMPTY CELLS: {empty_text(history)}. What is missing is filled in from the other values, so fewer faults are "
            "found, and later. The table at the end is measured with these gaps."
        )
    return warnings


def empty_text(history: History) -> str:
    """Say which share of the cells is empty, and of which features."""
    listed = [f"{name} {share:.0%}" for name, share in history.empty_of[:LISTED_EMPTY]]
    more = len(history.empty_of) - len(listed)
    rest = f", {more} more" if more > 0 else ""
    return f"{history.empty_share:.0%} of the cells are empty ({', '.join(listed)}{rest})"


def _empty_features(features: Sequence[str], empty: Float64Array) -> tuple[tuple[str, float], ...]:
    """Return the features with many empty cells, the most first; none if there are hardly any in all."""
    if empty.mean() < FEW_EMPTY and empty.max() < FEW_EMPTY_OF_A_FEATURE:
        return ()
    order = np.argsort(-empty, kind="stable").tolist()
    return tuple((features[at], float(empty[at])) for at in order if empty[at] >= FEW_EMPTY)


def _modes(dataset: Dataset, scored: BoolArray) -> tuple[Mode, ...]:
    flags = [at for at in np.flatnonzero(~scored).tolist() if _is_flag(dataset, at)]
    if not flags:
        return ()
    values = dataset.values[:, flags]
    known = values[~np.isnan(values).any(axis=1)]
    combinations, counts = np.unique(known, axis=0, return_counts=True)
    names = [dataset.features[at] for at in flags]
    order = np.argsort(-counts, kind="stable").tolist()
    return tuple(Mode(_mode_text(names, combinations[at].tolist()), float(counts[at] / counts.sum())) for at in order)


def _is_flag(dataset: Dataset, column: int) -> bool:
    values = dataset.values[:, column]
    return bool(((values == 0.0) | (values == 1.0) | np.isnan(values)).all())


def _mode_text(names: Sequence[str], values: Sequence[float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in zip(names, values, strict=True))
