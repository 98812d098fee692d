"""Says how commands that read files read values and times: by the settings, a model, --time-zone and --repeated-hour."""

from __future__ import annotations

import argparse
from dataclasses import replace

from stream_detector.assembly import input_parsing
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.errors import SettingsError
from stream_detector.ingest.parsing import Parsing
from stream_detector.settings.schema import Settings


def parsing_of(arguments: argparse.Namespace, settings: Settings, model: ModelSpec | None = None) -> Parsing:
    """Return how values and times are read: as the settings, a model and the option --time-zone say."""
    parsing = input_parsing(settings.input, model)
    parsing = replace(parsing, zone=arguments.time_zone or parsing.zone, repeated_hour=arguments.repeated_hour)
    if parsing.repeated_hour and parsing.zone is None:
        msg = "--repeated-hour is of local times: name their zone with --time-zone, for example Europe/Berlin"
        raise SettingsError(msg)
    return parsing
