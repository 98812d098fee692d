"""A drill through the product's own decision: what counts as found, how late, and at other limits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from stream_detector.gate.drill import Drill
from stream_detector.gate.drill_run import NEVER, DrillResult, run_drill
from stream_detector.readings import Float32Array
from stream_detector.state.running_scale import Scales
from tests.fakes.scorer import ChecksumScorer
from tests.pipeline.replica_config import SECOND_MS, START_MS, ReplicaConfig

ROWS, START, END = 16, 8, 16


class NewestScorer(ChecksumScorer):
    """Its error is the newest value of the first feature."""

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:  # noqa: ARG002 - the port's signature
        """See ports.Scorer."""
        return lambda: windows[:, -1, :1]


def drill_of(*trials: dict[int, float], silent: int | None = None) -> Drill:
    """Return shifts of a sensor whose error is .3, but for these rows; `silent` is the trial without readings in the fault."""
    values = np.full((len(trials), ROWS, 2), 0.3)
    for trial, errors in enumerate(trials):
        for row, error in errors.items():
            values[trial, row, 0] = error
    arrives = np.ones((len(trials), ROWS), np.bool_)
    if silent is not None:
        arrives[silent, START:] = False
    return Drill(
        kinds=("shift_1",) * len(trials),
        sensors=("a",) * len(trials),
        times_ms=np.tile(START_MS + SECOND_MS * np.arange(ROWS, dtype=np.int64), (len(trials), 1)),
        values=values,
        arrives=arrives,
        starts=np.full(len(trials), START),
        ends=np.full(len(trials), END),
        fault_rows=END - START,
    )


def ran(*trials: dict[int, float], silent: int | None = None) -> DrillResult:
    # The surprise is the error, as long as the level stays where it is; the limit is .75.
    return run_drill(drill_of(*trials, silent=silent), ReplicaConfig().detector(NewestScorer()))


def test_a_fault_is_found_if_an_incident_opens_in_its_first_half() -> None:
    result = ran({8: 0.95}, {12: 0.95}, {13: 0.95}, {})

    assert result.alarms.tolist() == [8, 12, 13, NEVER]
    assert result.found.tolist() == [True, True, False, False]
    assert result.delays_seconds()[:2].tolist() == [0.0, 4.0]


def test_an_incident_that_is_open_before_the_fault_does_not_find_it() -> None:
    result = ran({7: 0.95, 8: 0.95, 9: 0.95, 10: 0.95, 11: 0.95, 12: 0.95, 13: 0.95, 14: 0.95, 15: 0.95})

    assert result.alarms.tolist() == [NEVER]
    assert result.covered.tolist() == [True]
    assert result.by_kind()[0].covered == 1


def test_a_fault_is_not_covered_by_an_incident_that_closed_before_it_nor_if_a_new_one_opens() -> None:
    again = {2: 0.95, 9: 0.95}

    result = ran({2: 0.95}, again, {})

    assert result.early.tolist() == [1, 1, 0]
    assert result.found.tolist() == [False, True, False]
    assert result.covered.tolist() == [False, False, False]


def test_the_results_of_a_kind_count_what_was_found_and_its_median_delay() -> None:
    (kind,) = ran({8: 0.95}, {10: 0.95}, {11: 0.95}, {15: 0.95}).by_kind()

    assert (kind.kind, kind.text, kind.injected, kind.found) == ("shift_1", "shift by 1 deviation", 4, 3)
    assert (kind.median_delay_seconds, kind.longest_delay_seconds) == (2.0, 3.0)
    assert ran({}).by_kind()[0].median_delay_seconds is None


def test_a_lower_limit_finds_more_unless_it_alarms_before_the_fault() -> None:
    result = ran({9: 0.7}, {13: 0.7}, {6: 0.7, 9: 0.72}, {9: 0.95})

    assert result.found.tolist() == [False, False, False, True]
    assert result.found_by_score(0.0).tolist() == [False, False, False, True]
    assert result.found_by_score(0.1).tolist() == [True, False, False, True]


def test_silent_rows_never_arrive() -> None:
    result = ran({9: 0.95}, {9: 0.95}, silent=1)

    assert result.found.tolist() == [True, False]
    assert np.isnan(result.excess[1, START:]).all()
    assert result.excess[0, 9] == pytest.approx(0.2, abs=0.05)


def test_a_silent_sensor_is_alarmed_when_its_next_reading_is_overdue() -> None:
    drill = drill_of({}, {}, silent=1)

    result = run_drill(drill, ReplicaConfig(silent_s=3).detector(NewestScorer()))

    # Its last reading is that of row 7, so by row 10 it has been silent for three seconds.
    assert result.alarms.tolist() == [NEVER, 10]
    assert result.delays_seconds()[1] == 2.0


def test_a_silence_lasts_until_its_limit_has_passed_however_short_the_other_faults_are() -> None:
    drill = drill_of({}, {}, silent=1)

    result = run_drill(drill, ReplicaConfig(silent_s=60).detector(NewestScorer()))

    # Readings stop at row 8, a second after the last one, and 60 s after that one the next is overdue; the faults last 8 s.
    assert result.found.tolist() == [False, True]
    assert result.delays_seconds()[1] == 59.0
    assert not run_drill(drill, ReplicaConfig(silent_s=0).detector(NewestScorer())).found.any()


def test_without_trials_there_is_no_result() -> None:
    result = ran()

    assert result.by_kind() == []
    assert result.found.tolist() == []
