"""Declares the option --time-zone, which train, score and evaluate share, and says how they read values and times."""

from __future__ import annotations

import argparse
from dataclasses import replace

from stream_detector.assembly import input_parsing
from stream_detector.commands.argument_types import zone
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.ingest.parsing import Parsing
from stream_detector.settings.schema import Settings


def add_time_zone_option(parser: argparse._ActionsContainer) -> None:
    """Declare --time-zone."""
    parser.add_argument(
        "--time-zone", type=zone, metavar="ZONE", help="of times without one, such as Europe/Berlin (default: INPUT__TIME_ZONE)"
    )


def parsing_of(arguments: argparse.Namespace, settings: Settings, model: ModelSpec | None = None) -> Parsing:
    """Return how values and times are read: as the settings, a model and the option --time-zone say."""
    parsing = input_parsing(settings.input, model)
    return replace(parsing, zone=arguments.time_zone) if arguments.time_zone else parsing
