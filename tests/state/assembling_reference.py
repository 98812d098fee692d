"""The assembly of readings in plain Python, a message at a time, and messages to try it with."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import strategies as st

from stream_detector.readings import Readings
from stream_detector.state.bucket_state import Assembly, BucketStates, bucket_dtype, clear_buckets

RULE = Assembly(bucket_ms=10, hold_ms=35, enough_punctual=2)
FEATURES, SENSORS = 2, 3
#: Orderly late buckets that are a clock that was set back: with records that came in time, and without.
LIVE, ENOUGH = 8, 16
NAN = math.nan


@dataclass(frozen=True, slots=True)
class Sent:
    """A message."""

    sensor: int
    time_ms: int
    values: tuple[float, ...]
    stamp_ms: int = -1
    nulls: tuple[bool, ...] = (False,) * FEATURES


@dataclass(frozen=True, slots=True)
class Made:
    """A reading, and the message that completed it."""

    at: int
    sensor: int
    time_ms: int
    values: tuple[float, ...]
    held: tuple[bool, ...]
    stamp_ms: int = -1
    is_set_back: bool = False


@dataclass(slots=True)
class Sensor:
    """What is known of a sensor."""

    bucket: int | None = None
    stamp_ms: int = -1
    is_set_back: bool = False
    times_ms: list[int | None] = field(default_factory=lambda: [None] * FEATURES)
    values: list[float] = field(default_factory=lambda: [NAN] * FEATURES)
    late: list[tuple[int, int, int]] = field(default_factory=list)  # bucket, time and stamp of the first message
    late_live: int = 0
    is_full: bool = False  # every feature that stands spoke in the pending bucket
    is_followed: bool = False  # a message came after that
    is_done: bool = False  # the pending bucket is complete
    punctual: int = 0  # buckets in a row without a message after a full set

    def take(self, at: int, sent: Sent) -> tuple[Made | None, bool]:
        """Take a message; return the reading that it completes, and whether it is late."""
        bucket, made = sent.time_ms // RULE.bucket_ms, None
        is_back = False
        if self.bucket is not None and bucket < self.bucket:
            is_back = self._is_set_back(bucket, sent)
            if not is_back:
                self._keep(sent)
                return None, True
        is_new = self.bucket is None or bucket > self.bucket or is_back
        if is_new:
            if self.bucket is not None and not self.is_done:
                made = self._complete(at, sent.sensor)
            self.punctual += self.is_full and not self.is_followed
            self.is_full = self.is_followed = self.is_done = False
        elif self.is_full:
            self.is_followed, self.punctual = True, 0
        if is_back:
            assert self.bucket is not None
            by_ms = (self.bucket + 1 - bucket) * RULE.bucket_ms
            self.times_ms = [None if time_ms is None else time_ms - by_ms for time_ms in self.times_ms]
        if bucket != self.bucket:
            self.is_set_back = is_back
        self.late, self.late_live = [], 0
        self.bucket, self.stamp_ms = bucket, sent.stamp_ms
        self._keep(sent)
        if not self.is_full and self._has_all():
            self.is_full = True
            if not is_new and self.punctual >= RULE.enough_punctual:
                made, self.is_done = self._complete(at, sent.sensor), True
        return made, False

    def _has_all(self) -> bool:
        assert self.bucket is not None
        start_ms = self.bucket * RULE.bucket_ms
        standing = [
            time_ms
            for time_ms, value in zip(self.times_ms, self.values, strict=True)
            if time_ms is not None and start_ms + RULE.bucket_ms - time_ms <= RULE.hold_ms and not math.isnan(value)
        ]
        return bool(standing) and min(standing) >= start_ms

    def _keep(self, sent: Sent) -> None:
        for feature, value in enumerate(sent.values):
            time_ms = self.times_ms[feature]
            is_said = sent.nulls[feature] or not math.isnan(value)
            if is_said and (time_ms is None or sent.time_ms >= time_ms):
                self.times_ms[feature], self.values[feature] = sent.time_ms, value

    def _is_set_back(self, bucket: int, sent: Sent) -> bool:
        here = bucket, sent.time_ms, sent.stamp_ms
        if not self.late or bucket < self.late[-1][0]:
            self.late, self.late_live = [here], 1
        elif bucket > self.late[-1][0]:
            _, time_ms, stamp_ms = self.late[-1]
            is_live = min(stamp_ms, sent.stamp_ms) >= 0 and 2 * (sent.stamp_ms - stamp_ms) >= sent.time_ms - time_ms
            self.late_live = self.late_live + 1 if is_live else 1
            self.late.append(here)
        return self.late_live >= LIVE or len(self.late) >= ENOUGH

    def _complete(self, at: int, sensor: int) -> Made:
        assert self.bucket is not None
        start_ms = self.bucket * RULE.bucket_ms
        end_ms = start_ms + RULE.bucket_ms
        stands = [time_ms is not None and end_ms - time_ms <= RULE.hold_ms for time_ms in self.times_ms]
        values = tuple(value if stand else NAN for value, stand in zip(self.values, stands, strict=True))
        held = tuple(
            not math.isnan(value) and time_ms is not None and time_ms < start_ms
            for time_ms, value in zip(self.times_ms, values, strict=True)
        )
        return Made(at, sensor, end_ms, values, held, self.stamp_ms, self.is_set_back)


def reference(messages: list[Sent]) -> tuple[list[Made], list[int]]:
    """Return the readings and the positions of the late messages."""
    sensors = [Sensor() for _ in range(SENSORS)]
    made, late = [], []
    for at, sent in enumerate(messages):
        one, is_late = sensors[sent.sensor].take(at, sent)
        made += [one] if one else []
        late += [at] if is_late else []
    return made, late


def new_states(sensors: int = SENSORS, features: int = FEATURES) -> BucketStates:
    states = np.zeros(sensors, bucket_dtype(features))
    clear_buckets(states)
    return states


def readings_of(messages: list[Sent], first: int = 0) -> Readings:
    return Readings(
        sensors=[f"s{one.sensor}" for one in messages],
        partitions=np.zeros(len(messages), np.int32),
        places=np.arange(first, first + len(messages)),
        times_ms=np.array([one.time_ms for one in messages], np.int64),
        values=np.array([one.values for one in messages], np.float64).reshape(len(messages), -1 if messages else FEATURES),
        stamps_ms=np.array([one.stamp_ms for one in messages], np.int64),
        nulls=np.array([one.nulls for one in messages], np.bool_) if any(any(one.nulls) for one in messages) else None,
    )


_VALUES = st.tuples(*[st.sampled_from([NAN, NAN, 0.0, 1.0, 2.5, -3.0])] * FEATURES)


def _scans(draw: st.DrawFn, sensor: int, first: int) -> list[Sent]:
    """Return the messages of a gateway that sends each feature once a bucket; rarely one is lost, or one more comes."""
    sent: list[Sent] = []
    for bucket in range(first, first + draw(st.integers(3, 9))):
        extra = draw(st.sampled_from(["", "", "", "", "lost", "again"]))
        for feature in range(FEATURES - (extra == "lost")):
            sent.append(Sent(sensor, 10 * bucket + feature, tuple(1.0 if feature == own else NAN for own in range(FEATURES))))
        if extra == "again":
            sent.append(Sent(sensor, 10 * bucket + 5, (2.0, NAN)))
    return sent


@st.composite
def messages_of_fleets(draw: st.DrawFn) -> list[Sent]:
    """Return runs of messages of some sensors: in order, in bursts, late, on a clock that was set back, with gaps."""
    found: list[list[Sent]] = []
    for sensor in range(SENSORS):
        sent: list[Sent] = []
        stamp_ms = 1000
        for _ in range(draw(st.integers(0, 4))):
            if draw(st.booleans()):
                scans = _scans(draw, sensor, draw(st.integers(0, 40)))
                sent += [replace(one, stamp_ms=stamp_ms + one.time_ms) for one in scans]
                continue
            time_ms, step, live = draw(st.integers(0, 400)), draw(st.sampled_from([0, 3, 10, 12, 30])), draw(st.booleans())
            for _ in range(draw(st.integers(1, 22))):
                values = draw(_VALUES)
                nulls = tuple(math.isnan(value) and not draw(st.integers(0, 7)) for value in values)
                sent.append(Sent(sensor, max(0, time_ms), values, stamp_ms if draw(st.integers(0, 9)) else -1, nulls))
                stamp_ms += step if live else 0
                time_ms += step + draw(st.sampled_from([0, 0, 0, 1, -8]))
        found.append(sent)
    merged: list[Sent] = []
    while any(found):
        one = draw(st.sampled_from([sent for sent in found if sent]))
        merged.append(one.pop(0))
    return merged
