"""`init` on a real Kafka: what it writes is what `train` and `run` need to read the topic."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from stream_detector.model_store.model_directory import load_artifact
from tests.discovery.records import FEATURES, MACHINES, sample
from tests.discovery.test_init import metrics, telegraf
from tests.ingest.foreign import Foreign

SMALL = ("--window-length", "8", "--units", "4", "--steps", "3")


def command(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "stream_detector", *arguments]
    return subprocess.run(program, cwd=directory, capture_output=True, text=True, check=False, timeout=240)


def topic_of(brokers: str, topic: str, records: Iterable[Foreign], partitions: int) -> str:
    """Write records to a new topic; return its name."""
    admin = KafkaAdminClient(bootstrap_servers=brokers)
    new = NewTopic(topic, partitions, 1, topic_configs={"retention.ms": "-1"})
    admin.create_topics([new], wait_for_metadata=True)
    admin.close()
    producer = KafkaProducer(bootstrap_servers=brokers)
    for one in records:
        producer.send(topic, one.value, one.key, partition=one.partition, timestamp_ms=one.timestamp)
    producer.flush()
    producer.close()
    return topic


@pytest.fixture
def init(kafka_brokers: str, redis_url: str, tmp_path: Path) -> list[str]:
    return ["init", "--brokers", kafka_brokers, "--redis-url", redis_url, "--output", str(tmp_path / "detector.toml")]


def test_an_unkeyed_topic_of_single_metrics_is_trained_on_with_what_init_writes(
    kafka_brokers: str, unique_name: str, init: list[str], tmp_path: Path
) -> None:
    topic = topic_of(kafka_brokers, unique_name, sample(metrics, partitions=4, keyed=False), 4)

    said = command(tmp_path, *init, "--topic", topic)

    assert (said.returncode, said.stderr) == (0, "")
    assert f"{topic}: 4 partitions" in said.stdout
    assert "stream-detector run --config" in said.stdout
    settings = tomllib.loads((tmp_path / "detector.toml").read_text())["input"]
    assert settings["repartition"] is True
    assert settings["assemble_seconds"] == 10
    checked = command(tmp_path, "check", "--config", "detector.toml", "--json")
    of = {one["about"]: one for one in json.loads(checked.stdout)["findings"]}
    assert "re-keys the readings by sensor first" in of["keys"]["text"]
    assert "run learns one" in of["model"]["text"]
    assert {of[about]["level"] for about in ("keys", "model", "records")} == {"ok"}
    trained = command(tmp_path, "train", "--from-topic", "--config", "detector.toml", "--output", "model", *SMALL)
    assert (trained.returncode, trained.stderr) == (0, "")
    artifact = load_artifact(tmp_path / "model")
    assert set(artifact.spec.features) == set(FEATURES)
    assert artifact.report["data"]["sensors"] == len(MACHINES)


def test_json_and_a_file_that_is_kept(kafka_brokers: str, unique_name: str, init: list[str], tmp_path: Path) -> None:
    topic = topic_of(kafka_brokers, unique_name, sample(telegraf), 1)

    said = command(tmp_path, *init, "--topic", topic, "--json")

    found = json.loads(said.stdout)
    assert found["settings"]["input"] == {"preset": "telegraf", "sensor": "tags.device"}
    again = command(tmp_path, *init, "--topic", topic)
    assert again.returncode == 1
    assert "is there already; give another --output, or --force" in again.stderr
    assert command(tmp_path, *init, "--topic", topic, "--force").returncode == 0


def test_a_topic_that_is_not_there_or_is_empty_or_cannot_be_read_is_said(
    kafka_brokers: str, unique_name: str, init: list[str], tmp_path: Path
) -> None:
    empty = topic_of(kafka_brokers, f"{unique_name}-empty", (), 1)
    strange = topic_of(kafka_brokers, f"{unique_name}-strange", [Foreign(b"\xff\xfe binary")] * 10, 1)

    for topic, message in (
        (f"{unique_name}-none", "does not exist at"),
        (empty, "holds no records"),
        (strange, "10 of 10 records are not JSON"),
    ):
        said = command(tmp_path, *init, "--topic", topic)
        assert said.returncode == 1
        assert message in said.stderr
        assert "Traceback" not in said.stderr
        assert not (tmp_path / "detector.toml").exists()
