"""Reads most messages of data in a fraction of the time: by the layouts of messages that were read in full before.

A node writes a metric in the same way again and again: all bits but those of its value and its time stay the same. A layout has
these bits. A metric with the same bits has the same fields, of the same lengths, in the same places: its value stands where it
stood before, and nothing else in it has changed. A message with a metric of no known layout is read in full by payload.py and
shape.py, and the layouts of its metrics are known from then on. Of messages that have the same metrics again, the layout of
the whole is kept, too.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from stream_detector.ingest.sparkplug.layout import (
    FIRST_METRIC,
    MessageLayout,
    MetricLayout,
    message_layout,
    metric_layout,
)
from stream_detector.ingest.sparkplug.payload import SparkplugPayload
from stream_detector.ingest.sparkplug.wire import varint, varint_at

#: Tags: of a message's time, its metrics and its number, and of a metric's alias.
_TIME, _METRIC, _NUMBER, _ALIAS = 0x08, 0x12, 0x18, 0x10
_NUMBERS, _LONGEST_NUMBER, _UNUSUAL = 256, 11, -1  # the tag and ten bytes
_LAST = 0x80
_HEAD = 5  # bytes of a metric in which an alias of 14 bits ends
#: So many layouts of metrics are kept in all, about 40 MB; beyond, all are forgotten, and learned again. A layout has the bits
#: of its metric, so that of a long text counts as one more for each so many bytes.
_MOST_LAYOUTS, _BYTES = 65_536, 200
#: So often layouts of metrics are learned after a birth, and so often for each metric of it. Beyond, the rest is read in full.
_TRIES, _TRIES_OF_METRIC = 1024, 16
_MOST_ALIKE, _MOST_MESSAGES_ALIKE = 8, 4  # metrics that begin alike; messages of the same length
#: So many layouts of messages are kept after a birth. They come from the first messages that have none, then from one in 64.
_MOST_MESSAGES, _OF_MESSAGES = 64, 64

#: The number of a message, None if it was not sent, and its values by name, by milliseconds since 1970; 0: none.
Known = tuple[int | None, Mapping[int, Mapping[str, object]]]


@dataclass(slots=True)
class Layouts:
    """The layouts of the messages for which a birth decides."""

    metrics: dict[bytes, tuple[MetricLayout, ...]] = field(default_factory=dict)  # by the bytes with which they begin
    messages: dict[int, tuple[MessageLayout, ...]] = field(default_factory=dict)  # by their lengths
    tries: int = 0
    others: int = 0  # messages whose metrics were known, and whose layout was not


class Named(Protocol):
    """What a birth says, as births.py has it."""

    @property
    def names(self) -> Mapping[int, str]: ...  # noqa: D102 - by alias
    @property
    def types(self) -> Mapping[str, int]: ...  # noqa: D102 - by name
    @property
    def layouts(self) -> Layouts: ...  # noqa: D102 - its type says it


class LayoutReader:
    """Reads messages by known layouts, and learns layouts from messages that were read in full."""

    def __init__(self) -> None:
        self._learned: list[Layouts] = []
        self._count = 0

    def read(self, data: bytes, layouts: Layouts) -> Known | None:
        """Return a message's number and values; None: it has to be read in full."""
        alike = layouts.messages.get(len(data))
        if alike is not None:
            bits = int.from_bytes(data)
            for layout in alike:
                if bits & layout.mask == layout.same and (known := _by_message(data, layout)):
                    return known
        known = _by_metrics(data, layouts.metrics)
        if known is not None:
            layouts.others += 1
            if layouts.others < _MOST_MESSAGES or not layouts.others % _OF_MESSAGES:
                self._learn_message(data, layouts)
        return known

    def learn(self, data: bytes, payload: SparkplugPayload, birth: Named) -> None:
        """Learn the layouts of a message's metrics by the birth that decides."""
        layouts, names, types = birth.layouts, birth.names, birth.types
        position = FIRST_METRIC if _sent_ms(data) >= 0 else len(data)
        for metric in payload.metrics:
            if layouts.tries >= _TRIES + _TRIES_OF_METRIC * len(names) or data[position : position + 1] != b"\x12":
                return
            length, begin = varint_at(data, position + 1)
            if _metric_at(data, position, layouts.metrics) is None:
                piece = data[position : begin + length]
                self._add(layouts, piece, metric_layout(piece, begin - position, metric, names, types))
            position = begin + length

    def _add(self, layouts: Layouts, piece: bytes, layout: MetricLayout | None) -> None:
        self._take(layouts, 1 + len(piece) // _BYTES)
        layouts.tries += 1
        start = _start(piece, 0)
        alike = layouts.metrics.get(start, ())
        if layout is not None and len(alike) < _MOST_ALIKE:
            layouts.metrics[start] = (*alike, layout)

    def _learn_message(self, data: bytes, layouts: Layouts) -> None:
        position, found = FIRST_METRIC, list[MetricLayout]()
        while position < len(data) and (metric := _metric_at(data, position, layouts.metrics)) is not None:
            found.append(metric)
            position += metric.length
        layout = message_layout(data, found, position)
        if layout is None:
            return
        self._take(layouts, len(found) + len(data) // _BYTES)
        if sum(map(len, layouts.messages.values())) >= _MOST_MESSAGES:
            layouts.messages.clear()
        layouts.messages[len(data)] = (layout, *layouts.messages.get(len(data), ())[: _MOST_MESSAGES_ALIKE - 1])

    def _take(self, layouts: Layouts, count: int) -> None:
        """Make room for layouts."""
        if self._count + count > _MOST_LAYOUTS:
            for one in self._learned:
                one.metrics, one.messages, one.tries, one.others = {}, {}, 0, 0
            self._learned, self._count = [], 0
        if not any(one is layouts for one in self._learned[-1:]):
            self._learned.append(layouts)
        self._count += count


def _by_message(data: bytes, layout: MessageLayout) -> Known | None:
    """Return what a message of this layout says; None: its metrics have several times, or it has no usual number."""
    _, _, contents, is_timed, names, makes = layout
    found = contents(data)
    time, number = varint(found[0]), _number(found[-1])
    if time < 0 or number == _UNUSUAL:
        return None
    values: Sequence[object] = found[1:-1]
    if is_timed:
        times, values = values[::2], values[1::2]
        if times.count(times[0]) != len(times):
            return None
        time = varint(times[0]) or time
    if makes:
        made = list(values)
        for place, make in makes:
            made[place] = make(made[place])
        values = made
    return number, {time: dict(zip(names, values))}  # noqa: B905 - there are as many


def _by_metrics(data: bytes, metrics: Mapping[bytes, tuple[MetricLayout, ...]]) -> Known | None:
    """Return what a message says whose metrics have known layouts."""
    sent_ms = _sent_ms(data)
    if sent_ms < 0:
        return None
    position, size = FIRST_METRIC, len(data)
    rows: dict[int, dict[str, object]] = {}
    row: dict[str, object] = {}
    newest: bytes | None = None
    known, bits_of = metrics.get, int.from_bytes
    try:
        while position < size:
            alike = known(data[position : position + _HEAD]) or known(_start(data, position))
            if alike is None:
                break
            for length, mask, same, contents, is_timed, name, make, _ in alike:  # noqa: B007 - the one that fits
                if bits_of(data[position : position + length]) & mask == same:
                    break
            else:
                return None
            found = contents(data, position)
            position += length
            if name:
                time = found[0] if is_timed else b""
                if time != newest:
                    newest, row = time, rows.setdefault(varint(time) or sent_ms, {})
                row[name] = found[-1] if make is None else make(found[-1])
    except struct.error:
        return None
    number = _number(data[position : position + _LONGEST_NUMBER + 1])
    return (number, rows) if rows and number != _UNUSUAL else None


def _sent_ms(data: bytes) -> int:
    """Return the time with which a message begins; -1: it does not."""
    return varint(data[1:FIRST_METRIC]) if len(data) > FIRST_METRIC and data[0] == _TIME else -1


@lru_cache(maxsize=1024)
def _number(rest: bytes) -> int | None:
    """Return the number of a message by what stands behind its metrics; None: it has none; _UNUSUAL: anything else."""
    if not rest:
        return None
    number = varint(rest[1:])
    return number if rest[0] == _NUMBER and 1 < len(rest) <= _LONGEST_NUMBER and 0 <= number < _NUMBERS else _UNUSUAL


def _metric_at(data: bytes, position: int, metrics: Mapping[bytes, tuple[MetricLayout, ...]]) -> MetricLayout | None:
    """Return the layout of the metric at a position, if it is known. The end of the data may be before the metric's."""
    for layout in metrics.get(_start(data, position), ()):
        if int.from_bytes(data[position : position + layout.length]) & layout.mask == layout.same:
            return layout
    return None


def _start(data: bytes, position: int) -> bytes:
    """Return the bytes that tell most metrics apart: up to the end of the name, or the first bytes of the alias; b"": none."""
    head = data[position : position + _HEAD]
    if len(head) < _HEAD or head[0] != _METRIC:
        return b""
    if head[2] == _ALIAS and head[1] < _LAST:
        return head
    begin = position + (2 if head[1] < _LAST else 3)
    return data[position : begin + 3 if data[begin] == _ALIAS else begin + 2 + data[begin + 1]]
