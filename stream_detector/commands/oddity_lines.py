"""Says what stands out in a history, for the end of `stream-detector train`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import tzinfo

from stream_detector.commands.train_output import WIDTH
from stream_detector.timestamps import duration, shown_time
from stream_detector.training.oddities import EMPTY, FROZEN, TAKEN_OUT, Oddity

#: More of them are only counted, and so are names in one of them.
LISTED, LISTED_NAMES = 6, 3


def describe_oddities(oddities: Sequence[Oddity], zone: tzinfo | None = None) -> list[str]:
    """Return lines, at most WIDTH wide: the longest, in the order of time, and what to do; none without any.

    Times are UTC without `zone`.
    """
    if not oddities:
        return []
    listed = sorted(sorted(oddities, key=lambda one: -one.seconds)[:LISTED], key=lambda one: one.start_ms)
    lines = [f"in the history: {_text(one, zone)}" for one in listed]
    more = len(oddities) - len(listed)
    if more > 0:
        lines.append(f"in the history: {more} more such, in report.json (oddities)")
    lines.append("If these are faults, leave those hours out and train again: the model may take them for normal.")
    return [line for text in lines for line in _wrapped(text)]


def _text(one: Oddity, zone: tzinfo | None) -> str:
    who, readings = _names(one.sensors, "sensors"), f"{duration(one.seconds)} ({one.readings:,} readings)"
    start = shown_time(one.start_ms // 1000 * 1000, zone)
    if one.what == FROZEN:
        return f"{_names(one.features, 'features')} of {who} did not change for {readings}, from {start}"
    if one.what == EMPTY:
        return f"{who} gave no {_names(one.features, 'features')} for {readings}, from {start}"
    if one.what == TAKEN_OUT:
        features = _names(one.features, "features")
        return f"{features} of {who} had only values that were taken out, as said above, for {readings}, from {start}"
    return f"{who} gave no readings for {readings}, from {start}"


def _names(names: Sequence[str], what: str) -> str:
    if len(names) <= LISTED_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[: LISTED_NAMES - 1])} and {len(names) - LISTED_NAMES + 1} more {what}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent="   ", subsequent_indent="     ", break_long_words=False, break_on_hyphens=False
    )
