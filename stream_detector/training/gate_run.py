"""The finished members on held-back data with faults put into it: which of them help, and whether the model earns its place.

What is held back is the calibration part, which nothing was fitted on. The faults and the judgement are in gate/.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from stream_detector.detection.calibration import Calibration
from stream_detector.detection.explanation import explain
from stream_detector.detection.scorer import WindowErrors
from stream_detector.gate.attribution import Blame, judge_blame, peak_rows
from stream_detector.gate.autoencoder_weight import Emphasis, choose_share
from stream_detector.gate.baseline_comparison import BASELINE, MODEL, Verdict, baseline_scores, judge
from stream_detector.gate.fault_injection import HealthyRun
from stream_detector.gate.member_selection import Selection, select_members
from stream_detector.gate.trials import Trials, plan_trials
from stream_detector.model.compiled import as_window_errors, compile_explanations
from stream_detector.model.error_normalization import ErrorNormalization
from stream_detector.model.members import Members
from stream_detector.model.tiles import Compiled, Tiles
from stream_detector.model_store.validation import AUTOENCODER
from stream_detector.readings import Float32Array, Float64Array, Int64Array
from stream_detector.state.running_scale import Scales
from stream_detector.training.network_fit import TRYING, Progress
from stream_detector.training.preparation import Prepared

#: Sensors that trials are made of, at most; each has a baseline fitted for it.
MOST_RUNS = 16


@dataclass(frozen=True, slots=True)
class CompiledMembers:
    """M members, ready to run on windows [N, T, F] of raw values."""

    names: tuple[str, ...]
    log_errors: Callable[[Float32Array, Scales], Float32Array]  # [N, M]
    explain: Callable[[Float32Array, Scales], list[WindowErrors]]

    @classmethod
    def of(cls, members: Members, tiles: Tiles, feature_errors: Compiled, normalization: ErrorNormalization) -> CompiledMembers:
        """Compile what `feature_errors`, compiled already, does not give."""
        explanations = compile_explanations(members, tiles, normalization)

        def log_errors(windows: Float32Array, scales: Scales) -> Float32Array:
            errors, seen = tiles.run(feature_errors, windows, scales)
            return np.asarray(normalization.log_errors(errors, seen), np.float32)

        return cls(
            members.names,
            log_errors,
            lambda windows, scales: as_window_errors(tiles.run(explanations, windows, scales)),
        )


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of trying M members on injected faults."""

    selection: Selection
    emphasis: Emphasis | None  # of the autoencoder; None: it is left out
    verdict: Verdict
    blame: Blame
    weights: Float64Array  # [M] in the score, summing to 1; 0: left out


def try_members(prepared: Prepared, members: CompiledMembers, calibration: Calibration, progress: Progress) -> Tried:
    """Try members on injected faults: weigh them, hold the score against windowed PCA, and see whom it blames."""
    held_back = plan(prepared)
    trials = held_back.trials
    progress(TRYING, 0, 4, None)
    surprises = np.empty((0, 0, len(members.names)))
    if len(trials):
        surprises = trial_surprises(prepared, held_back, members.log_errors(*trial_windows(prepared, held_back)), calibration)
    progress(TRYING, 1, 4, None)
    selection = select_members(trials, surprises, members.names)
    emphasis, weights = _weigh(held_back, surprises, selection, members.names)
    weighted = surprises * weights
    progress(TRYING, 2, 4, None)
    verdict = judge(trials, {MODEL: weighted.sum(axis=2), BASELINE: baseline_scores(trials, held_back.fit_values)})
    progress(TRYING, 3, 4, None)
    judged = blame(prepared, held_back, weighted, members.explain)
    progress(TRYING, 4, 4, None)
    return Tried(selection, emphasis, verdict, judged, weights)


def _weigh(
    held_back: HeldBack, surprises: Float64Array, selection: Selection, members: tuple[str, ...]
) -> tuple[Emphasis | None, Float64Array]:
    """Return what the autoencoder is worth, if it is not left out, and the members' weights [M]."""
    kept = selection.kept
    weights = kept / kept.sum()
    names = [name for name, is_kept in zip(members, kept.tolist(), strict=True) if is_kept]
    if AUTOENCODER not in names:
        return None, weights
    emphasis = choose_share(held_back.trials, surprises[:, :, kept], names, AUTOENCODER)
    weights[kept] = emphasis.weights(names)
    return emphasis, weights


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Trials, and the sensors that they are stretches of."""

    trials: Trials
    codes: Int64Array  # [runs] of the sensors
    fit_values: list[Float64Array]  # by run: the sensor's values before what is held back


def plan(prepared: Prepared) -> HeldBack:
    """Plan trials in the longest gapless stretch that each of some sensors has in its calibration part."""
    dataset, length = prepared.dataset, prepared.config.window_length
    runs, codes, fit_values = [], [], []
    for first, last in _longest_stretches(prepared):
        code = int(dataset.codes[last])
        held_back = dataset.values[first - (length - 1) : last + 1].astype(np.float64)
        runs.append(HealthyRun.of(held_back, prepared.scales.deviation[code].astype(np.float64), prepared.scored))
        codes.append(code)
        fit_values.append(dataset.values[prepared.split.fit_rows & (dataset.codes == code)].astype(np.float64))
    trials = plan_trials(runs, length, prepared.config.seed, context_rows=length - 1)
    return HeldBack(trials, np.array(codes, np.int64), fit_values)


def _longest_stretches(prepared: Prepared) -> list[tuple[int, int]]:
    """Return first and last end of the longest run of windows of each sensor, of at most MOST_RUNS sensors."""
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

    NaN in the rows before the first whole window.
    """
    trials, names = held_back.trials, [prepared.dataset.sensors[code] for code in held_back.codes[held_back.trials.runs]]
    levels = calibration.start_levels()[calibration.sensors.find(names)]
    judged = trials.values.shape[1] - prepared.config.window_length + 1
    above_level = log_errors.reshape(len(trials), judged, -1) - levels[:, np.newaxis]
    surprises = calibration.tails.surprise(above_level.reshape(len(trials) * judged, -1).astype(np.float64))
    found = np.full((*trials.values.shape[:2], surprises.shape[1]), np.nan)
    found[:, -judged:] = surprises.reshape(len(trials), judged, -1)
    return found


def blame(
    prepared: Prepared,
    held_back: HeldBack,
    weighted: Float64Array,
    explain_windows: Callable[[Float32Array, Scales], list[WindowErrors]],
) -> Blame:
    """Explain each fault at its peak, by the members' surprises by weight [K, L, M], and judge whom that blames."""
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
    return judge_blame(trials, shares, int(prepared.scored.sum()))
