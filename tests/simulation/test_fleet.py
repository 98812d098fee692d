"""The simulated fleet is deterministic and independent of slicing; faults change only their own features."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest

from stream_detector.simulation.counter_rng import normal, uniform
from stream_detector.simulation.faults import KINDS, Fault, apply_faults, endless_faults, labels, missing, plan_faults
from stream_detector.simulation.fleet import FEATURES, Fleet
from stream_detector.simulation.series import Series

START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
FLEET = Fleet(sensors=3, seed=7)


def test_numbers_by_address_are_uniform_and_normal() -> None:
    addresses = np.arange(100_000)

    flat, bell = uniform(1, 0, addresses), normal(1, 0, addresses)

    assert flat.min() >= 0.0
    assert flat.max() < 1.0
    np.testing.assert_allclose(np.histogram(flat, bins=10, range=(0, 1))[0] / len(flat), 0.1, atol=0.005)
    assert abs(bell.mean()) < 0.02
    assert abs(bell.std() - 1.0) < 0.02
    assert abs(np.corrcoef(bell[:-1], bell[1:])[0, 1]) < 0.02


def test_equal_seeds_give_equal_fleets_and_other_seeds_others() -> None:
    _, first = FLEET.readings(START_MS, 50)
    _, again = Fleet(sensors=3, seed=7).readings(START_MS, 50)
    _, other = Fleet(sensors=3, seed=8).readings(START_MS, 50)

    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_larger_fleet_has_the_same_first_pumps() -> None:
    _, small = FLEET.readings(START_MS, 50)
    _, large = Fleet(sensors=5, seed=7).readings(START_MS, 50)

    np.testing.assert_array_equal(large[:3], small)


def test_readings_in_slices_equal_readings_at_once() -> None:
    times, whole = FLEET.readings(START_MS, 700)

    slices = [FLEET.readings(START_MS + 1000 * begin, steps) for begin, steps in ((0, 1), (1, 299), (300, 400))]

    np.testing.assert_array_equal(np.concatenate([part for part, _ in slices]), times)
    np.testing.assert_array_equal(np.concatenate([part for _, part in slices], axis=1), whole)


def test_times_are_one_interval_apart() -> None:
    times, values = Fleet(sensors=2, interval_seconds=0.25).readings(START_MS, 4)

    assert times.tolist() == [START_MS, START_MS + 250, START_MS + 500, START_MS + 750]
    assert values.shape == (2, 4, len(FEATURES))


def test_pumps_switch_between_off_and_running_set_points() -> None:
    _, values = Fleet(sensors=12).readings(START_MS, 3600)
    flow, pressure = values[..., FEATURES.index("flow")], values[..., FEATURES.index("pressure")]

    off = flow < 1.0

    assert 0.02 < off.mean() < 0.4
    assert (flow.max(axis=1) > 15.0).all()
    assert pressure[~off].mean() > 2.0 * pressure[off].mean()


def test_flow_falls_as_pressure_rises_within_a_mode() -> None:
    """Along the pump curve, at constant speed, the valve trades flow for pressure."""
    _, values = Fleet(sensors=12).readings(START_MS, 3600)
    flow, pressure = values[0, :, FEATURES.index("flow")], values[0, :, FEATURES.index("pressure")]

    high = flow > 0.8 * flow.max()

    assert np.corrcoef(flow[high], pressure[high])[0, 1] < -0.5


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_changes_its_sensor_and_features_within_its_interval_only(kind: str) -> None:
    times, healthy = FLEET.readings(START_MS, 300)
    features = ("flow", "current")
    fault = Fault(kind, 0, features, START_MS + 100_000, START_MS + 200_000, size=0.5, away_ms=500_000)

    broken = apply_faults(FLEET, times, healthy, [fault])

    touched = np.nonzero(broken != healthy)
    assert set(touched[0]) == {0}
    assert {FEATURES[column] for column in touched[2]} == set(features)
    assert touched[1].min() >= 100
    assert touched[1].max() < 200
    assert len(set(touched[1])) > 90  # and it changes nearly all of them


def test_size_of_a_level_shift_is_in_spreads_of_the_feature() -> None:
    times, healthy = FLEET.readings(START_MS, 10)
    fault = Fault("level_shift", 0, ("flow",), START_MS, START_MS + 10_000, size=2.0)

    broken = apply_faults(FLEET, times, healthy, [fault])

    flow = FEATURES.index("flow")
    np.testing.assert_allclose((broken - healthy)[0, :, flow], 2.0 * FLEET.spread()[0, flow], atol=0.001)


def test_a_drift_grows_from_nothing() -> None:
    times, healthy = FLEET.readings(START_MS, 10)
    fault = Fault("drift", 0, ("flow",), START_MS, START_MS + 10_000, size=1.0)

    change = (apply_faults(FLEET, times, healthy, [fault]) - healthy)[0, :, FEATURES.index("flow")]

    assert change[0] == 0.0
    assert (np.diff(change) > 0).all()


def test_a_stuck_value_is_that_of_the_fault_s_first_reading() -> None:
    times, healthy = FLEET.readings(START_MS, 20)
    fault = Fault("stuck", 0, ("flow",), START_MS + 5_000, START_MS + 20_000, size=0.0)

    later = apply_faults(FLEET, times[10:], healthy[:, 10:], [fault])

    flow = FEATURES.index("flow")
    assert set(later[0, :, flow]) == {healthy[0, 5, flow]}


def test_labels_name_the_fault_of_each_reading() -> None:
    times, _ = FLEET.readings(START_MS, 4)
    fault = Fault("noise", 2, ("flow",), START_MS + 1_000, START_MS + 3_000, size=1.0)

    assert labels(FLEET, times, [fault]).tolist() == [[-1, -1, -1, -1], [-1, -1, -1, -1], [-1, 0, 0, -1]]


def test_planned_faults_fit_the_span_and_do_not_meet_on_a_sensor() -> None:
    fleet = Fleet(sensors=4, seed=3)

    faults = plan_faults(fleet, START_MS, START_MS + 3_600_000, 14)

    assert len(faults) == 14
    assert {fault.kind for fault in faults} == set(KINDS)
    assert all(START_MS <= fault.start_ms < fault.end_ms <= START_MS + 3_600_000 for fault in faults)
    for sensor in range(4):
        own = [fault for fault in faults if fault.sensor == sensor]
        assert all(former.end_ms < latter.start_ms for former, latter in pairwise(own))


def test_endless_faults_are_deterministic_and_ordered() -> None:
    fleet = Fleet(sensors=4, seed=3)

    first = list(islice(endless_faults(fleet, START_MS, 60.0), 20))
    again = list(islice(endless_faults(fleet, START_MS, 60.0), 20))

    assert first == again
    assert [fault.start_ms for fault in first] == sorted(fault.start_ms for fault in first)
    assert all((fault.start_ms - START_MS) % 1000 == 0 for fault in first)


def test_a_single_pump_can_have_frequent_faults() -> None:
    assert len(list(islice(endless_faults(Fleet(sensors=1), START_MS, 4.0), 5))) == 5


def test_missing_values_have_the_asked_share() -> None:
    times, _ = FLEET.readings(START_MS, 5000)

    assert missing(FLEET, times, 0.1).mean() == pytest.approx(0.1, abs=0.01)


def test_a_series_does_not_depend_on_its_pieces() -> None:
    def values(pieces: list[int]) -> tuple[np.ndarray, list[Fault]]:
        series = Series(FLEET, START_MS, endless_faults(FLEET, START_MS, 60.0), missing_share=0.05)
        made = [series.next_piece(steps) for steps in pieces]
        return np.concatenate([piece.values for piece in made], axis=1), [fault for piece in made for fault in piece.started]

    whole, faults = values([400])
    pieces, faults_of_pieces = values([1, 1, 98, 250, 50])

    np.testing.assert_array_equal(pieces, whole)
    assert faults_of_pieces == faults
    assert len(faults) >= 6


def test_faults_of_a_series_are_those_of_its_labels() -> None:
    fault = next(endless_faults(FLEET, START_MS, 60.0))
    series = Series(FLEET, START_MS, iter([replace(fault, start_ms=START_MS + 2_000, end_ms=START_MS + 5_000)]))

    piece = series.next_piece(10)

    assert (piece.fault_of[fault.sensor] == 0).tolist() == [False, False, True, True, True, *[False] * 5]
    assert piece.started == piece.faults
