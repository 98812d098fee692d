"""`stream-detector run`: assemble the service and run it."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from stream_detector import __version__
from stream_detector.adapters.http_server import serve_pages
from stream_detector.commands.connections import Connections, connect
from stream_detector.commands.learning_left import LearningLeft
from stream_detector.commands.rekey_engine import behind
from stream_detector.commands.run_fit import check_fit
from stream_detector.commands.run_learning import Learner
from stream_detector.commands.run_model import Loading, Watched, await_watched, begin_to_load
from stream_detector.commands.run_pipeline import Parts, Pipelines, Status, arrival_of, waiting_for_features
from stream_detector.commands.run_rekeying import begin_rekeying, refuse_unkeyed, rekey_command
from stream_detector.commands.settings_options import add_settings_options, settings_arguments, settings_of
from stream_detector.errors import SettingsError, StreamDetectorError
from stream_detector.logs import set_up_logging
from stream_detector.model_store.model_directory import is_absent
from stream_detector.pipeline.executor import no_op
from stream_detector.service.companion import Companion
from stream_detector.service.health import health_pages
from stream_detector.service.learning_status import LearningStatus
from stream_detector.service.metrics import Metrics
from stream_detector.service.reload import Reloader, reread
from stream_detector.service.service import Service, tune_garbage_collector
from stream_detector.service.signals import ReloadFlag, StopFlag
from stream_detector.service.watchdog import Heartbeat, Watchdog, end_process
from stream_detector.settings.schema import Settings

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; everything else is a setting."""
    add_settings_options(parser)


def main(arguments: argparse.Namespace) -> int:
    """Run the service until SIGTERM or SIGINT; return the exit code.

    Until it joins the group there is nothing to finish, and the command line's handlers end the process at once.
    """
    settings = settings_of(arguments)
    set_up_logging(settings.service.log_level, settings.service.log_format)
    signals = Signals(StopFlag(), ReloadFlag())
    try:
        with ExitStack() as handlers, signals.reload.installed(), ExitStack() as resources:
            read = partial(settings_of, arguments)
            tools = ChildCommands(rekey_command(arguments), settings_arguments(arguments))
            run = assemble(settings, read, signals, resources, tools)
            handlers.enter_context(signals.stop.installed())
            run()
    except StreamDetectorError as error:
        if settings.service.log_format == "json":  # in a text log, the message of the command line is enough
            logger.critical("%s", error, extra={"error": type(error).__name__})
        raise
    return 0


@dataclass(frozen=True, slots=True)
class Signals:
    """The flags that signals set: stop, and reload the settings."""

    stop: StopFlag
    reload: ReloadFlag


@dataclass(frozen=True, slots=True)
class ChildCommands:
    """How the processes that `run` starts are called."""

    rekey: list[str]  # the command that re-keys the input topic
    settings_options: Sequence[str] = ()  # the options with which a training finds the settings


def assemble(
    settings: Settings, read: Callable[[], Settings], signals: Signals, resources: ExitStack, commands: ChildCommands
) -> Callable[[], None]:
    """Assemble the service; return the function that joins the group and runs it until it is asked to stop.

    `resources` closes its parts in reverse order; `read` reads the settings again.
    """
    _refuse_unanswered(settings)
    plant, settings = settings, behind(settings)
    metrics = Metrics()
    heartbeat = Heartbeat(time.monotonic())
    limit_seconds = settings.service.watchdog_seconds
    pages = health_pages(heartbeat, metrics, limit_seconds, time.monotonic)
    port = resources.enter_context(serve_pages(settings.http.host, settings.http.port, pages))
    logger.info("stream-detector %s: health and metrics on port %d", __version__, port, extra={"port": port})
    threads = ThreadPoolExecutor(1, "loading")
    resources.callback(threads.shutdown, wait=False, cancel_futures=True)
    loading = None
    if settings.model.required or not is_absent(settings.model.directory):
        _begin(heartbeat, _loading_stage(settings))
        loading = begin_to_load(settings, threads)
    status = Status(settings, metrics, heartbeat, commands.settings_options)
    start = Start(settings, lambda: behind(read()), signals, resources, threads)
    connections, start = _connect(start, plant, loading, status, commands.rekey)
    watched, learner = _watch(start, connections, loading, status)
    service, reloader = _assembled(start, connections, watched, status, learner)
    tune_garbage_collector()

    def run() -> None:
        _begin(heartbeat, f"joining group {settings.kafka.group_id} to read topic {settings.kafka.input_topic}")
        heartbeat.beat_at = time.monotonic()
        with Watchdog(heartbeat, limit_seconds, time.monotonic, end_process):
            service.run(signals.stop, reloader)

    return run


def _refuse_unanswered(settings: Settings) -> None:
    """Raise SettingsError if init wrote down what it did not understand, and nobody has answered it."""
    if questions := settings.service.unanswered:
        msg = (
            f"init did not understand the records of topic {settings.kafka.input_topic}, so it wrote service.unanswered into "
            f"its settings: {'; '.join(questions)}. Set what is named there, then delete service.unanswered"
        )
        raise SettingsError(msg)


@dataclass(frozen=True, slots=True)
class Start:
    """What a start is given."""

    settings: Settings
    load: Callable[[], Settings]  # reads the settings again
    signals: Signals
    resources: ExitStack
    loading: ThreadPoolExecutor  # of models
    companion: Companion | None = None  # re-keys what is read


def _connect(
    start: Start, plant: Settings, loading: Loading | None, status: Status, command: list[str]
) -> tuple[Connections, Start]:
    """Connect. Where the plant's topic is re-keyed first, begin that, and wait until what it holds now has come through."""
    heartbeat, resources = status.heartbeat, start.resources
    _begin(heartbeat, f"connecting to Kafka at {plant.kafka.brokers} and to Redis")
    if not plant.input.repartition:
        connections = connect(start.settings, resources)
        refuse_unkeyed(plant, connections.source)
        return connections, start
    watched = loading.wait() if loading else None
    rekeying = begin_rekeying(plant, watched, command, resources, metrics=status.metrics, heartbeat=heartbeat)
    connections = connect(start.settings, resources)
    _begin(heartbeat, f"re-keying what is in topic {rekeying.route.from_topic}")
    rekeying.await_history(connections)
    return connections, replace(start, companion=rekeying.companion)


def _watch(start: Start, connections: Connections, loading: Loading | None, status: Status) -> tuple[Watched, Learner | None]:
    """Wait for what watches: the model, or else what the first readings show; then begin to learn one, too."""
    settings, heartbeat = start.settings, status.heartbeat
    if loading is not None:
        check_fit(settings, connections, loading.spec.features)
        heartbeat.stage = _loading_stage(settings)
        return loading.wait(), None
    learner = _learner(settings, status.options, status, start.resources)
    _begin(heartbeat, waiting_for_features(settings, status.options))
    check = start.companion.check if start.companion else no_op
    return await_watched(settings, connections, heartbeat, check), learner


def _loading_stage(settings: Settings) -> str:
    return f"loading the model in {settings.model.directory} and compiling it"


def _learner(settings: Settings, options: Sequence[str], status: Status, resources: ExitStack) -> Learner | None:
    """Begin to learn, if the settings say so."""
    if not settings.learning.enabled:
        return None
    left = LearningLeft(settings)
    resources.callback(left.close)
    learner = Learner(settings, options, LearningStatus(status.heartbeat, status.metrics, time.monotonic, left))
    resources.callback(learner.close)
    learner.start()
    return learner


def _assembled(
    start: Start, connections: Connections, watched: Watched, status: Status, learner: Learner | None
) -> tuple[Service, Reloader]:
    """Build the loop, and what changes its rules on request."""
    settings, resources, metrics = start.settings, start.resources, status.metrics
    storing = resources.enter_context(ThreadPoolExecutor(1, "storing"))
    build = Pipelines(settings, connections, storing, status.heartbeat)
    parts = Parts(settings, start.load, build, status, watched)
    arrival = None if watched.has_model else arrival_of(parts, start.loading, metrics)
    if arrival is not None and learner is not None:
        learner.attach(arrival.request)
        parts.on_model = learner.end
    reloader = Reloader(
        start.signals.reload,
        watched.rules_of(settings.alerts, settings.rules),
        lambda: watched.rules_of(*reread(settings, start.load)),
        metrics,
        on_request=arrival.request if arrival else no_op,
    )
    status.show(watched, reloader.rules)
    service = Service(
        build(watched),
        metrics,
        status.heartbeat,
        time.monotonic,
        settings.kafka.dead_letter_topic,
        gather_seconds=settings.service.target_latency_seconds / 2,
        arrival=arrival,
        companion=start.companion,
        session_seconds=settings.kafka.session_timeout_seconds,
    )
    return service, reloader


def _begin(heartbeat: Heartbeat, stage: str) -> None:
    """Tell the log and the readiness page what the start is about to do."""
    heartbeat.stage = stage
    logger.info("not ready yet: %s", stage)
