"""Rounds of Sparkplug nodes: births with other aliases each time, deaths of devices and nodes, while replicas are killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from stream_detector.readings import Message, Record
from tests.chaos.checker import Findings, Leniency
from tests.chaos.feed import GAP_EVERY
from tests.chaos.kills import LIFE_SECONDS, fates
from tests.chaos.round import Places, Round, RoundResult, Shape
from tests.chaos.silences import compare_by_id
from tests.ingest.sparkplug_messages import DOUBLE, metric, payload, session
from tests.integration.replica_process import Life
from tests.integration.worker import Setup
from tests.pipeline.replica_config import MINUTE_MS, SECOND_MS, START_MS

#: A node is born again every so many seconds, after it was dead for some.
BORN_EVERY, DEAD_SECONDS = 24, 4
#: Each device is offline for so many of so many seconds, one after the other.
OFFLINE_SECONDS, OFFLINE_EVERY = 25, 90
#: Makes the payload of a partition's device for a second; the last argument is whether it is a birth.
PayloadOf = Callable[[int, int, int, bool], bytes]


def time_of(second: int) -> int:
    return START_MS + second * SECOND_MS + second // GAP_EVERY * 2 * MINUTE_MS


def aliases_of(second: int, device: int) -> dict[str, int]:
    """Return the aliases of a device in the session of this second: each birth of the node shifts them, and swaps two.

    In every third session a device has one metric only.
    """
    birth = second // BORN_EVERY
    first = 2 * (device + birth % 7)
    aliases = {"a": first + birth % 2, "b": first + 1 - birth % 2}
    return {"a": aliases["a"]} if birth % 3 == 2 else aliases


def of_nodes(partition: int, second: int, sensors: int, payload_of: PayloadOf | None = None) -> list[tuple[str, bytes]]:
    """Return the messages of a partition's node for one second, by their topics; `payload_of` makes those of devices."""
    made = payload_of or _payload_of
    phase, node = second % BORN_EVERY, f"n{partition}"
    if phase == BORN_EVERY - DEAD_SECONDS:
        return [(f"spBv1.0/g/NDEATH/{node}", payload([session(second // BORN_EVERY)], at_ms=START_MS))]
    if phase > BORN_EVERY - DEAD_SECONDS:
        return []
    records = (
        [(f"spBv1.0/g/NBIRTH/{node}", payload([session(second // BORN_EVERY)], at_ms=time_of(second)))] if not phase else []
    )
    for device in range(sensors):
        turn = (second + 17 * device) % OFFLINE_EVERY
        topic = f"{node}/d{device}"
        if turn == OFFLINE_EVERY - OFFLINE_SECONDS and phase:
            records.append((f"spBv1.0/g/DDEATH/{topic}", payload(at_ms=time_of(second))))
        elif turn < OFFLINE_EVERY - OFFLINE_SECONDS:
            is_birth = not phase or turn == 0
            records.append(
                (f"spBv1.0/g/{'DBIRTH' if is_birth else 'DDATA'}/{topic}", made(partition, second, device, is_birth))
            )
    if second % 13 == 5:
        records.insert(1, (f"spBv1.0/g/DDATA/{node}/d1", b"not a payload"))
    if second % 17 == 3:
        records.append((f"spBv1.0/g/DDATA/{node}/d0", payload([metric(value=1.0, alias=99)], at_ms=time_of(second))))
    return records


def with_all_born(partition: int, second: int, sensors: int, payload_of: PayloadOf | None = None) -> list[tuple[str, bytes]]:
    """Return births of a node and all its devices."""
    made = payload_of or _payload_of
    born = [(f"spBv1.0/g/NBIRTH/n{partition}", payload([session(second // BORN_EVERY)], at_ms=time_of(second)))]
    return born + [
        (f"spBv1.0/g/DBIRTH/n{partition}/d{device}", made(partition, second, device, True)) for device in range(sensors)
    ]


def _payload_of(_: int, second: int, device: int, is_birth: bool) -> bytes:
    values = {"a": (second * 0.37 + device * 0.11) % 1.0, "b": None if (second + device) % 11 == 0 else float(device)}
    metrics = [
        metric(name if is_birth else "", values[name], alias=alias, datatype=DOUBLE)
        for name, alias in aliases_of(second, device).items()
    ]
    return payload(metrics, at_ms=time_of(second), seq=second % 256)


def sparkplug(name: str, places: Places, chance: Random, count: int, setup: Setup) -> RoundResult:
    """Kill processes at every step while nodes and devices are born, die and are born again with other aliases."""
    with Round(name, places, setup, make_records=of_nodes) as one:
        spent = one.live([Life(fate, setup, LIFE_SECONDS) for fate in fates(chance, count)])
        _let_all_be_born(one)
        return one.check(spent, "kills", "kill -9 while nodes are born and die", compare=compare_nodes)


def sparkplug_churn(name: str, places: Places, chance: Random, count: int, setup: Setup) -> RoundResult:
    """Make replicas join and leave gracefully while nodes are born and die."""
    lives = [Life(setup=setup, seconds=chance.uniform(0.5, 3.0), leaves=True) for _ in range(count)]
    with Round(name, places, setup, Shape(replicas=4), make_records=of_nodes) as one:
        spent = one.live(lives)
        _let_all_be_born(one)
        return one.check(spent, "departures", "replicas join and leave while nodes are born and die", compare=compare_nodes)


def compare_nodes(expected: Sequence[Message], found: Sequence[Record], leniency: Leniency, findings: Findings) -> None:
    """Compare all events, and check that both kinds of death were told."""
    compare_by_id(expected, found, leniency, findings)
    told = b"".join(record.value or b"" for record in found)
    for kind in ("NDEATH", "DDEATH"):
        if f"({kind})".encode() not in told:
            findings.note("missing", f"any {kind}")


def _let_all_be_born(one: Round) -> None:
    """End the feed with births of all, so that every silence has ended."""
    one.feed.stop()
    one.feed.make_records = with_all_born
    for _ in range(3):
        one.feed.advance()
