"""The gate run on members written by hand: one that sees faults, and two that guess."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_detector.detection.calibration import Calibration
from stream_detector.detection.scorer import WindowErrors
from stream_detector.gate.baseline_comparison import MODEL
from stream_detector.model_store.validation import AUTOENCODER
from stream_detector.readings import Float32Array
from stream_detector.state.running_scale import Scales
from stream_detector.tables.dataset import Dataset
from stream_detector.training.calibration_fit import fit_calibration
from stream_detector.training.data_split import gather
from stream_detector.training.gate_run import CompiledMembers, plan_held_back, run_gate, trial_surprises, trial_windows
from stream_detector.training.preparation import Prepared, TrainingConfig, prepare
from tests.fixtures_model import tiny_dataset
from tests.gate.hand_made import first_row_of

LENGTH = 8
NAMES = ("deviation", "dice", AUTOENCODER)


def prepared_of(dataset: Dataset) -> Prepared:
    return prepare(dataset, TrainingConfig(window_length=LENGTH))


def steady(sensors: int = 3, readings: int = 400) -> Dataset:
    """Return sensors of white noise, the first of them around 100, the second around 200 and so on."""
    dataset = tiny_dataset(sensors, readings)
    noise = np.random.default_rng(0).normal(size=(len(dataset), 2))
    return replace(dataset, values=(noise + 100.0 * (dataset.codes[:, np.newaxis] + 1)).astype(np.float32))


def deviations(windows: Float32Array, scales: Scales) -> Float32Array:
    """Return the squared deviation [N, F] of the newest row."""
    return np.asarray(np.square((np.nan_to_num(windows[:, -1]) - scales.location) / scales.deviation))


def log_errors(windows: Float32Array, scales: Scales) -> Float32Array:
    """One member errs by how far the newest row deviates; the others by chance."""
    chance = np.random.default_rng(1).normal(size=(len(windows), 2))
    errors = np.log(deviations(windows, scales).max(axis=1) + 1e-6)
    return np.column_stack([errors, chance]).astype(np.float32)


def explain(windows: Float32Array, scales: Scales) -> list[WindowErrors]:
    """AttributionAccuracy the feature that deviates most."""
    found = []
    for deviating in deviations(windows, scales):
        shares = np.zeros((len(NAMES), 2), np.float32)
        shares[:, deviating.argmax()] = 1.0
        steps = np.full((len(NAMES), LENGTH), 1.0 / LENGTH, np.float32)
        found.append(WindowErrors(steps[0], np.zeros((LENGTH, 2), np.float32), shares, steps, np.zeros(2, np.bool_)))
    return found


MEMBERS = CompiledMembers(NAMES, log_errors, explain)


def calibration_of(prepared: Prepared) -> Calibration:
    ends = prepared.split.calibration
    scales = prepared.scales.of(prepared.dataset.codes[ends])
    return fit_calibration(
        log_errors(gather(prepared.dataset.values, ends, LENGTH), scales),
        prepared.dataset.codes[ends],
        sensors=prepared.dataset.sensors,
        scales=prepared.scales,
        paces=prepared.paces,
        members=NAMES,
        weights=np.full(3, 1 / 3),
        quiet_readings=4,
    )


def test_trials_are_made_of_each_sensors_longest_stretch_that_nothing_was_fitted_on() -> None:
    dataset = steady()
    times = dataset.times_ms.copy()
    times[700:800] += 600_000  # the second sensor, rows 400 to 799, falls silent in its calibration part 680 to 799
    prepared = prepared_of(replace(dataset, times_ms=times))

    held_back = plan_held_back(prepared)

    healthy = held_back.trials.healthy_before()
    assert sorted(held_back.codes.tolist()) == [0, 1, 2]
    assert {int(code) for code in held_back.codes[held_back.trials.runs]} == {0, 1, 2}
    starts = {0: 280 - (LENGTH - 1), 1: 700, 2: 1080 - (LENGTH - 1)}
    for trial, run in enumerate(held_back.trials.runs.tolist()):
        code = int(held_back.codes[run])
        stretch = dataset.values[starts[code] : 400 * (code + 1)].astype(np.float64)
        first = starts[code] + first_row_of(held_back.trials, trial, stretch)
        assert first >= starts[code]
        rows = np.flatnonzero(healthy[trial])
        assert np.array_equal(held_back.trials.values[trial, rows].astype(np.float32), dataset.values[first + rows])
    for code, values in zip(held_back.codes.tolist(), held_back.fit_values, strict=True):
        assert np.array_equal(values, dataset.values[400 * code : 400 * code + 280])


def test_every_judged_row_has_its_window_on_the_scale_of_its_sensor() -> None:
    prepared = prepared_of(steady())
    held_back = plan_held_back(prepared)
    trials = held_back.trials
    rows = trials.values.shape[1] - LENGTH + 1

    windows, scales = trial_windows(prepared, held_back)

    assert len(windows) == len(scales.location) == len(trials) * rows
    for trial in (0, len(trials) - 1):
        for row in (0, rows - 1):
            assert np.array_equal(
                windows[trial * rows + row], trials.values[trial, row : row + LENGTH].astype(np.float32), equal_nan=True
            )
        code = int(held_back.codes[trials.runs[trial]])
        assert scales.location[trial * rows] == pytest.approx([100.0 * (code + 1)] * 2, abs=1.0)


def test_rows_before_the_first_whole_window_have_no_surprise() -> None:
    prepared = prepared_of(steady())
    held_back, calibration = plan_held_back(prepared), calibration_of(prepared)
    windows, scales = trial_windows(prepared, held_back)

    surprises = trial_surprises(prepared, held_back, log_errors(windows, scales), calibration)

    assert surprises.shape == (*held_back.trials.values.shape[:2], len(NAMES))
    assert np.isnan(surprises[:, : LENGTH - 1]).all()
    assert (surprises[:, LENGTH - 1 :] >= 0).all()


def test_a_member_that_sees_the_faults_counts_and_what_a_network_that_only_guesses_costs_is_said() -> None:
    prepared = prepared_of(steady())
    seen: list[tuple[int, int]] = []

    run = run_gate(prepared, MEMBERS, calibration_of(prepared), lambda _, done, total, __: seen.append((done, total)))

    assert run.weights.sum() == pytest.approx(1.0)
    assert run.weights[0] == run.weights.max()
    assert run.selection.members[0].alone > run.selection.members[1].alone  # type: ignore[operator]  # there are trials
    # A guess costs little beside a member that sees, and less than trials can tell: it keeps its quarter.
    assert run.autoencoder is not None
    assert run.autoencoder.share == 0.25
    assert run.autoencoder.gain == pytest.approx(-0.011, abs=0.002)
    assert run.autoencoder.auc_pr_by_share["0"] > 0.6
    assert run.result.overall[MODEL].auc_pr == pytest.approx(run.autoencoder.auc_pr_by_share["0.25"], abs=0.02)
    assert run.attribution.first is not None
    assert run.attribution.first > 0.8
    assert [done for done, _ in seen] == [0, 1, 2, 3, 4]
    assert {total for _, total in seen} == {4}


def test_equal_data_gives_equal_results() -> None:
    prepared = prepared_of(steady())

    first, second = (run_gate(prepared, MEMBERS, calibration_of(prepared), lambda *_: None) for _ in range(2))

    assert first.result == second.result
    assert first.weights.tolist() == second.weights.tolist()


def test_stretches_too_short_for_a_fault_give_no_result() -> None:
    dataset = steady(sensors=1)
    held_back = np.maximum(np.arange(len(dataset)) - round(0.7 * len(dataset)), 0)
    with_gaps = dataset.times_ms + (held_back + 10) // 20 * 60_000  # runs of 20 rows hold 13 windows
    prepared = prepared_of(replace(dataset, times_ms=with_gaps))

    run = run_gate(prepared, MEMBERS, calibration_of(prepared), lambda *_: None)

    assert run.result.promoted is None
    assert run.attribution.faults == 0
    assert run.weights.sum() == pytest.approx(1.0)
    assert (run.weights > 0).all()
