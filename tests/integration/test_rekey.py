"""`stream-detector rekey` on a real Kafka: each reading is once in the copy, by sensor and in order, whatever is killed."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stream_detector.rekey.rewriter import ORIGIN_HEADER
from tests.integration.topics import Topics, headers, until
from tests.integration.unkeyed import STOP_SECONDS, produce_unkeyed, read_all, rekey, rekey_environment

PARTITIONS, SENSORS = 3, 6
#: Recent: the brokers remove what is older than their retention.
START_MS = (time.time_ns() // 10**9 - 3600) * 1000
BAD = b"{}"


def partition_of(place: int) -> int:
    """Return where a record is: in a partition that has nothing to do with its sensor."""
    return (place * 7 + place // 5) % PARTITIONS


def records(first: int, count: int) -> Iterator[tuple[int, bytes, int]]:
    for place in range(first, first + count):
        time_ms = START_MS + 100 * place
        value = json.dumps({"sensor_id": f"pump-{place % SENSORS}", "timestamp": time_ms, "values": {"place": place}}).encode()
        yield partition_of(place), BAD if place % 100 == 99 else value, time_ms


@pytest.fixture
def topics(kafka_brokers: str, unique_name: str) -> Iterator[Topics]:
    made = Topics(kafka_brokers, unique_name, PARTITIONS)
    yield made
    made.close()


def places_by_sensor(copied: list[Any]) -> dict[str, list[int]]:
    by_sensor: dict[str, list[int]] = defaultdict(list)
    for record in copied:
        document = json.loads(record.value)
        assert record.key == document["sensor_id"].encode()
        by_sensor[document["sensor_id"]].append(document["values"]["place"])
    return by_sensor


def expected(count: int) -> dict[str, list[int]]:
    return {
        f"pump-{number}": [place for place in range(count) if place % SENSORS == number and place % 100 != 99]
        for number in range(SENSORS)
    }


def test_the_copy_has_every_reading_once_by_sensor_in_the_order_of_the_records_times(topics: Topics, tmp_path: Path) -> None:
    settings = topics.settings
    target = f"{settings.group_id}.copy"
    produce_unkeyed(settings.brokers, settings.input_topic, records(0, 3000))

    process = rekey(rekey_environment(settings), tmp_path / "log", ["--to", target, "--until-end", "--partitions", "2"])
    assert process.wait(STOP_SECONDS) == 0, (tmp_path / "log").read_text()

    copied = read_all(settings.brokers, target)
    assert places_by_sensor(copied) == expected(3000)
    assert len({record.key: record.partition for record in copied}) == SENSORS
    first = next(record for record in copied if json.loads(record.value)["values"]["place"] == 0)
    assert first.timestamp == START_MS
    assert headers(first)[ORIGIN_HEADER] == f"{settings.input_topic}-{partition_of(0)}-0-0".encode()
    letters = topics.dead_letters()
    assert Counter(headers(one)["stream_detector.reason"] for one in letters) == {b"sensor_missing": 30}
    assert {headers(one)["stream_detector.topic"] for one in letters} == {settings.input_topic.encode()}
    assert "2970 readings of 3000 records" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("instance", ["replica-1", None], ids=["fixed name", "dynamic member"])
def test_killed_again_and_again_it_loses_and_repeats_nothing(topics: Topics, tmp_path: Path, instance: str | None) -> None:
    settings = topics.settings.model_copy(update={"instance_id": instance, "max_poll_records": 50})
    target = f"{settings.group_id}.copy"
    environ = rekey_environment(settings)
    log = tmp_path / "log"
    written = 0

    for kill in range(5 if instance else 2):
        produce_unkeyed(settings.brokers, settings.input_topic, records(written, 2000))
        written += 2000
        process = rekey(environ, log, ["--to", target])
        enough = 400 + 1300 * kill
        until(lambda: sum(_committed(topics, target).values()) > enough)  # noqa: B023 - used up in this turn
        time.sleep(0.01 * kill)
        process.kill()
        process.wait(STOP_SECONDS)
    process = rekey(environ, log, ["--to", target, "--until-end"])
    assert process.wait(2 * STOP_SECONDS) == 0, log.read_text()

    assert places_by_sensor(read_all(settings.brokers, target)) == expected(written)
    assert len(topics.dead_letters()) == written // 100


def test_of_two_processes_one_stands_by_and_takes_over(topics: Topics, tmp_path: Path) -> None:
    settings = topics.settings.model_copy(update={"max_poll_records": 50})
    target = f"{settings.group_id}.copy"
    environ = rekey_environment(settings)
    produce_unkeyed(settings.brokers, settings.input_topic, records(0, 2000))
    first = rekey(environ, tmp_path / "first", ["--to", target])
    until(lambda: sum(_committed(topics, target).values()) > 200)
    second = rekey(environ, tmp_path / "second", ["--to", target])
    until(lambda: sum(_committed(topics, target).values()) == 2000)
    produce_unkeyed(settings.brokers, settings.input_topic, records(2000, 2000))
    until(lambda: sum(_committed(topics, target).values()) > 2100)
    first.terminate()
    assert first.wait(STOP_SECONDS) == 0
    produce_unkeyed(settings.brokers, settings.input_topic, records(4000, 1000))
    until(lambda: sum(_committed(topics, target).values()) == 5000)
    second.terminate()
    assert second.wait(STOP_SECONDS) == 0

    assert places_by_sensor(read_all(settings.brokers, target)) == expected(5000)


def _committed(topics: Topics, target: str) -> dict[int, int]:
    group = f"{topics.settings.group_id}-rekey-{target}"
    found = topics.admin.list_group_offsets(group)[group]
    return {tp.partition: one.offset for tp, one in found.items() if one.offset >= 0}


def test_records_of_another_tool_come_out_in_the_native_form(topics: Topics, tmp_path: Path) -> None:
    settings = topics.settings
    target = f"{settings.group_id}.copy"
    seconds = START_MS // 1000
    metrics = [
        {"name": "press", "tags": {"host": f"press-{number}"}, "fields": {"temp": 60.5 + number}, "timestamp": seconds}
        for number in (1, 2)
    ]
    produce_unkeyed(settings.brokers, settings.input_topic, [(2, json.dumps({"metrics": metrics}).encode(), START_MS)])

    environ = rekey_environment(settings, INPUT__PRESET="telegraf", INPUT__EXCLUDE_SENSORS='["press-2"]')
    process = rekey(environ, tmp_path / "log", ["--to", target, "--until-end"])
    assert process.wait(STOP_SECONDS) == 0, (tmp_path / "log").read_text()

    (copied,) = read_all(settings.brokers, target)
    assert json.loads(copied.value) == {"sensor_id": "press-1", "timestamp": seconds, "values": {"temp": 61.5}}
    assert headers(copied)[ORIGIN_HEADER] == f"{settings.input_topic}-2-0-0".encode()
