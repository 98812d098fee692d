"""Judges a trained model for the user: whether the history is enough, and which faults would be alarmed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from stream_detector.detection.budget_resolution import BudgetResolution, resolution_of
from stream_detector.gate.drill import Drill
from stream_detector.gate.promotion import MISSING_KEY, VERDICT_KEY
from stream_detector.model.artifact import Artifact
from stream_detector.model.linear_members import OTHERS
from stream_detector.model_store.validation import AUTOENCODER
from stream_detector.settings.schema import Settings
from stream_detector.training.alarm_drill import AlarmDrill, plan_alarm_drill, run_alarm_drill
from stream_detector.training.history import History, history_of_training
from stream_detector.training.oddities import Oddity, find_oddities
from stream_detector.training.preparation import Prepared


@dataclass(frozen=True, slots=True)
class Deviation:
    """What one standard deviation of a feature is in the drill: the median of the sensors in it."""

    feature: str
    size: float
    unit: str  # "" if the user has named none


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the user is told about a model at the end of its training."""

    history: History
    budget: BudgetResolution  # in force
    alarms: AlarmDrill
    drill: Drill
    deviations: tuple[Deviation, ...] = ()  # of the features that faults may be put into
    has_network: bool = True  # it has a part in the score
    oddities: tuple[Oddity, ...] = ()  # in the history
    has_others: bool = False  # a member compares each feature with what the others say of it

    def as_json(self) -> dict[str, Any]:
        """Return the figures for the training report."""
        trial = self.alarms.trial_result
        return {
            "history": self.history.as_json(),
            "oddities": [one.as_json() for one in self.oddities],
            "budget_per_sensor_day": self.budget.budget,
            "expected_incidents": self.budget.expected_incidents,
            "is_budget_resolved": self.budget.is_resolved,
            "smallest_resolved_budget": self.budget.smallest_resolved,
            "fault_readings": self.drill.fault_rows,
            "deviations": [asdict(one) for one in self.deviations],
            "not_tried": [asdict(one) for one in self.drill.left_out],
            "alarmed": [one.as_json() for one in self.alarms.result.by_kind()],
            MISSING_KEY: self.alarms.missing.as_json() if self.alarms.missing else None,
            "budget_to_try": self.alarms.trial_budget,
            "alarmed_at_budget_to_try": [one.as_json() for one in trial.by_kind()] if trial else None,
        }


def judge(prepared: Prepared, artifact: Artifact, settings: Settings) -> Verdict:
    """Judge a model by the settings that the service would run it with. Blocks; compiles the model."""
    drill = plan_alarm_drill(prepared)
    alarms = run_alarm_drill(artifact, drill, settings)
    usual_seconds = artifact.spec.sampling_interval_seconds
    budget = resolution_of(artifact.calibration, alarms.budget, settings.state.stride, usual_seconds)
    assert budget is not None  # a model that was just trained knows a sensor
    has_network = AUTOENCODER in artifact.spec.members
    has_others = any(member.spec.kind == OTHERS for member in artifact.linear)
    oddities = find_oddities(prepared.dataset, prepared.scored, prepared.paces)
    deviations = _deviations(prepared, drill, settings)
    return Verdict(history_of_training(prepared), budget, alarms, drill, deviations, has_network, oddities, has_others)


def _deviations(prepared: Prepared, drill: Drill, settings: Settings) -> tuple[Deviation, ...]:
    """Return the deviations of the scored features; a counter's is of its rise."""
    if not len(drill):
        return ()
    of_sensors = prepared.scales.deviation[[prepared.dataset.sensors.index(sensor) for sensor in sorted(set(drill.sensors))]]
    sizes, units = np.median(of_sensors.astype(np.float64), axis=0), settings.rules.units
    per_hour = set(prepared.config.counters)
    return tuple(
        Deviation(name, float(sizes[at]), " ".join(filter(None, [units.get(name, ""), "per hour" if name in per_hour else ""])))
        for at, name in enumerate(prepared.dataset.features)
        if prepared.scored[at]
    )


def with_verdict(artifact: Artifact, verdict: Verdict) -> Artifact:
    """Return the artifact with the verdict in its report."""
    return replace(artifact, report={**artifact.report, VERDICT_KEY: verdict.as_json()})
