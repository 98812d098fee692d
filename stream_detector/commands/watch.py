"""`stream-detector watch`: the last alerts, then those that come, as pictures or as JSON lines."""

from __future__ import annotations

import argparse
import select
import sys
import time
from collections.abc import Callable

import msgspec

from stream_detector.alert_view import Show, event_printer, place, printable
from stream_detector.commands.argument_types import positive
from stream_detector.commands.settings_options import add_settings_options, settings_of
from stream_detector.errors import RetriableError, StreamDetectorError
from stream_detector.logs import silence_kafka_client
from stream_detector.readings import Record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--last", type=_last, default=10, metavar="N", help="alerts to show of those that are there")
    parser.add_argument("--json", action="store_true", help="one event a line, as it is on the topic")
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--no-follow", action="store_true", help="end after the last alerts")
    end.add_argument("--until-idle-seconds", type=positive, metavar="S", help="end when no alert came for so long")
    add_settings_options(parser)


def main(arguments: argparse.Namespace) -> int:
    """Show alerts until told otherwise."""
    from stream_detector.adapters.kafka.alerts_reader import AlertsReader

    settings = settings_of(arguments).kafka
    silence_kafka_client()
    show = _show_json if arguments.json else event_printer()
    reader = AlertsReader(settings)
    try:
        for record in reader.last(arguments.last):
            show(record)
        if not reader.exists():
            _without_topic(reader.topic, settings.brokers, follow=not arguments.no_follow)
        if not arguments.no_follow:
            _follow(reader.poll, show, arguments.until_idle_seconds)
    finally:
        reader.close()
    return 0


def _show_json(record: Record) -> None:
    """Write the event as it is; what is not one JSON value goes to stderr, so that stdout stays readable by programs."""
    value = record.value or b""
    try:
        msgspec.json.decode(value, type=msgspec.Raw)
        line = msgspec.json.format(value, indent=-1) if b"\n" in value else value
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        _note(f"unreadable alert at {place(record)}: {printable(str(error), 120, 'ascii')}")
        return
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def _follow(poll: Callable[[float], list[Record]], show: Show, idle_seconds: float | None) -> None:
    """Show alerts as they come; ends after `idle_seconds` without one, or when nobody reads what is shown."""
    answering = True
    last_at = time.monotonic()
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)  # errors and hang-ups are reported without being asked for
    while not output.poll(0) and (idle_seconds is None or time.monotonic() - last_at < idle_seconds):
        try:
            records = poll(0.5)
        except RetriableError as error:
            if answering:
                _note(f"{error}; trying again")
            answering = False
            continue
        if not answering:
            _note("Kafka answers again")
        answering = True
        for record in records:
            show(record)
            last_at = time.monotonic()


def _without_topic(topic: str, brokers: str, *, follow: bool) -> None:
    msg = f"there is no topic {topic} at {brokers}"
    if not follow:
        raise StreamDetectorError(msg)
    _note(f"{msg} yet; waiting for it")


def _note(text: str) -> None:
    print(f"stream-detector watch: {text}", file=sys.stderr, flush=True)  # noqa: T201 - the command line prints


def _last(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        msg = f"{text!r} is not a whole number of at least 0"
        raise argparse.ArgumentTypeError(msg)
    return int(text)
