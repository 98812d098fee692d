"""What stood in the cells of files where a value is missing: which words and numbers, how often, and where first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stream_detector.readings import Int32Array, Int64Array, Lost
from stream_detector.values import Unusable, describe_lost

#: Columns that are named one by one.
_MOST_COLUMNS = 20


@dataclass(frozen=True, slots=True)
class LostCells:
    """How often each thing stood where a value is missing, and the place of the first, for people."""

    counts: Counter[Lost] = field(default_factory=Counter)
    first: Mapping[Lost, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Return a sentence for each feature and reason."""
        return [f"taken as missing: {line}" for line in describe_lost(self.counts, _MOST_COLUMNS, self.first)]


@dataclass(frozen=True, slots=True)
class Cells:
    """Whose the N cells of a file are."""

    path: Path
    sensors: Sequence[str]
    features: Sequence[str]
    sensor_codes: Int32Array  # [N]
    feature_codes: Int32Array  # [N]

    def lost(self, unusable: Iterable[tuple[Unusable, Int64Array]]) -> LostCells:
        """Count what stood in these rows, by sensor and feature."""
        counts, first = Counter[Lost](), dict[Lost, str]()
        for one, rows in unusable:
            whose = self.sensor_codes[rows].astype(np.int64) * len(self.features) + self.feature_codes[rows]
            keys, at, numbers = np.unique(whose, return_index=True, return_counts=True)
            for key, row, number in zip(keys.tolist(), rows[at].tolist(), numbers.tolist(), strict=True):
                sensor, feature = divmod(key, len(self.features))
                lost = Lost(self.sensors[sensor], self.features[feature], one.reason, one.found)
                counts[lost] += number
                first.setdefault(lost, f"data row {row + 1} of {self.path.name}")
        return LostCells(counts, first)


def together(parts: Iterable[LostCells]) -> LostCells:
    """Return what several files or columns lost."""
    counts, first = Counter[Lost](), dict[Lost, str]()
    for part in parts:
        counts.update(part.counts)
        first = {**part.first, **first}
    return LostCells(counts, first)
