"""The MQTT topic of a Sparkplug message: what kind of message it is, and whose.

    spBv1.0/GROUP/KIND/NODE
    spBv1.0/GROUP/KIND/NODE/DEVICE

A bridge keeps it in a header, in the key, or as the name of the Kafka topic, with dots for the slashes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.sources import Source
from stream_detector.readings import Record

NAMESPACE = "spBv1.0"
#: The header of a copied record that has the topic.
TOPIC_HEADER = "mqtt.topic"
BIRTHS = frozenset(("NBIRTH", "DBIRTH"))
DATA = frozenset(("NDATA", "DDATA"))
DEATHS = frozenset(("NDEATH", "DDEATH"))
#: Messages to the nodes, and about host applications: they have no reading.
_IGNORED = ("NCMD", "DCMD", "STATE")
_KINDS = "|".join(sorted(BIRTHS | DATA | DEATHS | {"NCMD", "DCMD"}))
#: Names have no slash; quotes and braces end a topic that stands in JSON.
_WITH_SLASHES = re.compile(rf"spBv1\.0/([^/\"]+)/({_KINDS})/([^/\"]+)(?:/([^/\"]+))?")
_WITH_OTHERS = re.compile(rf"spBv1\.0([._-])(.+?)\1({_KINDS})\1([^._-]+|.+?)(?:\1(.+))?")
_STATE = re.compile(r"(?:spBv1\.0/)?STATE/[^/\"]+")
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class SparkplugTopic:
    """Who sent a message, and what kind it is."""

    kind: str  # NBIRTH, NDATA, NDEATH, DBIRTH, DDATA, DDEATH, or one that is ignored
    node: str  # GROUP/NODE
    device: str  # empty: the node itself
    sensor: str = field(init=False)  # GROUP/NODE or GROUP/NODE/DEVICE

    def __post_init__(self) -> None:
        """Set the sensor's name once, because each message asks for it."""
        object.__setattr__(self, "sensor", f"{self.node}/{self.device}" if self.device else self.node)

    @property
    def is_ignored(self) -> bool:
        """Whether such a message never holds a reading."""
        return self.kind in _IGNORED

    @property
    def text(self) -> str:
        """The topic as MQTT has it."""
        group, _, node = self.node.partition("/")
        return "/".join([NAMESPACE, group, self.kind, node, *([self.device] if self.device else [])])


def topic_finder(source: Source | None = None) -> Callable[[Record], SparkplugTopic]:
    """Return what finds the topic of a record's message, at a source or where bridges put it. It raises RejectionError."""

    def find(record: Record) -> SparkplugTopic:
        for text in (record.topic,) if source is None else _at(source, record):
            topic = parse_topic(text)
            if topic is not None:
                return topic
        raise RejectionError("sensor_missing", _nowhere(record, is_given=source is not None))

    def find_where_bridges_put_it(record: Record) -> SparkplugTopic:
        for _, content in record.headers:
            if content and (topic := _parse_bytes(content)) is not None:
                return topic
        if record.key and (topic := _parse_bytes(record.key)) is not None:
            return topic
        return find(record)

    return find_where_bridges_put_it if source is None else find


@lru_cache(maxsize=65_536)
def parse_topic(text: str) -> SparkplugTopic | None:
    """Return the topic that a text is or holds; None if there is none."""
    return _parsed(text)


def _parsed(text: str) -> SparkplugTopic | None:
    found = _WITH_SLASHES.search(text)
    if found is not None:
        group, kind, node, device = found.groups()
        return SparkplugTopic(kind, f"{group}/{node}", device or "")
    if _STATE.fullmatch(text.strip('"')):
        return SparkplugTopic("STATE", "", "")
    found = _WITH_OTHERS.search(text)
    if found is None:
        return None
    _, group, kind, node, device = found.groups()
    return SparkplugTopic(kind, f"{group}/{node}", device or "")


def _at(source: Source, record: Record) -> Iterator[str]:
    found = source((), record)
    if isinstance(found, str):
        yield found[:_LONGEST]


def _parse_bytes(content: bytes) -> SparkplugTopic | None:
    return _remembered(content) if len(content) <= _LONGEST else None


@lru_cache(maxsize=65_536)
def _remembered(content: bytes) -> SparkplugTopic | None:
    return _parsed(content.decode(errors="replace"))


def _nowhere(record: Record, *, is_given: bool) -> str:
    where = "at STREAM_DETECTOR_INPUT__SENSOR" if is_given else "in the headers, the key and the topic's name"
    names = ", ".join(name for name, _ in list(record.headers)[:5]) or "none"
    key = repr(record.key[:60]) if record.key else "none"
    found = f"headers: {names[:100]}; key: {key}"
    return f"no Sparkplug topic such as {NAMESPACE}/GROUP/DDATA/NODE/DEVICE {where}; {found} (docs/sparkplug.md)"
