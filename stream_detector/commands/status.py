"""`stream-detector status`: what the detector watches and how it does: live in the terminal, once, or as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Generic, TypeVar

from rich.console import Console
from rich.live import Live
from rich.text import Text

from stream_detector.alert_view import Palette
from stream_detector.commands.argument_types import count, positive
from stream_detector.commands.inspected import KafkaLook, StoreLook, inspected, open_store
from stream_detector.commands.rekey_engine import behind
from stream_detector.commands.settings_options import add_settings_options, options_text, settings_arguments, settings_of
from stream_detector.commands.zone_option import add_zone_option, shown_zone
from stream_detector.errors import StreamDetectorError
from stream_detector.inspection.status import KafkaPart, Outage, Status, Subject, problems_of
from stream_detector.inspection.status_json import status_document
from stream_detector.inspection.status_view import render_status
from stream_detector.inspection.stored import Bounds, StoredSensors
from stream_detector.logs import silence_kafka_client

#: The exit code of a status with a problem of the detector itself. Incidents of sensors are none.
PROBLEM = 4
#: Lines that are not names of sensors or incidents, and the columns of a usual terminal.
_OTHER_LINES, _USUAL_WIDTH = 16, 80
#: Two looks at the positions are so far apart, so that a speed can be told.
_SPEED_SECONDS = 2.0

_Part = TypeVar("_Part")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--once", action="store_true", help="print once and exit, as without a terminal")
    parser.add_argument("--json", action="store_true", help="print once, as one JSON document")
    parser.add_argument("--limit", type=count, metavar="N", help="name at most N sensors (default: what fits)")
    parser.add_argument("--sensors", type=count, default=100_000, metavar="N", help="look at no more than N sensors")
    parser.add_argument("--every", type=positive, default=2.0, metavar="S", help="seconds between two looks")
    add_zone_option(parser, shows=True)
    add_settings_options(parser)


def main(arguments: argparse.Namespace) -> int:
    """Show the status; return 0, or PROBLEM if something is wrong with the detector."""
    plant = settings_of(arguments)
    settings = behind(plant)
    silence_kafka_client()
    found = inspected(settings)
    shown = 1_000 if arguments.limit is None else arguments.limit
    kafka = KafkaLook(settings, _now_ms, plant)
    bounds = Bounds(sensors=arguments.sensors, shown=shown)
    store = StoreLook(settings, found.model, open_store(settings), bounds, lambda: kafka.notes)
    subject = replace(found.subject, options=options_text(settings_arguments(arguments)))
    looks = Looks(subject, Look(kafka.look), Look(store.look))
    is_live = sys.stdout.isatty() and not (arguments.once or arguments.json)
    zone = shown_zone(arguments, plant.input)
    status = _follow(looks, arguments, zone) if is_live else _once(looks, kafka)
    if arguments.json:
        sys.stdout.write(json.dumps(status_document(status, shown), ensure_ascii=False) + "\n")
    elif not is_live:
        console = Console(highlight=False, markup=False, emoji=False)
        width = console.width if sys.stdout.isatty() or "COLUMNS" in os.environ else _USUAL_WIDTH
        for line in render_status(status, _palette(), width, 20 if arguments.limit is None else arguments.limit, zone):
            console.print(line, soft_wrap=True)
    sys.stdout.flush()
    return PROBLEM if problems_of(status) else 0


@dataclass(slots=True)
class Look(Generic[_Part]):
    """Looks at one thing, and keeps what was seen last, and since when it does not answer."""

    look: Callable[[], _Part]
    part: _Part | None = None
    error: str = ""
    answered_s: float = 0.0  # when it last answered, or was first asked

    def refresh(self) -> None:
        """Look again. Blocks, bounded; an error is kept, not raised."""
        if not self.answered_s:
            self.answered_s = time.monotonic()
        try:
            self.part, self.error = self.look(), ""
            self.answered_s = time.monotonic()
        except StreamDetectorError as error:
            self.error = str(error)

    def outage(self, patience_seconds: float) -> Outage | None:
        """Return why and for how long there has been no answer; None if it answered within the patience."""
        seconds = time.monotonic() - self.answered_s if self.answered_s else 0.0
        if self.error:
            return Outage(seconds, self.error)
        return Outage(seconds, "still waiting for its answer") if seconds > patience_seconds else None


@dataclass(frozen=True, slots=True)
class Looks:
    """Looks at Kafka and at Redis, each in a thread of its own: one that is away does not hold up the other."""

    subject: Subject
    kafka: Look[KafkaPart]
    store: Look[StoredSensors]

    def status(self, patience_seconds: float) -> Status:
        """Return what is known now."""
        kafka, store = self.kafka, self.store
        return Status(
            at_ms=_now_ms(),
            subject=self.subject,
            kafka=kafka.part,
            kafka_outage=kafka.outage(patience_seconds),
            stored=store.part,
            redis_outage=store.outage(patience_seconds),
        )


def _once(looks: Looks, kafka: KafkaLook) -> Status:
    """Look twice at Kafka, so that a speed can be told, and at Redis once it has said what the group has committed."""
    looks.kafka.refresh()
    began = time.monotonic()
    looks.store.refresh()
    if not looks.kafka.error:
        time.sleep(max(0.0, _SPEED_SECONDS - (time.monotonic() - began)))
        looks.kafka.refresh()
    status = looks.status(float("inf"))
    kafka.close()
    return status


def _follow(looks: Looks, arguments: argparse.Namespace, zone: tzinfo | None) -> Status:
    """Refresh the screen until Ctrl-C, which raises KeyboardInterrupt. The threads end with the process."""
    every = arguments.every
    threads = [threading.Thread(target=_repeat, args=(look, every), daemon=True) for look in (looks.kafka, looks.store)]
    for thread in threads:
        thread.start()
    console, palette = Console(highlight=False, markup=False, emoji=False), _palette()
    with Live(console=console, auto_refresh=False, screen=False, vertical_overflow="crop") as live:
        while True:
            limit = arguments.limit or max(3, (console.height - _OTHER_LINES) // 2)
            lines = render_status(looks.status(3 * every + 1.0), palette, console.width - 1, limit, zone)
            live.update(Text("\n").join(lines[: max(1, console.height - 1)]), refresh=True)
            time.sleep(0.5)


def _repeat(look: Look[KafkaPart] | Look[StoredSensors], every: float) -> None:
    """Look again and again; a look that takes long is followed by as long a pause."""
    while True:
        began = time.monotonic()
        look.refresh()
        time.sleep(max(every, time.monotonic() - began))


def _palette() -> Palette:
    return Palette.for_encoding(sys.stdout.encoding)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
