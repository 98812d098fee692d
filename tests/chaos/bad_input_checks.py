"""Checks the outcome of hostile records against the required one: counts, dead letters, alerts, keys, memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from redis import Redis

from stream_detector.adapters.kafka.span_reader import KafkaReader
from stream_detector.adapters.kafka.topics import KafkaTopics
from stream_detector.adapters.redis.keys import MAXIMUM_PLAIN_SENSOR_BYTES
from stream_detector.ingest.document import REASONS
from stream_detector.readings import Record
from stream_detector.settings.kafka_settings import KafkaSettings
from tests.chaos.bad_input_account import Account, Place, Stream, digest, fold_events, read_slices
from tests.chaos.bad_input_process import Run
from tests.chaos.corpus import good_sensors

_MEGABYTE = 1e6
#: RSS that may come and go with the size of records.
_SLACK_MEGABYTES = 64.0


@dataclass(slots=True)
class Outcome:
    """The outcome of a round: its figures, in order, and the defects found."""

    figures: dict[str, str] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def check(self, is_right: bool, what: str) -> None:
        """Record a defect unless the condition holds."""
        if not is_right:
            self.findings.append(what)

    def table(self) -> str:
        """Return the figures as a table, and the verdict under it."""
        width = max(map(len, self.figures))
        lines = [f"{name:<{width}}  {figure}" for name, figure in self.figures.items()]
        return "\n".join([*lines, "", *(self.findings or ["every record accounted for, nothing wrong"])])


def check_counts(outcome: Outcome, run: Run, account: Account, ends: Mapping[int, int], bombs: set[Place]) -> None:
    """Compare the counts that the pipeline reported with the records in the topic."""
    dead = sum(count for name, count in run.totals.items() if name.startswith("dead "))
    reported = {
        "scored": run.totals["scored"],
        "late": run.totals["late"],
        "unscored": run.totals["readings"] - run.totals["late"] - run.totals["scored"],
        "dead": dead,
        "skipped": run.totals["tombstones"],
    }
    outcome.check(not run.has_stalled, f"the pipeline stalled at {run.totals['records']} records")
    outcome.check(account.missing_offsets == bombs, f"offsets without a record: {len(account.missing_offsets)}")
    outcome.check(reported == dict(account.counts), f"reported {reported}, in the topic {dict(account.counts)}")
    outcome.check(sum(reported.values()) + len(bombs) == sum(ends.values()), "the counts do not add up to the records")
    outcome.check(run.totals["lost_readings"] == len(bombs), f"{run.totals['lost_readings']} offsets passed over")
    outcome.check(account.counts["scored"] > 0 and account.counts["dead"] > 0, "there was nothing to see")
    shares = {
        "scored": "scored",
        "unscored (warming, or all values missing)": "unscored",
        "late": "late",
        "dead letters": "dead",
        "without a value": "skipped",
    }
    outcome.figures |= {name: f"{reported[count]:,}" for name, count in shares.items()}
    outcome.figures["passed over (decompression bombs)"] = f"{len(bombs):,}"
    outcome.figures["longest time without progress"] = f"{run.longest_stall_seconds:.1f} s"
    for reason in REASONS:
        outcome.figures[f"  {reason}"] = f"{run.totals[f'dead {reason}']:,}"


def check_topics(outcome: Outcome, settings: KafkaSettings, account: Account) -> None:
    """Compare the dead letters and the alerts with the required ones."""
    found: dict[Place, int] = {}
    doubled = largest = 0
    for record in _records(settings, settings.dead_letter_topic):
        headers = dict(record.headers)
        place = int(headers["stream_detector.partition"] or -1), int(headers["stream_detector.offset"] or -1)
        doubled += place in found
        found[place] = digest(record)
        outcome.check((headers["stream_detector.reason"] or b"").decode() in REASONS, f"dead letter of {place}: no reason")
        largest = max(largest, len(record.key or b"") + len(record.value or b""))
    wrong = sum(found.get(place) != expected for place, expected in account.dead_letters.items())
    unexpected = len(found.keys() - account.dead_letters.keys())
    outcome.check(not wrong and not doubled and not unexpected, f"dead letters: {wrong=}, {doubled=}, {unexpected=}")
    outcome.figures["largest dead letter, key and value"] = f"{largest:,} bytes"
    alerts: dict[Stream, int] = {}
    events = fold_events(alerts, _records(settings, settings.alerts_topic))
    differing = [stream for stream in alerts.keys() | account.alerts.keys() if alerts.get(stream) != account.alerts.get(stream)]
    outcome.check(not differing, f"{len(differing)} sensors have other alerts, for example {differing[:1]}")
    neighbours = {(sensor.encode(), partition) for partition in account.sensors for sensor in good_sensors(partition)}
    outcome.check(neighbours <= alerts.keys(), "a good sensor has no alert")
    outcome.figures["alerts, all as without the bad input"] = f"{events:,} of {len(alerts):,} sensors"


def _records(settings: KafkaSettings, topic: str) -> Iterator[Record]:
    """Yield all committed records of a topic."""
    with KafkaTopics(settings) as topics:
        description = topics.describe(topic)
    assert description is not None
    with closing(KafkaReader(settings, topic)) as reader:
        for partition in description.partitions:
            for _, records in read_slices(reader, partition, reader.bounds(partition)[1]):
                yield from records


def check_store(outcome: Outcome, client: Redis, settings: KafkaSettings, account: Account, ends: Mapping[int, int]) -> None:
    """Check that every key is documented, that each sensor has one, and that each meta is its partition's."""
    tag = f"{settings.group_id}/{settings.input_topic}"
    expected: set[bytes] = set()
    for partition, sensors in account.sensors.items():
        place = f"sd:{{{tag}:{partition}}}:"
        expected |= {f"{place}w:{sensor}".encode() for sensor in sensors if len(sensor.encode()) <= MAXIMUM_PLAIN_SENSOR_BYTES}
        meta = client.hgetall(f"{place}meta")
        is_sound = (
            meta.keys() == {b"next", b"epoch", b"layout", b"topic_id", b"note"} and meta[b"next"] == b"%d" % ends[partition]
        )
        outcome.check(is_sound, f"meta of partition {partition}: {meta}")
        expected.add(f"{place}meta".encode())
    pings = f"sd:{{{tag}}}:ping".encode()  # written when the store was asked whether it answers
    keys = {key for key in client.scan_iter(count=10_000) if not key.startswith(pings)}
    hashed = {key for key in keys - expected if re.fullmatch(rb"sd:\{%b:\d+\}:h:[0-9a-f]{40}" % re.escape(tag.encode()), key)}
    long = sum(len(sensor.encode()) > MAXIMUM_PLAIN_SENSOR_BYTES for sensors in account.sensors.values() for sensor in sensors)
    strange, missing = keys - hashed - expected, expected - keys
    outcome.check(
        not strange and not missing, f"keys: {len(strange)} strange {[*strange][:3]}, {len(missing)} missing {[*missing][:3]}"
    )
    outcome.check(len(hashed) == long, f"{len(hashed)} keys of {long} sensors with long names")
    sensors_stored = sum(map(len, account.sensors.values()))
    used = int(client.info("memory")["used_memory"])
    outcome.figures["sensors stored"] = (
        f"{sensors_stored:,}, {used / _MEGABYTE:.0f} MB of Redis, {used / sensors_stored:.0f} bytes each"
    )


def check_memory(outcome: Outcome, run: Run, max_sensors: int) -> None:
    """Check that memory stops growing once the arena is full: the second half of the records needs no more."""
    full = [sample for sample in run.samples if sample.sensors >= max_sensors]
    half = run.totals["records"] / 2
    early = max((sample.rss_megabytes for sample in full if sample.records <= half), default=None)
    late = max((sample.rss_megabytes for sample in full if sample.records > half), default=None)
    if early is not None and late is not None:
        outcome.check(late <= early + _SLACK_MEGABYTES, f"RSS grew from {early:.0f} to {late:.0f} MB")
        outcome.figures["RSS, arena full: first half, second half"] = f"at most {early:.0f} MB, {late:.0f} MB"
    outcome.figures["RSS at the end"] = (
        f"{run.samples[-1].rss_megabytes:.0f} MB with {run.samples[-1].sensors:,} sensors in memory"
    )
