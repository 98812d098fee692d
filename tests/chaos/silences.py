"""Rounds in which sensors fall silent and speak again, while replicas are killed, come and go.

Two rounds differ in what makes a sensor silent. If others of its partition speak, the log says who was silent and when, so all
events are those of a crash-free run. If nothing arrives in a whole partition, the wall clock has a say: then each incident must
still open once and close once.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from random import Random
from typing import Any

from stream_detector.detection.transition import CLOSED, INPUT_SILENT, OPENED, SILENT
from stream_detector.readings import Message, Record
from tests.chaos.checker import Findings, Leniency
from tests.chaos.feed import records_of
from tests.chaos.kills import LIFE_SECONDS, fates
from tests.chaos.round import Places, Round, RoundResult, Shape
from tests.integration.replica_process import Life
from tests.integration.worker import Setup

#: Each sensor is silent for so many of so many seconds of event time, one after the other.
SILENT_SECONDS, EVERY_SECONDS = 25, 90
#: Every second partition in turn has no readings for so many of so many seconds of event time.
IDLE_SECONDS, IDLE_EVERY_SECONDS = 90, 240
#: For so long nothing happens at the end, so that at least one partition is idle long enough.
UNDISTURBED_SECONDS = 60.0


def with_silences(partition: int, second: int, sensors: int) -> list[tuple[str, bytes]]:
    """Return the records of a second, without those of the sensors that are silent then."""
    records = records_of(partition, second, sensors)
    names = {f"pump-{partition}-{number}": number for number in range(sensors)} | {f"pump-{partition}-a": sensors - 1}
    return [one for one in records if (second + 17 * names[one[0]]) % EVERY_SECONDS >= SILENT_SECONDS]


def with_idle_partitions(partition: int, second: int, sensors: int) -> list[tuple[str, bytes]]:
    """Return the records of a second; none while the partition is idle. One partition never is."""
    phase = (second + 40 * partition) % IDLE_EVERY_SECONDS
    return [] if partition and phase < IDLE_SECONDS else records_of(partition, second, sensors)


def silences(name: str, places: Places, chance: Random, count: int, setup: Setup) -> RoundResult:
    """Kill processes at every step while sensors fall silent; compare all events with those of a crash-free run."""
    with Round(name, places, setup, make_records=with_silences) as one:
        spent = one.live([Life(fate, setup, LIFE_SECONDS) for fate in fates(chance, count)])
        _let_all_speak(one)
        return one.check(spent, "kills", "kill -9 while sensors fall silent", compare=compare_by_id)


def idle(name: str, places: Places, chance: Random, count: int, setup: Setup) -> RoundResult:
    """Kill processes, now and then, while whole partitions have no readings."""
    lives = [Life(fate, setup, chance.uniform(10.0, 40.0)) for fate in fates(chance, count)]
    with Round(name, places, setup, Shape(sensors=5), make_records=with_idle_partitions) as one:
        spent = one.live(lives)
        one.run_quietly()
        one.await_caught_up()
        time.sleep(UNDISTURBED_SECONDS)
        one.await_caught_up()
        _let_all_speak(one)
        return one.check(spent, "kills", "kill -9 while whole partitions are idle", compare=compare_incidents)


def comings_and_goings(name: str, places: Places, chance: Random, count: int, setup: Setup) -> RoundResult:
    """Make replicas join and leave gracefully while sensors fall silent."""
    lives = [Life(setup=setup, seconds=chance.uniform(0.5, 6.0), leaves=True) for _ in range(count)]
    with Round(name, places, setup, Shape(replicas=4), make_records=with_silences) as one:
        spent = one.live(lives)
        _let_all_speak(one)
        return one.check(spent, "departures", "replicas join and leave while sensors fall silent", compare=compare_by_id)


def _let_all_speak(one: Round) -> None:
    """End the feed with readings of all sensors, so that every silence has ended."""
    one.feed.stop()
    one.feed.make_records = records_of
    for _ in range(3):
        one.feed.advance()


def compare_by_id(expected: Sequence[Message], found: Sequence[Record], leniency: Leniency, findings: Findings) -> None:
    """Compare all events but those about the input by their ids and contents."""
    by_id = {event["event_id"]: event for event in map(_event, expected)}
    seen: Counter[str] = Counter()
    for event in map(_event, found):
        name = event["event_id"]
        seen[name] += 1
        if seen[name] > 1:
            findings.note("doubled", name)
        elif event["type"] == INPUT_SILENT:
            continue
        elif name not in by_id:
            findings.note("unexpected", name)
        elif event != by_id[name] and not leniency.levels:
            findings.note("wrong_incident", f"{event} instead of {by_id[name]}")
    for name in by_id.keys() - seen.keys():
        findings.note("missing", name)


def compare_incidents(expected: Sequence[Message], found: Sequence[Record], _: Leniency, findings: Findings) -> None:
    """Check that each incident opens once, first, and closes at most once, last; that a silence closes; that some were found.

    Readings decide about the others as in a crash-free run, so their incidents must be there as well.
    """
    incidents: dict[str, list[dict[str, Any]]] = defaultdict(list)
    ids = Counter(event["event_id"] for event in map(_event, found))
    for name, times in ids.items():
        if times > 1:
            findings.note("doubled", name)
    for event in map(_event, found):
        incidents[event["incident_id"]].append(event)
    for name, events in incidents.items():
        statuses = [event["status"] for event in events]
        if statuses[0] != OPENED or OPENED in statuses[1:] or CLOSED in statuses[:-1]:
            findings.note("out_of_order", f"{name}: {statuses}")
        if events[0]["type"] == SILENT and statuses[-1] != CLOSED:
            findings.note("missing", f"the end of {name}")
    for event in map(_event, expected):
        if event["incident_id"] not in incidents:
            findings.note("missing", event["event_id"])
    if not any(event["type"] == SILENT for event in map(_event, found)):
        findings.note("missing", "any silence")


def _event(message: Message | Record) -> dict[str, Any]:
    return dict(json.loads(message.value or b"{}"))
