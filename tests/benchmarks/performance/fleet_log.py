"""Writes the readings of a fleet of any size, normal for a model, to a topic in turns: one reading of each sensor.

Each sensor follows one of a few simulated pumps, with an offset in time of its own, so that a million sensors cost no more to
make than a thousand. A reading is a function of the sensor's number and the turn.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stream_detector.detection.model_spec import ModelSpec
from stream_detector.readings import Float64Array, Int64Array, Readings
from tests.benchmarks.performance.models import READINGS, START_MS, healthy_values
from tests.benchmarks.restore_load import write_lines

#: Sensors whose numbers differ by a multiple of this read the same values.
PATTERN = 4096
_COURSES = 16
#: How far readings are from their turn, at most: no fleet reads to the millisecond.
_JITTER_MS = 50


@dataclass(frozen=True)
class FleetLog:
    """The readings of `count` sensors, in turns of the model's sampling interval.

    The sensors have `past` turns behind them. The topic starts with the last of those, and `turns` more follow.
    """

    model: ModelSpec
    count: int
    past: int
    turns: int

    @cached_property
    def sensors(self) -> list[str]:
        """Their names."""
        return [f"pump-{number:07}" for number in range(self.count)]

    @cached_property
    def _courses(self) -> Float64Array:
        """Return the readings [C, N, F] of the simulated pumps after the time span of the training."""
        steps = self.past + self.turns + PATTERN // _COURSES
        values: Float64Array = healthy_values(len(self.model.features), _COURSES, steps, first=READINGS).astype(np.float64)
        return values.round(3)  # the resolution of the sensors

    def times_ms(self, numbers: Int64Array, turn: int) -> Int64Array:
        """Return the times of a turn's readings of these sensors [N]."""
        scattered = (numbers % PATTERN * 7919 + turn * 104_729) % (2 * _JITTER_MS + 1)
        return START_MS + round(1000 * self.model.sampling_interval_seconds * turn) + scattered - _JITTER_MS

    def past_readings(self, numbers: Int64Array, start: int, stop: int) -> Readings:
        """Return the decoded readings of these sensors in past turns; positions before the topic are negative."""
        turn, number = np.repeat(np.arange(start, stop), len(numbers)), np.tile(numbers, stop - start)
        course, begin = number % _COURSES, number % PATTERN // _COURSES
        return Readings(
            sensors=[self.sensors[one] for one in numbers.tolist()] * (stop - start),
            partitions=np.zeros(len(turn), np.int32),
            places=(turn - self.past + 1) * self.count + number,
            times_ms=np.concatenate([self.times_ms(numbers, one) for one in range(start, stop)]),
            values=self._courses[course, begin + turn].astype(np.float32),
        )

    def write(self, brokers: str, topic: str, start: int, stop: int) -> None:
        """Append the readings of turns, counted from the last past one, which is turn 0."""
        write_lines(brokers, topic, self._lines(self.past - 1 + start, self.past - 1 + stop))

    def _lines(self, first: int, stop: int) -> Iterator[bytes]:
        names = self.model.features
        for turn in range(first, stop):
            values = [json.dumps(dict(zip(names, row, strict=True))) for row in self._pattern(turn).tolist()]
            times_ms = self.times_ms(np.arange(len(values)), turn).tolist()
            for number, sensor in enumerate(self.sensors):
                value, time_ms = values[number % PATTERN], times_ms[number % PATTERN]
                yield f'{sensor}|{{"sensor_id": "{sensor}", "timestamp": {time_ms}, "values": {value}}}\n'.encode()

    def _pattern(self, turn: int) -> Float64Array:
        number = np.arange(min(PATTERN, self.count))
        return self._courses[number % _COURSES, number // _COURSES + turn]
