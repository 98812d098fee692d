"""What is judged: the labelled series of a directory, and the readings of one case as the commands get them.

A file FAMILY__NAME.npz holds `train` [n0, F], `test` [n1, F], which follows it, the labels `y` [n1] of the test rows, and
`seconds` between two rows. The commands read times of whole seconds here, so a shorter interval counts as one second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stream_detector.readings import BoolArray, Float64Array, Int64Array

START_MS = 1_600_000_000_000
#: Readings from before the test that fill the windows, as in a stream that was there before.
WARM_ROWS = 200
#: Series of each family in the small set; one of those that take long: large files, and fleets.
SMALL = 2
LONG_COST = 1e6


@dataclass(frozen=True, slots=True)
class Event:
    """What is known of an injected fault; `start_ms` names it."""

    kind: str
    size: float
    start_ms: int


@dataclass(frozen=True, slots=True)
class SensorCase:
    """The readings of one sensor: n0 that are assumed healthy, and n1 that follow, with labels."""

    sensor: str
    train_ms: Int64Array  # [n0]
    train: Float64Array  # [n0, F]
    test_ms: Int64Array  # [n1]
    test: Float64Array  # [n1, F]
    labels: BoolArray  # [n1]
    interval_seconds: float
    silences_ms: Int64Array = field(default_factory=lambda: np.empty((0, 2), np.int64))  # [S, 2] labelled, without a reading
    injected: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """The sensors that share a model."""

    features: tuple[str, ...]
    sensors: tuple[SensorCase, ...]


@dataclass(frozen=True, slots=True)
class CaseRef:
    """Names a case before it is read or simulated; `load` must be a function that other processes can import."""

    family: str
    name: str
    load: Callable[[CaseRef], Case]
    source: str = ""  # of a labelled series: its file
    seed: int = 0  # of a simulated fleet
    cost: float = 0.0  # bytes of its file or readings; what takes long is judged first

    @property
    def key(self) -> str:
        """The name of the case's results."""
        return f"{self.family}__{self.name}"


def labelled_series(directory: Path) -> list[CaseRef]:
    """Return the series in a directory and in those below it, by name."""
    found = []
    for path in sorted(directory.rglob("*.npz")):
        family, _, name = path.stem.partition("__")
        found.append(CaseRef(family, name or path.stem, read_series, str(path), cost=float(path.stat().st_size)))
    return found


def read_series(ref: CaseRef) -> Case:
    """Read a labelled series."""
    with np.load(ref.source) as content:
        train, test = content["train"].astype(np.float64), content["test"].astype(np.float64)
        labels, seconds = content["y"].astype(np.bool_), max(1, int(content["seconds"]))
    times_ms = START_MS + 1000 * seconds * np.arange(len(train) + len(test), dtype=np.int64)
    sensor = SensorCase("s", times_ms[: len(train)], train, times_ms[len(train) :], test, labels, float(seconds))
    return Case(tuple(f"f{number}" for number in range(train.shape[1])), (sensor,))


def is_labelled(ref: CaseRef) -> bool:
    """Say whether a case has an event."""
    if not ref.source:
        return True
    with np.load(ref.source) as content:
        return bool(content["y"].any())


def select(refs: Sequence[CaseRef], only: Sequence[str], *, small: bool) -> list[CaseRef]:
    """Return the cases of these families, or of all; of each a few with events if `small`: always the same ones."""
    chosen = [ref for ref in refs if not only or ref.family in only]
    return list(_small(chosen)) if small else chosen


def _small(refs: Sequence[CaseRef]) -> Iterator[CaseRef]:
    for family in sorted({ref.family for ref in refs}):
        of_family = [ref for ref in refs if ref.family == family]
        drawn = sorted(of_family, key=lambda ref: hashlib.sha256(ref.key.encode()).digest())
        chosen = [ref for ref in drawn if is_labelled(ref)][:SMALL]
        yield from chosen[: 1 if any(ref.cost > LONG_COST for ref in chosen) else SMALL]


@dataclass(frozen=True, slots=True)
class Rows:
    """Readings of several sensors in the order of their times."""

    codes: Int64Array  # [N] position of the sensor
    times_ms: Int64Array  # [N]
    values: Float64Array  # [N, F]
    labels: BoolArray  # [N]


def rows_to_train(case: Case) -> Rows:
    """Return the readings to train on."""
    return _in_order([(one.train_ms, one.train, np.zeros(len(one.train), np.bool_)) for one in case.sensors])


def rows_to_score(case: Case) -> Rows:
    """Return the readings to score: those of the test, after the last ones of the training."""
    return _in_order(
        [
            (
                np.concatenate([one.train_ms[-WARM_ROWS:], one.test_ms]),
                np.concatenate([one.train[-WARM_ROWS:], one.test]),
                np.concatenate([np.zeros(len(one.train[-WARM_ROWS:]), np.bool_), one.labels]),
            )
            for one in case.sensors
        ]
    )


def _in_order(parts: Sequence[tuple[Int64Array, Float64Array, BoolArray]]) -> Rows:
    codes = np.concatenate([np.full(len(times_ms), code) for code, (times_ms, _, _) in enumerate(parts)])
    times_ms, values, labels = (np.concatenate(all_of) for all_of in zip(*parts, strict=True))
    order = np.lexsort((codes, times_ms))
    return Rows(codes[order], times_ms[order], values[order], labels[order])
