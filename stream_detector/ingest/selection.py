"""Which sensors and features are read, by patterns as of file names. What is left out is counted; it is no dead letter."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import translate

#: So many answers are remembered; a topic of invented names must not fill the memory.
_MOST_REMEMBERED = 100_000


class Selection:
    """The sensors and features that settings include and do not exclude."""

    def __init__(
        self,
        include_sensors: Sequence[str] = (),
        exclude_sensors: Sequence[str] = (),
        include_features: Sequence[str] = (),
        exclude_features: Sequence[str] = (),
    ) -> None:
        """Patterns have * and ?, and count upper and lower case as different. Nothing to include: everything."""
        self.has_sensor = _chosen(include_sensors, exclude_sensors)
        self.has_feature = _chosen(include_features, exclude_features)
        self.is_of_sensors = bool(include_sensors or exclude_sensors)
        self.is_of_features = bool(include_features or exclude_features)

    def __bool__(self) -> bool:
        return self.is_of_sensors or self.is_of_features


def _chosen(include: Sequence[str], exclude: Sequence[str]) -> Callable[[str], bool]:
    if not include and not exclude:
        return lambda _: True
    included, excluded = (_Patterns(one) for one in (include, exclude))
    remembered: dict[str, bool] = {}

    def is_chosen(name: str) -> bool:
        known = remembered.get(name)
        if known is None:
            known = (not include or included.match(name)) and not excluded.match(name)
            if len(remembered) < _MOST_REMEMBERED:
                remembered[name] = known
        return known

    return is_chosen


@dataclass(frozen=True, slots=True)
class _Patterns:
    patterns: Sequence[str]

    def match(self, name: str) -> bool:
        return any(re.match(translate(pattern), name) for pattern in self.patterns)
