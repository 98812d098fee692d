"""`stream-detector check` as its users run it, on a real Kafka and a real Valkey, whole and broken."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from stream_detector.settings.kafka_settings import KafkaSettings
from tests.fixtures_model import FEATURES, tiny_values
from tests.integration.rights import Grants, rights_of
from tests.integration.service_process import environment
from tests.integration.topics import Topics
from tests.pipeline.replica_config import reading
from tests.servers.kafka_secure import USER, SecureKafka
from tests.servers.redis_user import documented_rights, make_user
from tests.servers.valkey import Valkey, running_valkey

SECONDS = 120.0
READINGS = 60


@pytest.fixture
def topics(kafka_brokers: str, unique_name: str) -> Iterator[Topics]:
    with closing(Topics(kafka_brokers, unique_name, 2)) as found:
        yield found


@pytest.fixture
def steady_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey as a plant should have it, for one test."""
    with running_valkey(tmp_path / "steady", append_only=True, options=("--maxmemory", "100mb")) as server:
        yield server


def produce(topics: Topics, *, factor: float = 1.0, features: tuple[str, ...] = FEATURES, partitions: int = 1) -> None:
    """Write a minute of readings of pump-0 and pump-1, each to so many partitions."""
    start_ms = 1000 * (int(time.time()) - READINGS)
    for sensor in range(2):
        values = factor * tiny_values(READINGS, sensor)
        name = f"pump-{sensor}"
        for number, row in enumerate(values.tolist()):
            record = reading(name, start_ms + 1000 * number, *row, features=features)
            topics.produce((sensor + number % partitions) % 2, [(name, record)])


def check(
    settings: KafkaSettings, redis_url: str, model: Path, *options: str, **others: object
) -> tuple[int, dict[str, list[dict[str, Any]]], str]:
    """Run the command; return its exit code, the findings by what they are about, and stderr."""
    command = [sys.executable, "-m", "stream_detector", "check", "--json", *options]
    own = environment(settings, redis_url, model, **others)
    done = subprocess.run(command, env=own, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert "Traceback" not in done.stderr
    findings: dict[str, list[dict[str, Any]]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        findings.setdefault(finding["about"], []).append(finding)
    return done.returncode, findings, done.stderr


def errors(findings: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Return the first error about each thing."""
    return {
        about: next(one["text"] for one in found if one["level"] == "error")
        for about, found in findings.items()
        if any(one["level"] == "error" for one in found)
    }


def test_a_plant_that_is_ready_ends_with_0_and_nothing_is_changed(
    topics: Topics, steady_valkey: Valkey, tiny_model_directory: Path
) -> None:
    produce(topics)

    code, findings, stderr = check(topics.settings, steady_valkey.url, tiny_model_directory)

    assert (code, errors(findings), stderr) == (0, {}, "")
    assert findings["records"][0]["text"] == f"all of the {2 * READINGS} newest records are readings, of 2 sensors"
    assert findings["units"][0]["level"] == findings["interval"][0]["level"] == findings["sensors"][0]["level"] == "ok"
    assert findings["persistence"][0]["text"].startswith("it writes every change to a file")
    assert topics.settings.group_id not in [group["group_id"] for group in topics.admin.list_groups()]
    with closing(steady_valkey.client()) as client:
        assert client.dbsize() == 0


def test_without_its_topic_it_says_what_to_type_and_still_looks_at_the_rest(
    kafka_brokers: str, steady_valkey: Valkey, tiny_model_directory: Path, unique_name: str
) -> None:
    names = {"input_topic": unique_name, "alerts_topic": f"{unique_name}.a", "dead_letter_topic": f"{unique_name}.d"}
    settings = KafkaSettings(brokers=kafka_brokers, create_topics=False, group_id=unique_name, **names)

    code, findings, _ = check(settings, steady_valkey.url, tiny_model_directory)

    assert code == 1
    assert set(errors(findings)) == {"input topic", "alerts topic", "dead-letter topic"}
    assert f"--bootstrap-server {kafka_brokers} --create --topic {unique_name}" in findings["input topic"][0]["what_to_do"][0]
    assert findings["model"][0]["level"] == findings["eviction"][0]["level"] == "ok"


def test_a_store_that_drops_keys_is_wrong(topics: Topics, own_valkey: Valkey, tiny_model_directory: Path) -> None:
    produce(topics)
    with closing(own_valkey.client()) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory", 100_000_000)

    code, findings, _ = check(topics.settings, own_valkey.url, tiny_model_directory)

    assert code == 1
    assert set(errors(findings)) == {"eviction"}
    assert "maxmemory-policy noeviction" in findings["eviction"][0]["what_to_do"][0]


def test_a_topic_with_other_features_than_the_model_is_wrong(
    topics: Topics, steady_valkey: Valkey, tiny_model_directory: Path
) -> None:
    produce(topics, features=("Temperature_C", "pressure"))

    code, findings, _ = check(topics.settings, steady_valkey.url, tiny_model_directory)
    _, strict, _ = check(topics.settings, steady_valkey.url, tiny_model_directory, INPUT__UNKNOWN_FEATURES="dead_letter")

    assert code == 1
    assert set(errors(findings)) == {"features"}
    assert set(errors(strict)) == {"features", "records"}
    assert "the topic has Temperature_C, which the model does not know: renamed?" in errors(findings)["features"]


def test_values_off_by_a_thousand_and_sensors_in_several_partitions_are_wrong(
    topics: Topics, steady_valkey: Valkey, tiny_model_directory: Path
) -> None:
    produce(topics, factor=1000.0, partitions=2)

    code, findings, _ = check(topics.settings, steady_valkey.url, tiny_model_directory)

    assert code == 1
    assert set(errors(findings)) == {"units", "keys"}
    assert "1000 times the model's values" in errors(findings)["units"]


def test_a_compacted_topic_that_keeps_too_little_is_wrong(
    topics: Topics, steady_valkey: Valkey, tiny_model_directory: Path
) -> None:
    produce(topics)
    topics.configure_input({"cleanup.policy": "compact,delete", "retention.ms": "1000"})

    code, findings, _ = check(topics.settings, steady_valkey.url, tiny_model_directory)

    assert code == 1
    assert set(errors(findings)) == {"input topic", "retention"}


def test_servers_that_do_not_answer_are_said_within_their_time_outs_and_end_with_2(tmp_path: Path) -> None:
    settings = KafkaSettings(brokers="127.0.0.1:1", request_timeout_seconds=1)

    code, findings, _ = check(settings, "redis://127.0.0.1:1/0", tmp_path / "none", REDIS__TIMEOUT_SECONDS=1)

    assert code == 2
    assert {about: found[0]["level"] for about, found in findings.items()} == {
        "Kafka": "unchecked",
        "model": "ok",
        "Redis": "unchecked",
    }
    assert "run learns one" in findings["model"][0]["text"]


def test_no_model_is_a_warning_where_run_may_not_learn_one(tmp_path: Path) -> None:
    settings = KafkaSettings(brokers="127.0.0.1:1", request_timeout_seconds=1)

    _, findings, _ = check(
        settings, "redis://127.0.0.1:1/0", tmp_path / "none", REDIS__TIMEOUT_SECONDS=1, LEARNING__ENABLED="false"
    )

    assert findings["model"][0]["level"] == "warning"
    assert "the built-in model and the rules watch" in findings["model"][0]["text"]


def test_what_init_did_not_understand_is_an_error(tmp_path: Path) -> None:
    settings = KafkaSettings(brokers="127.0.0.1:1", request_timeout_seconds=1)
    asked = '["Which field names the machine? Set input.sensor"]'

    code, findings, _ = check(
        settings, "redis://127.0.0.1:1/0", tmp_path / "none", REDIS__TIMEOUT_SECONDS=1, SERVICE__UNANSWERED=asked
    )

    assert code == 1
    assert errors(findings)["settings"].startswith("Which field names the machine? Set input.sensor. init wrote")


def test_a_damaged_model_and_a_wrong_setting_are_errors_beside_the_rest(
    topics: Topics, steady_valkey: Valkey, tmp_path: Path
) -> None:
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "spec.json").write_text("{")

    code, findings, _ = check(topics.settings, steady_valkey.url, tmp_path / "damaged")

    assert code == 1
    assert "not a model directory" in errors(findings)["model"]
    assert findings["records"][0]["text"].endswith("holds no record yet")
    assert findings["eviction"][0]["level"] == "ok"


def test_the_documented_users_have_all_rights_and_one_without_them_is_told_what_to_grant(
    secure_kafka: SecureKafka, own_valkey: Valkey, tiny_model_directory: Path, unique_name: str
) -> None:
    with ExitStack() as stack:
        topics = stack.enter_context(closing(Topics(secure_kafka.admin_brokers, unique_name, 1)))
        topics.produce(0, [("pump", b"{}")])
        access = secure_kafka.by_scram()
        settings = KafkaSettings.model_validate(topics.settings.model_dump(exclude_defaults=True) | access)
        secret = {f"KAFKA__{name.upper()}": value for name, value in access.items()}
        grants = stack.enter_context(Grants(secure_kafka.admin_brokers, USER, settings))
        _, before, _ = check(settings, own_valkey.url, tiny_model_directory, **secret)
        grants.give(rights_of("run"))
        with_rights = make_user([own_valkey], documented_rights(cluster=False))
        _, after, _ = check(settings, with_rights, tiny_model_directory, **secret)
        too_few = make_user([own_valkey], [right for right in documented_rights(cluster=False) if right != "+hset"])
        _, without_hset, _ = check(settings, too_few, tiny_model_directory, **secret)

    assert [one["level"] for one in before["rights"]].count("error") >= 2
    assert [one["level"] for one in after["rights"]] == ["ok"]
    assert "this user may not read how long" in after["retention"][0]["text"]
    assert "may not ask for its memory" in after["Redis"][0]["text"]
    assert "refuses HSET" in errors(without_hset)["Redis"]
