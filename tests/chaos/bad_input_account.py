"""Computes the required outcome of every record of a topic, from the topic alone, one partition after the other.

The decoder judges each record, and a detector that never evicts a sensor takes the readings: no group, no store, no restart.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from stream_detector.adapters.kafka.span_reader import KafkaReader
from stream_detector.ingest.dead_letters import dead_letter
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.pipeline.config import PipelineConfig
from stream_detector.readings import Float32Array, Message, Readings, Record
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.state.running_scale import Scales
from tests.fakes.scorer import ChecksumScorer
from tests.pipeline.replica_config import MODEL, ReplicaConfig

Place = tuple[int, int]  # partition and offset
Stream = tuple[bytes, int]  # a sensor in one partition: records of one name may come in several
_SLICE_RECORDS = 5000
_MUCH = 10_000_000


class ForgetfulScorer(ChecksumScorer):
    """The checksum scorer without its record of all windows, which only tests inspect."""

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        """See ports.Scorer."""
        found = super().start(windows, scales)
        self.windows_seen.clear()
        return found


@dataclass(slots=True)
class Account:
    """The required outcome of a topic's records."""

    counts: Counter[str] = field(default_factory=Counter)  # by what became of them: scored, unscored, late, dead
    dead_letters: dict[Place, int] = field(default_factory=dict)  # the digest of each
    alerts: dict[Stream, int] = field(default_factory=dict)  # the digest of each one's events, in order
    sensors: dict[int, set[str]] = field(default_factory=dict)  # of each partition
    missing_offsets: set[Place] = field(default_factory=set)  # which the log has no record for


def account_for(settings: KafkaSettings, ends: dict[int, int]) -> Account:
    """Read the input topic up to these positions, and return the required outcome."""
    account = Account()
    with closing(KafkaReader(settings, settings.input_topic)) as reader:
        for partition, end in sorted(ends.items()):
            _account_for_partition(account, settings, read_slices(reader, partition, end), partition)
    return account


def read_slices(reader: KafkaReader, partition: int, end: int) -> Iterator[tuple[range, list[Record]]]:
    """Read a partition from its beginning; yield spans of offsets, and the records in them."""
    start = 0
    while start < end:
        chunk = reader.read(partition, start, end, _SLICE_RECORDS)
        yield range(chunk.start, chunk.stop), list(chunk.records)
        start = chunk.stop


def _account_for_partition(
    account: Account, settings: KafkaSettings, slices: Iterable[tuple[range, list[Record]]], partition: int
) -> None:
    detector = ReplicaConfig(max_sensors=_MUCH).detector(ForgetfulScorer())
    decode = JsonDecoder(MODEL.features, InputLimits()).decode
    limit = PipelineConfig("", "", "").max_dead_letter_bytes
    sensors = account.sensors[partition] = set()
    for offsets, records in slices:
        account.missing_offsets.update((partition, offset) for offset in set(offsets) - {record.offset for record in records})
        decoded = decode(records)
        for one in decoded.rejected:
            account.dead_letters[partition, one.record.offset] = digest(dead_letter(one, "", limit))
        readings: Readings = decoded.readings
        new = [sensor for sensor in dict.fromkeys(readings.sensors) if sensor not in sensors]
        sensors.update(new)
        detector.arena.make_room(len(new))
        detector.admit_new(partition, new)
        detected = detector.detect(readings)
        account.counts["scored"] += detected.scored
        account.counts["late"] += detected.appended.late
        account.counts["unscored"] += len(readings) - detected.appended.late - detected.scored
        account.counts["dead"] += len(decoded.rejected)
        account.counts["skipped"] += decoded.tombstones.total()
        fold_events(account.alerts, detector.alerts(readings, detected, settings.input_topic, ""))


def fold_events(digests: dict[Stream, int], events: Iterable[Message | Record]) -> int:
    """Add events to the digests of their sensors; return the number of events."""
    count = 0
    for count, event in enumerate(events, start=1):  # noqa: B007 - the last count is the result
        stream = event.key or b"", int(json.loads(event.value or b"")["window"]["partition"])
        digests[stream] = zlib.crc32(event.value or b"", digests.get(stream, 0))
    return count


def digest(message: Message | Record) -> int:
    """Return a digest of key, value and headers; a tombstone without a key is written with an empty value."""
    value = b"" if message.key is None else message.value
    return zlib.crc32(
        repr((message.key, value or message.value, [(name, part or b"") for name, part in message.headers])).encode()
    )
