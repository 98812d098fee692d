"""Declares --time-zone and --repeated-hour, of commands that read files, and says how they read values and times."""

from __future__ import annotations

import argparse
from dataclasses import replace

from stream_detector.assembly import input_parsing
from stream_detector.commands.argument_types import zone
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.errors import SettingsError
from stream_detector.ingest.parsing import Parsing
from stream_detector.settings.schema import Settings
from stream_detector.tables.repeated_hour import FIRST, SECOND


def add_time_zone_option(parser: argparse._ActionsContainer) -> None:
    """Declare --time-zone and --repeated-hour."""
    parser.add_argument(
        "--time-zone", type=zone, metavar="ZONE", help="of times without one, such as Europe/Berlin (default: INPUT__TIME_ZONE)"
    )
    parser.add_argument(
        "--repeated-hour",
        choices=(FIRST, SECOND),
        help="which pass of the hour that comes twice in autumn local times of files are in (default: as their order shows)",
    )


def parsing_of(arguments: argparse.Namespace, settings: Settings, model: ModelSpec | None = None) -> Parsing:
    """Return how values and times are read: as the settings, a model and the option --time-zone say."""
    parsing = input_parsing(settings.input, model)
    parsing = replace(parsing, zone=arguments.time_zone or parsing.zone, repeated_hour=arguments.repeated_hour)
    if parsing.repeated_hour and parsing.zone is None:
        msg = "--repeated-hour is of local times: name their zone with --time-zone, for example Europe/Berlin"
        raise SettingsError(msg)
    return parsing
