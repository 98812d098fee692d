from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.dataset import Dataset
from stream_detector.errors import InputDataError
from stream_detector.model.artifact import NetworkSpec
from stream_detector.model.preparation import TrainingConfig, choose_decoder, prepare, scored_features
from stream_detector.model.samples import gather, split_by_time
from stream_detector.model.training import Training, train
from tests.fixtures_model import tiny_dataset, tiny_values

NAN = np.float32(np.nan)
SHORT = TrainingConfig(window_length=8, network=NetworkSpec(units=8), steps=60, batch_size=32, round_steps=20)


def quietly(dataset: Dataset, config: TrainingConfig) -> Training:
    return train(prepare(dataset, config), lambda *_: None)


@dataclass(frozen=True)
class Run:
    training: Training
    progress: list[tuple[str, int, int]]


@pytest.fixture(scope="module")
def short_run() -> Run:
    seen: list[tuple[str, int, int]] = []
    config = replace(SHORT, steps=4, seed=3)
    training = train(prepare(tiny_dataset(), config), lambda phase, done, total, _: seen.append((phase, done, total)))
    return Run(training, seen)


def test_equal_seeds_give_equal_models(short_run: Run) -> None:
    again = quietly(tiny_dataset(), replace(SHORT, steps=4, seed=3))

    assert again.artifact.spec.version == short_run.training.artifact.spec.version


def test_training_with_missing_values_finds_an_injected_fault() -> None:
    dataset = tiny_dataset()
    holes = np.random.default_rng(5).random(dataset.values.shape) < 0.1
    training = quietly(replace(dataset, values=np.where(holes, NAN, dataset.values)), replace(SHORT, steps=200))
    scorer = KerasScorer(training.artifact, tile_rows=32)
    healthy = gather(tiny_values(100, seed=7), np.arange(8, 100), 8)
    faulty = healthy.copy()
    faulty[:, -3:, 1] += 3.0  # the pressure no longer follows the temperature
    level = training.artifact.calibration.pooled_level

    threshold = np.exp(level + training.artifact.calibration.margin(1e-3))

    assert np.mean(scorer.score(faulty) > threshold) > 0.9
    assert np.mean(scorer.score(healthy) > threshold) < 0.1


def test_the_sequence_decoder_trains_as_well() -> None:
    config = replace(SHORT, network=NetworkSpec(units=8, decoder="sequence"), steps=100)

    losses = quietly(tiny_dataset(), config).losses

    assert min(losses.validation) < 0.8 * losses.validation_of_zero


def test_the_report_tells_losses_sizes_span_versions_and_seed(short_run: Run) -> None:
    report = short_run.training.artifact.report

    assert report["data"]["readings"] == 800
    assert report["data"]["sensors"] == 2
    assert (report["data"]["first_time_ms"], report["data"]["last_time_ms"]) == (1_767_225_600_000, 1_767_225_999_000)
    assert report["windows"]["fit"] + report["windows"]["validation"] == 2 * (280 - 7)
    assert report["windows"]["calibration"] == 2 * (120 - 7)
    assert report["configuration"]["seed"] == 3
    assert report["losses"]["steps"] == [4]
    assert set(report["versions"]) == {"stream_detector", "tensorflow", "keras", "numpy", "python"}


def test_progress_goes_through_both_phases_to_the_end(short_run: Run) -> None:
    assert [done for phase, done, _ in short_run.progress if phase == "fitting"] == [1, 2, 3, 4]
    assert short_run.progress[-1] == ("calibrating", 226, 226)


def test_training_stops_when_the_validation_loss_no_longer_falls() -> None:
    noise = replace(tiny_dataset(), values=np.random.default_rng(0).normal(size=(800, 2)).astype(np.float32))

    losses = quietly(noise, replace(SHORT, steps=2000, round_steps=10, patience=2)).losses

    assert losses.steps[-1] < 2000
    assert losses.steps[-1] == losses.steps[int(np.argmin(losses.validation))] + 20


def test_windows_are_split_by_time_and_never_cross_sensors_gaps_or_the_split() -> None:
    dataset = tiny_dataset(sensors=2, readings=100)
    times = dataset.times_ms.copy()
    times[40:100] += 60_000  # a gap in the first sensor
    split = split_by_time(replace(dataset, times_ms=times), window_length=8, max_gap_seconds=10.0)

    ends = np.concatenate([split.fit, split.validation])

    # First sensor: fit rows 0..69 in runs of 40 and 30; calibration rows 70..99. Second: 70 and 30.
    assert sorted(ends.tolist()) == [*range(7, 40), *range(47, 70), *range(107, 170)]
    assert split.calibration.tolist() == [*range(77, 100), *range(177, 200)]
    assert split.validation.tolist() == [*range(64, 70), *range(163, 170)]


def test_calibration_keeps_whole_runs_when_there_is_too_much() -> None:
    split = split_by_time(tiny_dataset(sensors=4, readings=1000), window_length=8, max_gap_seconds=10.0)

    ends = split.calibration_ends(most=400, seed=0)

    assert len(ends) == 400
    assert set(np.diff(ends).tolist()) <= {1, 801, 1801, 2801}  # within a run, and from one sensor to a later one


def test_too_little_data_says_how_much_is_needed() -> None:
    with pytest.raises(InputDataError, match=r"too little data: 40 readings of 1 sensors.*Give 80 readings or more"):
        prepare(tiny_dataset(sensors=1, readings=40), SHORT)


def test_constant_data_is_refused() -> None:
    dataset = tiny_dataset()

    with pytest.raises(InputDataError, match="the data is constant"):
        prepare(replace(dataset, values=np.full_like(dataset.values, 5.0)), SHORT)


def test_a_column_without_values_is_refused_by_name() -> None:
    dataset = tiny_dataset()
    values = dataset.values.copy()
    values[:, 1] = np.nan

    with pytest.raises(InputDataError, match="column pressure has no value"):
        prepare(replace(dataset, values=values), SHORT)


def test_columns_of_zeros_and_ones_are_context_unless_there_are_no_others() -> None:
    values = np.array([[0.0, 5.0, 1.0], [1.0, 6.0, NAN]], np.float32)

    assert scored_features(("on", "level", "alarm"), values, None).tolist() == [False, True, False]
    assert scored_features(("on", "alarm"), values[:, [0, 2]], None).tolist() == [True, True]
    assert scored_features(("on", "level", "alarm"), values, ()).tolist() == [True, True, True]
    assert scored_features(("on", "level", "alarm"), values, ("level",)).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("asked", "scored", "chosen"),
    [
        (NetworkSpec(decoder="auto"), 4, "sequence"),
        (NetworkSpec(decoder="auto"), 3, "context"),
        (NetworkSpec(decoder="auto", bottleneck=1), 3, "sequence"),
        (NetworkSpec(decoder="context"), 9, "context"),
        (NetworkSpec(decoder="sequence"), 1, "sequence"),
    ],
)
def test_the_decoder_is_chosen_by_the_features_that_are_scored(asked: NetworkSpec, scored: int, chosen: str) -> None:
    assert choose_decoder(asked, np.arange(10) < scored) == chosen


@pytest.mark.parametrize(("context", "why"), [(("x",), "x is no feature"), (("on", "level"), "no feature is left")])
def test_impossible_context_columns_are_refused(context: tuple[str, ...], why: str) -> None:
    with pytest.raises(InputDataError, match=why):
        scored_features(("on", "level"), np.ones((1, 2), np.float32), context)
