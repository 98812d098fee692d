"""A topic of Sparkplug messages keyed by MQTT topic: `init`, `check` and `train` read it, and `run` tells a death in it."""

from __future__ import annotations

import json
import math
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest

from stream_detector.model_store.model_directory import load_artifact
from tests.ingest.sparkplug_messages import metric, payload, session
from tests.integration.service_process import QUICK_START, ServiceProcess, environment
from tests.integration.test_init import SMALL, command
from tests.integration.topics import Topics, until

PARTITIONS, HISTORY = 3, 400
FEATURES = ("Motor/Temp", "Motor/Speed")
DEVICES = ("d1", "d2", "d3")
NOW_MS = time.time_ns() // 1_000_000


def send(topics: Topics, kind: str, time_ms: int, *metrics: bytes) -> None:
    """Append a message to the partition of its topic, as a bridge that keys by topic does."""
    topic = f"spBv1.0/north/{kind}"
    topics.produce(crc32(topic.encode()) % PARTITIONS, [(topic, payload(metrics, at_ms=time_ms))], timestamp_ms=time_ms)


def be_born(topics: Topics, time_ms: int) -> None:
    send(topics, "NBIRTH/press", time_ms, session(1))
    for place, device in enumerate(DEVICES):
        named = [metric(name, 1.0, alias=10 * place + at) for at, name in enumerate(FEATURES)]
        send(topics, f"DBIRTH/press/{device}", time_ms + 1 + place, *named)


def tell(topics: Topics, second: int, time_ms: int, devices: tuple[str, ...] = DEVICES) -> None:
    """Append what changed in a second: one metric of each device, by its alias."""
    for device in devices:
        place, at = DEVICES.index(device), second % 2
        value = 50 + 5 * math.sin(second / 20 + place) + (second * 7919 + place) % 13 / 26
        send(topics, f"DDATA/press/{device}", time_ms + 10 + place, metric(value=value, alias=10 * place + at))


@pytest.fixture
def topics(kafka_brokers: str, unique_name: str) -> Iterator[Topics]:
    made = Topics(kafka_brokers, unique_name, PARTITIONS)
    be_born(made, NOW_MS - 3_600_000)  # long before what init looks at in detail
    for second in range(HISTORY):
        tell(made, second, NOW_MS - 1000 * (HISTORY - second))
    yield made
    made.close()


def test_init_train_and_run_resolve_aliases_across_partitions_and_a_death_is_told(
    topics: Topics, kafka_brokers: str, redis_url: str, tmp_path: Path
) -> None:
    topic = topics.settings.input_topic
    said = command(tmp_path, "init", "--brokers", kafka_brokers, "--redis-url", redis_url, "--topic", topic)
    assert (said.returncode, said.stderr) == (0, "")
    written = tomllib.loads((tmp_path / "detector.toml").read_text())["input"]
    assert (written["preset"], written["repartition"]) == ("sparkplug", True)
    assert "assemble_seconds" in written

    trained = command(tmp_path, "train", "--from-topic", "--config", "detector.toml", "--output", "model", *SMALL)
    assert trained.returncode == 0, trained.stderr
    artifact = load_artifact(tmp_path / "model")
    assert set(artifact.spec.features) == set(FEATURES)
    assert artifact.report["data"]["sensors"] == len(DEVICES)

    own = {f"INPUT__{name.upper()}": written[name] for name in ("preset", "assemble_seconds")}
    environ = environment(
        topics.settings,
        redis_url,
        tmp_path / "model",
        **own,
        INPUT__REPARTITION="true",
        RULES__SILENT_SECONDS=600,
        **QUICK_START,
    )
    service = ServiceProcess(environ, tmp_path / "log")
    try:
        service.await_ready()
        told = death_is_told(topics)
        assert told["sensor_id"] == "north/press/d1"
        assert (told["status"], told["what"]) == ("opened", "It is offline: its node said so (DDEATH)")
        assert topics.dead_letters() == []
    finally:
        assert service.stop() == 0


def death_is_told(topics: Topics) -> dict[str, object]:
    """Have a device die while the others go on; return the first event of a silence."""
    silences: list[dict[str, object]] = []

    def go_on() -> bool:
        second = HISTORY + len(seconds)
        seconds.append(second)
        now_ms = time.time_ns() // 1_000_000
        if len(seconds) == 5:
            send(topics, "DDEATH/press/d1", now_ms)
        tell(topics, second, now_ms, DEVICES if len(seconds) < 5 else DEVICES[1:])
        time.sleep(0.5)
        events = [json.loads(record.value or b"") for record in topics.alerts()]
        silences.extend(event for event in events if event["type"] == "silent")
        return bool(silences)

    seconds: list[int] = []
    until(go_on, 90.0)
    return silences[0]
