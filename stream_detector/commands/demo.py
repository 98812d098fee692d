"""`stream-detector demo`: run everything in one terminal and compare the alerts with known faults."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from stream_detector.commands.argument_types import count, positive
from stream_detector.errors import InputDataError, StreamDetectorError
from stream_detector.logs import silence_kafka_client
from stream_detector.service.signals import exiting_on_sigterm
from stream_detector.simulation.fleet import Fleet
from stream_detector.timestamps import duration


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    where = parser.add_argument_group("servers (default: embedded ones, removed after the demo)")
    where.add_argument("--brokers", metavar="HOST:PORT", help="your own Kafka; the demo uses topics of its own there")
    where.add_argument("--redis-url", metavar="URL", help="your own Redis or Valkey; the demo uses keys of its own there")

    what = parser.add_argument_group("stream (seconds are of event time)")
    what.add_argument("--sensors", type=count, default=12, metavar="N", help="pumps")
    what.add_argument("--seed", type=int, default=7, metavar="N", help="selects the fleet and its faults")
    what.add_argument("--history-seconds", type=positive, default=5400.0, metavar="S", help="healthy readings to train on")
    what.add_argument("--duration-seconds", type=positive, default=2400.0, metavar="S", help="readings to stream")
    what.add_argument("--speed", type=positive, default=40.0, metavar="X", help="event time runs X times as fast as the clock")
    what.add_argument("--faults", type=count, default=14, metavar="N", help="faults to inject")
    what.add_argument("--budget", type=positive, default=5.0, metavar="N", help="false alarms accepted per sensor and day")
    what.add_argument(
        "--training-steps", type=count, default=650, metavar="N", help="gradient steps; more steps take longer and detect more"
    )
    parser.add_argument("--json-summary", type=Path, metavar="FILE", help="also write the results to this file")


def main(arguments: argparse.Namespace) -> int:
    """Run the demo; return 0 if the service read all readings and found a fault."""
    from rich.console import Console

    from stream_detector.demo.run_demo import DemoPlan, run_demo
    from stream_detector.demo.summary import print_summary, summary

    began = time.monotonic()
    silence_kafka_client()
    console = Console(highlight=False, markup=False, emoji=False)
    plan = DemoPlan(
        fleet=Fleet(arguments.sensors, arguments.seed),
        history_seconds=arguments.history_seconds,
        stream_seconds=arguments.duration_seconds,
        speed=arguments.speed,
        faults=arguments.faults,
        budget_per_sensor_day=arguments.budget,
        training_steps=arguments.training_steps,
    )
    with exiting_on_sigterm(), tempfile.TemporaryDirectory(prefix="stream-detector-demo-") as directory:
        outcome = run_demo(plan, arguments.brokers, arguments.redis_url, Path(directory), console)
    print_summary(plan, outcome, console)
    console.print(f"The demo took {duration(time.monotonic() - began)}. Everything it started is stopped.", soft_wrap=True)
    if arguments.json_summary:
        _write(summary(plan, outcome), arguments.json_summary)
    if not outcome.match.found():
        msg = "no fault was found: everything ran, but the model does not detect these faults"
        raise StreamDetectorError(msg)
    return 0


def _write(outcome: dict[str, object], path: Path) -> None:
    try:
        path.write_text(json.dumps(outcome, indent=2) + "\n")
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise InputDataError(msg) from None
