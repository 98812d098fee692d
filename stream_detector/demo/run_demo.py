"""Runs the demo in four stages: servers, model, service, stream."""

from __future__ import annotations

import shlex
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from stream_detector.alert_view import event_printer
from stream_detector.demo.environment import DemoServers, demo_servers
from stream_detector.demo.service_process import RunningService, running_service, train
from stream_detector.demo.stream import AlertListener, Pace, alert_listener, stream_readings
from stream_detector.detection.budget_resolution import BudgetResolution, resolution_of
from stream_detector.model_store.model_directory import load_artifact
from stream_detector.simulation.fault_matching import MatchResult, match_faults
from stream_detector.simulation.faults import Fault, describe, plan_faults
from stream_detector.simulation.file_writer import write_files
from stream_detector.simulation.fleet import Fleet
from stream_detector.simulation.series import Series
from stream_detector.simulation.topic_writer import open_writer
from stream_detector.timestamps import duration

#: Readings per sensor before the first fault, while the windows fill.
QUIET_READINGS = 64
WINDOW_LENGTH = 32
_WRITER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What the demo does. Seconds are of event time; readings are one second apart."""

    fleet: Fleet
    history_seconds: float
    stream_seconds: float
    speed: float
    faults: int
    budget_per_sensor_day: float
    training_steps: int


@dataclass(frozen=True, slots=True)
class DemoOutcome:
    """How the alerts match the faults, how many alerts and readings there were, and what is known of the budget."""

    match: MatchResult
    alerts: int
    readings: int
    resolution: BudgetResolution | None = None  # how well the budget is known to be kept


def run_demo(plan: DemoPlan, brokers: str | None, redis_url: str | None, directory: Path, console: Console) -> DemoOutcome:
    """Train, run the service, stream readings with faults and match its alerts to them. Blocks.

    Stops everything it started, even when it raises StreamDetectorError.
    """

    def warn(text: str) -> None:
        console.print(text, style="yellow", soft_wrap=True)

    # The stream ends, in event time, when the demo begins: readings must not be dated ahead of the clock.
    start_ms = int((time.time() - plan.stream_seconds) * 1000.0)
    with ExitStack() as stack:
        _announce(console, 1, "servers")
        servers = stack.enter_context(demo_servers(brokers, redis_url, directory, warn))
        _introduce(servers, console)
        _announce(
            console,
            2,
            f"a model of {plan.fleet.sensors} healthy pumps, trained on {duration(plan.history_seconds)} of readings of each",
        )
        model = directory / "model"
        _train(plan, start_ms, model, directory)
        artifact, budget = load_artifact(model), plan.budget_per_sensor_day
        known = resolution_of(artifact.calibration, budget, 1, artifact.spec.sampling_interval_seconds)
        _announce(console, 3, "the service, stream-detector run")
        started = time.monotonic()
        service = stack.enter_context(running_service(servers, model, budget, directory))
        service.wait_until_ready()
        console.print(f"ready after {duration(time.monotonic() - started)}; metrics at {service.url}/metrics", soft_wrap=True)
        return replace(_stream(plan, start_ms, servers, service, console), resolution=known)


def _announce(console: Console, number: int, text: str) -> None:
    console.print(f"\n[{number}/4] {text}", style="bold", soft_wrap=True)


def _introduce(servers: DemoServers, console: Console) -> None:
    """Print the addresses and names in use, and how to read the alerts from another terminal."""
    kafka = servers.kafka
    ownership = {True: "embedded, removed after the demo", False: "yours; the demo removes what it creates there"}
    console.print(f"Kafka   {kafka.brokers} ({ownership[servers.owns_broker]})", soft_wrap=True)
    console.print(f"Redis   {servers.redis_address()} ({ownership[servers.owns_redis]})", soft_wrap=True)
    console.print(
        f"topics  {kafka.input_topic}, {kafka.alerts_topic}, {kafka.dead_letter_topic}; group {kafka.group_id}", soft_wrap=True
    )
    console.print("Any Kafka client can read the alerts while the demo runs, for example in another terminal:", soft_wrap=True)
    console.print(
        f"  STREAM_DETECTOR_KAFKA__BROKERS={kafka.brokers} STREAM_DETECTOR_KAFKA__ALERTS_TOPIC={kafka.alerts_topic}"
        f" {shlex.quote(sys.executable)} -m stream_detector watch\n"
        f"  kafka-console-consumer.sh --bootstrap-server {kafka.brokers} --topic {kafka.alerts_topic}"
        " --isolation-level read_committed",
        soft_wrap=True,
    )


def _train(plan: DemoPlan, start_ms: int, model: Path, directory: Path) -> None:
    """Train on healthy readings from right before the stream."""
    steps = max(int(plan.history_seconds), 1)
    history = directory / "history.parquet"
    write_files(Series(plan.fleet, start_ms - steps * 1000, iter(())), steps, history, None)
    options = {"--name": "pumps", "--window-length": WINDOW_LENGTH, "--steps": plan.training_steps}
    train(
        history,
        model,
        plan.budget_per_sensor_day,
        ["--part-of-demo", *(str(word) for option in options.items() for word in option)],
    )


def _stream(plan: DemoPlan, start_ms: int, servers: DemoServers, service: RunningService, console: Console) -> DemoOutcome:
    """Publish readings with faults, show the alerts and match them to the faults."""
    steps = max(int(plan.stream_seconds), 1)
    faults = plan_faults(plan.fleet, start_ms + QUIET_READINGS * 1000, start_ms + steps * 1000, plan.faults)
    clock_time = duration(steps / plan.speed)
    _announce(console, 4, f"{duration(steps)} of readings in {clock_time}, with {len(faults)} faults; alerts as they come")

    def announce_fault(fault: Fault) -> None:
        console.print(describe(fault), style="dim", soft_wrap=True)

    writer = open_writer(servers.kafka, _WRITER_SECONDS, time.monotonic, lambda: False, console.print)
    assert writer is not None  # None means stopped, and `lambda: False` never stops it
    try:
        with alert_listener(servers.kafka, event_printer(), announce_fault) as listener:
            stream_readings(Series(plan.fleet, start_ms, iter(faults)), Pace(steps, plan.speed), writer, service, listener)
            return _outcome(plan, faults, listener, writer.acknowledged)
    finally:
        writer.close()


def _outcome(plan: DemoPlan, faults: list[Fault], listener: AlertListener, readings: int) -> DemoOutcome:
    window_seconds = WINDOW_LENGTH * plan.fleet.interval_seconds
    return DemoOutcome(match_faults(faults, listener.opened, window_seconds), listener.alerts, readings)
