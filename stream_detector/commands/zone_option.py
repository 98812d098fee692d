"""Declares --time-zone, for all commands that read times from files or show times to people."""

from __future__ import annotations

import argparse
from datetime import tzinfo

from stream_detector.commands.argument_types import zone
from stream_detector.settings.input_settings import InputSettings, time_zone

_READ = "zone of times that have none, such as Europe/Berlin (default: INPUT__TIME_ZONE, or else UTC)"
_SHOWN = "show times in this zone, such as Europe/Berlin or UTC (default: INPUT__TIME_ZONE, or else UTC, which ends in Z)"
_HOUR = "which pass of the hour that comes twice in autumn local times of files are in (default: as their order shows)"
_BOTH = (
    "zone of times that have none, and in which times are shown, such as Europe/Berlin (default: INPUT__TIME_ZONE, or else "
    "UTC, which ends in Z)"
)


def add_zone_option(parser: argparse._ActionsContainer, *, reads: bool = False, shows: bool = False) -> None:
    """Declare --time-zone for a command that reads times, shows them, or does both; and --repeated-hour if it reads files."""
    text = _BOTH if reads and shows else _READ if reads else _SHOWN
    parser.add_argument("--time-zone", type=zone, metavar="ZONE", help=text)
    if reads:
        from stream_detector.tables.repeated_hour import FIRST, SECOND

        parser.add_argument("--repeated-hour", choices=(FIRST, SECOND), help=_HOUR)


def shown_zone(arguments: argparse.Namespace, settings: InputSettings) -> tzinfo | None:
    """Return the zone in which times are shown; None: UTC."""
    return arguments.time_zone or (time_zone(settings.time_zone) if settings.time_zone else None)
