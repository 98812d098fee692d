"""An accepted incident: only the shifted feature is learned again, whatever the batches, and the others keep their limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from stream_detector.detection.calibration import Calibration, Tails
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.detection.departure import HealthyRange
from stream_detector.detection.detector import Detector, WindowConfig
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.scorer import WindowErrors
from stream_detector.readings import BoolArray, Float32Array, Readings
from stream_detector.state.arena import Arena
from stream_detector.state.known_sensors import SensorTable
from stream_detector.state.record_layout import new_records
from stream_detector.state.running_scale import ScaleConfig, Scales

STEPS, FEATURES, LEARNED = 4, 3, 64
#: Readings that a feature is hidden: a quarter of those it is learnt from, less the window at the acceptance.
HIDDEN = LEARNED // 4 - STEPS
MINUTE_MS = 60_000
ACCEPT = 20
#: Of healthy values, which lie within half a unit of 0.
DEVIATION = np.float32(0.3)
SPEC = ModelSpec("m", "v", ("flow", "pressure", "temperature"), STEPS, 60.0, ("far",))


class FarScorer:
    """One error: how far the newest row lies from its location at most, in units, of features that are there."""

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        """See ports.Scorer."""
        distance = np.abs(windows[:, -1] - scales.location) / scales.deviation * DEVIATION
        found = np.where(
            np.isnan(distance).all(axis=1), np.nan, np.nanmax(np.where(np.isnan(distance), -1.0, distance), axis=1)
        )
        return lambda: found[:, np.newaxis].astype(np.float32)

    def explain(self, windows: Float32Array, scales: Scales) -> list[WindowErrors]:
        """See ports.Scorer."""
        del scales
        equal = np.full((1, FEATURES), 1 / FEATURES, np.float32)
        steps = np.full(STEPS, 1 / STEPS, np.float32)
        return [WindowErrors(steps, window, equal, steps[np.newaxis], np.isnan(window[-1])) for window in windows]


@dataclass(frozen=True, slots=True)
class Run:
    """What became of the readings of one sensor."""

    anomalous: BoolArray
    scored: BoolArray
    accepted_excess: float
    moments: bytes
    header: bytes
    location: Float32Array  # [N, F]
    relearning: list[bool]  # [N] whether features are learned again


#: Healthy values, in deviations.
RANGE = HealthyRange(np.full((2, FEATURES), -2.0, np.float32), np.full((2, FEATURES), 2.0, np.float32))


def detector(*, known: bool = True, healthy_range: HealthyRange | None = None, scorer: FarScorer | None = None) -> Detector:
    table = SensorTable(
        rows={"pump": 0} if known else {},
        location=np.zeros((int(known), FEATURES), np.float32),
        deviation=np.full((int(known), FEATURES), DEVIATION),
        levels=np.zeros((int(known), 1)),
        counts=np.full(int(known), 100.0),
        **pace(int(known)),
    )
    knots = np.array([[0.0, 1.0]])
    calibration = Calibration(
        members=("far",),
        weights=np.ones(1),
        tails=Tails(knots, np.array([0.0, 1.0]), np.ones(1)),
        pooled_level=np.zeros(1),
        typical=0.0,
        tail_start=3.0,
        tail_rate=0.01,
        tail_scale=1.0,
        tail_shape=0.0,
        readings=1000,
        sensors=table,
    )
    rules = DecisionRules.of(
        calibration, 1.0, update_ms=10**9, quiet_ms=2 * MINUTE_MS, accept_ms=ACCEPT * MINUTE_MS, model_tag=7
    )
    rules = replace(rules, healthy_range=healthy_range)
    usual = (None, None) if healthy_range is None else (healthy_range.low, healthy_range.high)
    scales = ScaleConfig(table, np.full(FEATURES, DEVIATION), LEARNED, *usual)
    return Detector(Arena(8, STEPS, FEATURES, 1), scorer or FarScorer(), SPEC, rules, WindowConfig(10 * MINUTE_MS, scales))


def pace(sensors: int) -> dict[str, Float32Array]:
    return {
        "interval_ms": np.full(sensors, MINUTE_MS, np.float32),
        "pause_ms": np.full(sensors, 2 * MINUTE_MS, np.float32),
    }


def values(count: int, **shifts: tuple[int, float]) -> Float32Array:
    """Return readings near 0; from a reading on, a feature is shifted."""
    found = np.random.default_rng(0).uniform(-0.5, 0.5, (count, FEATURES)).astype(np.float32)
    for name, (first, size) in shifts.items():
        found[first:, SPEC.features.index(name)] += size
    return found


def run(rows: Float32Array, batch: int = 1000, *, known: bool = True, healthy_range: HealthyRange | None = None) -> Run:
    one = detector(known=known, healthy_range=healthy_range)
    one.arena.make_room(1)
    one.admit_new(0, ["pump"])
    anomalous, scored, location = [], [], []
    relearning: list[bool] = []
    for first in range(0, len(rows), batch):
        part = rows[first : first + batch]
        readings = Readings(
            sensors=["pump"] * len(part),
            partitions=np.zeros(len(part), np.int32),
            places=np.arange(first, first + len(part)),
            times_ms=MINUTE_MS * (1 + np.arange(first, first + len(part))),
            values=part,
        )
        detected = one.detect(readings)
        decisions = detected.decisions
        assert decisions is not None
        anomalous.append(decisions.anomalous)
        scored.append(~np.isnan(decisions.scores))
        location.append(detected.scales.location)
        hidden = detected.scales.hidden
        assert hidden is not None
        relearning.extend(bool(one.any()) for one in hidden)
    record = one.arena.records[one.arena.slot(0, "pump")]
    return Run(
        np.concatenate(anomalous),
        np.concatenate(scored),
        float(record["header"]["accepted"]),
        record["moments"].tobytes(),
        record["header"].tobytes(),
        np.concatenate(location),
        relearning,
    )


def test_a_shifted_feature_is_learnt_anew_and_then_scored_where_it_is_now() -> None:
    shifted = values(400, temperature=(10, 8.0))
    shifted[200:203, 0] += 8.0  # a fault of another feature
    shifted[300:303, 2] += 8.0  # a fault of the shifted one

    found = run(shifted)

    # One incident until it is accepted, then silence but for the two faults.
    assert np.flatnonzero(found.anomalous).tolist() == [*range(10, 31), 200, 201, 202, 300, 301, 302]
    assert found.scored[STEPS:].all()
    assert found.location[-1] == pytest.approx([0.0, 0.0, 8.0], abs=0.3)
    assert found.accepted_excess < 0.5  # the mean surprise of this scorer is 0.34 above the typical one of its calibration


def test_other_features_are_watched_at_their_own_limit_while_it_is_hidden() -> None:
    shifted = values(60, temperature=(10, 8.0))
    shifted[30 + HIDDEN, 0] += 8.0

    found = run(shifted)

    assert np.flatnonzero(found.anomalous).tolist() == [*range(10, 31), 30 + HIDDEN]


def test_if_all_features_shift_the_sensor_is_not_scored_until_they_are_learnt() -> None:
    shifted = values(200, flow=(10, 8.0), pressure=(10, -8.0), temperature=(10, 8.0))

    found = run(shifted, batch=7)

    assert not found.anomalous[31:].any()
    assert found.location[-1] == pytest.approx([8.0, -8.0, 8.0], abs=0.3)
    assert not found.scored[31 : 30 + HIDDEN].any()
    assert found.scored[-100:].all()


@pytest.mark.parametrize("batch", [1, 2, 7, 31])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("healthy_range", [None, RANGE])
def test_the_state_does_not_depend_on_how_the_log_was_cut(batch: int, known: bool, healthy_range: HealthyRange | None) -> None:
    shifted = values(150, temperature=(40, 8.0), flow=(90, -9.0))

    whole, cut = (run(shifted, size, known=known, healthy_range=healthy_range) for size in (1000, batch))

    assert cut.moments == whole.moments
    assert cut.header == whole.header
    assert cut.location.tobytes() == whole.location.tobytes()
    assert cut.anomalous.tolist() == whole.anomalous.tolist()
    assert cut.relearning == whole.relearning


def test_a_sensor_says_that_it_is_relearning() -> None:
    found = run(values(100, temperature=(10, 8.0)))

    hidden = np.flatnonzero(found.relearning).tolist()
    assert hidden == list(range(31, 30 + HIDDEN))


def test_a_second_shift_of_the_feature_is_learnt_as_well() -> None:
    shifted = values(300, temperature=(10, 8.0))
    shifted[120:, 2] -= 20.0

    found = run(shifted)

    assert not found.anomalous[150:].any()
    assert found.location[-1, 2] == pytest.approx(-12.0, abs=0.6)


def test_another_model_forgets_where_the_features_of_a_known_sensor_were() -> None:
    one = detector()
    one.arena.make_room(1)
    one.admit_new(0, ["pump"])
    record = one.arena.copy_records(np.array([one.arena.slot(0, "pump")], np.int32))
    record["moments"]["count"] = 9
    other = record.copy()
    other["header"]["model"] = 8
    same, moved = detector(), detector()
    for fresh, stored in ((same, record), (moved, other)):
        fresh.arena.make_room(1)
        fresh.admit(0, ["pump"], stored, np.ones(1, np.bool_))

    assert same.arena.records["moments"]["count"][same.arena.slot(0, "pump")].tolist() == [9, 9, 9]
    assert moved.arena.records["moments"]["count"][moved.arena.slot(0, "pump")].tolist() == [0, 0, 0]


def moments_left(found: Run) -> list[int]:
    """Return how many readings each feature's learned location rests on; 0: the model's holds."""
    moments = np.frombuffer(found.moments, new_records(1, STEPS, FEATURES, 1)["moments"].dtype.base)
    return list(moments["count"].tolist())


def test_a_value_that_stands_still_is_no_new_normal() -> None:
    still = values(300)
    still[10:, 2] = 8.0

    found = run(still, healthy_range=RANGE)

    assert moments_left(found) == [0, 0, 0]
    assert found.accepted_excess > 5.0  # the limit rises instead


def test_a_drift_is_no_new_normal() -> None:
    drifting = values(300)
    drifting[10:, 2] += 8.0 + np.arange(290, dtype=np.float32)

    assert moments_left(run(drifting, healthy_range=RANGE)) == [0, 0, 0]


def test_a_feature_that_returns_is_scored_where_it_was_before() -> None:
    shifted = values(400, temperature=(10, 8.0))
    shifted[200:, 2] -= 8.0

    found, stayed = run(shifted, healthy_range=RANGE), run(values(400, temperature=(10, 8.0)), healthy_range=RANGE)

    assert moments_left(found) == [0, 0, 0]
    assert moments_left(stayed)[2] > 0
    assert found.location[-1].tolist() == [0.0, 0.0, 0.0]
    assert not found.anomalous[-100:].any()
