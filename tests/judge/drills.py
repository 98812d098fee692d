"""Repeats the injected faults of `train`, in its held-back readings, at each budget.

`train` says at its end which of them are alarmed at the budget in force. The faults are the same: they follow from the data and
the options.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import cast

from stream_detector.assembly import TrainedScorer, build_detector
from stream_detector.commands import train as command
from stream_detector.commands.column_options import choices_of
from stream_detector.commands.model_options import follow_settings, training_config
from stream_detector.commands.train_input import read_files
from stream_detector.gate.drill_run import run_drill
from stream_detector.settings.schema import AlertSettings, Settings
from stream_detector.tables.dataset import clean
from stream_detector.training.alarm_drill import plan_alarm_drill
from stream_detector.training.inspection import inspect
from stream_detector.training.preparation import Prepared, prepare
from tests.judge.product import RememberingScorer
from tests.judge.results import Drills


def prepared_training(options: Sequence[str], settings: Settings) -> Prepared:
    """Prepare the training again that `train` does with these options and settings."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    arguments = parser.parse_args(options)
    follow_settings(arguments, settings)
    inspection = inspect(clean(read_files(arguments))[0], choices_of(arguments))
    return prepare(inspection.dataset, training_config(arguments, inspection))


def drill_at_budgets(
    options: Sequence[str], scorer: TrainedScorer, settings: Settings, alerts: dict[str, AlertSettings]
) -> Drills:
    """Return what is found at each budget; nothing if the held-back readings are too few for a fault."""
    drill = plan_alarm_drill(prepared_training(options, settings))
    remembering = RememberingScorer(scorer)
    found: Drills = {}
    for budget, of_budget in alerts.items() if len(drill) else ():
        remembering.rewind()
        detector = build_detector(cast("TrainedScorer", remembering), settings.state, of_budget, settings.rules)
        found[budget] = [kind.as_json() for kind in run_drill(drill, detector).by_kind()]
    return found
