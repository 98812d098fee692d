"""`stream-detector simulate`: readings of a fleet of pumps, with faults, to a file with labels or to the input topic."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from stream_detector.commands.argument_types import count, moment, positive, share
from stream_detector.commands.settings_options import add_settings_options, settings_of
from stream_detector.errors import SettingsError
from stream_detector.logs import silence_kafka_client
from stream_detector.service.signals import stop_requested
from stream_detector.simulation.faults import Fault, describe, endless_faults, plan_faults
from stream_detector.simulation.fleet import Fleet
from stream_detector.simulation.series import Series
from stream_detector.timestamps import iso_time, to_ms

#: Where a file's event time begins unless told otherwise: fixed, so that equal arguments give equal files.
FILE_START = datetime(2026, 1, 1, tzinfo=UTC)
TOPIC_FAULT_EVERY_SECONDS = 120.0
#: A stream without end that is faster than the clock begins so far back, and goes at the clock's pace when it is reached.
CATCH_UP_SECONDS = 6 * 3600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    where = parser.add_argument_group("where to (default: the input topic of the settings)")
    where.add_argument("--output", type=Path, metavar="FILE", help="write a .csv or .parquet file instead")
    where.add_argument(
        "--labels", type=Path, metavar="FILE", help="with --output: write the truth to this .csv or .parquet file"
    )
    add_settings_options(where)

    where.add_argument("--wait-seconds", type=positive, default=60.0, metavar="S", help="how long to wait for the brokers")

    what = parser.add_argument_group("what")
    what.add_argument("--sensors", type=count, default=12, metavar="N", help="pumps")
    what.add_argument("--seed", type=int, default=7, metavar="N", help="another number, another fleet and other faults")
    what.add_argument("--interval-seconds", type=positive, default=1.0, metavar="S", help="between two readings of a pump")
    what.add_argument("--missing", type=share, default=0.0, metavar="SHARE", help="share of values that are missing")
    what.add_argument("--start", type=moment, metavar="TIME", help="first event time, as 2026-11-23T07:00:00Z")
    length = what.add_mutually_exclusive_group()
    length.add_argument("--duration-seconds", type=positive, default=3600.0, metavar="S", help="event time to make")
    length.add_argument("--until-stopped", action="store_true", help="to a topic: go on until interrupted")
    what.add_argument(
        "--speed", type=positive, default=1.0, metavar="X", help="to a topic: event time runs X times as fast as the clock"
    )
    faults = what.add_mutually_exclusive_group()
    faults.add_argument("--faults", type=count, metavar="N", help="N faults spread over the duration")
    faults.add_argument("--fault-every-seconds", type=positive, metavar="S", help="a fault every S seconds of event time")
    faults.add_argument("--no-faults", action="store_true", help="a healthy fleet (the default for a file)")


def main(arguments: argparse.Namespace) -> int:
    """Simulate to a file or to the topic."""
    fleet = Fleet(arguments.sensors, arguments.seed, arguments.interval_seconds)
    if arguments.output:
        return _to_file(arguments, fleet)
    if arguments.labels:
        msg = "--labels needs --output: a topic carries no labels"
        raise SettingsError(msg)
    return _to_topic(arguments, fleet)


def _to_file(arguments: argparse.Namespace, fleet: Fleet) -> int:
    from stream_detector.simulation.file_writer import write_files

    if arguments.until_stopped:
        msg = "--until-stopped is for a topic; a file needs --duration-seconds"
        raise SettingsError(msg)
    start_ms = to_ms(arguments.start or FILE_START)
    series = Series(fleet, start_ms, _faults(arguments, fleet, start_ms, None), arguments.missing)
    rows = write_files(series, _steps(arguments), arguments.output, arguments.labels)
    print(f"{arguments.output}: {rows:,} readings of {fleet.sensors} pumps")  # noqa: T201 - the command line prints
    return 0


def _to_topic(arguments: argparse.Namespace, fleet: Fleet) -> int:
    from stream_detector.simulation.topic_writer import messages, open_writer, paced

    settings = settings_of(arguments).kafka
    silence_kafka_client()
    steps = None if arguments.until_stopped else _steps(arguments)
    start_ms = _topic_start_ms(arguments, time.time())
    if steps is None and arguments.faults:
        msg = "--faults N needs an end; with --until-stopped give --fault-every-seconds"
        raise SettingsError(msg)
    series = Series(fleet, start_ms, _faults(arguments, fleet, start_ms, TOPIC_FAULT_EVERY_SECONDS), arguments.missing)
    with stop_requested() as stop:
        writer = open_writer(settings, arguments.wait_seconds, time.monotonic, stop.is_set, _say)
        if writer is None:
            return 0
        try:
            _say(f"publishing {fleet.sensors} pumps to {settings.input_topic} at {settings.brokers} from {iso_time(start_ms)}")
            for piece in paced(series, steps, arguments.speed, time.time, stop.wait):
                for sensor_id, value in messages(series, piece):
                    writer.send(sensor_id, value)
                for fault in piece.begun:
                    _say(describe(fault))
            writer.flush()
        finally:
            writer.close()
    _say(f"{settings.input_topic}: {writer.acknowledged:,} readings of {fleet.sensors} pumps")
    return 0


def _topic_start_ms(arguments: argparse.Namespace, now: float) -> int:
    """Return where event time begins unless told: so that it meets the clock at its end."""
    if arguments.start:
        if arguments.start.timestamp() > now:
            msg = f"--start {arguments.start.isoformat()} lies in the future; readings are never dated ahead of the clock"
            raise SettingsError(msg)
        return to_ms(arguments.start)
    length = CATCH_UP_SECONDS if arguments.until_stopped else arguments.duration_seconds
    # At speed X event time catches up with the clock by X - 1 seconds in each second.
    return int((now - length * (1.0 - 1.0 / max(arguments.speed, 1.0))) * 1000.0)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the command line prints


def _faults(arguments: argparse.Namespace, fleet: Fleet, start_ms: int, default_every_seconds: float | None) -> Iterator[Fault]:
    """Return the faults that the options ask for, by start time."""
    if arguments.faults:
        return iter(plan_faults(fleet, start_ms, start_ms + round(arguments.duration_seconds * 1000.0), arguments.faults))
    every_seconds = arguments.fault_every_seconds or default_every_seconds
    if arguments.no_faults or every_seconds is None:
        return iter(())
    return endless_faults(fleet, start_ms, every_seconds)


def _steps(arguments: argparse.Namespace) -> int:
    return max(int(arguments.duration_seconds / arguments.interval_seconds), 1)
