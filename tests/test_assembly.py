"""From settings to the detector's rules."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from stream_detector.assembly import (
    budget_per_sensor_day,
    build_detector,
    decision_rules,
    input_assembly,
    max_gap_ms,
    model_tag,
    restore_config,
)
from stream_detector.detection.alert_events import event_rules
from stream_detector.detection.calibration import Calibration, Tails
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.detection.scorer import WindowErrors
from stream_detector.readings import Float32Array, Readings
from stream_detector.settings.input_settings import InputSettings
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import AlertSettings, RuleSettings, Settings, StateSettings
from stream_detector.state.bucket_state import Assembly
from stream_detector.state.known_sensors import SensorTable
from stream_detector.state.running_scale import Scales
from tests.fakes.scorer import ChecksumScorer

MODEL = ModelSpec("pump", "v1", ("a",), window_length=20, sampling_interval_seconds=6.0, members=("checksum",))
#: An exponential tail from 0.5 on: a margin of 0.5 + 0.25 ln(rate at 0.5 / rate asked for).
CALIBRATION = Calibration(
    members=("checksum",),
    weights=np.ones(1),
    tails=Tails(np.array([[0.0, 1.0]]), np.array([0.0, 1.0]), np.ones(1)),
    pooled_level=np.zeros(1),
    typical=0.5,
    tail_start=0.5,
    tail_rate=0.01,
    tail_scale=0.25,
    tail_shape=0.0,
    readings=10_000,
    sensors=SensorTable(
        rows={"pump-1": 0, "pump-2": 1},
        location=np.zeros((2, 1), np.float32),
        deviation=np.ones((2, 1), np.float32),
        levels=np.zeros((2, 1)),
        counts=np.full(2, 100.0),
    ),
)


def test_the_budget_per_day_becomes_a_margin_by_how_often_a_sensor_is_read() -> None:
    # 144 alarms a day, 14,400 readings a day: one in 100, the rate at the tail's start.
    assert rules(budget_per_sensor_day=144.0).margin == 0.5
    # A tenth of it: ln(10) scales further up.
    assert rules(budget_per_sensor_day=14.4).margin == pytest.approx(0.5 + 0.25 * math.log(10.0))


def test_the_rules_and_their_events_say_whether_the_models_training_resolves_the_budget() -> None:
    # 10,000 readings, 6 s apart, are .694 days: ten incidents at 14.4 a day; half of that where one of two readings is scored.
    few, enough = rules(budget_per_sensor_day=14.3), rules(budget_per_sensor_day=14.5)
    strided = rules(StateSettings(stride=2), budget_per_sensor_day=7.3)

    assert [event_rules(one).budget_resolved for one in (few, enough, strided)] == [False, True, True]
    assert few.resolution is not None
    assert few.resolution.smallest_resolved == 20.0


def test_with_a_stride_fewer_readings_share_the_budget() -> None:
    # Every tenth is scored: the same alarms a day are ten times as many of the scored ones.
    assert rules(StateSettings(stride=10), budget_per_sensor_day=14.4).margin == pytest.approx(0.5)


def test_a_budget_for_the_fleet_is_divided_among_its_sensors() -> None:
    assert budget_per_sensor_day(CALIBRATION, AlertSettings(budget_per_fleet_day=10.0)) == 5.0
    assert budget_per_sensor_day(CALIBRATION, AlertSettings(budget_per_fleet_day=10.0, fleet_size=100)) == 0.1
    assert budget_per_sensor_day(CALIBRATION, AlertSettings(budget_per_sensor_day=0.3)) == 0.3


def test_rules_name_their_budget() -> None:
    assert rules(budget_per_fleet_day=10.0, fleet_size=100).budget_per_sensor_day == 0.1


def test_equal_settings_have_one_version_and_different_ones_have_others() -> None:
    """A given value and an equal default make no difference; a window is 120 s here."""
    same = [rules(), rules(budget_per_sensor_day=0.1), rules(update_seconds=300.0, quiet_seconds=60.0, accept_seconds=43_200.0)]
    others = [
        rules(budget_per_sensor_day=0.2),
        rules(update_seconds=301.0),
        rules(quiet_seconds=61.0),
        rules(accept_seconds=3600.0),
        rules(StateSettings(stride=2)),
        rules(StateSettings(stride=2), budget_per_sensor_day=0.05),  # per reading it is the same
    ]

    assert {one.rules_version for one in same} == {rules().rules_version}
    assert len({one.rules_version for one in [*same, *others]}) == 1 + len(others)


def test_a_version_does_not_change_from_run_to_run_nor_with_the_model() -> None:
    """Versions are compared across replicas, restarts and trainings."""
    retrained = replace(CALIBRATION, tail_rate=0.02)

    assert decision_rules(MODEL, retrained, StateSettings(), AlertSettings()).rules_version == rules().rules_version
    content = (
        b'{"accept_ms": 43200000, "alarms_per_reading": 0.01, "budget_per_sensor_day": 144.0, '
        b'"quiet_ms": 60000, "update_ms": 300000}'
    )
    assert rules(budget_per_sensor_day=144.0).rules_version == hashlib.sha256(content).hexdigest()[:12]


def test_the_settings_of_rules_are_part_of_the_version_and_of_the_rules() -> None:
    healthy = HealthyData.none(2, 1)
    found = [
        decision_rules(MODEL, CALIBRATION, StateSettings(), AlertSettings(), of_rules, healthy=healthy)
        for of_rules in (RuleSettings(), RuleSettings(), RuleSettings(frozen=False), RuleSettings(limits={"a": (None, 1.0)}))
    ]

    assert [one.rules_version == found[0].rules_version for one in found] == [True, True, False, False]
    assert [one.findings is not None and "frozen" in one.findings.types for one in found] == [True, True, False, True]


def test_quiet_spell_follows_the_models_window_unless_set() -> None:
    assert rules().quiet_ms == 60_000  # half of 20 x 6 s
    assert rules(quiet_seconds=7.5).quiet_ms == 7_500
    assert max_gap_ms(StateSettings()) is None  # by the sensor's own pace
    assert max_gap_ms(StateSettings(max_gap_seconds=5.0)) == 5_000


def test_times_are_in_milliseconds() -> None:
    assert rules(update_seconds=1.5).update_ms == 1_500
    assert rules(accept_seconds=500.25).accept_ms == 500_250
    assert rules(accept_seconds=0.25).accept_ms == 240_000  # at least two windows of 20 x 6 s
    assert rules().accept_ms == 12 * 3_600_000


@dataclass(slots=True)
class Trained:
    """An assembly.TrainedScorer that computes checksums."""

    inner: ChecksumScorer = field(default_factory=ChecksumScorer)
    spec: ModelSpec = MODEL
    calibration: Calibration = CALIBRATION
    fallback_deviation: Float32Array = field(default_factory=lambda: np.full(1, 9.0, np.float32))
    healthy: HealthyData = field(default_factory=lambda: HealthyData.none(2, 1))

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        """See ports.Scorer."""
        return self.inner.start(windows, scales)

    def explain(self, windows: Float32Array, scales: Scales) -> list[WindowErrors]:
        """See ports.Scorer."""
        return self.inner.explain(windows, scales)


def test_a_sensor_with_very_long_windows_learns_its_scale_from_as_many_readings_as_its_record_can_count() -> None:
    detector = build_detector(Trained(spec=replace(MODEL, window_length=5000)), StateSettings(), AlertSettings())
    detector.admit_new(0, ["new"])
    count = detector.arena.records["moments"]["count"]
    slot = detector.arena.slot(0, "new")
    count[slot] = 65_533

    times, values = 6_000 * np.arange(1, 5), np.ones((4, 1), np.float32)
    detector.detect(Readings(["new"] * 4, np.zeros(4, np.int32), np.arange(4), times, values), scoring=False)

    assert count[slot].tolist() == [65_535]


def test_a_detector_knows_the_models_sensors_and_learns_the_scale_of_others_from_sixteen_windows() -> None:
    detector = build_detector(Trained(), StateSettings(), AlertSettings())
    count = 16 * 20 + 30
    times = 6_000 * np.arange(1, count + 1)
    detector.admit_new(0, ["pump-1", "new"])

    for sensor in ("pump-1", "new"):
        values = np.ones((count, 1), np.float32)
        detected = detector.detect(Readings([sensor] * count, np.zeros(count, np.int32), np.arange(count), times, values))

        expected = (0.0, 1.0) if sensor == "pump-1" else (1.0, 9.0)  # it never varies: the fallback
        assert (detected.scales.location[-1, 0], detected.scales.deviation[-1, 0]) == expected
        assert detected.scored == count - 19
    slots = [detector.arena.slot(0, sensor) for sensor in ("pump-1", "new")]
    assert detector.arena.records["moments"]["count"][slots].tolist() == [[0.0], [320.0]]


def test_the_tag_of_a_model_is_never_the_number_for_none() -> None:
    other = ModelSpec(name="pump", version="v2", features=("a",), window_length=20, sampling_interval_seconds=6.0)

    assert model_tag(MODEL) != model_tag(other)
    assert 0 < model_tag(MODEL) < 1 << 32


def test_the_lookback_fills_windows_with_a_margin() -> None:
    settings = Settings(
        state=StateSettings(lookback_margin=1.5, max_lookback_records=9), kafka=KafkaSettings(max_poll_records=7)
    )

    found = restore_config(MODEL, settings)

    assert found.lookback_ms == 180_000  # 20 x 6 s x 1.5
    assert found.max_lookback_records == 9
    assert found.slice_records == 7


@pytest.mark.parametrize(
    ("start", "position"),
    [
        ("latest", "latest"),
        ("earliest", "earliest"),
        ("1970-01-01T00:00:01.500Z", 1500),
        ("1970-01-01T01:00:00+01:00", 0),
    ],
)
def test_a_group_starts_at_an_end_or_at_a_time(start: str, position: str | int) -> None:
    assert restore_config(MODEL, Settings(kafka=KafkaSettings(start=start))).start == position


def rules(state: StateSettings | None = None, **alerts: float) -> DecisionRules:
    return decision_rules(MODEL, CALIBRATION, state or StateSettings(), AlertSettings.model_validate(alerts))


def test_values_are_held_for_sixty_buckets_unless_set() -> None:
    assert input_assembly(InputSettings()) is None
    assert input_assembly(InputSettings(assemble_seconds=0.5)) == Assembly(500, 30_000)
    assert input_assembly(InputSettings(assemble_seconds=10, hold_seconds=3600)) == Assembly(10_000, 3_600_000)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"hold_seconds": 60}, "needs STREAM_DETECTOR_INPUT__ASSEMBLE_SECONDS"),
        ({"assemble_seconds": 10, "hold_seconds": 5}, "at least"),
    ],
)
def test_a_hold_belongs_to_buckets_and_is_no_shorter(changes: dict[str, float], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        InputSettings.model_validate(changes)


def test_the_lookback_of_assembled_readings_includes_the_values_that_are_held() -> None:
    plain = restore_config(MODEL, Settings()).lookback_ms
    assembled = restore_config(MODEL, Settings(input=InputSettings(assemble_seconds=10, hold_seconds=60))).lookback_ms

    assert assembled == plain + 70_000


def test_a_detector_that_assembles_has_a_layout_of_its_own() -> None:
    plain, assembling = (
        build_detector(Trained(), StateSettings(), AlertSettings(), assembly=assembly)
        for assembly in (None, Assembly(1000, 5000))
    )

    assert (plain.assembles, assembling.assembles) == (False, True)
    assert assembling.layout == f"{plain.layout}:assembled by 1000 ms"
