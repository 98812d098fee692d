"""Generates the records of a soak: a fleet with faults, bad records, and sensors that appear, disappear and return.

Everything follows from the numbers of the reading and the visitor, so a run can be repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stream_detector.readings import Float32Array
from tests.fixtures_model import FEATURES, tiny_values
from tests.pipeline.replica_config import reading

TICKS_PER_SECOND = 10
#: A resident is too hot for so many of its readings, once in so many.
FAULT_READINGS, FAULT_PERIOD = 15, 450
HEAT = 30.0
#: A visitor reads once a second for so long, then goes. Most names come back, one in `NEW_NAME_EVERY` never does.
VISIT_SECONDS, VISITOR_NAMES, NEW_NAME_EVERY = 20, 4500, 10
#: Names of visitors in each second of the backlog, so that more sensors are known than memory holds before the load begins.
BACKLOG_NAMES_PER_SECOND = 40
BAD_EVERY, BAD_KEY = 1000, b"bad"
BAD = (b"\xff\xfe not json", b"", b'{"sensor_id": "bad", "values": {"humidity": 1.0}}', b'{"sensor_id": "bad"}', b"[" * 500)
_KINDS, _CYCLE = 4, 3142  # a hundred periods of the tiny model's data


@dataclass(frozen=True, slots=True)
class Sent:
    """One record to be produced."""

    key: bytes
    value: bytes
    time_ms: int


class Fleet:
    """Readings by tick: a tick is a tenth of a second, and tick 0 is at `start_ms`."""

    def __init__(self, residents: int, readings_per_second: float, start_ms: int) -> None:
        self._residents = residents
        self._per_tick = readings_per_second / TICKS_PER_SECOND
        self._start_ms = start_ms
        self._values = [tiny_values(_CYCLE, seed) for seed in range(_KINDS)]
        self._tick = 0
        self._records = 0

    def due(self, now_ms: int) -> Iterator[Sent]:
        """Yield the records that are due by now and were not yielded before."""
        while self._time_ms(self._tick) <= now_ms:
            yield from self._with_bad_records(self._load(self._tick))
            self._tick += 1

    def backlog(self, seconds: int) -> Iterator[Sent]:
        """Yield the first seconds at once, with many names that are seen once. Set `start_ms` so far in the past."""
        for tick in range(seconds * TICKS_PER_SECOND):
            names = BACKLOG_NAMES_PER_SECOND // TICKS_PER_SECOND
            visitors = (self._sent(f"visitor-{tick * names + number}", tick, 0.0) for number in range(names))
            yield from self._with_bad_records(self._load(tick))
            yield from self._with_bad_records(visitors)
        self._tick = seconds * TICKS_PER_SECOND

    def _load(self, tick: int) -> Iterator[Sent]:
        for number in range(round(tick * self._per_tick), round((tick + 1) * self._per_tick)):
            turn, resident = divmod(number, self._residents)
            is_faulty = (turn + 53 * resident) % FAULT_PERIOD < FAULT_READINGS
            yield self._sent(f"pump-{resident}", tick, HEAT if is_faulty else 0.0, 37 * resident + turn)
        second, part = divmod(tick, TICKS_PER_SECOND)
        for visitor in range(max(0, second - VISIT_SECONDS), second):
            if visitor % TICKS_PER_SECOND == part:
                is_new = visitor // TICKS_PER_SECOND % NEW_NAME_EVERY == 0
                yield self._sent(f"passing-{visitor}" if is_new else f"visitor-{visitor % VISITOR_NAMES}", tick, 0.0, second)

    def _with_bad_records(self, sent: Iterator[Sent]) -> Iterator[Sent]:
        for one in sent:
            yield one
            self._records += 1
            if self._records % BAD_EVERY == 0:
                yield Sent(BAD_KEY, BAD[self._records // BAD_EVERY % len(BAD)], one.time_ms)

    def _sent(self, sensor: str, tick: int, heat: float, row: int = 0) -> Sent:
        values: Float32Array = self._values[len(sensor) % _KINDS][row % _CYCLE]
        temperature, pressure = np.round(values.astype(np.float64), 3).tolist()
        time_ms = self._time_ms(tick)
        return Sent(sensor.encode(), reading(sensor, time_ms, temperature + heat, pressure, features=FEATURES), time_ms)

    def _time_ms(self, tick: int) -> int:
        return self._start_ms + tick * 1000 // TICKS_PER_SECOND
