"""Judges a trained model for the user: whether the history is enough, and which faults would be alarmed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from stream_detector.gate.drill import Drill
from stream_detector.gate.promotion import MISSING_KEY, VERDICT_KEY
from stream_detector.model.artifact import Artifact
from stream_detector.settings.schema import Settings
from stream_detector.training.alarm_drill import AlarmDrill, plan_alarm_drill, run_alarm_drill
from stream_detector.training.budget_check import BudgetCheck, check_budget
from stream_detector.training.history import History, history_of_training
from stream_detector.training.preparation import Prepared


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the user is told about a model at the end of its training."""

    history: History
    budget: BudgetCheck
    alarms: AlarmDrill
    drill: Drill

    def as_json(self) -> dict[str, Any]:
        """Return the figures for the training report."""
        trial = self.alarms.trial_result
        return {
            "history": self.history.as_json(),
            "budget_per_sensor_day": self.budget.budget,
            "expected_incidents": self.budget.expected_incidents,
            "is_budget_checked": self.budget.is_checked,
            "fault_readings": self.drill.fault_rows,
            "alarmed": [one.as_json() for one in self.alarms.result.by_kind()],
            MISSING_KEY: self.alarms.missing.as_json() if self.alarms.missing else None,
            "budget_to_try": self.alarms.trial_budget,
            "alarmed_at_budget_to_try": [one.as_json() for one in trial.by_kind()] if trial else None,
        }


def judge(prepared: Prepared, artifact: Artifact, settings: Settings) -> Verdict:
    """Judge a model by the settings that the service would run it with. Blocks; compiles the model."""
    drill = plan_alarm_drill(prepared)
    alarms = run_alarm_drill(artifact, drill, settings)
    calibration = artifact.calibration
    interval_seconds = prepared.calibration_interval_seconds * settings.state.stride
    budget = check_budget(
        alarms.budget,
        calibration.readings,
        len(calibration.sensors),
        interval_seconds,
        prepared.config.max_calibration_windows,
    )
    return Verdict(history_of_training(prepared), budget, alarms, drill)


def with_verdict(artifact: Artifact, verdict: Verdict) -> Artifact:
    """Return the artifact with the verdict in its report."""
    return replace(artifact, report={**artifact.report, VERDICT_KEY: verdict.as_json()})
