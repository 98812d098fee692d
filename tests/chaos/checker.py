"""Compares the events of a round with those that a crash-free run would have published.

Computes such a run from the records of the input topic in one pass, without a stream, a store or a restart. With the plant
`every` each scored reading has one event, whose `expected` value is a checksum of its window.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

from stream_detector.detection.detector import Detector
from stream_detector.detection.events import read_event
from stream_detector.detection.silence_events import begins_silence
from stream_detector.ingest.dead_letters import dead_letter
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.pipeline.sensor_loader import decode_stored
from stream_detector.pipeline.state_snapshot import unsaved_updates
from stream_detector.ports import Decoder
from stream_detector.readings import Message, Record, Rejected
from tests.integration.plants import plant_of

Place = tuple[int, int, int]  # of a reading: its partition, the offset of its record, and its index in it
Change = tuple[Place, str]  # a place, and the type of an event: a reading may change incidents of several types
_EXAMPLES = 5
#: No record of a round is longer, so dead letters have them whole.
MOST_BYTES = 65_536


@dataclass(slots=True)
class Findings:
    """How the events of a round differ from those of a crash-free run; all zero when they do not."""

    missing: int = 0
    doubled: int = 0
    unexpected: int = 0
    wrong_window: int = 0
    wrong_score: int = 0
    wrong_incident: int = 0
    out_of_order: int = 0
    dead_letters_missing: int = 0
    dead_letters_doubled: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """Events that are there once but have wrong content."""
        return self.unexpected + self.wrong_window + self.wrong_score + self.wrong_incident + self.out_of_order

    @property
    def total(self) -> int:
        """All differences."""
        return sum(getattr(self, one.name) for one in fields(self) if one.name != "examples")

    def note(self, kind: str, what: object) -> None:
        """Count a difference, and keep the first ones to look at."""
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{kind}: {what}")


@dataclass(frozen=True, slots=True)
class Leniency:
    """The differences allowed after faults that lose state for good: in levels and incidents, never in windows."""

    levels: bool = False


def compare_alerts(expected: Sequence[Message], found: Sequence[Record], leniency: Leniency, findings: Findings) -> None:
    """Compare all events of the alerts topic."""
    known = {_change(event): event for event in (json.loads(message.value or b"") for message in expected)}
    seen: Counter[Change] = Counter()
    last: dict[bytes | None, tuple[int, ...]] = {}
    for record in found:
        event = json.loads(record.value or b"")
        place, change = _place(record.value), _change(event)
        seen[change] += 1
        if seen[change] > 1:
            findings.note("doubled", event["event_id"])
        elif change not in known:
            findings.note("unexpected", event["event_id"])
        elif kind := _difference(known[change], event, leniency):
            findings.note(kind, f"{event} instead of {known[change]}")
        if place[1:] < last.get(record.key, ()):
            findings.note("out_of_order", event["event_id"])
        last[record.key] = place[1:]
    for change in known.keys() - seen.keys():
        findings.note("missing", known[change]["event_id"])


def _place(value: bytes | None) -> Place:
    window = json.loads(value or b"")["window"]
    return window["partition"], window["last_offset"], window["last_index"]


def _change(event: Mapping[str, Any]) -> Change:
    window = event["window"]
    return (window["partition"], window["last_offset"], window["last_index"]), event["type"]


def _difference(expected: Mapping[str, Any], found: Mapping[str, Any], leniency: Leniency) -> str | None:
    if expected == found:
        return None
    if expected["window"] != found["window"] or _window_checksum(expected) != _window_checksum(found):
        return "wrong_window"
    if leniency.levels:
        return None
    if any(expected[name] != found[name] for name in ("score", "threshold", "model", "features", "members")):
        return "wrong_score"
    return "wrong_incident"


def _window_checksum(event: Mapping[str, Any]) -> object:
    """Return the checksum of the window alone, which the checksum scorer gives as the first feature's expected value."""
    return next((feature["expected"] for feature in event["features"] if feature["name"] == "a"), None)


def compare_dead_letters(records: Iterable[Record], decoder: Decoder, found: Iterable[Record], findings: Findings) -> None:
    """Compare the dead letters by their headers, which hold the source position of each."""
    compare_rejected(decoder.decode(list(records)).rejected, found, findings)


def compare_rejected(rejected: Iterable[Rejected], found: Iterable[Record], findings: Findings) -> None:
    """Compare the dead letters with those of these rejections, by their headers."""
    expected = Counter(str(dead_letter(one, "", MOST_BYTES).headers) for one in rejected)
    seen = Counter(str(tuple(one.headers)) for one in found)
    findings.dead_letters_missing += (expected - seen).total()
    findings.dead_letters_doubled += (seen - expected).total()


def check_limits_moved(found: Iterable[Record], findings: Findings) -> None:
    """Check that some sensor's own incidents had moved its limit, so that the balance was not at its start."""
    if not any(read_event(record.value or b"").margin_factor not in (None, 1.0) for record in found):
        findings.note("missing", "any limit that incidents moved")


def longest_stall_seconds(inputs: Iterable[Record], alerts: Iterable[Record]) -> float:
    """Return the longest time for which a partition with events to publish published none.

    Uses the records' timestamps: the production time of a reading, and the send time of an event. Leaves out what a silence
    began, because no reading causes that.
    """
    produced = {(record.partition, record.offset): record.timestamp for record in inputs}
    by_partition: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for record in alerts:
        place = _place(record.value)[:2]
        if place in produced and not begins_silence(read_event(record.value or b"")):
            by_partition[place[0]].append((record.timestamp, produced[place]))
    stalls_ms = [0]
    for events in by_partition.values():
        events.sort()
        stalls_ms.append(events[0][0] - events[0][1])
        stalls_ms += [later - max(before, since) for (before, _), (later, since) in pairwise(events)]
    return max(stalls_ms) / 1000.0


def expected_by(
    records: Sequence[Record], make_detector: Callable[[], Detector], make_decoder: Callable[[], Decoder | None] = lambda: None
) -> list[Message]:
    """Return the events of a crash-free run with one model."""
    by_partition = _by_partition(records)
    return [event for own in by_partition.values() for event in _events(own, make_detector(), make_decoder())]


def expected_events(records: Sequence[Record], plant: str, found: Sequence[Record]) -> list[Message]:
    """Return the events of a crash-free run in which each partition changes its model where the actual events do."""
    events: list[Message] = []
    switches = _model_switches(found)
    decoder = plant_of(plant).decoder()
    for partition, own in _by_partition(records).items():
        bounds = switches.get(partition, [(0, "v1")])
        stops = [offset for offset, _ in bounds[1:]] + [own[-1].offset + 1]
        detector: Detector | None = None
        start = 0
        for (_, version), stop in zip(bounds, stops, strict=True):
            detector = _taken_over(partition, plant_of(plant, version).detector(), detector)
            events += _events([one for one in own if start <= one.offset < stop], detector, decoder)
            start = stop
    return events


def _by_partition(records: Iterable[Record]) -> dict[int, list[Record]]:
    by_partition: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        by_partition[record.partition].append(record)
    return dict(by_partition)


def _model_switches(found: Sequence[Record]) -> dict[int, list[tuple[int, str]]]:
    """Return, for each partition, the offsets from which a model version scored it."""
    by_partition: dict[int, dict[int, str]] = defaultdict(dict)
    for record in found:
        partition, offset, _ = _place(record.value)
        by_partition[partition][offset] = json.loads(record.value or b"")["model"]["version"]
    switches: dict[int, list[tuple[int, str]]] = {}
    for partition, versions in by_partition.items():
        changes = [(0, versions[min(versions)])]
        for offset in sorted(versions):
            if versions[offset] != changes[-1][1]:
                changes.append((offset, versions[offset]))
        switches[partition] = changes
    return switches


def _taken_over(partition: int, detector: Detector, before: Detector | None) -> Detector:
    """Load the state of the previous detector into a detector, as a restoration from the store would."""
    if before is not None:
        slots = before.arena.held(partition)
        sensors = [before.arena.sensors[slot] for slot in slots.tolist()]
        before.arena.mark_lost(partition)
        written = unsaved_updates(before.arena, slots).whole  # all of them, as none is stored
        detector.admit(partition, sensors, *decode_stored(detector, [written[sensor] for sensor in sensors]))
    return detector


def _events(records: Sequence[Record], detector: Detector, decoder: Decoder | None = None) -> list[Message]:
    if not records:
        return []
    decoded = (decoder or JsonDecoder(detector.model.features, InputLimits())).decode(records)
    readings = decoded.readings
    lacking = detector.arena.touch(records[0].partition, sorted(set(readings.sensors)))
    detector.admit_new(records[0].partition, lacking)
    return list(
        detector.alerts(readings, detector.detect(readings, decoded.deaths, decoded.unknown), records[0].topic, "alerts")
    )
