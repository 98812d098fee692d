"""`stream-detector watch`: show the latest alerts and then new ones, as readable text or as JSON lines."""

from __future__ import annotations

import argparse
import contextlib
import select
import sys
import textwrap
import time
from collections.abc import Callable, Sequence

import msgspec

from stream_detector.alert_view import Show, event_printer, place, printable
from stream_detector.commands.argument_types import positive
from stream_detector.commands.settings_options import add_settings_options, settings_of
from stream_detector.commands.zone_option import add_zone_option, shown_zone
from stream_detector.detection.events import Event, read_event
from stream_detector.detection.transition import OPENED, UPDATED
from stream_detector.errors import RetriableError, StreamDetectorError
from stream_detector.logs import silence_kafka_client
from stream_detector.readings import Record

#: Open incidents that are named at the start.
_MOST_OPEN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--last", type=_last, default=10, metavar="N", help="number of past alerts to show first")
    parser.add_argument("--json", action="store_true", help="print each event unchanged, as one line of JSON")
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--no-follow", action="store_true", help="exit after the past alerts")
    end.add_argument("--until-idle-seconds", type=positive, metavar="S", help="exit after S seconds without an alert")
    add_zone_option(parser, shows=True)
    add_settings_options(parser)


def main(arguments: argparse.Namespace) -> int:
    """Show alerts until interrupted, idle for too long, or the reader of stdout exits. Blocks."""
    from stream_detector.adapters.kafka.alerts_reader import AlertsReader

    plant = settings_of(arguments)
    settings = plant.kafka
    silence_kafka_client()
    show = _show_json if arguments.json else event_printer(shown_zone(arguments, plant.input))
    reader = AlertsReader(settings)
    try:
        past = reader.last(arguments.last)
        for record in past:
            show(record)
        if not arguments.json and (line := open_line(past)):
            _warn(line)
        if not reader.exists():
            _report_missing_topic(reader.topic, settings.brokers, follow=not arguments.no_follow)
        elif not past:
            _warn(f"connected to {reader.topic}, " + ("no alert yet" if arguments.last else "waiting for the next alert"))
        if not arguments.no_follow:
            _follow(reader.poll, show, arguments.until_idle_seconds)
    finally:
        reader.close()
    return 0


def open_line(past: Sequence[Record]) -> str:
    """Say which incidents these alerts leave open, and which command says what they wait for; empty if none."""
    newest: dict[str, Event] = {}
    for record in past:
        with contextlib.suppress(ValueError):  # what is no event was shown as such
            event = read_event(record.value or b"")
            newest[event.incident_id] = event
    still = [one for one in newest.values() if one.incident_id and one.status in (OPENED, UPDATED) and one.sensor_id]
    names = [f"{printable(one.sensor_id, 40, 'ascii')} ({printable(one.type, 20, 'ascii')})" for one in still]
    if not names:
        return ""
    more = f" and {len(names) - _MOST_OPEN} more" if len(names) > _MOST_OPEN else ""
    return f"open now: {', '.join(names[:_MOST_OPEN])}{more}; `stream-detector show SENSOR` says what each waits for"


def _show_json(record: Record) -> None:
    """Print an event unchanged. Report anything but one JSON value on stderr, so that programs can parse stdout."""
    value = record.value or b""
    try:
        msgspec.json.decode(value, type=msgspec.Raw)
        line = msgspec.json.format(value, indent=-1) if b"\n" in value else value
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        _warn(f"unreadable alert at {place(record)}: {printable(str(error), 120, 'ascii')}")
        return
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def _follow(poll: Callable[[float], list[Record]], show: Show, idle_seconds: float | None) -> None:
    """Show alerts as they arrive, until `idle_seconds` pass without one or the reader of stdout exits."""
    connected = True
    last_at = time.monotonic()
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)  # poll reports errors and hang-ups even for an empty mask
    while not output.poll(0) and (idle_seconds is None or time.monotonic() - last_at < idle_seconds):
        try:
            records = poll(0.5)
        except RetriableError as error:
            if connected:
                _warn(f"{error}; trying again")
            connected = False
            continue
        if not connected:
            _warn("Kafka answers again")
        connected = True
        for record in records:
            show(record)
            last_at = time.monotonic()


def _report_missing_topic(topic: str, brokers: str, *, follow: bool) -> None:
    msg = f"there is no topic {topic} at {brokers}"
    if not follow:
        raise StreamDetectorError(msg)
    _warn(f"{msg} yet; waiting for it")


def _warn(text: str) -> None:
    text = f"stream-detector watch: {text}"
    if sys.stderr.isatty():
        text = textwrap.fill(text, 79, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the command line prints


def _last(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        msg = f"{text!r} is not a whole number of at least 0"
        raise argparse.ArgumentTypeError(msg)
    return int(text)
