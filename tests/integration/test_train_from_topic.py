"""`stream-detector train --from-topic` on a real Kafka."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stream_detector.cli import main
from stream_detector.model_store.model_directory import load_artifact
from stream_detector.settings.group import PREFIX
from tests.fixtures_model import tiny_values
from tests.integration.topics import Topics
from tests.logging_state import logging_restored

Train = Callable[..., tuple[int, str, str]]


@pytest.fixture
def topics(kafka_brokers: str, unique_name: str) -> Iterator[Topics]:
    with closing(Topics(kafka_brokers, unique_name)) as made:
        yield made


@pytest.fixture
def train(topics: Topics, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Train]:
    """Run the command in this process on the topics; return its exit code and what it wrote to stdout and stderr."""
    monkeypatch.setenv(f"{PREFIX}KAFKA__BROKERS", topics.settings.brokers)
    monkeypatch.setenv(f"{PREFIX}KAFKA__INPUT_TOPIC", topics.settings.input_topic)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["train", "--from-topic", *map(str, arguments)])
        return code, *capsys.readouterr()

    with logging_restored():
        yield run


def records(sensor: str, readings: int, seed: int) -> list[tuple[str, bytes]]:
    return [
        (
            sensor,
            json.dumps(
                {
                    "sensor_id": sensor,
                    "timestamp": 1_767_225_600 + second,
                    "values": {"temperature": round(float(temperature), 3), "pressure": round(float(pressure), 3)},
                }
            ).encode(),
        )
        for second, (temperature, pressure) in enumerate(tiny_values(readings, seed))
    ]


def test_a_span_of_the_topic_becomes_a_model(
    topics: Topics, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics.produce(0, records("pump-0", 200, seed=0))
    topics.produce(1, [*records("pump-1", 200, seed=1), ("pump-1", b"no reading")])
    small = ("--window-length", 8, "--units", 4, "--steps", 3)

    code, shown, errors = train("--output", tmp_path / "model", *small)

    assert (code, errors) == (0, "")
    assert "1 records were left out: not_json" in shown
    artifact = load_artifact(tmp_path / "model")
    assert artifact.spec.features == ("pressure", "temperature")
    assert artifact.report["data"]["readings"] == 400
    assert artifact.report["data"]["sensors"] == 2
    assert "UNKNOWN_FEATURES" not in shown

    monkeypatch.setenv(f"{PREFIX}INPUT__UNKNOWN_FEATURES", "dead_letter")
    code, shown, errors = train("--output", tmp_path / "fewer", *small, "--features", "temperature")

    assert (code, errors) == (0, "")
    assert load_artifact(tmp_path / "fewer").spec.features == ("temperature",)
    assert load_artifact(tmp_path / "fewer").report["data"]["readings"] == 400
    assert "left out here only with STREAM_DETECTOR_INPUT__UNKNOWN_FEATURES=ignore" in shown


def test_a_span_without_records_is_named(topics: Topics, train: Train, tmp_path: Path) -> None:
    topics.produce(0, records("pump-0", 20, seed=0))

    code, _, errors = train("--output", tmp_path / "none", "--until", "2001-01-01T00:00:00Z")

    assert code == 1
    assert "no records in this span" in errors
