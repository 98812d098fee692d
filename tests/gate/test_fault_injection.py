"""Faults in healthy readings: each kind by hand, and what holds for all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.gate.fault_injection import HealthyRun, inject
from stream_detector.gate.fault_kinds import (
    CHANGED_PERIOD,
    DRIFT,
    KINDS,
    LEVEL_SHIFT,
    LOST_CORRELATION,
    NOISE,
    SIZES,
    SPIKE,
    STUCK,
)
from stream_detector.readings import Float64Array
from tests.examples import examples


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def healthy_run(values: Float64Array, spread: list[float] | None = None, scored: list[bool] | None = None) -> HealthyRun:
    features = values.shape[1]
    return HealthyRun.of(values, np.array(spread or [1.0] * features), np.array(scored or [True] * features))


def waves(rows: int = 200, features: int = 3, missing_share: float = 0.0, seed: int = 0) -> Float64Array:
    """Return waves that belong together, with noise, some values missing."""
    generator = seeded(seed)
    wave = np.sin(np.arange(rows)[:, None] / 5.0) * np.arange(1, features + 1)
    values = wave + 0.1 * generator.normal(size=wave.shape)
    values[generator.uniform(size=values.shape) < missing_share] = np.nan
    return values


@pytest.mark.parametrize("kind", [SPIKE, LEVEL_SHIFT])
def test_a_shift_adds_its_size_in_spreads_up_or_down_for_each_feature(kind: str) -> None:
    run = healthy_run(np.zeros((20, 2)), spread=[10.0, 0.5])

    injection = inject(run, kind, (0, 1), (5, 8), seeded())

    assert injection is not None
    size = injection.fault.size
    low, high = SIZES[kind]
    assert low <= size <= high
    assert np.abs(injection.cells) == pytest.approx(np.tile([10.0 * size, 0.5 * size], (3, 1)))
    assert (injection.cells == injection.cells[0]).all()


def test_a_drift_reaches_its_size_at_its_last_row() -> None:
    injection = inject(healthy_run(np.zeros((20, 1))), DRIFT, (0,), (10, 14), seeded())

    assert injection is not None
    assert np.abs(injection.cells[:, 0]) == pytest.approx(injection.fault.size * np.array([0.25, 0.5, 0.75, 1.0]))


def test_a_stuck_feature_holds_the_last_value_before() -> None:
    injection = inject(healthy_run(np.arange(20.0)[:, None]), STUCK, (0,), (10, 13), seeded())

    assert injection is not None
    assert injection.cells[:, 0].tolist() == [9.0, 9.0, 9.0]


def test_what_is_stuck_in_a_flat_stretch_is_no_fault() -> None:
    values = np.concatenate([np.zeros(30), np.arange(10.0)])[:, None]

    assert inject(healthy_run(values), STUCK, (0,), (10, 20), seeded()) is None
    assert inject(healthy_run(values), STUCK, (0,), (29, 35), seeded()) is not None


def test_noise_has_its_size_as_standard_deviation() -> None:
    injection = inject(healthy_run(np.zeros((5000, 1)), spread=[3.0]), NOISE, (0,), (0, 5000), seeded())

    assert injection is not None
    assert injection.cells.std() == pytest.approx(3.0 * injection.fault.size, rel=0.05)
    assert injection.cells.mean() == pytest.approx(0.0, abs=0.1)


def test_lost_correlation_reads_another_time_of_the_same_features() -> None:
    values = np.stack([np.arange(40.0), 100.0 + np.arange(40.0)], axis=1)

    injection = inject(healthy_run(values), LOST_CORRELATION, (1,), (10, 20), seeded())

    assert injection is not None
    source = int(injection.cells[0, 0]) - 100
    assert abs(source - 10) >= 10
    assert injection.cells[:, 0] == pytest.approx(100.0 + source + np.arange(10.0))


def test_a_correlation_cannot_be_lost_without_another_time_or_another_feature() -> None:
    two = np.stack([np.arange(40.0), np.arange(40.0)], axis=1)

    assert inject(healthy_run(two), LOST_CORRELATION, (0,), (10, 36), seeded()) is None  # no 26 rows elsewhere
    assert healthy_run(two[:, :1]).candidates(LOST_CORRELATION).tolist() == []


def test_a_changed_period_passes_the_course_at_another_speed_and_joins_at_both_ends() -> None:
    rows = np.arange(400.0)
    run = healthy_run(np.sin(rows / 8.0)[:, None])

    injection = inject(run, CHANGED_PERIOD, (0,), (100, 151), seeded(1))

    assert injection is not None
    factor, read = injection.fault.size, injection.cells[:, 0]
    assert 1.3 <= factor <= 2.0 or 1.3 <= 1.0 / factor <= 2.0
    assert read[0] == pytest.approx(run.values[100, 0])
    assert read[-1] == pytest.approx(run.values[150, 0])
    course = np.sin((100.0 + factor * np.arange(51)) / 8.0)
    miss = run.values[150, 0] - course[-1]
    assert read == pytest.approx(course + np.linspace(0.0, 1.0, 51) * miss, abs=0.01)  # read between rows


def test_a_faster_period_at_the_end_of_a_run_takes_the_course_from_before() -> None:
    run = healthy_run(np.sin(np.arange(100.0) / 4.0)[:, None])

    made = [inject(run, CHANGED_PERIOD, (0,), (60, 100), seeded(seed)) for seed in range(10)]

    faster = [injection for injection in made if injection is not None and injection.fault.size > 1.0]
    assert faster
    assert all(injection.cells[-1, 0] == pytest.approx(run.values[99, 0]) for injection in faster)


def test_a_feature_without_a_course_or_a_relation_has_no_such_faults() -> None:
    independent = seeded().normal(size=(2000, 3))
    independent[:, 2] = independent[:, 1] + 0.1 * independent[:, 0]

    run = healthy_run(independent)

    assert run.candidates(CHANGED_PERIOD).tolist() == []
    assert run.candidates(LOST_CORRELATION).tolist() == [1, 2]


def test_neither_context_nor_constant_features_are_candidates() -> None:
    run = healthy_run(waves(features=3), spread=[1.0, 0.0, 1.0], scored=[True, True, False])

    assert [run.candidates(kind).tolist() for kind in KINDS] == [[0]] * len(KINDS)


@pytest.mark.parametrize(("scored", "most"), [(1, 1), (4, 1), (5, 2), (8, 2), (38, 10)])
def test_a_fault_is_in_a_quarter_of_the_scored_features_at_most(scored: int, most: int) -> None:
    values = waves(features=40)

    assert healthy_run(values, scored=[True] * scored + [False] * (40 - scored)).most_features() == most


@given(
    kind=st.sampled_from(KINDS),
    features=st.sampled_from([(0,), (2,), (0, 2)]),
    rows=st.tuples(st.integers(1, 150), st.integers(3, 40)).map(lambda place: (place[0], sum(place))),
    missing=st.sampled_from([0.0, 0.3, 0.95]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=examples(200), deadline=None)
def test_a_fault_changes_its_cells_only_and_no_missing_value(
    kind: str, features: tuple[int, ...], rows: tuple[int, int], missing: float, seed: int
) -> None:
    values = waves(missing_share=missing, seed=seed)
    run = HealthyRun.of(values, np.ones(3), np.ones(3, np.bool_))

    injection = inject(run, kind, features, rows, seeded(seed))

    if injection is None:
        return
    changed = injection.apply(values)
    outside = np.ones(values.shape, np.bool_)
    outside[slice(*rows), list(features)] = False
    np.testing.assert_array_equal(changed[outside], values[outside])
    np.testing.assert_array_equal(np.isnan(changed), np.isnan(values))
    mean_change = np.nanmean(np.abs(changed - values)[slice(*rows), list(features)], axis=0)
    assert (mean_change >= (0.05 if kind == CHANGED_PERIOD else 0.2)).all()
    assert injection.fault.features == features


@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 100))
@settings(max_examples=examples(40), deadline=None)
def test_equal_seeds_give_equal_faults(kind: str, seed: int) -> None:
    run = HealthyRun.of(waves(), np.ones(3), np.ones(3, np.bool_))

    first, second = (inject(run, kind, (1,), (80, 120), seeded(seed)) for _ in range(2))

    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert first.fault == second.fault
        np.testing.assert_array_equal(first.cells, second.cells)


def test_what_is_missing_is_filled_from_before_else_from_after_where_a_fault_needs_it() -> None:
    values = np.array([[np.nan, np.nan], [1.0, np.nan], [np.nan, np.nan], [4.0, np.nan], [9.0, np.nan]])

    run = healthy_run(values)

    assert run.filled[:, 0].tolist() == [1.0, 1.0, 1.0, 4.0, 9.0]
    assert np.isnan(run.filled[:, 1]).all()
    assert inject(run, LEVEL_SHIFT, (1,), (1, 4), seeded()) is None  # there is nothing to be shifted
