"""Decides an evaluation's scores at other budgets, so that its advice knows what they find and how often they alarm falsely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stream_detector.assembly import budget_per_sensor_day
from stream_detector.commands.progress import score_with_progress
from stream_detector.training.remembering_scorer import RememberingScorer, at_budget

if TYPE_CHECKING:
    from stream_detector.evaluation.labels import GroundTruth
    from stream_detector.evaluation.offline_scoring import ScoredRows
    from stream_detector.evaluation.scorecard import EvaluationConfig
    from stream_detector.settings.schema import Settings
    from stream_detector.tables.dataset import Dataset

#: Of larger files only the budget in force is known, for each other one takes as long again as all but the scoring.
MOST_ROWS = 1_000_000


def figures_by_budget(
    scorer: RememberingScorer,
    dataset: Dataset,
    truth: GroundTruth,
    scored: ScoredRows,
    *,
    config: EvaluationConfig,
    settings: Settings,
) -> list[dict[str, Any]]:
    """Return what the alarms at each budget find, ascending, as JSON-like data; nothing for a file of many rows.

    `scored` are the rows as decided at the budget in force.
    """
    from stream_detector.evaluation.alarms import pooled
    from stream_detector.evaluation.budget_choice import TRIED_BUDGETS
    from stream_detector.evaluation.scorecard import product_alarms, split_by_sensor

    if len(dataset) > MOST_ROWS:
        return []
    in_force, found = budget_per_sensor_day(scorer.calibration, settings.alerts), []
    for budget in sorted({*TRIED_BUDGETS, in_force}):
        rows = scored
        if budget != in_force:
            other = settings.model_copy(update={"alerts": at_budget(settings.alerts, budget)})
            rows = score_with_progress(scorer, dataset, other, activity=f"deciding at {budget:g}")
        counts = pooled([product_alarms(one, config) for one in split_by_sensor(dataset, truth.labels, rows, truth.silences)])
        found.append(
            {
                "budget_per_sensor_day": budget,
                "events_found": len(counts.delays_rows),
                "events_alarmed_before": counts.events_alarmed_before,
                "false_incidents": counts.false_incidents,
                "sensor_days": counts.days,
            }
        )
    return found
