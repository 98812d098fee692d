"""Operators and other programs change topics and servers under a running pipeline, on a real Kafka and Valkey.

Each test ends with the same check: the alerts equal those computed in one pass over the readable records.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from kafka import ConsumerGroupMetadata, KafkaProducer, TopicPartition
from kafka.admin import MemberToRemove

from stream_detector.readings import Membership, Message
from tests.integration.expectation import expected_alerts
from tests.integration.plants import SOME
from tests.integration.replica import Replica, run_all
from tests.integration.replica_process import ReplicaProcess
from tests.integration.topics import PATIENCE_SECONDS, Topics, by_sensor, until
from tests.pipeline.replica_config import MINUTE_MS, SECOND_MS, START_MS, ReplicaConfig, reading
from tests.servers.kafka import Kafka
from tests.servers.valkey import Valkey

OpenTopics = Callable[..., Topics]
OpenReplica = Callable[..., Replica]


@pytest.fixture
def open_topics(request: pytest.FixtureRequest, unique_name: str) -> Iterator[OpenTopics]:
    """Create the topics of the test, by default on the shared Kafka."""
    with ExitStack() as stack:

        def open_(partitions: int = 1, brokers: str | None = None, **changes: object) -> Topics:
            topics = Topics(
                brokers or request.getfixturevalue("kafka_brokers"),
                unique_name,
                partitions,
                **{"start": "earliest", "max_poll_records": 20, "extra": {"metadata_max_age_ms": 300}} | changes,
            )
            stack.callback(topics.close)
            return topics

        yield open_


@pytest.fixture
def open_replica(redis_url: str) -> Iterator[OpenReplica]:
    """Start replicas in this process, by default on the shared Valkey."""
    with ExitStack() as stack:

        def open_(topics: Topics, redis: str = redis_url) -> Replica:
            replica = Replica(topics.settings, redis)
            stack.callback(replica.close)
            return replica

        yield open_


def readings(first: int, count: int, sensors: Sequence[str] = ("pump-1", "pump-2")) -> list[tuple[str, bytes]]:
    """Return readings of sensors in turn, a second apart; about one in four is anomalous."""
    return [
        (sensor, reading(sensor, START_MS + SECOND_MS * second, second * 0.37 % 1.0, float(place)))
        for second in range(first, first + count)
        for place, sensor in enumerate(sensors)
    ]


def everything_is_done(topics: Topics, replicas: Sequence[Replica]) -> Callable[[], bool]:
    """Return whether all records in the topic are committed and persisted."""
    ends = {partition: end for partition, end in topics.ends().items() if end}

    def is_done() -> bool:
        return not any(replica.pipeline.store_lag for replica in replicas) and ends.items() <= topics.committed().items()

    return is_done


def catch_up(topics: Topics, *replicas: Replica) -> None:
    run_all(list(replicas), everything_is_done(topics, replicas))


def assert_alerts(topics: Topics, expected: dict[bytes | None, list[bytes | None]]) -> None:
    assert sum(map(len, expected.values())) > 10
    assert by_sensor(topics.alerts()) == expected


def plain_alerts(topics: Topics) -> dict[bytes | None, list[bytes | None]]:
    """Return the required alerts of all records in the topic."""
    return expected_alerts(lambda: ReplicaConfig().detector(), topics.input())


def send_transaction(topics: Topics, records: Sequence[tuple[str, bytes]], *, commit: bool) -> None:
    """Write records in a transaction, whose marker also takes an offset."""
    settings = topics.settings
    with closing(KafkaProducer(bootstrap_servers=settings.brokers, transactional_id=settings.group_id)) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        for sensor, value in records:
            producer.send(settings.input_topic, value, sensor.encode(), partition=0)
        producer.flush(timeout=PATIENCE_SECONDS)
        producer.commit_transaction() if commit else producer.abort_transaction()


def test_readings_written_in_transactions_count_once_committed_and_markers_stop_nothing(
    open_topics: OpenTopics, open_replica: OpenReplica
) -> None:
    topics = open_topics()
    replica = open_replica(topics)
    send_transaction(topics, readings(0, 15), commit=True)
    send_transaction(topics, readings(15, 15), commit=False)
    catch_up(topics, replica)
    # All that comes now is a marker.
    send_transaction(topics, readings(15, 1), commit=False)
    catch_up(topics, replica)
    send_transaction(topics, readings(15, 15), commit=True)
    replica.close()

    second = open_replica(topics)
    catch_up(topics, second)

    assert replica.total("readings") + second.total("readings") == 60
    assert second.restores() == ["resume"]
    assert replica.total("failed_commits") == second.total("failed_commits") == 0
    assert_alerts(topics, plain_alerts(topics))


def test_a_compacted_topic_is_read_across_its_gaps(open_topics: OpenTopics, open_replica: OpenReplica) -> None:
    topics = open_topics()
    topics.configure_input({"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"})
    topics.produce(0, readings(0, 30))
    time.sleep(0.2)  # the next record begins a new segment: the active one is never compacted
    topics.produce(0, readings(30, 1))
    until(lambda: count_records(topics) == 4)  # the newest of each sensor, and the active segment
    topics.configure_input({"cleanup.policy": "delete"})  # from here on nothing changes under the test
    topics.produce(0, readings(31, 60))
    replica = open_replica(topics)

    catch_up(topics, replica)

    assert replica.total("failed_commits") == 0
    assert_alerts(topics, plain_alerts(topics))


def count_records(topics: Topics) -> int:
    """Read the input topic from its beginning, and return the number of records."""
    topics.forget(topics.settings.input_topic)
    return len(topics.input())


def test_a_partition_added_under_the_running_service_is_read_from_its_beginning(
    open_topics: OpenTopics, open_replica: OpenReplica
) -> None:
    topics = open_topics(start="latest")
    replica = open_replica(topics)
    replica.run(lambda: replica.pipeline.is_ready and replica.pipeline.assigned == 1)
    topics.admin.create_partitions({topics.settings.input_topic: 2})
    topics.await_partitions(2)
    topics.produce(1, readings(0, 30, ["pump-new"]))
    topics.produce(0, readings(0, 30))

    catch_up(topics, replica)

    assert replica.pipeline.assigned == 2
    assert replica.total("readings") == 90
    assert_alerts(topics, plain_alerts(topics))


def test_readings_lost_to_retention_are_counted_and_the_rest_goes_on(
    open_topics: OpenTopics, open_replica: OpenReplica
) -> None:
    topics = open_topics()
    first = open_replica(topics)
    topics.produce(0, readings(0, 20))
    catch_up(topics, first)
    read = topics.input()
    first.close()
    topics.produce(0, readings(20, 20))
    topics.admin.delete_records({TopicPartition(topics.settings.input_topic, 0): 55})
    topics.produce(0, readings(40, 20))

    second = open_replica(topics)
    catch_up(topics, second)

    assert second.total("lost_readings") == 15
    assert second.total("readings") == 65
    topics.forget(topics.settings.input_topic)
    assert_alerts(topics, expected_alerts(lambda: ReplicaConfig().detector(), read + topics.input()))


def test_a_topic_made_anew_is_read_from_its_beginning(open_topics: OpenTopics, open_replica: OpenReplica) -> None:
    topics = open_topics()
    first = open_replica(topics)
    topics.produce(0, readings(0, 20))
    catch_up(topics, first)
    before = plain_alerts(topics)
    first.close()
    topics.recreate_input()
    topics.produce(0, readings(100, 60))

    second = open_replica(topics)
    catch_up(topics, second)

    assert second.restores() == ["rebuild"]
    assert second.total("readings") == 120
    after = plain_alerts(topics)
    assert_alerts(topics, {sensor: before.get(sensor, []) + after.get(sensor, []) for sensor in before | after})


def test_a_rebalance_in_the_middle_of_a_batch_undoes_it_and_it_is_read_again(
    open_topics: OpenTopics, open_replica: OpenReplica, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics = open_topics(2)
    replicas = [open_replica(topics)]
    replicas[0].run(lambda: replicas[0].pipeline.is_ready and replicas[0].pipeline.assigned == 2)
    commit = replicas[0].connections.sink.commit

    def evicted_before(
        messages: Sequence[Message], positions: dict[int, int], membership: Membership, notes: Mapping[int, str]
    ) -> None:
        monkeypatch.undo()
        assert isinstance(membership, ConsumerGroupMetadata)
        topics.admin.remove_group_members(topics.settings.group_id, [MemberToRemove(member_id=membership.member_id)])
        replicas.append(open_replica(topics))
        commit(messages, positions, membership, notes)

    monkeypatch.setattr(replicas[0].connections.sink, "commit", evicted_before)
    for partition in range(2):
        topics.produce(partition, readings(0, 40, [f"pump-{partition}-a", f"pump-{partition}-b"]))
    replicas[0].run(lambda: len(replicas) == 2)

    catch_up(topics, *replicas)

    assert replicas[0].total("failed_commits") >= 1
    assert_alerts(topics, plain_alerts(topics))


@pytest.mark.parametrize("start", ["latest", "time"])
def test_a_new_group_starts_where_it_is_told_with_windows_from_before(
    start: str, open_topics: OpenTopics, open_replica: OpenReplica
) -> None:
    now_ms = int(time.time() * 1000)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_ms // 1000))
    topics = open_topics(start="latest" if start == "latest" else at)
    topics.produce(0, readings(0, 10), timestamp_ms=now_ms - MINUTE_MS)
    topics.produce(0, readings(10, 10), timestamp_ms=now_ms)
    replica = open_replica(topics)
    replica.run(lambda: replica.pipeline.is_ready and replica.pipeline.assigned == 1)
    topics.produce(0, readings(20, 30))

    catch_up(topics, replica)

    begin = {"latest": 40, "time": 20}[start]
    assert replica.total("readings") == 100 - begin
    assert_alerts(topics, expected_alerts(lambda: ReplicaConfig().detector(), topics.input(), {0: begin}))


def test_a_flushed_store_is_written_anew_from_memory_and_survives_a_restart(
    open_topics: OpenTopics, open_replica: OpenReplica, own_valkey: Valkey
) -> None:
    topics = open_topics(2)
    first = open_replica(topics, own_valkey.url)
    for begin in (0, 20):
        for partition in range(2):
            topics.produce(partition, readings(begin, 20, [f"pump-{partition}-a", f"pump-{partition}-b"]))
        catch_up(topics, first)
        with closing(own_valkey.client()) as client:
            client.flushall() if begin == 0 else None
    first.close()
    for partition in range(2):
        topics.produce(partition, readings(40, 20, [f"pump-{partition}-a", f"pump-{partition}-b"]))

    second = open_replica(topics, own_valkey.url)
    catch_up(topics, second)

    assert first.total("rewritten_partitions") == 2
    assert second.restores() == ["resume", "resume"]
    assert_alerts(topics, plain_alerts(topics))


def test_a_store_that_is_away_for_a_while_is_caught_up(
    open_topics: OpenTopics, open_replica: OpenReplica, own_valkey: Valkey
) -> None:
    topics = open_topics()
    replica = open_replica(topics, own_valkey.url)
    topics.produce(0, readings(0, 20))
    catch_up(topics, replica)
    own_valkey.kill()
    topics.produce(0, readings(20, 20))
    replica.run(lambda: replica.total("readings") == 80)
    assert replica.pipeline.store_lag == 40
    own_valkey.start()

    catch_up(topics, replica)

    assert replica.total("store_errors") >= 1
    assert replica.total("rewritten_partitions") == 0
    assert_alerts(topics, plain_alerts(topics))


def test_a_broker_that_is_killed_and_started_again_costs_no_reading(
    own_kafka: Kafka, redis_url: str, open_topics: OpenTopics, tmp_path: Path
) -> None:
    # Longer than the restart takes: a lone broker that finds a transaction timed out while it loads may forget to write the
    # marker of its end (Kafka 4.3.1; docs/delivery.md).
    topics = open_topics(brokers=own_kafka.brokers, request_timeout_seconds=3, transaction_timeout_seconds=20)
    replica = ReplicaProcess(topics.settings, redis_url, tmp_path / "replica.log")
    try:
        replica.start()
        topics.produce(0, readings(0, 200))
        until(lambda: topics.committed().get(0, 0) >= 20)
        topics.disconnect()
        own_kafka.kill()
        time.sleep(1.0)
        own_kafka.start()
        topics.connect()
        topics.produce(0, readings(200, 20))
        topics.await_all_committed()

        assert replica.stop() == 0
        assert_alerts(topics, expected_alerts(SOME.detector, topics.input()))
    finally:
        replica.kill()
