"""Runs the gate on the fitted members: scores held-back data with injected faults, and passes the scores to gate/.

The held-back data are the calibration part, to which no member was fitted. gate/ makes the faults and evaluates the scores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from stream_detector.detection.calibration import Calibration
from stream_detector.detection.explanation import explain
from stream_detector.detection.scorer import WindowErrors
from stream_detector.gate.attribution import AttributionAccuracy, attribution_accuracy, peak_rows
from stream_detector.gate.autoencoder_weight import AutoencoderWeight, choose_share
from stream_detector.gate.baseline_comparison import BASELINE, MODEL, GateResult, baseline_scores, compare_with_baseline
from stream_detector.gate.fault_injection import HealthyRun
from stream_detector.gate.member_selection import MemberSelection, select_members
from stream_detector.gate.trials import Trials, plan_trials
from stream_detector.model.compiled import as_window_errors, compile_explanations
from stream_detector.model.error_normalization import ErrorNormalization
from stream_detector.model.members import Members
from stream_detector.model.missing_levels import MissingLevels
from stream_detector.model.tiles import Compiled, Tiles
from stream_detector.model_store.validation import AUTOENCODER
from stream_detector.readings import Float32Array, Float64Array, Int64Array
from stream_detector.state.running_scale import Scales
from stream_detector.training.network_fit import GATE_TRIALS, Progress
from stream_detector.training.preparation import Prepared

#: Upper limit of the sensors that have trials; a baseline is fitted for each.
MOST_RUNS = 16


@dataclass(frozen=True, slots=True)
class CompiledMembers:
    """M members, compiled for windows [N, T, F] of raw values."""

    names: tuple[str, ...]
    log_errors: Callable[[Float32Array, Scales], Float32Array]  # [N, M]
    explain: Callable[[Float32Array, Scales], list[WindowErrors]]

    @classmethod
    def of(
        cls,
        members: Members,
        tiles: Tiles,
        feature_errors: Compiled,
        normalization: ErrorNormalization,
        levels: MissingLevels,
    ) -> CompiledMembers:
        """Compile the explanations; the feature errors are compiled already."""
        explanations = compile_explanations(members, tiles, normalization)

        def log_errors(windows: Float32Array, scales: Scales) -> Float32Array:
            errors, seen = tiles.run(feature_errors, windows, scales)
            return levels.correct(np.asarray(normalization.log_errors(errors, seen), np.float32), windows)

        return cls(
            members.names,
            log_errors,
            lambda windows, scales: as_window_errors(tiles.run(explanations, windows, scales)),
        )


@dataclass(frozen=True, slots=True)
class GateRun:
    """The results of the gate for M members."""

    selection: MemberSelection
    autoencoder: AutoencoderWeight | None  # None: left out
    result: GateResult
    attribution: AttributionAccuracy
    weights: Float64Array  # [M] in the score, summing to 1; 0: left out


def run_gate(prepared: Prepared, members: CompiledMembers, calibration: Calibration, progress: Progress) -> GateRun:
    """Choose the members' weights on injected faults, compare the score with windowed PCA, and check its explanations."""
    held_back = plan_held_back(prepared)
    trials = held_back.trials
    progress(GATE_TRIALS, 0, 4, None)
    surprises = np.empty((0, 0, len(members.names)))
    if len(trials):
        surprises = trial_surprises(prepared, held_back, members.log_errors(*trial_windows(prepared, held_back)), calibration)
    progress(GATE_TRIALS, 1, 4, None)
    selection = select_members(trials, surprises, members.names)
    autoencoder, weights = _weigh(held_back, surprises, selection, members.names)
    weighted = surprises * weights
    progress(GATE_TRIALS, 2, 4, None)
    scores = {MODEL: weighted.sum(axis=2), BASELINE: baseline_scores(trials, held_back.fit_values)}
    result = compare_with_baseline(trials, scores)
    progress(GATE_TRIALS, 3, 4, None)
    attribution = explain_faults(prepared, held_back, weighted, members.explain)
    progress(GATE_TRIALS, 4, 4, None)
    return GateRun(selection, autoencoder, result, attribution, weights)


def _weigh(
    held_back: HeldBack, surprises: Float64Array, selection: MemberSelection, members: tuple[str, ...]
) -> tuple[AutoencoderWeight | None, Float64Array]:
    """Return the autoencoder's weight, None if it is left out, and all members' weights [M]."""
    kept = selection.kept
    weights = kept / kept.sum()
    names = [name for name, is_kept in zip(members, kept.tolist(), strict=True) if is_kept]
    if AUTOENCODER not in names:
        return None, weights
    autoencoder = choose_share(held_back.trials, surprises[:, :, kept], names, AUTOENCODER)
    weights[kept] = autoencoder.weights(names)
    return autoencoder, weights


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Trials, and the sensors whose held-back data they come from."""

    trials: Trials
    codes: Int64Array  # [runs] of the sensors
    fit_values: list[Float64Array]  # by run: the sensor's values before its held-back data


def plan_held_back(prepared: Prepared) -> HeldBack:
    """Plan trials in the longest gapless stretch of the calibration part, for at most MOST_RUNS sensors."""
    dataset, length = prepared.dataset, prepared.config.window_length
    runs, codes, fit_values = [], [], []
    for first, last in longest_stretches(prepared):
        code = int(dataset.codes[last])
        held_back = dataset.values[first - (length - 1) : last + 1].astype(np.float64)
        runs.append(HealthyRun.of(held_back, prepared.scales.deviation[code].astype(np.float64), prepared.scored))
        codes.append(code)
        fit_values.append(dataset.values[prepared.split.fit_rows & (dataset.codes == code)].astype(np.float64))
    trials = plan_trials(runs, length, prepared.config.seed, context_rows=length - 1)
    return HeldBack(trials, np.array(codes, np.int64), fit_values)


def longest_stretches(prepared: Prepared) -> list[tuple[int, int]]:
    """Return the first and last end of each sensor's longest run of windows, for at most MOST_RUNS sensors."""
    ends, codes = prepared.split.calibration, prepared.dataset.codes
    breaks = np.flatnonzero((np.diff(ends) != 1) | (np.diff(codes[ends]) != 0))
    firsts, lasts = ends[np.concatenate([[0], breaks + 1])], ends[np.concatenate([breaks, [len(ends) - 1]])]
    order = np.argsort(firsts - lasts, kind="stable")
    _, best = np.unique(codes[firsts[order]], return_index=True)
    chosen = order[best]
    if len(chosen) > MOST_RUNS:
        chosen = np.sort(np.random.default_rng(prepared.config.seed).choice(chosen, MOST_RUNS, replace=False))
    return [(int(firsts[at]), int(lasts[at])) for at in chosen]


def trial_windows(prepared: Prepared, held_back: HeldBack) -> tuple[Float32Array, Scales]:
    """Return the windows [K * (L - T + 1), T, F] of the trials' judged rows, trial by trial, and their scales."""
    trials, length = held_back.trials, prepared.config.window_length
    windows = sliding_window_view(trials.values.astype(np.float32), length, axis=1).transpose(0, 1, 3, 2)
    count, rows = windows.shape[:2]
    codes = np.repeat(held_back.codes[trials.runs], rows)
    return windows.reshape(count * rows, length, -1), prepared.scales.of(codes)


def trial_surprises(
    prepared: Prepared, held_back: HeldBack, log_errors: Float32Array, calibration: Calibration
) -> Float64Array:
    """Return the members' surprises [K, L, M] on the trials, from the log errors [K * (L - T + 1), M] of their windows.

    Rows before the first full window are NaN.
    """
    trials, names = held_back.trials, [prepared.dataset.sensors[code] for code in held_back.codes[held_back.trials.runs]]
    levels = calibration.start_levels()[calibration.sensors.find(names)]
    rows_per_trial = trials.values.shape[1] - prepared.config.window_length + 1
    above_level = log_errors.reshape(len(trials), rows_per_trial, -1) - levels[:, np.newaxis]
    surprises = calibration.tails.surprise(above_level.reshape(len(trials) * rows_per_trial, -1).astype(np.float64))
    found = np.full((*trials.values.shape[:2], surprises.shape[1]), np.nan)
    found[:, -rows_per_trial:] = surprises.reshape(len(trials), rows_per_trial, -1)
    return found


def explain_faults(
    prepared: Prepared,
    held_back: HeldBack,
    weighted: Float64Array,
    explain_windows: Callable[[Float32Array, Scales], list[WindowErrors]],
) -> AttributionAccuracy:
    """Explain each fault at its peak by the members' weighted surprises [K, L, M]; compare with the features at fault."""
    trials = held_back.trials
    rows = peak_rows(trials, weighted.sum(axis=2))
    shares = np.full((len(trials), trials.values.shape[2]), np.nan)
    found = np.flatnonzero(rows >= 0)
    if len(found):
        steps = rows[found, np.newaxis] + np.arange(1 - prepared.config.window_length, 1)
        windows = trials.values[found[:, np.newaxis], steps].astype(np.float32)
        explained = explain_windows(windows, prepared.scales.of(held_back.codes[trials.runs[found]]))
        for trial, errors in zip(found.tolist(), explained, strict=True):
            shares[trial] = explain(errors, weighted[trial, rows[trial]]).feature_share
    return attribution_accuracy(trials, shares, int(prepared.scored.sum()))
