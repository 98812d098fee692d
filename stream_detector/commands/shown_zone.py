"""Declares --time-zone, of commands that show times to people."""

from __future__ import annotations

import argparse
from datetime import tzinfo

from stream_detector.commands.argument_types import zone
from stream_detector.settings.input_settings import InputSettings, time_zone


def add_shown_zone_option(parser: argparse.ArgumentParser) -> None:
    """Declare --time-zone."""
    parser.add_argument(
        "--time-zone",
        type=zone,
        metavar="ZONE",
        help="show times in this zone, such as Europe/Berlin or UTC (default: INPUT__TIME_ZONE, or else UTC, which ends in Z)",
    )


def shown_zone(arguments: argparse.Namespace, settings: InputSettings) -> tzinfo | None:
    """Return the zone in which times are shown; None: UTC."""
    return arguments.time_zone or (time_zone(settings.time_zone) if settings.time_zone else None)
