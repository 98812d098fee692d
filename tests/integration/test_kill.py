"""Replicas killed and suspended at every step, on a real Kafka and Valkey: no event is missing, duplicated or different."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from pathlib import Path

from tests.integration.expectation import expected_alerts, expected_dead_letters, headers_of
from tests.integration.plants import SOME
from tests.integration.replica_process import ReplicaProcess
from tests.integration.topics import Topics, by_sensor, until
from tests.integration.worker import STEPS, Fate
from tests.pipeline.replica_config import MODEL, START_MS, reading

PARTITIONS = 4
SENSORS_PER_PARTITION = 3
#: Readings of each sensor that are produced before each start; a poll takes a part of them, so a life is several batches.
READINGS_PER_LIFE = 8


def fates() -> list[Fate]:
    """Return lives that end early and late at every step, some in a suspension; in an arbitrary fixed order."""
    lives = [Fate(step, count, restoring=3) for step, count in itertools.product(STEPS[:-1], (1, 2, 4))]
    lives += [Fate(step, 2, "SIGSTOP") for step in ("polled", "sent", "committed")]
    lives += [Fate("polled", 6, persists=2) for _ in range(3)]
    random.Random(7).shuffle(lives)
    return lives


def produce_slice(topics: Topics, number: int, partitions: int = PARTITIONS) -> None:
    """Append the records of one life: readings, some with a missing value, one late; and one invalid record."""
    times = range(number * READINGS_PER_LIFE, (number + 1) * READINGS_PER_LIFE)
    for partition in range(partitions):
        sensors = [f"pump-{partition}-{which}" for which in range(SENSORS_PER_PARTITION)]
        records = [
            (sensor, reading(sensor, START_MS + 1000 * second, second * 0.37 % 1.0, None if second % 11 == 0 else partition))
            for second in times
            for sensor in sensors
        ]
        records.insert(5, (sensors[0], reading(sensors[0], START_MS, 0.0, 0.0)))
        records.insert(9, (sensors[1], b"not a reading"))
        topics.produce(partition, records)


def open_topics(brokers: str, name: str, partitions: int) -> Topics:
    """Create topics for replicas with a short session time-out."""
    return Topics(
        brokers,
        name,
        partitions,
        start="earliest",
        session_timeout_seconds=1,
        transaction_timeout_seconds=2,
        request_timeout_seconds=5,
        max_poll_records=10,
    )


def assert_as_uninterrupted(topics: Topics, sensors: int) -> None:
    alerts = expected_alerts(SOME.detector, topics.input())
    assert len(alerts) == sensors
    assert by_sensor(topics.alerts()) == alerts
    assert headers_of(topics.dead_letters()) == expected_dead_letters(topics.input(), MODEL.features)


def test_killed_and_paused_replicas_publish_exactly_what_an_uninterrupted_one_would(
    kafka_brokers: str, redis_url: str, unique_name: str, tmp_path: Path
) -> None:
    topics = open_topics(kafka_brokers, unique_name, PARTITIONS)
    dynamic, static = topics.settings, topics.settings.model_copy(update={"instance_id": "static"})
    replicas = [ReplicaProcess(settings, redis_url, tmp_path / f"{settings.instance_id}.log") for settings in (dynamic, static)]
    try:
        remaining = list(enumerate(fates()))
        while remaining:
            for replica in replicas:
                if remaining and replica.has_ended():
                    number, fate = remaining.pop(0)
                    produce_slice(topics, number)
                    replica.start(fate)
            time.sleep(0.02)
        for replica in replicas:
            until(replica.has_ended)
            replica.start()
        topics.await_all_committed()

        assert [replica.stop() for replica in replicas] == [0, 0]
        reached = sum((replica.steps_reached() for replica in replicas), Counter())
        assert set(reached) >= set(STEPS) - {"restoring"}
        assert reached.total() >= 20
        assert_as_uninterrupted(topics, PARTITIONS * SENSORS_PER_PARTITION)
    finally:
        for replica in replicas:
            replica.kill()
        topics.close()


def test_a_replica_killed_while_it_restores_restores_again(
    kafka_brokers: str, redis_url: str, unique_name: str, tmp_path: Path
) -> None:
    topics = open_topics(kafka_brokers, unique_name, 1)
    replica = ReplicaProcess(topics.settings, redis_url, tmp_path / "replica.log")
    # The store stops to follow after a few batches, so there is a piece of the log to go through again.
    lives = [Fate("polled", 8, persists=3), Fate(restoring=2), Fate(restoring=3)]
    try:
        for number in range(5):
            produce_slice(topics, number, partitions=1)
        for life in lives:
            replica.start(life)
            until(replica.has_ended)
        replica.start()
        topics.await_all_committed()

        assert replica.stop() == 0
        assert replica.steps_reached() == {"polled": 1, "restoring": 2}
        assert_as_uninterrupted(topics, SENSORS_PER_PARTITION)
    finally:
        replica.kill()
        topics.close()
