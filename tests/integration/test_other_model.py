"""`run` with a model that does not fit its topic, on a real Kafka and Valkey: it says so at once, with both names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.fixtures_model import FEATURES, tiny_values
from tests.integration.service_process import QUICK_START, ServiceProcess, environment
from tests.integration.topics import Topics, until
from tests.pipeline.replica_config import reading

START_MS = 1_767_300_000_000


@pytest.fixture
def topics(kafka_brokers: str, unique_name: str) -> Iterator[Topics]:
    with closing(Topics(kafka_brokers, unique_name, 1, start="earliest")) as found:
        yield found


def produce(topics: Topics, first: int, count: int, features: tuple[str, ...]) -> None:
    values = tiny_values(first + count, 0)[first:].tolist()
    records = [
        ("pump-0", reading("pump-0", START_MS + 1000 * second, *row, features=features))
        for second, row in enumerate(values, start=first)
    ]
    topics.produce(0, records)


def warnings(service: ServiceProcess) -> list[str]:
    return [line["message"] for line in service.lines() if line["level"] == "WARNING"]


def test_a_model_of_another_topic_is_refused_at_the_first_start_with_both_names_and_the_cure(
    topics: Topics, redis_url: str, tiny_model_directory: Path, tmp_path: Path
) -> None:
    produce(topics, 0, 20, ("speed", "torque"))
    service = ServiceProcess(environment(topics.settings, redis_url, tiny_model_directory, **QUICK_START), tmp_path / "log")
    try:
        code = service.process.wait(120)
    finally:
        service.kill()

    assert code == 1
    (said,) = [text.removeprefix("stream-detector run: ") for text in service.log.read_text().splitlines() if text[0] != "{"]
    assert said.startswith(f"the model in {tiny_model_directory} fits no reading of topic {topics.settings.input_topic}: ")
    assert "it has the features temperature, pressure, and the newest readings have speed, torque" in said
    assert "STREAM_DETECTOR_MODEL__DIRECTORY to a directory of this topic's own" in said
    assert not topics.dead_letters()


def test_a_renamed_feature_is_told_at_the_start_and_in_the_incident_of_the_one_that_is_gone(
    topics: Topics, redis_url: str, tiny_model_directory: Path, tmp_path: Path
) -> None:
    environ = environment(topics.settings, redis_url, tiny_model_directory, **QUICK_START)
    produce(topics, 0, 40, FEATURES)
    service = ServiceProcess(environ, tmp_path / "log")
    try:
        service.await_ready()
        topics.await_all_committed()
        before = warnings(service)
        produce(topics, 40, 1_100, ("temperature", "pressure_bar"))
        topics.await_all_committed()
        code = service.stop()
        again = ServiceProcess(environ, tmp_path / "again")
        try:
            until(lambda: bool(warnings(again)))
            at_start = warnings(again)
        finally:
            again.kill()
    finally:
        service.kill()

    assert code == 0
    assert not any("pressure" in text for text in before)
    events = [json.loads(record.value) for record in topics.alerts()]
    opened = next(event for event in events if event["type"] == "missing_feature" and event["status"] == "opened")
    assert opened["what"].endswith("; pressure is gone, and this reading has pressure_bar: renamed?")
    told = (
        "the newest readings have no pressure, a feature of the model; they have pressure_bar, which it does not know: renamed?"
    )
    assert any(text.startswith(told) for text in at_start)


def test_a_group_that_has_read_before_goes_on_and_warns(
    topics: Topics, redis_url: str, tiny_model_directory: Path, tmp_path: Path
) -> None:
    environ = environment(topics.settings, redis_url, tiny_model_directory, **QUICK_START)
    produce(topics, 0, 20, FEATURES)
    service = ServiceProcess(environ, tmp_path / "log")
    try:
        service.await_ready()
        topics.await_all_committed()
        service.stop()
    finally:
        service.kill()
    produce(topics, 20, 1_000, ("speed", "torque"))  # all that is looked at
    again = ServiceProcess(environ | {"STREAM_DETECTOR_DEAD_LETTERS__MAX_SHARE": "1"}, tmp_path / "again")
    try:
        again.await_ready()
        topics.await_all_committed()
        assert any("fits no reading of topic" in text for text in warnings(again))
    finally:
        again.kill()

    assert len(topics.dead_letters()) == 1_000
