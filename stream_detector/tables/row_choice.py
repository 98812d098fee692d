"""Leaves rows of a dataset out: spans of time that the user names, and states of the machine in which nothing is learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

import numpy as np

from stream_detector.errors import InputDataError
from stream_detector.missing_values import forward_fill
from stream_detector.readings import BoolArray
from stream_detector.state.condition import Condition
from stream_detector.tables.dataset import Dataset
from stream_detector.timestamps import to_ms

_OPTION = "--only-while"


@dataclass(frozen=True, slots=True)
class Span:
    """Times [start, stop); None leaves that side open. A time without a zone is local to the files."""

    start: datetime | None
    stop: datetime | None

    @classmethod
    def parse(cls, text: str) -> Span:
        """Parse FROM/TO, each an ISO 8601 time or nothing or `..`. Raises ValueError."""
        start, slash, stop = text.strip().partition("/")
        times = [None if part.strip() in ("", "..") else datetime.fromisoformat(part.strip()) for part in (start, stop)]
        if not slash or times == [None, None]:
            msg = f"{text!r} is not FROM/TO"
            raise ValueError(msg)
        span = cls(times[0], times[1])
        if span.start and span.stop and span.bounds_ms(UTC)[0] >= span.bounds_ms(UTC)[1]:
            msg = f"{text!r} ends before it begins"
            raise ValueError(msg)
        return span

    def bounds_ms(self, zone: tzinfo) -> tuple[float, float]:
        """Return start and end in milliseconds since 1970, infinite where open."""
        start, stop = (
            None if time is None else to_ms(time if time.tzinfo else time.replace(tzinfo=zone))
            for time in (self.start, self.stop)
        )
        return -np.inf if start is None else float(start), np.inf if stop is None else float(stop)

    def __str__(self) -> str:
        return "/".join("" if time is None else time.isoformat() for time in (self.start, self.stop))


def without_spans(dataset: Dataset, spans: Sequence[Span], zone: tzinfo | None) -> tuple[Dataset, list[str]]:
    """Return the dataset without the readings in these spans, and a sentence on each span.

    Raises InputDataError if no reading is left.
    """
    left_out, notes = np.zeros(len(dataset), np.bool_), []
    for span in spans:
        start, stop = span.bounds_ms(zone or UTC)
        inside = (dataset.times_ms >= start) & (dataset.times_ms < stop)
        count = int(inside.sum())
        doubt = "" if count else ": no reading is in it; is the time right, and its zone?"
        notes.append(f"excluded: {count:,} of {len(dataset):,} readings in {span}{doubt}")
        left_out |= inside
    if left_out.all():
        msg = f"--exclude leaves none of the {len(dataset):,} readings"
        raise InputDataError(msg)
    return dataset.cut(left_out), notes


def holds(dataset: Dataset, condition: Condition, option: str = _OPTION) -> BoolArray:
    """Return the rows [N] in which a condition holds, in order of time within each sensor, as the stream judges them.

    A missing value counts as the sensor's last one; before the first one the condition does not hold. Raises InputDataError
    if the dataset lacks a feature.
    """
    filled = with_last_values(dataset, condition, option)
    return condition.holds({name: filled.column(name).astype(np.float32) for name in condition.features()})


def with_last_values(dataset: Dataset, condition: Condition, option: str = _OPTION) -> Dataset:
    """Return the dataset in which the sensor's last value stands where one of a feature of the condition is missing.

    Raises InputDataError if the dataset lacks a feature.
    """
    values = dataset.values.copy()
    order = np.argsort(dataset.codes, kind="stable")
    bounds = np.flatnonzero(np.diff(dataset.codes[order], prepend=-1))
    for name in condition.features():
        if name not in dataset.features:
            msg = f"{option} names {name!r}, which is no feature (features: {', '.join(dataset.features)})"
            raise InputDataError(msg)
        feature = dataset.features.index(name)
        for rows in np.split(order, bounds[1:]):
            part = values[rows, feature]
            values[rows, feature] = forward_fill(part, ~np.isnan(part))
    return replace(dataset, values=values)


def while_true(dataset: Dataset, condition: Condition, option: str = _OPTION) -> tuple[BoolArray, str]:
    """Return the rows [N] in which a condition holds, and a sentence. Raises InputDataError, which names `option`, if none."""
    kept = holds(dataset, condition, option)
    if not kept.any():
        msg = f"{option} {condition.text!r} holds in none of {len(dataset):,} readings"
        raise InputDataError(msg)
    left_out = int((~kept).sum())
    return kept, f"only while {condition.text}: {left_out:,} of {len(dataset):,} readings are left out"
