"""Brokers that create every topic they are asked for: the program creates none by looking, and waits for a deleted one."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import redis
from kafka import KafkaAdminClient

from stream_detector.adapters.kafka.alerts_reader import AlertsReader
from stream_detector.adapters.kafka.examination import KafkaExamination
from stream_detector.adapters.kafka.newest import NewestRecords
from stream_detector.adapters.kafka.sink import KafkaSink
from stream_detector.adapters.kafka.source import KafkaSource
from stream_detector.adapters.kafka.span_reader import KafkaReader
from stream_detector.adapters.kafka.topics import KafkaTopics
from stream_detector.errors import PermanentDeliveryError, RetriableError
from stream_detector.readings import Message
from stream_detector.settings.kafka_settings import KafkaSettings
from tests.fixtures_model import FEATURES, tiny_values
from tests.integration.service_process import QUICK_START, ServiceProcess, environment
from tests.integration.topics import Topics, until
from tests.pipeline.replica_config import reading
from tests.servers.kafka import running_kafka
from tests.servers.processes import ServerMissingError

PARTITIONS = 2
START_MS = 1_767_300_000_000
#: The brokers create a topic within a second of being asked for it.
LOOK_SECONDS = 3.0


@pytest.fixture(scope="module")
def obliging_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of brokers as most are set up: who asks for a topic gets it created."""
    directory = tmp_path_factory.mktemp("obliging-kafka")
    with ExitStack() as stack:
        try:
            kafka = stack.enter_context(running_kafka(directory, settings={"auto.create.topics.enable": "true"}))
        except ServerMissingError as error:
            pytest.skip(str(error))
        yield kafka.brokers


def look_for_partitions(settings: KafkaSettings) -> None:
    with closing(KafkaReader(settings, settings.input_topic)) as reader:
        assert reader.partitions() == ()


def look_for_alerts(settings: KafkaSettings) -> None:
    with closing(AlertsReader(settings)) as reader:
        assert reader.last(10) == []
        assert reader.poll(1.0) == []
        assert not reader.exists()


def read_as_a_member(settings: KafkaSettings) -> None:
    with pytest.raises(RetriableError):
        KafkaSource(settings)


def write_an_alert(settings: KafkaSettings) -> None:
    with closing(KafkaSink(settings)) as sink, pytest.raises(PermanentDeliveryError, match="does not exist; create it"):
        sink.commit([Message(settings.alerts_topic, b"key", b"value")], {}, object())


def check(settings: KafkaSettings) -> None:
    with KafkaExamination(settings) as examination:
        facts = examination.facts()
    assert [topic.exists for topic in facts.topics.values()] == [False] * 3
    with closing(NewestRecords(settings, settings.input_topic)) as newest:
        assert newest.of_each_partition(10) == []


def look_for_dead_letters(settings: KafkaSettings) -> None:
    with closing(NewestRecords(settings, settings.dead_letter_topic)) as newest:
        assert newest.last(10) == newest.since(0) == []


LOOKS = [look_for_partitions, look_for_alerts, read_as_a_member, write_an_alert, check, look_for_dead_letters]


@pytest.mark.parametrize("look", LOOKS)
def test_no_client_creates_the_topic_that_it_looks_for(
    obliging_kafka: str, unique_name: str, look: Callable[[KafkaSettings], None]
) -> None:
    settings = KafkaSettings(
        brokers=obliging_kafka,
        input_topic=f"{unique_name}.in",
        alerts_topic=f"{unique_name}.out",
        dead_letter_topic=f"{unique_name}.dead",
        group_id=unique_name,
        session_timeout_seconds=6,
        request_timeout_seconds=2,
    )

    look(settings)

    time.sleep(1.0)
    with KafkaTopics(settings) as topics:
        names = (settings.input_topic, settings.alerts_topic, settings.dead_letter_topic)
        assert [topics.describe(name) for name in names] == [None] * 3


@pytest.mark.parametrize("command", [("status", "--json"), ("show", "pump-1")])
def test_status_and_show_create_no_topic_and_no_key(
    obliging_kafka: str, redis_url: str, unique_name: str, tmp_path: Path, command: Sequence[str]
) -> None:
    settings = KafkaSettings(
        brokers=obliging_kafka,
        input_topic=f"{unique_name}.in",
        alerts_topic=f"{unique_name}.out",
        dead_letter_topic=f"{unique_name}.dead",
        group_id=unique_name,
        request_timeout_seconds=5,
    )

    done = subprocess.run(
        [sys.executable, "-m", "stream_detector", *command],
        env=environment(settings, redis_url, tmp_path / "no-model"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == {"status": 4, "show": 1}[command[0]], done.stderr
    time.sleep(1.0)
    with KafkaTopics(settings) as topics:
        names = settings.input_topic, settings.alerts_topic, settings.dead_letter_topic
        assert [topics.describe(name) for name in names] == [None, None, None]
    with closing(KafkaAdminClient(bootstrap_servers=obliging_kafka)) as admin:
        assert unique_name not in {group["group_id"] for group in admin.list_groups()}
    with closing(redis.Redis.from_url(redis_url)) as client:
        assert list(client.scan_iter(f"*{unique_name}*")) == []


def produce(topics: Topics, first: int, count: int) -> None:
    for partition in range(PARTITIONS):
        values = tiny_values(first + count, partition)[first:].tolist()
        stamps = range(START_MS + 1000 * first, START_MS + 1000 * (first + count), 1000)
        name = f"pump-{partition}"
        records = [(name, reading(name, ms, *row, features=FEATURES)) for ms, row in zip(stamps, values, strict=True)]
        topics.produce(partition, records)


def test_a_service_waits_for_its_deleted_input_topic_and_continues_when_it_is_there_again(
    obliging_kafka: str, redis_url: str, unique_name: str, tiny_model_directory: Path, tmp_path: Path
) -> None:
    topics = Topics(obliging_kafka, unique_name, PARTITIONS, start="earliest")
    name = topics.settings.input_topic
    produce(topics, 0, 20)
    settings = topics.settings.model_copy(update={"create_topics": False})
    service = ServiceProcess(environment(settings, redis_url, tiny_model_directory, **QUICK_START), tmp_path / "log")
    with ExitStack() as stack:
        stack.callback(service.kill)
        service.await_ready()
        topics.await_all_committed()
        said = len(service.lines())
        topics.disconnect()
        with KafkaTopics(settings) as brokers:
            with closing(KafkaAdminClient(bootstrap_servers=settings.brokers)) as admin:
                admin.delete_topics([name])
            until(lambda: service.get("/readyz")[0] == 503)
            until(lambda: brokers.describe(name) is None)
            time.sleep(LOOK_SECONDS)
            assert brokers.describe(name) is None
            brokers.create(name, PARTITIONS)
        topics.connect()
        produce(topics, 20, 20)
        topics.await_all_committed()
        until(lambda: service.get("/readyz")[0] == 200)
        levels = [(line["level"], line["message"]) for line in service.lines()[said:]]
        exit_code = service.stop()
        topics.close()

    assert exit_code == 0
    assert levels[0] == (
        "WARNING",
        f"the input topic cannot be read now: there is no topic {name}: it was deleted. "
        "Create it again; reading then starts at its beginning",
    )
    assert [text.split(" after ")[0] for level, text in levels if level == "WARNING"][1:] == ["the input topic is read again"]
