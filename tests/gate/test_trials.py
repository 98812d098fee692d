"""Trials: balanced, within their budget, on little data as well, and with nothing judged that should not be."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.gate.fault_injection import HealthyRun
from stream_detector.gate.fault_kinds import CHANGED_PERIOD, KINDS, LOST_CORRELATION, SPIKE
from stream_detector.gate.trials import TrialLimits, Trials, plan_trials
from stream_detector.readings import Float64Array
from tests.examples import examples
from tests.gate.hand_made import first_row_of


def healthy(rows: int, features: int = 4, seed: int = 0, missing_share: float = 0.0) -> Float64Array:
    """Return smoothed noise that all features follow."""
    generator = np.random.default_rng(seed)
    course = np.convolve(generator.normal(size=rows + 9), np.ones(10), "valid")
    values = course[:, None] * np.arange(1, features + 1) + 0.1 * generator.normal(size=(rows, features))
    values[generator.uniform(size=values.shape) < missing_share] = np.nan
    return values


def run_of(values: Float64Array) -> HealthyRun:
    return HealthyRun.of(values, np.nanstd(values, axis=0), np.ones(values.shape[1], np.bool_))


def kinds_of(trials: Trials) -> Counter[str]:
    return Counter(fault.kind for fault in trials.faults)


def test_each_kind_has_as_many_trials_and_the_budget_is_kept() -> None:
    trials = plan_trials([run_of(healthy(3000))], window_length=32, seed=0)

    assert trials.values.shape == (140, 32 + 96, 4)
    assert kinds_of(trials) == dict.fromkeys(KINDS, 20)
    assert trials.kinds() == KINDS

    assert trials.stretches == (3000 - 32) // 96

    smaller = plan_trials([run_of(healthy(3000))], window_length=32, seed=0, limits=TrialLimits(judged_rows=6000))
    assert kinds_of(smaller) == dict.fromkeys(KINDS, 8)  # 6000 / 7 / 96 rows each
    assert 8 * 7 * 96 <= 6000


def test_long_windows_leave_fewer_rows_rather_than_fewer_than_eight_trials_of_a_kind() -> None:
    trials = plan_trials([run_of(healthy(5000))], window_length=512, seed=0)

    assert trials.values.shape[1] == 512 + 20_000 // 56
    assert kinds_of(trials) == dict.fromkeys(KINDS, 8)


@pytest.mark.parametrize("held_back", [60, 120])
def test_little_data_is_used_whole_in_every_trial(held_back: int) -> None:
    run = run_of(healthy(64 + held_back))

    trials = plan_trials([run], window_length=64, seed=0)

    assert trials.values.shape[1] == 64 + held_back
    assert min(kinds_of(trials).values()) >= 8
    assert {first_row_of(trials, number, run.values) for number in range(len(trials))} == {0}


def test_too_little_data_gives_no_trials() -> None:
    trials = plan_trials([run_of(healthy(64 + 15))], window_length=64, seed=0)

    assert len(trials) == 0
    assert (trials.kinds(), trials.stretches) == ((), 0)
    assert plan_trials([], window_length=64, seed=0).values.shape == (0, 0, 0)


def test_constant_readings_give_no_trials() -> None:
    assert len(plan_trials([run_of(np.full((1000, 2), 5.0))], window_length=16, seed=0)) == 0


def test_a_single_feature_has_no_correlation_to_lose() -> None:
    counts = kinds_of(plan_trials([run_of(healthy(2000, features=1))], window_length=16, seed=0))

    assert LOST_CORRELATION not in counts
    assert counts[CHANGED_PERIOD] == 20


def test_sensors_take_turns_and_of_many_some_are_drawn() -> None:
    runs = [run_of(healthy(400, seed=seed)) for seed in range(5)]

    used = Counter(plan_trials(runs, window_length=16, seed=0).runs.tolist())
    few = Counter(plan_trials(runs, window_length=16, seed=0, limits=TrialLimits(runs=2)).runs.tolist())

    assert set(used) == set(range(5))
    assert max(used.values()) - min(used.values()) <= 10
    assert len(few) == 2


def test_runs_that_are_too_short_are_left_out() -> None:
    runs = [run_of(healthy(rows)) for rows in (20, 40, 400, 500)]

    trials = plan_trials(runs, window_length=32, seed=0)

    assert trials.values.shape[1] == 32 + 96
    assert set(trials.runs.tolist()) == {2, 3}
    assert trials.stretches == (400 - 32) // 96 + (500 - 32) // 96


@given(
    rows=st.integers(60, 400),
    window_length=st.sampled_from([4, 16, 40]),
    features=st.integers(1, 6),
    missing=st.sampled_from([0.0, 0.2]),
    seed=st.integers(0, 50),
)
@settings(max_examples=examples(40), deadline=None)
def test_a_trial_is_a_healthy_stretch_but_for_its_fault(
    rows: int, window_length: int, features: int, missing: float, seed: int
) -> None:
    run = run_of(healthy(rows, features, seed, missing))

    trials = plan_trials([run], window_length, seed, limits=TrialLimits(trials_per_kind=2))

    for number, fault in enumerate(trials.faults):
        first, length = first_row_of(trials, number, run.values), trials.values.shape[1]
        assert first >= 0
        differs = trials.values[number] != run.values[first : first + length]
        differs &= ~(np.isnan(trials.values[number]) & np.isnan(run.values[first : first + length]))
        touched = np.zeros_like(differs)
        touched[fault.start : fault.end, list(fault.features)] = True
        assert differs.any()
        assert not (differs & ~touched).any()
        assert trials.is_faulty[number].nonzero()[0].tolist() == list(range(fault.start, fault.end))
        assert 1 <= len(fault.features) <= -(-features // 4)
        assert fault.kind != SPIKE or fault.end - fault.start <= 3


def test_neither_the_context_nor_the_window_after_a_fault_counts() -> None:
    trials = plan_trials([run_of(healthy(2000))], window_length=16, seed=0, context_rows=40)

    assert trials.values.shape[1] == 40 + 48
    for fault, judged, before in zip(trials.faults, trials.is_judged, trials.healthy_before(), strict=True):
        expected = [40 <= row < fault.end or row >= fault.end + 16 for row in range(88)]
        assert judged.tolist() == expected
        assert before.tolist() == [40 <= row < fault.start for row in range(88)]
        assert fault.start - 40 >= 16  # as many healthy rows as the fault may have


def test_equal_seeds_give_equal_trials_and_others_do_not() -> None:
    run = run_of(healthy(500))

    first, second, other = (plan_trials([run], 16, seed) for seed in (1, 1, 2))

    assert first.faults == second.faults
    np.testing.assert_array_equal(first.values, second.values)
    assert first.faults != other.faults
