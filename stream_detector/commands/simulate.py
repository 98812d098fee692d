"""`stream-detector simulate`: write readings of a simulated fleet, with faults, to a file with labels or to the input topic."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stream_detector.commands.argument_types import count, moment, positive, share
from stream_detector.commands.settings_options import add_settings_options, settings_of
from stream_detector.errors import SettingsError
from stream_detector.logs import silence_kafka_client
from stream_detector.service.signals import stop_requested
from stream_detector.simulation.faults import Fault, describe, endless_faults, plan_faults
from stream_detector.simulation.fleet import Fleet
from stream_detector.simulation.series import Piece, Series
from stream_detector.timestamps import iso_time, to_ms

if TYPE_CHECKING:
    from stream_detector.simulation.topic_writer import ReadingsWriter

#: Default start of event time in a file; fixed, so that equal arguments give equal files.
FILE_START = datetime(2026, 1, 1, tzinfo=UTC)
TOPIC_FAULT_EVERY_SECONDS = 120.0
#: An endless stream that is faster than the clock starts this far back, and slows to real time when it has caught up.
CATCH_UP_SECONDS = 6 * 3600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    where = parser.add_argument_group("destination (default: the input topic of the settings)")
    where.add_argument("--output", type=Path, metavar="FILE", help="write a .csv or .parquet file instead")
    where.add_argument(
        "--labels", type=Path, metavar="FILE", help="with --output: write the labels to this .csv or .parquet file"
    )
    add_settings_options(where)

    where.add_argument("--wait-seconds", type=positive, default=60.0, metavar="S", help="how long to wait for the brokers")

    what = parser.add_argument_group("readings")
    what.add_argument("--sensors", type=count, default=12, metavar="N", help="number of pumps")
    what.add_argument("--seed", type=int, default=7, metavar="N", help="seed of the fleet and its faults")
    what.add_argument("--interval-seconds", type=positive, default=1.0, metavar="S", help="time between two readings of a pump")
    what.add_argument("--missing", type=share, default=0.0, metavar="SHARE", help="share of values that are missing")
    what.add_argument("--start", type=moment, metavar="TIME", help="first event time, such as 2026-11-23T07:00:00Z")
    length = what.add_mutually_exclusive_group()
    length.add_argument("--duration-seconds", type=positive, default=3600.0, metavar="S", help="length in event time")
    length.add_argument("--until-stopped", action="store_true", help="to a topic: continue until interrupted")
    what.add_argument(
        "--speed", type=positive, default=1.0, metavar="X", help="to a topic: event time runs X times as fast as the clock"
    )
    faults = what.add_mutually_exclusive_group()
    faults.add_argument("--faults", type=count, metavar="N", help="N faults spread over the duration")
    faults.add_argument("--fault-every-seconds", type=positive, metavar="S", help="a fault every S seconds of event time")
    faults.add_argument("--no-faults", action="store_true", help="a healthy fleet (default for a file)")


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
    from stream_detector.simulation.topic_writer import open_writer, paced

    settings = settings_of(arguments).kafka
    silence_kafka_client()
    steps = None if arguments.until_stopped else _steps(arguments)
    start_ms = _topic_start_ms(arguments, time.time())
    if steps is None and arguments.faults:
        msg = "--faults N needs an end; with --until-stopped use --fault-every-seconds"
        raise SettingsError(msg)
    series = Series(fleet, start_ms, _faults(arguments, fleet, start_ms, TOPIC_FAULT_EVERY_SECONDS), arguments.missing)
    with stop_requested() as stop:
        writer = open_writer(settings, arguments.wait_seconds, time.monotonic, stop.is_set, _print)
        if writer is None:
            return 0
        topic = f"{settings.input_topic} at {settings.brokers}"
        with closing(writer):
            _print(f"publishing {fleet.sensors} pumps to {topic} from {iso_time(start_ms)}")
            _publish(series, paced(series, steps, arguments.speed, time.time, stop.wait), writer)
    _print(f"{settings.input_topic}: {writer.acknowledged:,} readings of {fleet.sensors} pumps")
    return 0


def _publish(series: Series, pieces: Iterator[Piece], writer: ReadingsWriter) -> None:
    """Publish the pieces, print each fault when it starts, and wait until Kafka has acknowledged all readings."""
    from stream_detector.simulation.topic_writer import messages

    for piece in pieces:
        for sensor_id, value in messages(series, piece):
            writer.send(sensor_id, value)
        for fault in piece.started:
            _print(describe(fault))
    writer.flush()


def _topic_start_ms(arguments: argparse.Namespace, now: float) -> int:
    """Return the start of event time; by default, early enough that event time reaches the clock at the end."""
    if arguments.start:
        if arguments.start.timestamp() > now:
            msg = f"--start {arguments.start.isoformat()} lies in the future; readings are never dated ahead of the clock"
            raise SettingsError(msg)
        return to_ms(arguments.start)
    length = CATCH_UP_SECONDS if arguments.until_stopped else arguments.duration_seconds
    # At speed X, event time gains X - 1 seconds on the clock in each second.
    return int((now - length * (1.0 - 1.0 / max(arguments.speed, 1.0))) * 1000.0)


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the command line prints


def _faults(arguments: argparse.Namespace, fleet: Fleet, start_ms: int, default_every_seconds: float | None) -> Iterator[Fault]:
    """Return the faults that the options request, by start time."""
    if arguments.faults:
        return iter(plan_faults(fleet, start_ms, start_ms + round(arguments.duration_seconds * 1000.0), arguments.faults))
    every_seconds = arguments.fault_every_seconds or default_every_seconds
    if arguments.no_faults or every_seconds is None:
        return iter(())
    return endless_faults(fleet, start_ms, every_seconds)


def _steps(arguments: argparse.Namespace) -> int:
    return max(int(arguments.duration_seconds / arguments.interval_seconds), 1)
