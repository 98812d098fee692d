"""Training from end to end on little data, in few steps."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.gate.baseline_comparison import BASELINE, MODEL
from stream_detector.gate.fault_kinds import KINDS
from stream_detector.model.artifact import Artifact, NetworkSpec
from stream_detector.model.network import build_network
from stream_detector.model_store.model_directory import load_artifact, save_artifact
from stream_detector.model_store.validation import AUTOENCODER
from stream_detector.readings import Float32Array, Float64Array
from stream_detector.state.running_scale import Scales
from stream_detector.tables.dataset import Dataset
from stream_detector.training.data_split import gather
from stream_detector.training.network_fit import fit
from stream_detector.training.preparation import TrainingConfig, prepare
from stream_detector.training.trainer import Training, train
from tests.fixtures_model import tiny_dataset, tiny_values

NAN = np.float32(np.nan)
SMALL = NetworkSpec(units=4, attention_units=4)
SHORT = TrainingConfig(window_length=8, network=SMALL, steps=4, batch_size=32, round_steps=20, seed=3)
MEMBERS = ("pca-2", "pca-8", "forecast-1", "forecast-4", "change-4", AUTOENCODER)


def quietly(dataset: Dataset, config: TrainingConfig) -> Training:
    return train(prepare(dataset, config), lambda *_: None)


def excess(artifact: Artifact, windows: Float32Array, rate: float) -> Float64Array:
    """Return by how much the surprise of windows [N] of the first sensor is above its limit at a rate of alarms."""
    calibration, table = artifact.calibration, artifact.calibration.sensors
    location, deviation = (np.repeat(of_all[:1], len(windows), axis=0) for of_all in (table.location, table.deviation))
    scales = Scales(location, deviation)
    errors = KerasScorer(artifact, tile_rows=48).errors(windows, scales).astype(np.float64)
    surprise = calibration.tails.surprise(errors - calibration.start_levels()[0]) @ calibration.weights
    return np.asarray(surprise - calibration.typical - calibration.margin(rate))


@dataclass(frozen=True)
class Run:
    training: Training
    progress: list[tuple[str, int, int]]


@pytest.fixture(scope="module")
def short_run() -> Run:
    seen: list[tuple[str, int, int]] = []
    clock = itertools.count(100.0, 2.5)
    training = train(
        prepare(tiny_dataset(), SHORT), lambda phase, done, total, _: seen.append((phase, done, total)), lambda: next(clock)
    )
    return Run(training, seen)


def test_equal_seeds_give_equal_models(short_run: Run) -> None:
    again = quietly(tiny_dataset(), SHORT)

    assert again.artifact.spec.version == short_run.training.artifact.spec.version
    assert again.gate_result == short_run.training.gate_result


def test_coupled_features_add_a_member_which_is_saved_and_scores_alike(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    artifact = quietly(dataset, replace(SHORT, coupled_features=True)).artifact
    windows = gather(dataset.values, np.arange(100, 120), SHORT.window_length)

    save_artifact(artifact, tmp_path / "model", b"\x89PNG")
    again = load_artifact(tmp_path / "model")

    assert "others-2" in artifact.spec.members
    assert excess(again, windows, 0.1).tobytes() == excess(artifact, windows, 0.1).tobytes()


def test_a_single_feature_has_no_others() -> None:
    dataset = tiny_dataset()
    single = replace(dataset, features=dataset.features[:1], values=dataset.values[:, :1].copy())

    artifact = quietly(single, replace(SHORT, coupled_features=True)).artifact

    assert not any(name.startswith("others") for name in artifact.spec.members)


def test_a_model_has_its_members_its_sensors_and_weights_that_sum_to_one(short_run: Run) -> None:
    artifact = short_run.training.artifact

    assert set(artifact.spec.members) <= set(MEMBERS)
    assert [member.spec.name for member in artifact.linear] == [name for name in artifact.spec.members if name != AUTOENCODER]
    assert artifact.calibration.members == artifact.spec.members
    assert artifact.calibration.weights.sum() == pytest.approx(1.0)
    assert (artifact.calibration.weights > 0).all()
    assert dict(artifact.calibration.sensors.rows) == {"pump-0": 0, "pump-1": 1}
    assert artifact.calibration.sensors.location == pytest.approx(np.array([[60.0, 3.0]] * 2), abs=1.0)


def test_a_model_of_a_fleet_with_a_sensor_that_fills_no_window_can_be_read_again(tmp_path: Path) -> None:
    whole = tiny_dataset()
    late = Dataset(
        whole.features,
        ("late", *whole.sensors),
        np.concatenate([np.zeros(5, np.int32), whole.codes + 1]).astype(np.int32),
        np.concatenate([whole.times_ms[:5], whole.times_ms]),
        np.concatenate([whole.values[:5] + 40, whole.values]),
        np.arange(5 + len(whole)),
    )

    save_artifact(quietly(late, SHORT).artifact, tmp_path / "model", b"")
    read = load_artifact(tmp_path / "model")

    assert list(read.calibration.sensors.rows) == ["pump-0", "pump-1"]
    assert read.healthy.readings.tolist() == [400, 400]
    assert read.healthy.highest.max() < 80


def test_the_report_tells_data_windows_losses_versions_and_configuration(short_run: Run) -> None:
    report = short_run.training.artifact.report

    assert report["data"]["readings"] == 800
    assert report["data"]["sensors"] == 2
    assert report["data"]["context_features"] == []
    assert (report["data"]["first_time_ms"], report["data"]["last_time_ms"]) == (1_767_225_600_000, 1_767_225_999_000)
    assert report["windows"]["fit"] + report["windows"]["validation"] == 2 * (280 - 7)
    assert report["windows"]["calibration"] == report["windows"]["calibration_used"] == 2 * 120
    assert report["configuration"]["seed"] == 3
    assert report["losses"]["steps"] == [4]
    assert report["best"]["step"] == 4
    assert set(report["versions"]) == {"stream_detector", "tensorflow", "keras", "numpy", "python"}


def test_the_report_tells_the_members_the_gate_and_the_budgets(short_run: Run) -> None:
    report, result = short_run.training.artifact.report, short_run.training.gate_result

    assert [member["name"] for member in report["members"]["members"]] == list(MEMBERS)
    assert set(report["gate"]["by_kind"]) == {MODEL, BASELINE}
    assert set(report["gate"]["trials"]) <= set(KINDS)
    assert report["gate"]["promoted"] == result.promoted
    assert report["gate"]["overall"][MODEL]["auc_pr"] == pytest.approx(result.overall[MODEL].auc_pr)
    assert result.overall[MODEL].auc_pr > 0.7  # of the linear members: the network has had 4 steps
    # 240 readings, a second apart: 0.01 per day are 0.01 / 86 400 per reading
    first = report["budgets"][0]
    assert first["budget_per_sensor_day"] == 0.01
    assert first["expected_incidents"] == pytest.approx(240 * 0.01 / 86_400)


def test_the_report_tells_how_long_each_phase_took_by_the_given_clock(short_run: Run) -> None:
    seconds = short_run.training.artifact.report["phase_seconds"]

    assert list(seconds) == ["linear_members", "autoencoder", "calibration", "trials"]
    assert set(seconds.values()) == {2.5}


def test_progress_goes_through_all_phases_to_their_ends(short_run: Run) -> None:
    last = {phase: (done, total) for phase, done, total in short_run.progress}

    assert [done for phase, done, _ in short_run.progress if phase == "fitting"] == [1, 2, 3, 4]
    assert list(last) == ["fitting", "calibrating", "gate trials"]
    assert all(done == total for done, total in last.values())
    assert last["calibrating"] == (240, 240)


def test_the_example_is_a_window_of_the_calibration_part_and_what_is_expected_of_its_newest_rows(short_run: Run) -> None:
    example, values = short_run.training.example, tiny_dataset().values
    ends = [*range(280, 400), *range(680, 800)]

    assert any(np.array_equal(window, example.window) for window in gather(values, np.array(ends), 8))
    assert example.expected.shape == (1, 2)
    assert example.expected[0] == pytest.approx([60.0, 3.0], abs=20.0)


@pytest.fixture(scope="module")
def artifact_of_holes() -> Artifact:
    """A model of three features, a tenth of whose values were missing; the third is a switch."""
    dataset = tiny_dataset()
    switch = np.arange(len(dataset)) // 20 % 2
    values = np.column_stack([dataset.values, switch]).astype(np.float32)
    holes = np.random.default_rng(5).random(values.shape) < 0.1
    return quietly(replace(dataset, features=(*dataset.features, "on"), values=np.where(holes, NAN, values)), SHORT).artifact


def windows_with_switch(count: int) -> Float32Array:
    values = tiny_values(count + 8, seed=7)
    return gather(np.column_stack([values, np.ones(len(values), np.float32)]), np.arange(8, len(values)), 8)


def test_training_with_missing_values_finds_an_injected_fault(artifact_of_holes: Artifact) -> None:
    healthy = windows_with_switch(90)
    faulty = healthy.copy()
    faulty[:, -3:, 1] += 3.0  # the pressure no longer follows the temperature

    assert np.mean(excess(artifact_of_holes, faulty, rate=1e-4) > 0) > 0.9
    assert np.mean(excess(artifact_of_holes, healthy, rate=1e-4) > 0) < 0.1


def test_a_column_of_zeros_and_ones_is_context_and_is_never_part_of_an_explanation(artifact_of_holes: Artifact) -> None:
    window, table = windows_with_switch(1), artifact_of_holes.calibration.sensors
    window[0, -1, 2] = 50.0
    scales = Scales(table.location[:1], table.deviation[:1])

    (found,) = KerasScorer(artifact_of_holes, tile_rows=48).explain(window, scales)

    assert artifact_of_holes.normalization.scored.tolist() == [True, True, False]
    assert artifact_of_holes.report["data"]["context_features"] == ["on"]
    assert artifact_of_holes.report["data"]["missing_share"] == pytest.approx(0.1, abs=0.02)
    assert found.feature_share[:, 2].tolist() == [0.0] * len(artifact_of_holes.spec.members)


def test_constant_data_trains_and_a_later_jump_is_anomalous() -> None:
    dataset = tiny_dataset()
    artifact = quietly(replace(dataset, values=np.full_like(dataset.values, 5.0)), SHORT).artifact
    window = np.full((2, 8, 2), 5.0, np.float32)
    window[1, -1, 0] = 6.0

    still, jump = excess(artifact, window, rate=1e-6).tolist()

    assert still <= 0.0 < jump


def test_the_fit_stops_when_the_validation_loss_no_longer_falls_and_keeps_the_best_weights() -> None:
    noise = replace(tiny_dataset(), values=np.random.default_rng(0).normal(size=(800, 2)).astype(np.float32))
    config = replace(SHORT, steps=2000, round_steps=5, patience=2, first_learning_rate=0.05)
    network = build_network(8, 2, SMALL)

    losses = fit(network, prepare(noise, config), lambda *_: None)

    assert losses.steps[-1] < 2000
    assert losses.steps[-1] == losses.steps[int(np.argmin(losses.validation))] + 10
    assert len(losses.steps) == len(losses.training) == len(losses.validation)


def test_the_network_learns(tiny_training: Training) -> None:
    losses = tiny_training.losses

    assert min(losses.validation) < losses.validation[0] - 0.1
    assert min(losses.validation) < losses.validation_of_carrying


@pytest.mark.parametrize("decoder", ["context", "sequence"])
def test_the_network_learns_with_the_other_decoders(decoder: str) -> None:
    config = replace(SHORT, steps=80)
    network = build_network(8, 2, replace(SMALL, decoder=decoder, units=8))

    losses = fit(network, prepare(tiny_dataset(), config), lambda *_: None)

    assert losses.validation[-1] < losses.validation[0] - 0.1


def test_every_sensor_is_known_to_the_model_however_many_there_are() -> None:
    dataset = tiny_dataset(sensors=5, readings=200)

    calibration = quietly(dataset, replace(SHORT, max_calibration_windows=100)).artifact.calibration

    assert sorted(calibration.sensors.rows) == list(dataset.sensors)
    assert calibration.readings == 60  # the run of one sensor; the others say only at what level theirs are
    assert (calibration.sensors.counts > 1).all()
