"""What `init` finds in a topic of Sparkplug messages."""

from __future__ import annotations

import pytest

from stream_detector.commands.init_topic import understand
from stream_detector.discovery.guess import guess_input
from stream_detector.discovery.nodes import is_birth, is_sparkplug
from stream_detector.discovery.topic_proposal import TopicFacts, propose
from tests.fakes.memory_log import MemoryRecord
from tests.ingest.foreign import foreign
from tests.ingest.sparkplug_messages import START_MS, message, metric, session

GIVEN = {"redis_url": "redis://localhost:6379/0", "registry_url": ""}


def plant(partitions: int = 1, key: bytes | None = None) -> list[MemoryRecord]:
    """Return births of a node and its device, and what changed every second after: one or two of four metrics."""
    named = [metric(name, 0.0, alias=at) for at, name in enumerate(("a", "b", "c", "d"))]
    records = [message("g/NBIRTH/n", [session(1), metric("z", 0.0)]), message("g/DBIRTH/n/d", named, offset=1)]
    for at in range(2, 60):
        metrics = [metric(value=at * 0.7 % 5, alias=alias) for alias in {at % 4, at // 2 % 4}]
        records.append(message("g/DDATA/n/d", metrics, offset=at, at_ms=START_MS + 1000 * at, partition=at % partitions))
    if key is None:
        return records
    return [MemoryRecord("plant", one.partition, one.offset, one.timestamp, key, one.value) for one in records]


def test_the_preset_is_proposed_with_an_assembly_and_all_metrics_are_found() -> None:
    births, records = plant()[:2], plant()[2:]
    guess, profile, clocks = understand(records, births=births)
    proposal = propose(TopicFacts("plant", "kafka:9092", 1, 60, 60.0), guess, profile, clocks, GIVEN)
    settings = proposal.settings()["input"]

    assert (guess.format, settings["preset"]) == ("Sparkplug B", "sparkplug")
    assert isinstance(settings["assemble_seconds"], float)
    assert "repartition" not in settings
    assert set(profile.features) == {"a", "b", "c", "d"}
    assert not profile.rejected


@pytest.mark.parametrize(("partitions", "key"), [(2, None), (2, b"spBv1.0/g/DDATA/n/d")])
def test_nodes_that_come_from_several_partitions_are_brought_together(partitions: int, key: bytes | None) -> None:
    assert guess_input(plant(partitions, key)).settings["repartition"] is True


def test_other_records_are_no_messages_of_nodes() -> None:
    records = [foreign({"a": 1}, key=b"k")] * 5

    assert not is_sparkplug(records)
    assert not is_birth(records[0])
