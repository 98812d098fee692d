"""Which of a batch's readings are the first of their sensor after a death, and who is gone after the batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from stream_detector.detection.deaths import Dead, Deaths
from stream_detector.places import offsets_of
from stream_detector.readings import Death, Int64Array, Readings

_Sensor = tuple[int, str]


def fold_deaths(
    known: Deaths,
    deaths: Sequence[Death],
    readings: Readings,
    *,
    accepted: Int64Array,
    second: Int64Array,
    before_s: Mapping[int, int],
) -> dict[int, Dead]:
    """Fold a batch into the known deaths, in place; return the deaths that accepted readings end, by their positions.

    `accepted` [M] are the positions of the accepted readings, grouped by sensor and in log order within one, `second` [M] the
    active second as of each. `before_s` has that of each partition with deaths before the batch.
    """
    order = np.argsort(accepted)
    offsets, partitions = offsets_of(readings.places[accepted]), readings.partitions[accepted]
    told: dict[_Sensor, list[tuple[int, int, Dead | None]]] = defaultdict(list)  # offset, position, death
    for one in deaths:
        own = order[partitions[order] == one.partition]
        at = int(np.searchsorted(offsets[own], one.offset)) - 1
        now = int(second[own[at]]) if at >= 0 else before_s[one.partition]
        told[one.partition, one.sensor].append((one.offset, -1, Dead(one.offset, now, one.time_ms, one.kind)))
    for position in order.tolist():
        number, sensor = int(partitions[position]), readings.sensors[accepted[position]]
        if (number, sensor) in told or sensor in known.of(number):
            told[number, sensor].append((int(offsets[position]), position, None))
    ended: dict[int, Dead] = {}
    for (number, sensor), parts in told.items():
        current = known.of(number).get(sensor)
        for _, position, dead in sorted(parts, key=lambda part: part[:2]):
            if dead is not None:
                current = current or dead
            elif current is not None:
                ended[position], current = current, None
        known.end(number, sensor)
        if current is not None:
            known.add(number, sensor, current)
    return ended
