"""Trains a model on prepared data: fits the members, measures usual errors, calibrates, and runs the gate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import keras
import numpy as np

from stream_detector.detection.calibration import Calibration
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.partial_windows import PartialLevels
from stream_detector.gate.baseline_comparison import GateResult
from stream_detector.model.artifact import Artifact
from stream_detector.model.compiled import compile_explanations, compile_feature_errors
from stream_detector.model.error_normalization import ErrorNormalization, fit_error_normalization
from stream_detector.model.linear_members import fit_linear, linear_specs
from stream_detector.model.masked_autoencoder import MaskedAutoencoder
from stream_detector.model.members import Members
from stream_detector.model.missing_levels import MissingLevels
from stream_detector.model.network import build_network, hidden_rows, load_weights
from stream_detector.model.tiles import Compiled, Tiles
from stream_detector.model.xla_forward import compile_forward, forward
from stream_detector.model_store.serialization import with_version
from stream_detector.model_store.validation import AUTOENCODER
from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int64Array
from stream_detector.state.running_scale import Scales
from stream_detector.training.attention_fit import fit_usual_attention
from stream_detector.training.calibration_fit import fit_calibration
from stream_detector.training.data_split import gather, timed_windows
from stream_detector.training.gate_run import CompiledMembers, run_gate
from stream_detector.training.healthy_fit import fit_healthy
from stream_detector.training.missing_fit import corrected, measure_missing_levels
from stream_detector.training.network_fit import CALIBRATING, Losses, Progress, fit, sample
from stream_detector.training.partial_fit import PartialErrors, fit_partial_levels, largest_of_full_windows, score_partial
from stream_detector.training.preparation import Prepared
from stream_detector.training.report import training_report
from stream_detector.training.start_fit import StartErrors, score_starts, with_starts
from stream_detector.training.starting_weights import begin, starting_weights, starts_from_built_in

#: Windows of the example's sensor that tell how large its errors usually are.
_COMPARED = 32
#: Upper limit of the windows per forward pass.
TILE_ROWS = 256


@dataclass(frozen=True, slots=True)
class Example:
    """A calibration window of typical error, and what the members of the score expect of its newest rows."""

    sensor: str
    window: Float32Array  # [T, F] in the features' units
    expected: Float32Array  # [H, F] of the newest H rows, as events have it
    has_network: bool  # it is a member of the score
    dropout: float
    usual_error: Float64Array  # [F] median distance from what was expected, in other calibration windows of the sensor
    wide_error: Float64Array  # [F] nine in ten distances are smaller


@dataclass(frozen=True, slots=True)
class Training:
    """The outcome of a training."""

    artifact: Artifact
    losses: Losses
    gate_result: GateResult
    example: Example


def train(prepared: Prepared, progress: Progress, clock: Callable[[], float] = time.monotonic) -> Training:
    """Train a model. Blocks. Equal data, configuration and versions give an equal model on machines of one kind."""
    timing = _Timing(clock)
    members, network, losses = _fit_members(prepared, progress, timing)
    tiles = Tiles(prepared.config.window_length, len(prepared.dataset.features), TILE_ROWS, prepared.imputation)
    compiled = compile_feature_errors(members, tiles)
    held_out = _score_held_out(compiled, tiles, prepared, members.rows_read(), progress)
    equal = np.full(len(members.names), 1.0 / len(members.names))
    calibration = _calibrate(prepared, held_out, members.names, equal)
    timing.lap("calibration")
    scored = CompiledMembers.of(members, tiles, compiled, held_out.normalization, held_out.missing_levels)
    gate = run_gate(prepared, scored, calibration, progress)
    artifact = _artifact(prepared, members, network, held_out, gate.weights)
    timing.lap("trials")
    report = training_report(prepared, losses, artifact, gate, timing.seconds)
    uncompiled = replace(members.autoencoder, forward=partial(forward, network))  # not worth compiling for one window
    scored_members = replace(members, names=artifact.spec.members, autoencoder=uncompiled)
    example = _example(scored_members, artifact.normalization, prepared, held_out)
    return Training(with_version(replace(artifact, report=report)), losses, gate.result, example)


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """Windows that no member was fitted to, and the members' errors on them."""

    ends: Int64Array  # [W] ordered
    in_runs: BoolArray  # [W] in unbroken runs; the others only count for the levels of their sensors
    normalization: ErrorNormalization
    missing_levels: MissingLevels
    log_errors: Float32Array  # [W, M]
    of_few_rows: PartialErrors  # of some of the windows
    of_starts: StartErrors  # in the whole history: the parts that are held back have few


class _Timing:
    """Measures the seconds that each phase takes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()
        self.seconds: dict[str, float] = {}

    def lap(self, phase: str) -> None:
        """Record the time since the last lap under this phase."""
        now = self._clock()
        self.seconds[phase] = round(now - self._last, 2)
        self._last = now


def _fit_members(prepared: Prepared, progress: Progress, timing: _Timing) -> tuple[Members, keras.Model, Losses]:
    """Fit the linear members and the network; return all of them as members."""
    config, length, features = prepared.config, prepared.config.window_length, len(prepared.dataset.features)
    chosen = sample(np.random.default_rng(config.seed), prepared.split.fit, config.max_linear_windows)
    windows, _ = prepared.scaled_windows(chosen)
    linear = fit_linear(windows, linear_specs(length, config.coupled_features and features > 1))
    timing.lap("linear_members")
    network = starting_network(prepared)
    losses = fit(network, prepared, progress)
    timing.lap("autoencoder")
    autoencoder = MaskedAutoencoder(compile_forward(network), prepared.scales.fleet, prepared.scored, hidden_rows(length))
    names = (*(member.spec.name for member in linear), AUTOENCODER)
    return Members(tuple(linear), autoencoder, names, length), network, losses


def starting_network(prepared: Prepared) -> keras.Model:
    """Return the network before its first step: of random weights, or of those of the package if they fit it."""
    config, features = prepared.config, len(prepared.dataset.features)
    network = build_network(config.window_length, features, config.network, config.seed)
    if starts_from_built_in(config):
        own = {variable.path: np.asarray(variable.numpy()) for variable in network.weights}
        load_weights(network, begin(own, starting_weights(), features))
    return network


def _score_held_out(
    compiled: Compiled, tiles: Tiles, prepared: Prepared, rows_read: Int64Array, progress: Progress
) -> _HeldOut:
    """Score the calibration part: unbroken runs of some sensors, and enough windows of every other sensor for its level."""
    config, split = prepared.config, prepared.split
    runs = split.calibration_ends(config.max_calibration_windows, config.seed)
    errors, seen = (np.concatenate(all_of) for all_of in zip(*_errors(compiled, tiles, prepared, runs, progress), strict=True))
    normalization = fit_error_normalization(errors, seen, prepared.scored)
    score = partial(_log_errors, compiled, tiles, normalization)
    levels = measure_missing_levels(score, prepared, runs, rows_read)
    others = split.level_ends(runs, config.max_level_windows)
    of_others = [normalization.log_errors(*part) for part in _errors(compiled, tiles, prepared, others, progress)]
    ends, log_errors = np.concatenate([runs, others]), np.concatenate([normalization.log_errors(errors, seen), *of_others])
    order = np.argsort(ends)
    ends, log_errors = ends[order], corrected(prepared, levels, ends[order], log_errors[order])
    of_few_rows, of_starts = score_partial(score, levels, prepared, runs), score_starts(score, levels, prepared)
    return _HeldOut(ends, np.isin(ends, runs), normalization, levels, log_errors, of_few_rows, of_starts)


def _log_errors(
    compiled: Compiled, tiles: Tiles, normalization: ErrorNormalization, windows: Float32Array, scales: Scales
) -> Float32Array:
    errors, seen = tiles.run(compiled, windows, scales)
    return np.asarray(normalization.log_errors(errors, seen), np.float32)


def _errors(
    compiled: Compiled, tiles: Tiles, prepared: Prepared, ends: Int64Array, progress: Progress
) -> Iterator[tuple[Float32Array, Float32Array]]:
    """Yield, in chunks of windows, the errors [W, M, F] and how much they count [W, M, F] (members.feature_errors)."""
    for start in range(0, len(ends), 16 * tiles.rows):
        chosen = ends[start : start + 16 * tiles.rows]
        scales = prepared.scales.of(prepared.dataset.codes[chosen])
        errors, seen = tiles.run(compiled, timed_windows(prepared.dataset, chosen, tiles.window_length), scales)
        progress(CALIBRATING, min(start + 16 * tiles.rows, len(ends)), len(ends), None)
        yield errors, seen


def _calibrate(prepared: Prepared, held_out: _HeldOut, names: tuple[str, ...], weights: Float64Array) -> Calibration:
    dataset = prepared.dataset
    return fit_calibration(
        held_out.log_errors,
        dataset.codes[held_out.ends],
        sensors=dataset.sensors,
        scales=prepared.scales,
        paces=prepared.paces,
        members=names,
        weights=weights,
        quiet_readings=max(1, prepared.config.window_length // 2),
        in_runs=held_out.in_runs,
    )


def _artifact(
    prepared: Prepared, members: Members, network: keras.Model, held_out: _HeldOut, weights: Float64Array
) -> Artifact:
    """Return the model, without report and version: the members whose weight [M] is above 0, calibrated on their own."""
    kept, normalization = weights > 0, held_out.normalization
    names = tuple(name for name, is_kept in zip(members.names, kept.tolist(), strict=True) if is_kept)
    errors_of_kept = replace(held_out, log_errors=held_out.log_errors[:, kept])
    config, features = prepared.config, prepared.dataset.features
    calibration = _calibrate(prepared, errors_of_kept, names, weights[kept])
    calibration = replace(calibration, partial=_partial_levels(prepared, held_out, kept, calibration))
    if AUTOENCODER in names:
        tiles = Tiles(config.window_length, len(features), TILE_ROWS, prepared.imputation)
        of_sensors = tuple(calibration.sensors.rows)
        usual = fit_usual_attention(members.autoencoder, tiles, prepared, held_out.ends, of_sensors)
        calibration = replace(calibration, sensors=replace(calibration.sensors, attention=usual))
    known = [prepared.dataset.sensors.index(sensor) for sensor in calibration.sensors.rows]  # others fill no window
    return Artifact(
        spec=ModelSpec(
            config.name,
            "",
            features,
            config.window_length,
            prepared.interval_seconds,
            names,
            config.missing_values,
            config.counters,
            config.only_while,
        ),
        network=config.network,
        weights={variable.path: np.asarray(variable.numpy()) for variable in network.weights},
        linear=tuple(member for member in members.linear if member.spec.name in names),
        fleet=prepared.scales.fleet,
        normalization=ErrorNormalization(normalization.usual_errors[kept], normalization.scored),
        row_moments=prepared.imputation.moments,
        missing_levels=held_out.missing_levels.take(kept),
        calibration=calibration,
        healthy=fit_healthy(prepared.dataset, prepared.scored).take(np.array(known)),
        report={},
    )


def _partial_levels(prepared: Prepared, held_out: _HeldOut, kept: BoolArray, calibration: Calibration) -> PartialLevels:
    """Return what few rows do to the errors of the members that are kept [M], and what the starts of the history do."""
    few, starts = held_out.of_few_rows.take(kept), held_out.of_starts.take(kept)
    of_few, of_starts = (_levels_of(prepared, calibration, ends) for ends in (few.ends, starts.ends))
    partial_levels = fit_partial_levels(few, of_few, calibration)
    largest = largest_of_full_windows(few, of_few, calibration)
    return with_starts(partial_levels, starts, of_starts, calibration, largest)


def _levels_of(prepared: Prepared, calibration: Calibration, ends: Int64Array) -> Float64Array:
    """Return the levels [W, M] of the sensors of the windows that end at these rows."""
    sensors = [prepared.dataset.sensors[code] for code in prepared.dataset.codes[ends].tolist()]
    return np.asarray(calibration.start_levels()[calibration.sensors.find(sensors)])


def _example(members: Members, normalization: ErrorNormalization, prepared: Prepared, held_out: _HeldOut) -> Example:
    """Return the calibration window of median error."""
    ends, log_errors = held_out.ends, held_out.log_errors
    order = np.argsort(log_errors.mean(axis=1))  # NaN last
    typical = ends[order[int(np.count_nonzero(~np.isnan(log_errors[:, 0]))) // 2]][np.newaxis]
    dataset, config = prepared.dataset, prepared.config
    window = gather(dataset.values, typical, config.window_length)
    tiles = Tiles(config.window_length, len(dataset.features), 1, prepared.imputation)
    compiled, newest = compile_explanations(members, tiles, normalization), hidden_rows(config.window_length)
    _, expected, *_ = tiles.run(compiled, window, prepared.scales.of(dataset.codes[typical]))
    of_sensor = ends[dataset.codes[ends] == dataset.codes[typical[0]]]
    others = of_sensor[np.unique(np.linspace(0, len(of_sensor) - 1, min(_COMPARED, len(of_sensor))).astype(np.int64))]
    windows = gather(dataset.values, others, config.window_length)
    _, of_others, *_ = tiles.run(compiled, windows, prepared.scales.of(dataset.codes[others]))
    usual_error, wide_error = _distances(windows[:, -newest:], of_others[:, -newest:])
    return Example(
        sensor=dataset.sensors[int(dataset.codes[typical[0]])],
        window=window[0],
        expected=expected[0, -newest:],
        has_network=AUTOENCODER in members.names,
        dropout=config.network.dropout,
        usual_error=usual_error,
        wide_error=wide_error,
    )


def _distances(values: Float32Array, expected: Float32Array) -> tuple[Float64Array, Float64Array]:
    """Return per feature the median and the .9 quantile of the distances of values [W, H, F] from those expected; NaN: none."""
    distances = np.abs(values.astype(np.float64) - expected).reshape(-1, values.shape[2])
    known = np.isfinite(distances).any(axis=0)
    found = np.full((2, values.shape[2]), np.nan)
    found[:, known] = np.nanquantile(distances[:, known], [0.5, 0.9], axis=0)
    return found[0], found[1]
