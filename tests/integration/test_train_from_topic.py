"""`stream-detector train --from-topic` on a real Kafka."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from stream_detector.model_store.model_directory import load_artifact
from tests.fixtures_model import tiny_values
from tests.integration.topics import Topics


def train(topics: Topics, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command against the topics."""
    environment = os.environ | {
        "STREAM_DETECTOR_KAFKA__BROKERS": topics.settings.brokers,
        "STREAM_DETECTOR_KAFKA__INPUT_TOPIC": topics.settings.input_topic,
    }
    command = [sys.executable, "-m", "stream_detector", "train", "--from-topic", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=250, env=environment)


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


def test_a_span_of_the_topic_becomes_a_model(kafka_brokers: str, unique_name: str, tmp_path: Path) -> None:
    with closing(Topics(kafka_brokers, unique_name)) as topics:
        topics.produce(0, records("pump-0", 200, seed=0))
        topics.produce(1, [*records("pump-1", 200, seed=1), ("pump-1", b"no reading")])

        small = ("--window-length", 8, "--units", 4, "--steps", 3)
        done = train(topics, "--output", tmp_path / "model", *small)
        fewer = train(topics, "--output", tmp_path / "fewer", *small, "--features", "temperature")
        nothing = train(topics, "--output", tmp_path / "none", "--until", "2001-01-01T00:00:00Z")

    assert (done.returncode, done.stderr) == (0, "")
    assert "1 records were left out: not_json" in done.stdout
    artifact = load_artifact(tmp_path / "model")
    assert artifact.spec.features == ("pressure", "temperature")
    assert artifact.report["data"]["readings"] == 400
    assert artifact.report["data"]["sensors"] == 2
    assert "UNKNOWN_FEATURES" not in done.stdout
    assert (fewer.returncode, fewer.stderr) == (0, "")
    assert load_artifact(tmp_path / "fewer").spec.features == ("temperature",)
    assert load_artifact(tmp_path / "fewer").report["data"]["readings"] == 400
    assert "left out here only with STREAM_DETECTOR_INPUT__UNKNOWN_FEATURES=ignore" in fewer.stdout
    assert nothing.returncode == 1
    assert "no records in this span" in nothing.stderr
