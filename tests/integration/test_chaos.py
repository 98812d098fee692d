"""A short chaos campaign: some of its faults, a few times each. It also finds a defect that is built in on purpose."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.chaos import kills, networks, stores
from tests.chaos.round import Places, RoundResult
from tests.integration.worker import Setup
from tests.servers.valkey import Valkey


@pytest.fixture
def places(kafka_brokers: str, redis_url: str, tmp_path: Path) -> Places:
    return Places(kafka_brokers, redis_url, tmp_path)


def assert_clean(row: RoundResult, events: int) -> None:
    assert (row.findings.total, row.findings.examples, row.crashes) == (0, [], ())
    assert row.events > events


@pytest.mark.parametrize("plant", ["every", "evicting", "rules"])
def test_killed_replicas_leave_nothing_missing_doubled_or_wrong(plant: str, places: Places, unique_name: str) -> None:
    row = kills.kills(unique_name, places, Random(7), 10, Setup(plant))

    assert_clean(row, 200)
    assert row.steps.total() >= 5


def test_a_store_that_is_flushed_loses_nothing_that_is_in_memory(
    places: Places, own_valkey: Valkey, tmp_path: Path, unique_name: str
) -> None:
    own = Places(places.brokers, own_valkey.url, tmp_path)

    row = stores.repeat_fault(unique_name, own, 1, Setup("every"), ("flushed", stores.flushed(own_valkey)))

    assert_clean(row, 200)


def test_answers_of_the_store_that_are_lost_change_nothing(places: Places, own_valkey: Valkey, unique_name: str) -> None:
    fault = "answers lost", networks.answers_lost(Random(7))

    assert_clean(stores.through_proxy(unique_name, places, own_valkey.address, 1, fault), 200)


def test_a_commit_in_two_parts_is_found_out(places: Places, unique_name: str) -> None:
    torn = Setup("every", is_torn=True)

    row = kills.kills(unique_name, places, Random(7), 6, torn, steps=("committed",))

    assert row.findings.missing > 0
    assert not row.is_clean
