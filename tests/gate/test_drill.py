"""Faults of set kinds and sizes in held-back data."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.gate.drill import DRILL_KINDS, TRIALS_PER_KIND, Drill, Stretch, as_meters, plan_drill
from stream_detector.gate.fault_injection import HealthyRun
from stream_detector.readings import Float64Array
from tests.gate.test_fault_injection import waves

WINDOW = 8


def stretch(values: Float64Array, sensor: str = "pump") -> Stretch:
    run = HealthyRun.of(values, np.nanstd(values, axis=0), np.ones(values.shape[1], np.bool_))
    return Stretch(sensor, 1000 * np.arange(len(values), dtype=np.int64), run)


def planned(values: Float64Array | None = None) -> tuple[Drill, Float64Array]:
    values = waves() if values is None else values
    return plan_drill([stretch(values)], WINDOW, seed=1), values


def trials_of(drill: Drill, kind: str) -> list[int]:
    return [trial for trial, name in enumerate(drill.kinds) if name == kind]


def changed(drill: Drill, values: Float64Array, trial: int) -> Float64Array:
    """Return the readings of a trial less those without its fault."""
    first = int(drill.times_ms[trial, 0]) // 1000
    return np.asarray(drill.values[trial] - values[first : first + drill.values.shape[1]])


def test_each_kind_has_as_many_trials_and_each_ends_with_its_fault() -> None:
    drill, _ = planned()

    assert {kind.name: len(trials_of(drill, kind.name)) for kind in DRILL_KINDS} == {
        kind.name: TRIALS_PER_KIND for kind in DRILL_KINDS
    }
    # A window to fill, half a window of healthy readings, two windows of fault; a spike ends sooner.
    assert drill.values.shape[1] == WINDOW + 4 + 16
    assert drill.fault_rows == 16
    assert set(drill.starts.tolist()) == {WINDOW + 4}
    assert {int(drill.ends[trial]) for trial in trials_of(drill, "shift_1")} == {WINDOW + 4 + 16}
    assert {int(drill.ends[trial]) for trial in trials_of(drill, "spike")} == {WINDOW + 4 + 2}


@pytest.mark.parametrize(("kind", "deviations"), [("shift_1", 1.0), ("shift_3", 3.0), ("spike", 4.0)])
def test_a_shift_has_its_size_in_one_feature_and_nothing_else_changes(kind: str, deviations: float) -> None:
    drill, values = planned()
    spread = values.std(axis=0)

    for trial in trials_of(drill, kind):
        change = changed(drill, values, trial)
        (feature,) = np.flatnonzero(np.abs(change).max(axis=0))
        inside = slice(drill.starts[trial], drill.ends[trial])
        assert np.abs(change[inside, feature]) == pytest.approx(deviations * spread[feature])
        assert not change[: drill.starts[trial]].any()
        assert not change[drill.ends[trial] :].any()


def test_a_frozen_sensor_repeats_its_last_healthy_reading() -> None:
    drill, _ = planned()

    for trial in trials_of(drill, "frozen_all"):
        start = drill.starts[trial]
        assert (drill.values[trial, start:] == drill.values[trial, start - 1]).all()
        assert drill.arrives[trial].all()


def test_one_frozen_feature_leaves_the_others_alone() -> None:
    drill, values = planned()

    for trial in trials_of(drill, "frozen_one"):
        assert np.count_nonzero(np.abs(changed(drill, values, trial)).max(axis=0)) == 1


def test_a_silent_sensor_has_no_readings_and_a_missing_feature_no_values() -> None:
    drill, _ = planned()

    for trial in trials_of(drill, "silent"):
        assert drill.arrives[trial].tolist() == [True] * 12 + [False] * 16
    for trial in trials_of(drill, "missing_feature"):
        missing = np.isnan(drill.values[trial])
        assert sorted(missing.sum(axis=0).tolist()) == [0, 0, 16]
        assert not missing[: drill.starts[trial]].any()
    assert drill.arrives[trials_of(drill, "missing_feature")].all()


def test_a_meter_shows_the_sum_of_its_rises_and_stands_still_when_frozen() -> None:
    values = waves() + 100.0  # rises per hour; a reading a second
    drill, _ = planned(values)

    meters = as_meters(drill, [0])

    assert (meters.values[:, :, 1:] == drill.values[:, :, 1:])[~np.isnan(drill.values[:, :, 1:])].all()
    (first, *_) = trials_of(drill, "shift_1")
    assert np.diff(meters.values[first, :, 0]) == pytest.approx(drill.values[first, 1:, 0] / 3600.0)
    for trial in trials_of(drill, "frozen_all"):
        start = drill.starts[trial]
        assert np.ptp(meters.values[trial, start - 1 :, 0]) == 0.0


def test_what_does_not_fit_has_no_trials() -> None:
    drill, _ = planned(waves(features=1))

    # A single feature is related to no other, and without it there is no reading.
    assert set(drill.kinds) == {kind.name for kind in DRILL_KINDS} - {"lost_correlation", "missing_feature"}
    assert set(planned(np.ones((200, 2)))[0].kinds) == {"silent", "missing_feature"}


def test_short_data_have_short_faults_and_too_short_data_none() -> None:
    assert planned(waves(rows=WINDOW + 16))[0].fault_rows == 12
    drill, _ = planned(waves(rows=WINDOW + 15))
    assert (len(drill), drill.values.shape[0]) == (0, 0)
    assert len(plan_drill([], WINDOW, seed=0)) == 0


def test_stretches_take_turns_and_equal_seeds_give_equal_drills() -> None:
    stretches = [stretch(waves(seed=1), "a"), stretch(waves(seed=2), "b"), stretch(waves(rows=20), "short")]
    drill, again = (plan_drill(stretches, WINDOW, seed=3) for _ in range(2))

    assert set(drill.sensors) == {"a", "b"}
    assert drill.values.tobytes() == again.values.tobytes()
    assert plan_drill(stretches, WINDOW, seed=4).values.tobytes() != drill.values.tobytes()


def test_a_kind_that_fits_nowhere_is_named_with_the_reason() -> None:
    noise = np.random.default_rng(2).normal(size=(400, 2))
    short = np.tile(np.sin(np.arange(30) / 3.0)[:, None], (1, 2))  # all of its rows are in a trial

    unrelated, single, few = (
        {one.text: one.why for one in planned(values)[0].left_out} for values in (noise, noise[:, :1], short)
    )

    assert unrelated == {
        "lost correlation": "no two features move together there",
        "twice as fast or slow": "no feature has a course there",
    }
    assert single["one feature missing"] == "the only feature is the whole reading"
    assert few["lost correlation"] == "too few held-back readings for it"
    assert planned()[0].left_out == ()
    assert planned(noise[:4])[0].left_out == ()  # nothing fits: there is no table
