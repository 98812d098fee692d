"""Runs a trained model through faults in its held-back data, by the decision and the budget that the service would use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stream_detector.adapters.keras_scorer import KerasScorer, usual_threads
from stream_detector.assembly import TrainedScorer, budget_per_sensor_day, build_detector
from stream_detector.detection.calibration import alarms_per_reading
from stream_detector.gate.drill import Drill, Stretch, as_meters, plan_drill
from stream_detector.gate.drill_run import DrillResult, run_drill
from stream_detector.gate.fault_injection import HealthyRun
from stream_detector.gate.missing_drill import MissingCheck, check_missing, hide_features
from stream_detector.model.artifact import Artifact
from stream_detector.model.tiles import KERNEL_ROWS
from stream_detector.settings.schema import Settings
from stream_detector.state.idle import OnlyWhile
from stream_detector.training.gate_run import longest_stretches
from stream_detector.training.preparation import Prepared
from stream_detector.training.remembering_scorer import RememberingScorer, at_budget

#: Draws the features that are missing.
MISSING_SEED = 0
#: Budgets per sensor and day to try a model with, if it finds little at the budget in force.
TRIAL_BUDGETS = (1.0, 10.0, 100.0, 1000.0)
#: A trial budget must find at least this much more of the faults.
WORTH_TRYING = 0.1
#: And this share of what the largest of them finds.
MOST_OF_IT = 0.8


@dataclass(frozen=True, slots=True)
class AlarmDrill:
    """The faults that are alarmed at the budget in force, and at a larger budget if that finds clearly more."""

    budget: float  # per sensor and day
    result: DrillResult
    trial_budget: float | None = None
    trial_result: DrillResult | None = None
    missing: MissingCheck | None = None  # the same with features missing; None: nothing could be tried


def plan_alarm_drill(prepared: Prepared) -> Drill:
    """Plan faults in the longest gapless stretch of the calibration part of some sensors."""
    return plan_for(prepared, held_back_stretches(prepared), prepared.config.window_length)


def plan_for(prepared: Prepared, stretches: Sequence[Stretch], window_length: int) -> Drill:
    """Plan faults in these stretches, for windows of this length."""
    counters = [prepared.dataset.features.index(name) for name in prepared.config.counters]
    return as_meters(plan_drill(stretches, window_length, prepared.config.seed), counters)


def held_back_stretches(prepared: Prepared) -> list[Stretch]:
    """Return the longest gapless stretch of the calibration part of some sensors, and the rows that fill its first window."""
    dataset, length = prepared.dataset, prepared.config.window_length
    stretches = []
    for first, last in longest_stretches(prepared):
        rows = slice(first - (length - 1), last + 1)
        code = int(dataset.codes[last])
        spread = prepared.scales.deviation[code].astype(np.float64)
        run = HealthyRun.of(dataset.values[rows].astype(np.float64), spread, prepared.scored)
        stretches.append(Stretch(dataset.sensors[code], dataset.times_ms[rows], run))
    return stretches


def run_alarm_drill(artifact: Artifact, drill: Drill, settings: Settings) -> AlarmDrill:
    """Run the drill at the budget in force, and at a larger one if that would find clearly more. Blocks; compiles the model.

    At the budget in force some faults are repeated with features missing.
    """
    scorer = RememberingScorer(trial_scorer(artifact))
    budget = budget_per_sensor_day(scorer.calibration, settings.alerts)
    result = run_drill(drill, build_detector(scorer, settings.state, settings.alerts, settings.rules))
    check = _check_missing(scorer, result, settings, budget)
    trial_budget = budget_to_try(result, artifact, budget, settings.state.stride)
    if trial_budget is None:
        return AlarmDrill(budget, result, missing=check)
    alerts = at_budget(settings.alerts, trial_budget)
    trial_result = run_drill(drill, build_detector(scorer, settings.state, alerts, settings.rules))
    return with_trial(AlarmDrill(budget, result, missing=check), trial_budget, trial_result)


def with_trial(drill: AlarmDrill, budget: float, result: DrillResult) -> AlarmDrill:
    """Add what a larger budget finds, unless that is no more: alarms that are on hide faults, and keep levels from learning."""
    if result.found.sum() <= drill.result.found.sum():
        return drill
    return replace(drill, trial_budget=budget, trial_result=result)


def _check_missing(scorer: TrainedScorer, whole: DrillResult, settings: Settings, budget: float) -> MissingCheck | None:
    """Repeat some faults with features missing; the rule that finds the missing feature itself is off."""
    only_while = OnlyWhile.parse(scorer.spec.only_while, scorer.spec.features)
    missing = hide_features(whole.drill, MISSING_SEED, only_while.positions if only_while else ())
    if not len(missing.drill):
        return None
    rules = settings.rules.model_copy(update={"missing_feature": False})
    without = run_drill(missing.drill, build_detector(scorer, settings.state, settings.alerts, rules))
    interval_seconds = scorer.spec.sampling_interval_seconds * settings.state.stride
    return check_missing(missing, whole, without, alarms_per_reading(budget, interval_seconds))


def trial_scorer(artifact: Artifact) -> KerasScorer:
    """Compile a model for a drill: for the smallest tiles only, which is twice as fast as for all sizes."""
    return KerasScorer(artifact, KERNEL_ROWS, usual_threads())


def budget_to_try(result: DrillResult, artifact: Artifact, budget: float, stride: int) -> float | None:
    """Return the smallest of TRIAL_BUDGETS that finds clearly more faults, and most of what the largest finds; or None."""
    if not len(result.drill):
        return None
    calibration, interval = artifact.calibration, artifact.spec.sampling_interval_seconds * stride
    margin = calibration.margins(alarms_per_reading(budget, interval)).single
    larger = [candidate for candidate in TRIAL_BUDGETS if candidate > budget]
    lower = {one: margin - calibration.margins(alarms_per_reading(one, interval)).single for one in larger}
    found = {one: float((result.found | result.found_by_score(by)).mean()) for one, by in lower.items()}
    now = float(result.found.mean())
    best = max(found.values(), default=0.0)
    if best < now + WORTH_TRYING:
        return None
    return next(one for one, share in found.items() if share >= max(now + WORTH_TRYING, MOST_OF_IT * best))
