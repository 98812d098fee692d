"""Topics of other tools, as samples: an hour and a half of six machines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from stream_detector.commands.init_topic import understand
from stream_detector.discovery.proposal import Proposal
from stream_detector.discovery.topic_proposal import TopicFacts, propose
from tests.ingest.foreign import Foreign

#: Makes the documents of a machine at a step: of step, time, machine and values.
Documents = Callable[[int, int, str, dict[str, float]], list[object]]

START_MS, STEP_MS, STEPS = 1_795_417_920_000, 10_000, 340
MACHINES = [f"press-{number}" for number in range(1, 7)]
FEATURES = ("temp", "pressure", "rpm")

GIVEN = {"redis_url": "redis://localhost:6379/0", "registry_url": "http://localhost:8081"}


def value_of(machine: int, feature: int, step: int) -> float:
    """Return a value that is no counter, no flag and no code."""
    return round(60.0 + 7 * feature + machine + 3 * ((step * 37 + 11 * machine + 5 * feature) % 101) / 101, 3)


def steps() -> Iterator[tuple[int, int, int, dict[str, float]]]:
    """Yield step, time, number of the machine and its values."""
    for step in range(STEPS):
        for machine in range(len(MACHINES)):
            values = {name: value_of(machine, feature, step) for feature, name in enumerate(FEATURES)}
            yield step, START_MS + step * STEP_MS, machine, values


def sample(documents: Documents, *, partitions: int = 1, keyed: bool = True) -> list[Foreign]:
    """Return records of documents made of step, time, machine and values; without a key they go to partitions in turn."""
    records: list[Foreign] = []
    for step, time_ms, machine, values in steps():
        for document in documents(step, time_ms, MACHINES[machine], values):
            value = document if isinstance(document, bytes) else json.dumps(document).encode()
            partition = machine % partitions if keyed else len(records) % partitions
            key = MACHINES[machine].encode() if keyed else None
            records.append(Foreign(value, key, offset=len(records), partition=partition, timestamp=time_ms + 20))
    return records


def proposal_of(records: list[Foreign], hours: float = 1.5) -> Proposal:
    """Return what `init` proposes for a topic of these records."""
    facts = TopicFacts("plant", "kafka:9092", 3, len(records), 3600 * hours)
    return propose(facts, *understand(records), GIVEN)
