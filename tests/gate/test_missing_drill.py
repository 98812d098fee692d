"""The same faults with features missing: what is hidden, and what a model must still do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from stream_detector.gate.drill import Drill
from stream_detector.gate.drill_run import run_drill
from stream_detector.gate.missing_drill import TRIALS_PER_KIND, MissingCheck, check_missing, hide_features
from stream_detector.readings import BoolArray, Float32Array
from stream_detector.state.running_scale import Scales
from tests.fakes.scorer import ChecksumScorer
from tests.gate.test_drill_run import END, ROWS, START
from tests.pipeline.replica_config import SECOND_MS, START_MS, ReplicaConfig

FOUND = np.array([True] * 20)


class LargestScorer(ChecksumScorer):
    """Its error is the largest newest value that is there, or, with the second feature missing, always large if `mistakes`."""

    mistakes = False

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:  # noqa: ARG002 - the port's signature
        """See ports.Scorer."""
        error = np.nanmax(windows[:, -1], axis=1, keepdims=True)
        return lambda: np.where(self.mistakes & np.isnan(windows[:, -1, 1:2]), np.float32(0.95), error)


class MistakenScorer(LargestScorer):
    mistakes = True


def drill_of(features: int, at_fault: tuple[int | None, ...], kinds: tuple[str, ...] | None = None) -> Drill:
    """Return shifts of a feature of a sensor whose values are .3."""
    count = len(at_fault)
    values = np.full((count, ROWS, features), 0.3)
    for trial, feature in enumerate(at_fault):
        if feature is not None:
            values[trial, START:END, feature] = 0.95
    return Drill(
        kinds=kinds or ("shift_1",) * count,
        sensors=("a",) * count,
        times_ms=np.tile(START_MS + SECOND_MS * np.arange(ROWS, dtype=np.int64), (count, 1)),
        values=values,
        arrives=np.ones((count, ROWS), np.bool_),
        starts=np.full(count, START),
        ends=np.full(count, END),
        fault_rows=END - START,
        at_fault=at_fault,
    )


def test_one_or_two_features_are_hidden_but_never_the_one_at_fault() -> None:
    drill = drill_of(4, (0, None, 3, 1, 2))

    missing = hide_features(drill, seed=0)

    is_missing = np.isnan(missing.drill.values)
    assert missing.whole.tolist() == [0, 2, 3, 4]
    assert is_missing.all(axis=1).sum(axis=1).tolist() == [1, 2, 1, 2]
    assert (is_missing.any(axis=1) == is_missing.all(axis=1)).all()
    assert not any(is_missing[trial, 0, at_fault] for trial, at_fault in enumerate((0, 3, 1, 2)))
    assert (missing.drill.values[~is_missing] == drill.values[missing.whole][~is_missing]).all()


def test_a_few_trials_of_each_kind_are_repeated_and_none_of_a_single_feature() -> None:
    kinds = ("shift_1",) * 6 + ("noise",) * 2

    assert len(hide_features(drill_of(3, (0,) * 8, kinds), 0).drill) == TRIALS_PER_KIND + 2
    assert len(hide_features(drill_of(1, (0,) * 8, kinds), 0).drill) == 0
    assert np.isnan(hide_features(drill_of(2, (0,) * 8, kinds), 0).drill.values[1, 0]).tolist() == [False, True]


def checked(scorer: LargestScorer) -> MissingCheck:
    drill = replace(
        drill_of(2, (0, 0, 0)), values=np.where(np.arange(3)[:, None, None] == 2, 0.3, drill_of(2, (0, 0, 0)).values)
    )
    missing = hide_features(drill, seed=0)
    whole = run_drill(drill, ReplicaConfig().detector(scorer))
    without = run_drill(missing.drill, ReplicaConfig().detector(scorer))
    return check_missing(missing, whole, without, alarms_per_reading=0.01)


def test_the_faults_and_the_false_alarms_before_them_are_counted() -> None:
    good, bad = checked(LargestScorer()), checked(MistakenScorer())

    assert (good.whole_found.tolist(), good.found.tolist()) == ([True, True, False], [True, True, False])
    assert (good.whole_false, good.false) == (0, 0)
    assert (bad.whole_false, bad.false) == (0, 3)
    assert good.allowed == 0.01 * 3 * START


def check(found: BoolArray, false: int, allowed: float = 0.5) -> MissingCheck:
    return MissingCheck(FOUND, found, 0, false, allowed)


def test_a_model_fails_by_false_alarms_beyond_chance_and_the_budget() -> None:
    assert check(FOUND, false=4).why_failed() is None  # 4 against 0 may be chance
    assert check(FOUND, false=8, allowed=10.0).why_failed() is None
    assert (
        check(FOUND, false=8).why_failed() == "raises false alarms while features are missing (8, against 0 with all of them)"
    )


def test_a_model_fails_if_it_finds_less_than_half_of_what_it_finds_with_all_features() -> None:
    assert check(np.arange(20) < 10, false=0).why_failed() is None
    assert check(np.arange(20) < 9, false=0).why_failed() == (
        "is blind while features are missing: it finds 9 faults in the others, against 20 with all of them"
    )
    assert MissingCheck(FOUND[:2], ~FOUND[:2], 0, 0, 0.5).why_failed() is None  # 2 may be chance


def test_a_feature_that_tells_whether_a_machine_works_is_not_hidden() -> None:
    missing = hide_features(drill_of(3, (0, 1, 2, 0)), seed=0, needed=(1,))

    hidden: BoolArray = np.asarray(np.isnan(missing.drill.values).all(axis=1))
    assert missing.whole.tolist() == [0, 1, 2, 3]
    assert not hidden[:, 1].any()
    assert hidden.any(axis=1).all()
    assert hide_features(drill_of(2, (0, 1)), 0, needed=(1,)).whole.tolist() == [1]
