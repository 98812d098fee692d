"""`stream-detector rekey`: copy the readings of a topic to another, keyed by sensor, until stopped or to the end."""

from __future__ import annotations

import argparse
import json
import logging
import select
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, fields

from stream_detector.adapters.kafka.rekey_topics import check_source, ensure_rekey_topics
from stream_detector.adapters.kafka.span_reader import KafkaReader
from stream_detector.commands.argument_types import count, moment, positive
from stream_detector.commands.progress import print_to_stderr
from stream_detector.commands.rekey_engine import (
    Engine,
    Route,
    build_engine,
    kafka_of,
    retention_seconds,
    route_of,
    target_of,
)
from stream_detector.commands.rekey_start import look_up_ages, retention_ms
from stream_detector.commands.settings_options import add_settings_options, settings_of
from stream_detector.errors import SettingsError, StreamDetectorError
from stream_detector.logs import set_up_logging
from stream_detector.pipeline.step_report import StepReport
from stream_detector.rekey.engine import EARLIEST, LATEST, Report, committed_of_all
from stream_detector.rekey.loop import run_loop
from stream_detector.service.log_monitors import RejectedReadingsLog
from stream_detector.service.lost_values_log import LostValuesLog
from stream_detector.service.signals import stop_requested
from stream_detector.settings.schema import Settings
from stream_detector.timestamps import to_ms

logger = logging.getLogger(__name__)

#: How often a terminal is told about the progress, and `run` about everything.
_PROGRESS_SECONDS, _REPORT_SECONDS = 5.0, 0.5
_LOOK_SECONDS = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--from", dest="source", metavar="TOPIC", help="topic to read (default: that of the settings)")
    parser.add_argument("--to", dest="target", metavar="TOPIC", help="topic to write; created if it does not exist")
    parser.add_argument("--until-end", action="store_true", help="stop at what is the end of the topic now")
    start = "where a group that has committed nothing starts: earliest, latest, or a time (ISO 8601 with a zone)"
    parser.add_argument("--start", type=_start, default=EARLIEST, metavar="WHERE", help=start)
    parser.add_argument("--group", metavar="NAME", help="consumer group (default: that of the settings, rekey and --to)")
    parser.add_argument("--partitions", type=count, metavar="N", help="of a new topic (default: as many as are read)")
    parser.add_argument("--retention-seconds", type=positive, metavar="S", help="of a new topic (default: a day)")
    parser.add_argument("--for-run", action="store_true", help=argparse.SUPPRESS)  # a child of `run`, which reads the reports
    add_settings_options(parser)


def main(arguments: argparse.Namespace) -> int:
    """Re-key until stopped; return the exit code. Blocks."""
    settings = settings_of(arguments)
    text = settings.service.log_format if arguments.for_run else "text"
    set_up_logging(settings.service.log_level if arguments.for_run else "WARNING", text)
    route = route_of(settings) if arguments.for_run else _route(arguments, settings)
    try:
        summary = _rekey(arguments, settings, route)
    except StreamDetectorError as error:
        if text == "json":  # in a text log, the message of the command line is enough
            logger.critical("%s", error, extra={"error": type(error).__name__})
        raise
    if not arguments.for_run:
        print(summary)  # noqa: T201 - the command line prints
    return 0


def _rekey(arguments: argparse.Namespace, settings: Settings, route: Route) -> str:
    """Re-key until stopped; return what was done. Blocks."""
    with stop_requested() as stop, ExitStack() as resources:
        if not arguments.for_run:
            _ensure_topics(arguments, settings, route)
        engine = build_engine(settings, route, arguments.start, resources)
        ends = dict(engine.source.ends()) if arguments.until_end else {}
        teller = Teller(engine, settings.kafka.dead_letter_topic, _to_run if arguments.for_run else _to_terminal)
        is_at_end = _every(_LOOK_SECONDS, lambda: committed_of_all(engine.source, ends))

        def is_over() -> bool:
            return stop.is_set() or _reader_has_gone() or (arguments.until_end and is_at_end())

        run_loop(engine.rekeyer, is_over, teller.observe, time.monotonic, time.sleep)
        teller.finish()
    return teller.summary(route)


@dataclass(slots=True)
class Totals:
    """What was done since the last line of `run`, or since the start."""

    records: int = 0
    readings: int = 0
    tombstones: int = 0
    failed_commits: int = 0
    lost_records: int = 0
    dead_letters: Counter[str] = field(default_factory=Counter)
    excluded: Counter[str] = field(default_factory=Counter)

    def add(self, report: Report) -> None:
        """Add what a step did."""
        self.records += report.records
        self.readings += report.readings
        self.tombstones += report.tombstones
        self.failed_commits += report.failed_commits
        self.lost_records += report.lost_records
        self.dead_letters.update(report.dead_letters)
        self.excluded.update(report.excluded)

    def as_json(self) -> dict[str, object]:
        """Return the counts by their names. `asdict` would make counters of pairs of the counters."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


class Teller:
    """Counts what the steps did, and tells it now and then."""

    def __init__(self, engine: Engine, dead_letter_topic: str, tell: Callable[[Mapping[str, object]], float]) -> None:
        """`tell` returns after how many seconds it wants to be called again."""
        self._engine = engine
        self._tell = tell
        self._began = self._told_at = time.monotonic()
        self._wait_seconds = 0.0
        self._totals, self._news = Totals(), Totals()
        self._rejected = RejectedReadingsLog(dead_letter_topic, self._began)
        self._lost = LostValuesLog(self._began)

    def observe(self, report: Report) -> None:
        """Count a step; tell the news if it is time."""
        self._totals.add(report)
        self._news.add(report)
        now = time.monotonic()
        self._rejected.observe(StepReport(dead_letters=report.dead_letters, example=report.example), now)
        self._lost.observe(StepReport(tombstones=report.tombstones), now)
        if now - self._told_at >= self._wait_seconds:
            self._tell_news(now)

    def finish(self) -> None:
        """Tell what was not told yet."""
        now = time.monotonic()
        self._rejected.flush(now)
        self._lost.flush(now)
        self._tell_news(now)

    def summary(self, route: Route) -> str:
        """Return what was done in all, in a sentence."""
        totals, seconds = self._totals, max(1e-3, time.monotonic() - self._began)
        others = f", {totals.dead_letters.total()} dead letters" if totals.dead_letters else ""
        others += f", {totals.tombstones} records without a value" if totals.tombstones else ""
        others += f", {totals.excluded['record']} records without a reading" if totals.excluded["record"] else ""
        return (
            f"{totals.readings} readings of {totals.records} records of {route.from_topic} written to {route.to_topic} in "
            f"{seconds:.1f} s ({totals.readings / seconds:.0f}/s){others}; group {route.group_id} goes on from here"
        )

    def _tell_news(self, now: float) -> None:
        rekeyer = self._engine.rekeyer
        state = {"lag": rekeyer.lag(), "partitions": rekeyer.partitions, "is_member": rekeyer.is_member}
        rate = self._news.readings / max(1e-3, now - self._told_at)
        self._wait_seconds = self._tell({**self._news.as_json(), **state, "rate": rate, "so_far": self._totals.readings})
        self._news, self._told_at = Totals(), now


def _to_run(news: Mapping[str, object]) -> float:
    """Report to `run`, which reads a JSON object from each line."""
    sys.stdout.write(json.dumps(news) + "\n")
    sys.stdout.flush()
    return _REPORT_SECONDS


def _to_terminal(news: Mapping[str, object]) -> float:
    print_to_stderr(f"rekey: {news['so_far']} readings, {news['rate']:.0f}/s, {news['lag']} records to go")
    return _PROGRESS_SECONDS


def _every(seconds: float, look: Callable[[], bool]) -> Callable[[], bool]:
    """Return a function that looks at most every so many seconds, and else says no."""
    last = time.monotonic()

    def looked() -> bool:
        nonlocal last
        if time.monotonic() - last < seconds:
            return False
        last = time.monotonic()
        return look()

    return looked


def _reader_has_gone() -> bool:
    """Return whether nobody reads this process's output any more: `run` has ended."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)  # poll reports errors and hang-ups even for an empty mask
    return bool(output.poll(0))


def _route(arguments: argparse.Namespace, settings: Settings) -> Route:
    if not arguments.target:
        msg = "--to: name the topic to write"
        raise SettingsError(msg)
    source = arguments.source or settings.kafka.input_topic
    if source == arguments.target:
        msg = f"--from and --to are both {source}: name another topic to write"
        raise SettingsError(msg)
    return Route(source, arguments.target, arguments.group or f"{settings.kafka.group_id}-rekey-{arguments.target}")


def _ensure_topics(arguments: argparse.Namespace, settings: Settings, route: Route) -> None:
    """Create the topic to write if it is missing: it keeps what it gets, however old, and then for so long."""
    kafka = kafka_of(route, settings.kafka)
    given = settings.input.model_copy(
        update={"repartition_partitions": arguments.partitions, "repartition_retention_seconds": arguments.retention_seconds}
    )
    check_source(kafka)
    with closing(KafkaReader(kafka, route.from_topic)) as reader:
        ages = look_up_ages(reader)
    kept_ms = retention_ms(retention_seconds(given), arguments.start, ages, time.time_ns() // 1_000_000)
    ensure_rekey_topics(kafka, target_of(route, given, kept_ms))


def _start(text: str) -> int:
    if text in ("earliest", "latest"):
        return EARLIEST if text == "earliest" else LATEST
    return to_ms(moment(text))
