"""The four acts of the demo, in order: servers, model, service, stream."""

from __future__ import annotations

import shlex
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from stream_detector.alert_view import picture_printer
from stream_detector.demo.environment import Places, places
from stream_detector.demo.service_process import Job, running_job, train
from stream_detector.demo.stream import Audience, Pace, audience, perform
from stream_detector.simulation.fault_matching import MatchResult, match_faults
from stream_detector.simulation.faults import Fault, describe, plan_faults
from stream_detector.simulation.file_writer import write_files
from stream_detector.simulation.fleet import Fleet
from stream_detector.simulation.series import Series
from stream_detector.simulation.topic_writer import open_writer
from stream_detector.timestamps import duration

#: Nothing goes wrong in the first part of the stream: the windows fill up.
QUIET_READINGS = 64
WINDOW_LENGTH = 32
_WRITER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is shown. Seconds are of event time; readings are one second apart."""

    fleet: Fleet
    history_seconds: float
    stream_seconds: float
    speed: float
    faults: int
    budget_per_sensor_day: float
    training_steps: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    verdict: MatchResult
    alerts: int
    readings: int


def play(plan: Plan, brokers: str | None, redis_url: str | None, directory: Path, console: Console) -> Outcome:
    """Run the real job and judge it. Everything that was started is stopped when this returns or raises."""

    def warn(text: str) -> None:
        console.print(text, style="yellow", soft_wrap=True)

    # In event time the stream ends where the demo begins: readings are never dated ahead of the clock.
    start_ms = int((time.time() - plan.stream_seconds) * 1000.0)
    with ExitStack() as stack:
        _announce(console, 1, "servers")
        here = stack.enter_context(places(brokers, redis_url, directory, warn))
        _introduce(here, console)
        _announce(
            console, 2, f"a model of {plan.fleet.sensors} healthy pumps, from {duration(plan.history_seconds)} of readings"
        )
        model = directory / "model"
        _train(plan, start_ms, model, directory)
        _announce(console, 3, "the service, stream-detector run")
        begun = time.monotonic()
        job = stack.enter_context(running_job(here, model, plan.budget_per_sensor_day, directory))
        job.wait_until_ready()
        console.print(f"ready after {duration(time.monotonic() - begun)}; metrics at {job.url}/metrics", soft_wrap=True)
        return _stream(plan, start_ms, here, job, console)


def _announce(console: Console, number: int, text: str) -> None:
    console.print(f"\n[{number}/4] {text}", style="bold", soft_wrap=True)


def _introduce(here: Places, console: Console) -> None:
    """Say where everything is, and how to listen in."""
    kafka = here.kafka
    how = {True: "embedded, gone after the demo", False: "yours; what the demo makes there is removed at the end"}
    console.print(f"Kafka   {kafka.brokers} ({how[here.owns_broker]})", soft_wrap=True)
    console.print(f"Redis   {here.redis_address()} ({how[here.owns_redis]})", soft_wrap=True)
    console.print(
        f"topics  {kafka.input_topic}, {kafka.alerts_topic}, {kafka.dead_letter_topic}; group {kafka.group_id}", soft_wrap=True
    )
    console.print("Any Kafka client can listen in while this runs, for example in another terminal:", soft_wrap=True)
    console.print(
        f"  STREAM_DETECTOR_KAFKA__BROKERS={kafka.brokers} STREAM_DETECTOR_KAFKA__ALERTS_TOPIC={kafka.alerts_topic}"
        f" {shlex.quote(sys.executable)} -m stream_detector watch\n"
        f"  kafka-console-consumer.sh --bootstrap-server {kafka.brokers} --topic {kafka.alerts_topic}"
        " --isolation-level read_committed",
        soft_wrap=True,
    )


def _train(plan: Plan, start_ms: int, model: Path, directory: Path) -> None:
    """Train on the time right before the stream, when all was well."""
    steps = max(int(plan.history_seconds), 1)
    history = directory / "history.parquet"
    write_files(Series(plan.fleet, start_ms - steps * 1000, iter(())), steps, history, None)
    options = {"--name": "pumps", "--window-length": WINDOW_LENGTH, "--steps": plan.training_steps}
    train(history, model, [str(word) for option in options.items() for word in option])


def _stream(plan: Plan, start_ms: int, here: Places, job: Job, console: Console) -> Outcome:
    """Publish with faults, draw the alerts, and judge."""
    steps = max(int(plan.stream_seconds), 1)
    faults = plan_faults(plan.fleet, start_ms + QUIET_READINGS * 1000, start_ms + steps * 1000, plan.faults)
    clock_time = duration(steps / plan.speed)
    _announce(
        console, 4, f"{duration(steps)} of readings in {clock_time}, {len(faults)} faults among them; alerts as they come"
    )

    def tell(fault: Fault) -> None:
        console.print(describe(fault), style="dim", soft_wrap=True)

    writer = open_writer(here.kafka, _WRITER_SECONDS, time.monotonic, lambda: False, console.print)
    assert writer is not None  # only a stop gives none
    try:
        with audience(here.kafka, picture_printer(), tell) as listeners:
            perform(Series(plan.fleet, start_ms, iter(faults)), Pace(steps, plan.speed), writer, job, listeners)
            return _outcome(plan, faults, listeners, writer.acknowledged)
    finally:
        writer.close()


def _outcome(plan: Plan, faults: list[Fault], listeners: Audience, readings: int) -> Outcome:
    window_seconds = WINDOW_LENGTH * plan.fleet.interval_seconds
    return Outcome(match_faults(faults, listeners.opened, window_seconds), listeners.alerts, readings)
