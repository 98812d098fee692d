from __future__ import annotations

import numpy as np
import pytest

from tests.judge.cases import Case
from tests.judge.fleets import KINDS, PUMPS, SILENT, STEADY, WITH_MODES, fleets, plan, simulate


@pytest.fixture(scope="module", params=[STEADY, WITH_MODES])
def case(request: pytest.FixtureRequest) -> Case:
    return simulate(next(ref for ref in fleets() if ref.family == request.param))


def test_each_pump_has_a_fault_of_each_kind_apart_from_the_others(case: Case) -> None:
    sensors = case.sensors

    assert len(sensors) == PUMPS
    for sensor in sensors:
        assert sorted(event.kind for event in sensor.injected) == sorted(KINDS)
        runs = np.flatnonzero(np.diff(sensor.labels.astype(np.int8)) == 1)
        assert len(runs) == len(KINDS) - 1
        assert not sensor.labels[:1440].any()
        assert not sensor.labels[-1440:].any()


def test_a_silent_pump_has_no_reading_while_it_is(case: Case) -> None:
    for sensor in case.sensors:
        ((start_ms, end_ms),) = sensor.silences_ms.tolist()

        assert [event.start_ms for event in sensor.injected if event.kind == SILENT] == [start_ms]
        assert not ((sensor.test_ms >= start_ms) & (sensor.test_ms < end_ms)).any()
        assert np.diff(sensor.test_ms).max() == end_ms - start_ms + 60_000


def test_a_stuck_pump_repeats_one_value_and_all_pumps_run(case: Case) -> None:
    for sensor in case.sensors:
        stuck = next(event for event in sensor.injected if event.kind == "stuck")
        first = int(np.searchsorted(sensor.test_ms, stuck.start_ms))
        repeated = (np.diff(sensor.test[first : first + 240], axis=0) == 0).all(axis=0)

        assert repeated.sum() == 1
        assert sensor.test[:, 2].max() > 1.0


def test_equal_names_give_equal_readings() -> None:
    one, other = (plan(WITH_MODES, 7, place=2, pump=2) for _ in range(2))

    assert one == other
    assert one != plan(WITH_MODES, 7, place=3, pump=3)
