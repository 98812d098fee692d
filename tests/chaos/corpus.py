"""Makes hostile records, from a seed: sent by mistake or by malice, between the readings of well-behaved sensors.

Does not know the required outcome of a record: bad_input_account.py computes it.
"""

from __future__ import annotations

import gzip
import json
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kafka.record.util import size_of_varint

from tests.pipeline.replica_config import KNOWN, SECOND_MS, START_MS, reading

#: Of a thousand records, how many are readings of well-behaved sensors, and how many of sensors that are met only once.
GOOD, NEWCOMERS = 300, 430
#: Sensors of each partition that go on sending: those that the model knows, and as many that it does not.
STRANGERS = 10
#: Of so many records, one is at the broker's limit.
HUGE_EVERY = 20_000
_BATCH_OVERHEAD_BYTES = 61

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record to produce; `timestamp_ms` None means now. Header names are bytes, because they need not be text."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_ms: int | None = None


class Corpus:
    """Makes records. Equal arguments give equal records."""

    def __init__(self, seed: int, partitions: int, max_message_bytes: int) -> None:
        self._chance = random.Random(seed)
        self._partitions = partitions
        self._max_message_bytes = max_message_bytes
        self._clocks = {sensor: START_MS for number in range(partitions) for sensor in good_sensors(number)}
        self._newcomers = 0

    def records(self, count: int) -> Iterator[RawRecord]:
        """Yield this many records."""
        chance = self._chance
        for number in range(count):
            draw = chance.randrange(1000)
            if number % HUGE_EVERY == HUGE_EVERY - 1:
                yield self._at_the_limit()
            elif draw < GOOD:
                yield self._good()
            elif draw < GOOD + NEWCOMERS:
                yield self._newcomer()
            else:
                yield self._hostile()

    def _good(self) -> RawRecord:
        """Return a reading of a permanent sensor; one in twenty is late, or has the time of the previous one."""
        chance = self._chance
        partition = chance.randrange(self._partitions)
        sensor = chance.choice(good_sensors(partition))
        step = chance.choice((0, -1, -60)) if chance.random() < 0.05 else 1
        time_ms = self._clocks[sensor] + step * SECOND_MS
        self._clocks[sensor] = max(time_ms, self._clocks[sensor])
        values = [None if chance.random() < 0.02 else round(chance.random(), 3) for _ in range(2)]
        return RawRecord(partition, sensor.encode(), reading(sensor, time_ms, *values))

    def _newcomer(self) -> RawRecord:
        """Return a valid reading of a new sensor; most names are plain, the others as strange as possible."""
        chance = self._chance
        self._newcomers += 1
        strange = chance.random() < 0.2
        sensor = chance.choice(NAMES).format(n=self._newcomers) if strange else f"meter-{self._newcomers}"
        value = reading(sensor, START_MS + chance.randrange(10**9), chance.random(), chance.random())
        return RawRecord(chance.randrange(self._partitions), self._key(sensor), value, self._headers())

    def _hostile(self) -> RawRecord:
        chance = self._chance
        value = chance.choice(VALUES)(chance)
        partition = chance.randrange(self._partitions)
        key = b"tombstone" if value is None else self._key("pump-1")
        written_ms = chance.choice((None, None, None, None, 0, 1, -1, START_MS, 10**15))
        return RawRecord(partition, key, value, self._headers(), written_ms)

    def _at_the_limit(self) -> RawRecord:
        """Return a record at the broker's size limit for a batch, reached by its value, key or header name."""
        limit, partition = self._max_message_bytes, self._chance.randrange(self._partitions)
        place = self._chance.randrange(3)
        if place == 0:
            value = self._chance.choice((b"v", b"\x00", b"[")) * longest(limit, lambda size: batch_bytes(None, size))
            return RawRecord(partition, None, value)
        if place == 1:
            return RawRecord(partition, b"k" * longest(limit, lambda size: batch_bytes(size, 1)), b"v")
        headers = (("😀".encode() * 200_000, b""),)
        return RawRecord(partition, b"", b"f" * longest(limit, lambda size: batch_bytes(0, size, headers)), headers)

    def _key(self, sensor: str) -> bytes | None:
        """Return a key: the sensor's name, as it should be, or another one."""
        draw = self._chance.random()
        if draw < 0.9:
            return sensor.encode()
        return self._chance.choice((None, b"", b"\xff\x00", b"another sensor", b"k" * 2000))

    def _headers(self) -> Headers:
        return self._chance.choice(HEADERS) if self._chance.random() < 0.05 else ()


def good_sensors(partition: int) -> list[str]:
    """Return the permanent sensors of a partition."""
    known = [sensor for sensor in KNOWN if sensor.startswith(f"pump-{partition}-")]
    return known + [f"vane-{partition}-{number}" for number in range(STRANGERS)]


def batch_bytes(key_bytes: int | None, value_bytes: int, headers: Headers = ()) -> int:
    """Return the size of the batch of one record."""
    parts = [value_bytes, *(len(part) for header in headers for part in header)]
    size: int = 3 + sum(size_of_varint(part) + part for part in parts) + size_of_varint(len(headers))
    size += size_of_varint(-1) if key_bytes is None else size_of_varint(key_bytes) + key_bytes
    return _BATCH_OVERHEAD_BYTES + int(size_of_varint(size)) + size


def longest(limit: int, size_of: Callable[[int], int]) -> int:
    """Return the greatest length whose size is within a limit. The size must grow by at least one with each byte."""
    length = limit
    while (excess := size_of(length) - limit) > 0:
        length -= excess
    while size_of(length + 1) <= limit:
        length += 1
    return length


def _document(**changes: object) -> bytes:
    fields: dict[str, object] = {"sensor_id": "pump-1", "timestamp": START_MS, "values": {"a": 1.5, "b": 2}}
    fields |= changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def _spliced(field: str, content: bytes) -> bytes:
    """Return a reading with these bytes in one field."""
    parts = {"sensor_id": b'"odd"', "timestamp": b"%d" % START_MS, "values": b'{"a": 1.5}'} | {field: content}
    return b"{" + b", ".join(b'"%b": %b' % (name.encode(), part) for name, part in parts.items()) + b"}"


def _cut(chance: random.Random) -> bytes:
    whole = _document()
    return whole[: chance.randrange(len(whole))]


def _mutated(chance: random.Random) -> bytes:
    content = bytearray(_document(sensor_id=f"mutant-{chance.randrange(1000)}"))
    for _ in range(chance.randrange(1, 5)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


def _large(chance: random.Random) -> bytes:
    """Return a reading of about the largest accepted size, and sometimes far above it."""
    size = chance.choice((60_000, 65_000, 65_536, 66_000, 300_000)) if chance.random() < 0.02 else chance.randrange(2000)
    return _document(sensor_id=f"wordy-{chance.randrange(100)}", note="n" * size)


def _deep(chance: random.Random) -> bytes:
    depth = chance.choice((10, 500, 1000, 5000, 30_000)) if chance.random() < 0.05 else chance.randrange(200)
    opening, closing = chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return chance.choice(
        (
            opening * depth + b"1" + closing * depth,
            opening * depth,
            _spliced("values", opening * depth + b"1" + closing * depth),
        )
    )


_NUMBERS = (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1e39", b"1e-400", b"-0.0", b"1" * 5000, b"1e999999")
_ANY: tuple[Any, ...] = (None, True, 0, -1, 1.5, 10**400, "", "x", [], [1], {}, {"a": 1}, {"a": {"a": [None]}})
_TIMES: tuple[Any, ...] = (
    *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59"),
    *("2023-11-14T22:13:20", "2023-11-14", "20231114T221320Z", "2023-11-14T22:13:20+02:00", " 2023-11-14T22:13:20Z "),
    *(
        "1700000000",
        "soon",
        "",
        "2023-13-45T99:99:99Z",
        "2023-12-31T23:59:60Z",
        "\x00",
        "\u0662\u0660\u0662\u0663-\u0661\u0661-\u0661\u0664",
    ),
    *(-1, 0, 1, 1.5, -1e300, 1e300, 1_700_000_000, 1_700_000_000.25, START_MS * 1000, START_MS * 10**6, 10**400, 2**63),
    *(4_102_444_800_000, 4_102_444_800_001, True, [], {}, None, ...),
)
_NAMES_REFUSED: tuple[Any, ...] = (
    "",
    "  ",
    "\t\n",
    "n" * 257,
    "n" * 10_000,
    "ü" * 200,
    None,
    ...,
    True,
    1.5,
    [],
    {},
    ["pump-1"],
)
_FEATURES: tuple[Any, ...] = (
    *({"c": 1}, {"A": 1}, {"a": 1, "": 2}, {"a": 1, "values": 2}, {"a": "1"}, {"a": True}, {"a": None}, {}, {"__proto__": 1}),
    *({"a": 1, "b": 2, "\ud800": 3}, {f"f{number}": number for number in range(1000)}),
)
_AVRO = b"Obj\x01" + bytes(range(256))

#: What makes a value; all as likely.
VALUES: tuple[Callable[[random.Random], bytes | None], ...] = (
    lambda _: None,
    lambda _: b"",
    _cut,
    _cut,
    _mutated,
    _mutated,
    _large,
    _deep,
    lambda chance: chance.randbytes(chance.randrange(1, 300)),
    lambda chance: gzip.compress(_document(), mtime=chance.randrange(1000)),
    lambda chance: b"\x00" + struct.pack(">I", chance.randrange(1000)) + b"\x0cpump-1" + struct.pack("<d", chance.random()),
    lambda _: _AVRO,
    lambda chance: b"\xef\xbb\xbf" * chance.randrange(1, 3) + _document(sensor_id=f"bom-{chance.randrange(50)}"),
    lambda _: _document().decode().encode("utf-16"),
    lambda _: _document(sensor_id="Prüfstand", note="ü").decode("unicode_escape").encode("latin-1"),
    lambda chance: _document().replace(b"pump", chance.choice((b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf8\x88\x80\x80"))),
    lambda chance: _document(sensor_id=chance.choice(("\ud800", "\udfff\ud800", "a\ud83d"))),
    lambda chance: _document(sensor_id=chance.choice(_NAMES_REFUSED)),
    lambda chance: _document(sensor_id=chance.randrange(-5, 200)),
    lambda chance: _document(**{chance.choice(("sensor_id", "timestamp", "values")): chance.choice(_ANY)}),
    lambda chance: _document(sensor_id=f"clock-{chance.randrange(500)}", timestamp=chance.choice(_TIMES)),
    lambda chance: _document(sensor_id=f"clock-{chance.randrange(500)}", timestamp=chance.choice(_TIMES)),
    lambda chance: _document(values=chance.choice(_FEATURES)),
    lambda chance: _document(values={"a": chance.choice(_ANY), "b": chance.choice(_ANY)}),
    lambda chance: _spliced("values", b'{"a": %b}' % chance.choice(_NUMBERS)),
    lambda chance: _spliced("timestamp", chance.choice(_NUMBERS)),
    lambda chance: _spliced("sensor_id", chance.choice((*_NUMBERS, b'"\\ud800"', b'"\\u0000"', b"'odd'", b'"\n"'))),
    lambda _: (
        b'{"sensor_id": "twice", "sensor_id": "again", "values": {"a": 1, "a": 2}, "values": {"a": 3}, "values": {"b": 4}}'
    ),
    lambda chance: chance.choice((b"[]", b"null", b"17", b'"text"', b"true", b"[" + _document() + b"]")),
    lambda _: _document() + _document(),
    lambda _: _document() + b"\x00",
    lambda _: b"a,b\n1,2\n",
    lambda _: b'<reading sensor="pump-1"><!ENTITY x SYSTEM "file:///etc/passwd"></reading>',
)

#: Names of sensors that are accepted; {n} makes each of them new.
NAMES = (
    *(
        "{{{n}}}",
        "}}:meta{n}",
        "sd:{{g/t:0}}:meta{n}",
        "sd:{{g/t:0}}:w:{n}",
        "{n}:meta",
        "meta {n}",
        "w:{n}",
        ":{n}:",
        "{n}}}{{",
    ),
    *("two words {n}", " {n} ", "line\n{n}", "\r\nFLUSHALL\r\n{n}", "tab\t{n}", "nul\0{n}", "quote\"'{n}", "back\\slash\\{n}"),
    *("*{n}", "?{n}", "[a-z]{n}", "%7B{n}%7D", "../../{n}", "$(reboot){n}", "; DROP TABLE {n}", "<script>{n}</script>"),
    *(
        "泵{n}",
        "ü{n}",
        "u\u0308{n}",
        "\u202e{n}",
        "\ufeff{n}",
        "😀{n}",
        "\u2028{n}",
        "\x7f{n}",
        "\x1b[31m{n}",
        "{n}" + "x" * 200,
    ),
)

#: Headers of all kinds.
HEADERS: tuple[Headers, ...] = (
    ((b"trace", b"1"),),
    ((b"", b""),),
    ((b"same", b"1"), (b"same", b"2")),
    ((b"\xff\xfe", b"no text"),),
    ((b"\xed\xa0\x80", b"half a surrogate pair"),),
    ((b"stream_detector.reason", b"forged"), (b"stream_detector.offset", b"7")),
    (("ü".encode() * 100, b"\x00" * 100),),
    tuple((b"h%d" % number, b"v") for number in range(100)),
    ((b"big", b"b" * 20_000),),
)
