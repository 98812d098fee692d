"""Compares a trained model with the one that it would replace: on the same held-back readings and the same faults."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stream_detector.assembly import budget_per_sensor_day, build_detector
from stream_detector.evaluation.alarms import watched_days
from stream_detector.evaluation.ranking import average_precision
from stream_detector.gate.drill import Drill, as_meters, healthy_drill
from stream_detector.gate.drill_run import DrillResult, run_drill
from stream_detector.gate.promotion import REPORT_KEY
from stream_detector.model.artifact import Artifact
from stream_detector.readings import BoolArray, Float64Array
from stream_detector.settings.schema import Settings
from stream_detector.training.alarm_drill import held_back_stretches, plan_for, trial_scorer
from stream_detector.training.extent import Extent, extent_of_model
from stream_detector.training.own_figures import NO_FIGURES, OwnFigures, own_figures
from stream_detector.training.preparation import Prepared

#: Healthy readings in which false alarms are counted, at most.
HEALTHY_READINGS = 20_000
#: A difference counts from this many standard errors on, and from this share of the faults.
ERRORS, SMALLEST_SHARE = 2.0, 0.02
#: A model that is above its limit in this share of the healthy readings, and in so many times that of the other model, alarms
#: far too often, however few its incidents: one may last for days.
ALARMED_SHARE, TIMES_THE_OTHER = 0.5, 4.0


@dataclass(frozen=True, slots=True)
class Rating:
    """How one of the models did. K faults."""

    found: BoolArray  # [K] alarmed in time
    ranking: Float64Array  # [K] average precision of its score; NaN: not comparable
    false_alarms: int  # incidents in healthy readings
    promoted: bool | None  # by its own training
    own: OwnFigures = NO_FIGURES  # of its own training
    alarmed_share: float = 0.0  # of the healthy readings, above its limit
    extent: Extent | None = None  # of the history that it was trained on; None: unknown

    def as_json(self, mean_ranking: float | None) -> dict[str, Any]:
        """Return the figures for the training report."""
        return {
            "faults": len(self.found),
            "found": int(self.found.sum()),
            "mean_average_precision": mean_ranking,
            "false_alarms": self.false_alarms,
            "alarmed_share": self.alarmed_share,
            "promoted": self.promoted,
            "own_training": asdict(self.own),
            "history": self.extent.as_json() if self.extent else None,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both models on the same readings and faults."""

    budget: float  # per sensor and day
    healthy_days: float  # of the readings with the false alarms, all sensors together
    there: Rating  # the model in the directory
    new: Rating

    def rankings(self) -> tuple[float, float] | None:
        """Return the mean average precision of the model there and of the new one, over the faults that both ranked."""
        known = ~(np.isnan(self.there.ranking) | np.isnan(self.new.ranking))
        if not known.any():
            return None
        return float(self.there.ranking[known].mean()), float(self.new.ranking[known].mean())

    def as_json(self) -> dict[str, Any]:
        """Return the figures for the training report."""
        there, new = self.rankings() or (None, None)
        figures = {"budget_per_sensor_day": self.budget, "healthy_sensor_days": self.healthy_days}
        judged = {"worse": self.why_worse(), "model_there_alarms_too_often": self.there_alarms_too_often()}
        return figures | {"there": self.there.as_json(there), "new": self.new.as_json(new)} | judged

    @property
    def allowed(self) -> float:
        """How many false alarms the budget allows in the healthy readings."""
        return self.budget * self.healthy_days

    def there_alarms_too_often(self) -> bool:
        """Whether the model there alarms far beyond the budget on healthy readings, and the new one does not.

        Then the plant has changed, or the new data are bad, and what the model there finds in them proves nothing.
        """
        there, new = self.there, self.new
        if there.alarmed_share > max(ALARMED_SHARE, TIMES_THE_OTHER * new.alarmed_share):
            return True
        return _clearly_more(there.false_alarms, new.false_alarms) and there.false_alarms > self.allowed

    def why_too_short(self) -> str | None:
        """Say why the history of the new model is too short beside that of the one there; None if it is not.

        Held-back readings of a short history do not show what it lacks, so no figure of theirs makes up for it. A history for
        a trial may be all that there is since the plant has changed.
        """
        there, new = self.there.extent, self.new.extent
        if there is None or new is None or (not new.is_far_too_short and self.there_alarms_too_often()):
            return None
        return new.why_less_than(there)

    def why_worse(self) -> str | None:
        """Say why the new model is worse, as the end of a sentence that it begins; None if it is not, beyond chance."""
        there, new = self.there, self.new
        if short := self.why_too_short():
            return short
        if not len(new.found):
            return "could not be compared: no fault could be put into its held-back readings"
        if there.promoted and new.promoted is False:
            return "loses to windowed PCA, a simple detector, which the model there did not"
        if _clearly_more(new.false_alarms, there.false_alarms) and new.false_alarms > self.allowed:
            return f"raises more false alarms ({new.false_alarms} against {there.false_alarms})"
        if self.there_alarms_too_often():  # what it finds more, it finds by alarming too often
            weaker = new.own.why_weaker_than(there.own)
            return f"is weaker by its own training than the model there was by its own ({weaker})" if weaker else None
        lost, gained = int((there.found & ~new.found).sum()), int((new.found & ~there.found).sum())
        if _clearly_more(lost, gained) and lost - gained > SMALLEST_SHARE * len(new.found):
            return f"finds fewer faults ({int(new.found.sum())} of {len(new.found)} against {int(there.found.sum())})"
        return self._ranks_worse()

    def _ranks_worse(self) -> str | None:
        differences = self.new.ranking - self.there.ranking
        known = differences[~np.isnan(differences)]
        if len(known) < 2:
            return None
        error = float(known.std(ddof=1)) / math.sqrt(len(known))
        if -float(known.mean()) <= max(SMALLEST_SHARE, ERRORS * error):
            return None
        there, new = self.rankings() or (math.nan, math.nan)
        return f"tells faulty from healthy readings worse ({new:.3f} against {there:.3f})"


def compare(prepared: Prepared, there: Artifact, new: Artifact, settings: Settings) -> Comparison:
    """Compare two models of the same features on the held-back part of the new one's data. Blocks; compiles both."""
    stretches = held_back_stretches(prepared)
    drill = plan_for(prepared, stretches, max(there.spec.window_length, new.spec.window_length))
    counters = [prepared.dataset.features.index(name) for name in prepared.config.counters]
    healthy = as_meters(healthy_drill(stretches, HEALTHY_READINGS), counters)
    return Comparison(
        budget_per_sensor_day(new.calibration, settings.alerts),
        watched_days(healthy.arrives.size, prepared.interval_seconds),
        there=_rate(there, drill, healthy, settings),
        new=_rate(new, drill, healthy, settings),
    )


def _rate(artifact: Artifact, drill: Drill, healthy: Drill, settings: Settings) -> Rating:
    scorer = trial_scorer(artifact)
    result, calm = (
        run_drill(one, build_detector(scorer, settings.state, settings.alerts, settings.rules)) for one in (drill, healthy)
    )
    scored = ~np.isnan(calm.excess)
    return Rating(
        found=result.found,
        ranking=_rankings(result),
        false_alarms=int(calm.opened.sum()),
        promoted=(artifact.report.get(REPORT_KEY) or {}).get("promoted"),
        own=own_figures(artifact.report),
        extent=extent_of_model(artifact),
        alarmed_share=float((calm.excess[scored] > 0.0).mean()) if scored.any() else 0.0,
    )


def _clearly_more(count: int, other: int) -> bool:
    """Return whether a count exceeds another by more than chance, if both are Poisson."""
    return count - other > ERRORS * math.sqrt(count + other)


def _rankings(result: DrillResult) -> Float64Array:
    """Return how well the excess of the score ranks the faulty rows of each trial [K]."""
    rows = np.arange(result.excess.shape[1])
    found = np.full(len(result.drill), np.nan)
    for trial, excess in enumerate(result.excess):
        scored = ~np.isnan(excess)
        labels = ((rows >= result.drill.starts[trial]) & (rows < result.drill.ends[trial]))[scored]
        if labels.any() and not labels.all():
            found[trial] = average_precision(labels, excess[scored])
    return found
