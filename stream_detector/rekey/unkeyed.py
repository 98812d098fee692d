"""Decides whether the sensors of a topic are spread over its partitions, by where its newest readings are.

Where records are keyed by sensor, a sensor is in one partition. When partitions are added, it may move to another, once: it is
in its old partition up to a time and in the new one after it. A sensor that comes back to a partition that it had left is
spread. A topic whose producers were mended shows both; a sensor that has stayed in a partition for far longer than ever before
counts as mended.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

#: A sensor that came back so often is spread: once may be a producer that learned late of new partitions.
MIN_RETURNS = 2
#: A sensor that has stayed so many times as long as ever before is mended.
MENDED_FACTOR = 3
#: A topic is unkeyed if this share of the sensors that could show it, and at least one, are spread.
MIN_SHARE = 0.1
#: A sensor with fewer readings shows nothing.
MIN_READINGS = 4


class Sighting(NamedTuple):
    """Where a reading of a sensor was found. Sightings sort by time."""

    timestamp: int  # of the record, ms
    partition: int
    offset: int
    sensor: str
    has_key: bool


@dataclass(frozen=True, slots=True)
class Spread:
    """A topic whose sensors are spread over partitions, with the newest readings of one as an example."""

    sensors: int  # that are spread
    of: int  # that have enough readings in the sample
    sensor: str
    places: Sequence[Sighting]  # the newest of that sensor, oldest first
    keyless: float  # share of the spread sensors' records that have no key

    @property
    def is_topic(self) -> bool:
        """Whether so many are spread that the topic counts as unkeyed."""
        return self.sensors >= MIN_SHARE * self.of


def find_spread(sightings: Iterable[Sighting], least_times: Mapping[int, int]) -> Spread | None:
    """Return the sensors that are spread; None if no sensor is.

    `least_times` has, for each partition of which older records were not looked at, the time of the oldest that was. Older
    sightings in other partitions do not count: the sensor may have been in the former, too.
    """
    since = max(least_times.values(), default=-math.inf)
    by_sensor: dict[str, list[Sighting]] = defaultdict(list)
    for sighting in sightings:
        if sighting.timestamp >= since:
            by_sensor[sighting.sensor].append(sighting)
    able = {sensor: sorted(found) for sensor, found in by_sensor.items() if len(found) >= MIN_READINGS}
    spread = {sensor: found for sensor, found in able.items() if is_spread([one.partition for one in found])}
    if not spread:
        return None
    example = max(spread, key=lambda sensor: (len(spread[sensor]), sensor))
    records = [sighting for found in spread.values() for sighting in found]
    keyless = sum(not sighting.has_key for sighting in records) / len(records)
    return Spread(len(spread), len(able), example, spread[example][-_SHOWN:], keyless)


def is_spread(partitions: Sequence[int]) -> bool:
    """Return whether a sensor that was seen in these partitions, in this order, is spread over them."""
    runs = [(partition, len(list(run))) for partition, run in groupby(partitions)]
    returns = len(runs) - len(set(partitions))
    longest = max((length for _, length in runs[:-1]), default=0)
    return returns >= MIN_RETURNS and runs[-1][1] <= MENDED_FACTOR * longest


def describe(spread: Spread, topic: str) -> str:
    """Return what was found, in a sentence that names a sensor, its partitions and offsets."""
    places = ", ".join(f"partition {one.partition} offset {one.offset}" for one in spread.places)
    keys = "the records have no key" if spread.keyless > 0.5 else "the records' keys are not the sensor ids"
    return (
        f"{spread.sensors} of {spread.of} sensors of topic {topic} come from several partitions, and {keys}. "
        f"For example {spread.sensor[:100]!r}: its newest readings are at {places}"
    )


_SHOWN = 4
