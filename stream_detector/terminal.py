"""Alerts drawn to stdout as they are read."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rich.console import Console

from stream_detector.readings import Record
from stream_detector.rendering import Palette, read_alert, render_alert, render_unreadable

Show = Callable[[Record], None]


def picture_printer() -> Show:
    """Return what draws alerts to stdout: in colour on a terminal, in ASCII where the encoding has no blocks."""
    console = Console(highlight=False, markup=False, emoji=False)
    palette = Palette.for_encoding(sys.stdout.encoding)

    def show(record: Record) -> None:
        try:
            picture = render_alert(read_alert(record.value or b""), palette)
        except ValueError as error:
            picture = render_unreadable(record.value, str(error), place(record))
        console.print(picture, soft_wrap=True)
        sys.stdout.flush()

    return show


def place(record: Record) -> str:
    """Say where a record is."""
    return f"{record.topic} partition {record.partition} offset {record.offset}"
