"""Rounds in which machines rename tags and some name them back, while readings are assembled and replicas are killed.

The incident of a tag that is gone asks whether a name that came since is its new one. What came when is kept beside the state
of the sensors, and must survive whatever happens to the replicas and the store.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from stream_detector.detection.transition import MISSING_FEATURE, OPENED
from stream_detector.readings import Message, Record
from tests.chaos import networks
from tests.chaos.checker import Findings, Leniency, compare_alerts
from tests.chaos.feed import with_single_features
from tests.chaos.kills import LIFE_SECONDS, fates
from tests.chaos.round import Places, Round, RoundResult, Shape
from tests.integration.replica_process import Life
from tests.integration.worker import Setup
from tests.servers.tcp_proxy import Address, TcpProxy

#: The tags of each sensor have other names for so many of so many seconds of event time, one sensor after the other.
RENAMED_SECONDS, EVERY_SECONDS = 25, 60
QUESTION = ": renamed?"


def with_renamed_tags(partition: int, second: int, sensors: int) -> list[tuple[str, bytes]]:
    """Return the records of a second with a feature each, some under another name for a while."""
    numbers = {f"pump-{partition}-{number}": number for number in range(sensors)} | {f"pump-{partition}-a": sensors - 1}
    records = list[tuple[str, bytes]]()
    for sensor, value in with_single_features(partition, second, sensors):
        if value.startswith(b"{"):
            fields = json.loads(value)
            ((tag, number),) = fields["values"].items()
            fields["values"] = {name_of(tag, second, numbers[sensor]): number}
            records.append((sensor, json.dumps(fields).encode()))
        else:
            records.append((sensor, value))
    return records


def name_of(tag: str, second: int, number: int) -> str:
    """Return what a sensor calls a tag in a second.

    Of eight sensors two never rename; three rename b, one a, and one both, to a name like the old one, which comes again every
    third turn; one calls b something else entirely.
    """
    turn, phase = divmod(second + 13 * number, EVERY_SECONDS)
    kind = number % 8
    renames = {2: "b", 3: "b", 4: "a", 5: "ab", 6: "b", 7: "b"}.get(kind, "")
    if tag not in renames or phase >= RENAMED_SECONDS:
        return tag
    return f"velocity {turn}" if kind == 6 else f"{tag}_{turn % 3}"


def renamed(name: str, places: Places, chance: Random, count: int, setup: Setup) -> RoundResult:
    """Kill processes at every step while tags are renamed."""
    with Round(name, places, setup, make_records=with_renamed_tags) as one:
        spent = one.live([Life(fate, setup, 2 * LIFE_SECONDS) for fate in fates(chance, count)])
        return one.check(spent, "kills", "kill -9 while tags are renamed", compare=compare_questions)


def renamed_pauses(name: str, places: Places, chance: Random, count: int, setup: Setup) -> RoundResult:
    """Suspend processes beyond the session and transaction time-outs while tags are renamed."""
    with Round(name, places, setup, make_records=with_renamed_tags) as one:
        spent = one.live([Life(fate, setup, 2 * LIFE_SECONDS) for fate in fates(chance, count, "SIGSTOP")])
        return one.check(spent, "pauses", "SIGSTOP while tags are renamed", compare=compare_questions)


def renamed_churn(name: str, places: Places, chance: Random, count: int, setup: Setup) -> RoundResult:
    """Make replicas join and leave gracefully while tags are renamed."""
    lives = [Life(setup=setup, seconds=chance.uniform(0.5, 3.0), leaves=True) for _ in range(count)]
    with Round(name, places, setup, Shape(replicas=4), make_records=with_renamed_tags) as one:
        spent = one.live(lives)
        return one.check(spent, "departures", "replicas join and leave while tags are renamed", compare=compare_questions)


def renamed_cut(name: str, places: Places, chance: Random, count: int, address: Address) -> RoundResult:
    """Reset the connections to Redis and kill all processes, in turn, while tags are renamed."""
    proxy = TcpProxy(address)
    cut = networks.cut(chance)
    try:
        through = replace(places, redis_url=f"redis://127.0.0.1:{proxy.port}/0")
        fault = "connections to Redis reset, and kill -9, while tags are renamed"
        return _with_kills(name, through, count, (fault, lambda: cut(proxy)))
    finally:
        proxy.close()


def renamed_flushed(name: str, places: Places, count: int, flush: Callable[[], None]) -> RoundResult:
    """Erase the store, which the replicas then fill from memory, and kill all processes, in turn, while tags are renamed."""
    fault = "Redis: FLUSHALL, and then kill -9, while tags are renamed"
    return _with_kills(name, places, count, (fault, flush))


def _with_kills(name: str, places: Places, count: int, fault: tuple[str, Callable[[], None]]) -> RoundResult:
    """After each fault, kill all processes as soon as the store has their state again."""
    with Round(name, places, Setup("assembled"), make_records=with_renamed_tags) as one:
        one.run_quietly()
        one.await_caught_up()
        for _ in range(count):
            time.sleep(5.0)  # some tags are renamed by now, and their values still stand
            fault[1]()
            one.await_caught_up()
            time.sleep(2.0)
            for replica in one.replicas:
                replica.kill()
            one.run_quietly()
            one.await_caught_up()
        return one.check(count, "faults", fault[0], compare=compare_questions)


def compare_questions(expected: Sequence[Message], found: Sequence[Record], leniency: Leniency, findings: Findings) -> None:
    """Compare all events. Some incidents of a crash-free run must ask whether a tag was renamed, and some must not."""
    compare_alerts(expected, found, leniency, findings)
    opened = [event for event in map(_event, expected) if (event["type"], event["status"]) == (MISSING_FEATURE, OPENED)]
    asks = [QUESTION in event["what"] for event in opened]
    if not any(asks):
        findings.note("missing", "any question whether a tag was renamed")
    if all(asks):
        findings.note("missing", "any tag that is gone, of which nothing is asked")


def _event(message: Message) -> dict[str, str]:
    return dict(json.loads(message.value or b"{}"))
