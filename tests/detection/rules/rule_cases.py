"""A detector's rules without a model: readings in, changes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from stream_detector.detection.rules.batch import RuleBatch
from stream_detector.detection.rules.changes import RuleChange
from stream_detector.detection.rules.fold import RuleConfig, fold_rules
from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.detection.rules.incidents import Pace
from stream_detector.detection.rules.limits import LimitOptions, rule_limits
from stream_detector.readings import BoolArray, Float32Array, FloatArray, Int64Array, Readings
from stream_detector.state.record_layout import KEPT_TYPES, Records, new_records
from stream_detector.state.rule_states import RuleStates
from stream_detector.state.windows import append
from stream_detector.tables.dataset import Dataset
from stream_detector.training.healthy_fit import fit_healthy

START_MS, SECOND_MS, LENGTH = 1_700_000_000_000, 1000, 8
ALL_TYPES = frozenset(KEPT_TYPES)


def healthy_of(
    values: Float32Array,
    sensors: int = 1,
    scored: Sequence[bool] | None = None,
    removed: BoolArray | None = None,
    held: BoolArray | None = None,
) -> HealthyData:
    """Return the healthy data of readings [N, F], split evenly among sensors; of cells some are held or taken out."""
    count, features = values.shape
    dataset = Dataset(
        features=tuple("abcdefgh"[:features]),
        sensors=tuple(f"s{number}" for number in range(sensors)),
        codes=np.repeat(np.arange(sensors, dtype=np.int32), count // sensors),
        times_ms=START_MS + SECOND_MS * np.arange(count, dtype=np.int64),
        values=values.astype(np.float32),
        rows=np.arange(count, dtype=np.int64),
        held=held,
    )
    dataset = dataset if removed is None else dataset.without(removed)
    return fit_healthy(dataset, np.ones(features, np.bool_) if scored is None else np.array(scored))


class Rules:
    """The state of some sensors, all known to the model unless `rows` says otherwise, and the rules."""

    def __init__(
        self,
        healthy: HealthyData,
        options: LimitOptions | None = None,
        *,
        rows: Sequence[int] = (0,),
        quiet_readings: int = 4,
        counters: Sequence[int] = (),
        length: int = LENGTH,
        own: LimitOptions | None = None,
    ) -> None:
        options = options or LimitOptions(flapping_turns=8)  # streams of tests are short
        self.features = tuple("abcdefgh"[: healthy.scored.shape[0]])
        self.records: Records = new_records(len(rows), length, len(self.features), 1, len(counters))
        self.states = RuleStates(len(self.features))
        self.states.grow(len(rows))
        self.config = RuleConfig(
            rule_limits(healthy, self.features, options), ALL_TYPES, Pace(quiet_readings, 60_000), options.healthy_factor, own
        )
        self._rows = np.array(rows, np.int32)
        self._counters = counters
        self._next = 0

    def read(
        self,
        values: FloatArray,
        sensors: Int64Array | None = None,
        *,
        emits: bool = True,
        strangers: Mapping[int, tuple[str, ...]] | None = None,
    ) -> list[RuleChange]:
        """Fold one batch of readings [N, F], a second apart; `strangers` are unknown features of some of them."""
        count = len(values)
        slots = np.zeros(count, np.int32) if sensors is None else sensors.astype(np.int32)
        offsets = self._next + np.arange(count, dtype=np.int64)
        self._next += count
        readings = Readings(
            sensors=[f"s{slot}" for slot in slots.tolist()],
            partitions=np.zeros(count, np.int32),
            places=offsets,
            times_ms=START_MS + SECOND_MS * offsets,
            values=values,
            strangers=strangers,
        )
        last_ms = self.records["header"]["last_time_ms"][slots]
        appended = append(self.records, slots, readings, 60_000, self._counters)
        batch = RuleBatch.of(appended, readings, last_ms, self._rows[appended.slot])
        changes = fold_rules(self.records, self.states, batch, self.features, self.config, emits=emits)
        return sorted(changes, key=lambda one: one.reading)

    def state(self) -> bytes:
        """Return all that is kept of the sensors."""
        return self.records.tobytes() + self.states.read(np.arange(len(self._rows), dtype=np.int32)).tobytes()


def noise(count: int, features: int = 2, seed: int = 0) -> Float32Array:
    """Return readings [N, F] of continuous signals."""
    return np.random.default_rng(seed).normal(10.0, 1.0, (count, features)).astype(np.float32)


def read_in_turn(rows: list[tuple[int, list[float]]]) -> tuple[Float32Array, Int64Array]:
    """Return the values [N, 2] and the sensors [N] of rows (sensor, two values)."""
    values = np.array([row for _, row in rows]).reshape(-1, 2)
    return values.astype(np.float32), np.array([sensor for sensor, _ in rows], np.int64)


def assert_cuts_change_nothing(whole: Rules, parts: Rules, values: Float32Array, sensors: Int64Array, cuts: set[int]) -> None:
    """Read readings [N, F] in one batch, and cut before some of them: changes and state must be the same."""
    expected = [(one.what, one.offset, one.features) for one in whole.read(values, sensors)]
    bounds = sorted({0, *(cut for cut in cuts if cut < len(values)), len(values)})
    found = [
        (one.what, one.offset, one.features)
        for first, last in pairwise(bounds)
        for one in parts.read(values[first:last], sensors[first:last])
    ]

    assert found == expected
    assert parts.state() == whole.state()
