"""Compares the model with windowed PCA on trials, kind by kind: the result of the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from stream_detector.evaluation.ranking import average_precision
from stream_detector.evaluation.windowed_pca import fit_windowed_pca
from stream_detector.gate.ranking_quality import comparable_rows, paired_gain, precisions, roc_auc
from stream_detector.gate.trials import Trials
from stream_detector.readings import BoolArray, Float64Array, Int64Array

MODEL, BASELINE = "model", "windowed_pca"
#: Windows to which a sensor's baseline is fitted. More windows take longer and detect no more.
BASELINE_WINDOWS = 5_000
#: Share of the healthy rows before the faults that exceed the threshold of the detection rate.
FALSE_SHARE = 0.01
RULE = "promoted if its AUC-PR, averaged over the trials of a kind of fault and then over kinds, is not below windowed PCA's"


@dataclass(frozen=True, slots=True)
class Quality:
    """How well one scorer detects faults; every figure is between 0 and 1."""

    auc_pr: float  # mean over trials
    pooled_auc_pr: float  # of the rows of all trials together: measures whether scores compare between sensors
    pooled_roc_auc: float
    detected: float  # share of faults with a row above the threshold that FALSE_SHARE of the healthy rows exceed


@dataclass(frozen=True, slots=True)
class GateResult:
    """The result of the gate. Without trials `promoted`, `gain` and the error are None and the rest is empty."""

    promoted: bool | None
    gain: float | None  # overall AUC-PR of the model minus that of the baseline
    standard_error: float | None  # of the gain; None where there are too few trials
    trials: Mapping[str, int]  # by kind of fault
    by_kind: Mapping[str, Mapping[str, Quality]]  # by scorer and kind of fault
    overall: Mapping[str, Quality]  # by scorer: means over kinds

    def as_json(self) -> dict[str, Any]:
        """Return the result for the training report."""
        return {"rule": RULE, "false_share_of_detection": FALSE_SHARE, **asdict(self)}


def baseline_scores(trials: Trials, fit_values: Sequence[Float64Array]) -> Float64Array:
    """Return the scores [K, L] of windowed PCA, fitted to each sensor's own healthy values (by run, [N, F]).

    Those values must not include the readings of the trials. Only runs that have trials are fitted.
    """
    scores = np.empty(trials.values.shape[:2])
    for run in np.unique(trials.runs).tolist():
        pca = fit_windowed_pca(fit_values[run], max_windows=BASELINE_WINDOWS)
        for number in np.flatnonzero(trials.runs == run).tolist():
            scores[number] = pca.score(trials.values[number])
    return scores


def compare_with_baseline(trials: Trials, scores: Mapping[str, Float64Array]) -> GateResult:
    """Compare MODEL with BASELINE by their scores [K, L] (NaN: not scored); report any other scorers as well.

    Only rows that every scorer has scored count.
    """
    rows = comparable_rows(trials, scores)
    by_trial = {name: precisions(trials, of_scorer, rows) for name, of_scorer in scores.items()}
    comparable = ~np.isnan(by_trial[MODEL])  # the same for all scorers
    chosen = {kind: of_kind for kind in trials.kinds() if len(of_kind := _within(trials.of_kind(kind), comparable))}
    if not chosen:
        return GateResult(None, None, None, {}, {}, {})
    by_kind = {}
    for name, of_scorer in scores.items():
        of_trials = _TrialScores(trials, of_scorer, rows, by_trial[name], _threshold(trials, of_scorer, rows))
        by_kind[name] = {kind: of_trials.quality(of_kind) for kind, of_kind in chosen.items()}
    gain = paired_gain(trials, by_trial[MODEL], by_trial[BASELINE])
    return GateResult(
        promoted=gain.mean >= 0.0,
        gain=gain.mean,
        standard_error=gain.standard_error if np.isfinite(gain.standard_error) else None,
        trials={kind: len(of_kind) for kind, of_kind in chosen.items()},
        by_kind=by_kind,
        overall={name: _mean(list(of_scorer.values())) for name, of_scorer in by_kind.items()},
    )


@dataclass(frozen=True, slots=True)
class _TrialScores:
    """The scores of one scorer on all trials."""

    trials: Trials
    scores: Float64Array  # [K, L]
    rows: BoolArray  # [K, L] that count
    auc_pr: Float64Array  # [K]
    threshold: float

    def quality(self, chosen: Int64Array) -> Quality:
        """Return the quality on some trials."""
        rows, is_faulty = self.rows[chosen], self.trials.is_faulty[chosen]
        labels, scores = is_faulty[rows], self.scores[chosen][rows]
        above = self.scores[chosen] > self.threshold  # False where not scored
        return Quality(
            auc_pr=float(self.auc_pr[chosen].mean()),
            pooled_auc_pr=average_precision(labels, scores),
            pooled_roc_auc=roc_auc(labels, scores),
            detected=float((above & is_faulty & rows).any(axis=1).mean()),
        )


def _threshold(trials: Trials, scores: Float64Array, rows: BoolArray) -> float:
    """Return the score that FALSE_SHARE of the healthy rows before the faults exceed, over all trials."""
    healthy = scores[rows & trials.healthy_before()]
    return float(np.quantile(healthy, 1.0 - FALSE_SHARE)) if len(healthy) else np.inf


def _within(positions: Int64Array, kept: BoolArray) -> Int64Array:
    return positions[kept[positions]]


def _mean(qualities: Sequence[Quality]) -> Quality:
    return Quality(
        **{field.name: float(np.mean([getattr(quality, field.name) for quality in qualities])) for field in fields(Quality)}
    )
