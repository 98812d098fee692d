"""`run` without a model, on a real Kafka and Valkey: it learns one from the topic, and goes on with it."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_detector.model_store.model_directory import load_artifact
from tests.integration.learning_plant import (
    QUICK,
    TRAINING_SECONDS,
    Plant,
    messages,
    readiness,
    told_by_status,
    trainings_of,
)
from tests.integration.service_process import environment
from tests.integration.topics import Topics, until


@pytest.fixture
def plant(kafka_brokers: str, redis_url: str, unique_name: str, tmp_path: Path) -> Iterator[Plant]:
    topics = Topics(kafka_brokers, unique_name, 1, start="earliest")
    plant = Plant(topics, environment(topics.settings, redis_url, tmp_path / "model", **QUICK), tmp_path)
    try:
        yield plant
    finally:
        for service in plant.services:
            service.kill()
        topics.close()


def test_too_few_readings_are_collected_and_said_while_the_rules_watch(plant: Plant) -> None:
    plant.produce(100)
    service = plant.start()
    service.await_ready()
    until(lambda: "collecting: 200 of 1,200 readings of 2 sensors" in readiness(service).get("learning", ""))

    assert readiness(service)["status"] == "ready"
    assert readiness(service)["learning"].endswith("about 9 minutes")
    assert any(message.startswith("learning: collecting: 200 of 1,200") for message in messages(service))
    assert service.metric('learning{stage="collecting"}') == 1
    assert service.metric("learning_readings") == 200
    assert service.metric("learning_readings_needed") == 1_200
    assert not trainings_of(plant)
    told = told_by_status(plant)
    assert told["learning"]["stage"] == "collecting"
    assert "collecting: 200 of 1,200 readings of 2 sensors" in told["learning"]["text"]
    assert told["detector"]["records_per_second"] > 3.0  # all 200 were written in the last minute, and none while it looked
    assert service.stop() == 0
    assert told_by_status(plant)["learning"] is None


def test_a_model_is_learned_takes_over_and_finds_a_fault_although_everything_was_killed_in_between(plant: Plant) -> None:
    plant.produce(800)
    killed = plant.start()
    until(lambda: bool(trainings_of(plant)), TRAINING_SECONDS)
    killed.kill()
    until(lambda: not trainings_of(plant))
    assert not plant.model.exists()
    (plant.directory / "model.learning" / "candidate").mkdir(exist_ok=True)
    (plant.directory / "model.learning" / "candidate" / "half").write_text("written")

    service = plant.start()
    until(lambda: service.metric("built_in") == 0 and service.get("/readyz")[0] == 200, TRAINING_SECONDS)
    plant.produce(70)
    plant.produce(30, pressure_off=3.0)

    assert any(event["type"] == "anomaly" and event["sensor_id"] == "pump-0" for event in plant.events())
    assert load_artifact(plant.model).report["learned_by_run"] is True
    assert service.metric('learning_attempts_total{outcome="promoted"}') == 1
    assert service.metric("built_in") == 0
    assert readiness(service) == {"status": "ready"}
    said = messages(service)
    assert any("training: from records of" in message for message in said)
    (summary,) = [message for message in said if message.startswith("training: ")]
    lines = summary.splitlines()
    assert lines[0] == "training: promoted"
    assert lines[1].startswith("  1,600 readings of 2 sensors, 2 features (pressure, temperature) 2026-01-01")
    assert any("injected faults in time, at 500 false alarms a sensor and day" in line for line in lines)
    assert lines[-1].startswith(f"  the whole report: {plant.model / 'training.txt'}; ")
    assert len(lines) < 12
    report = (plant.model / "training.txt").read_text()
    assert "2. What will it find?" in report
    assert "  all figures: report.json; picture: training.png, beside this text" in report
    assert ".learning" not in report
    assert service.stop() == 0


def test_the_state_of_the_setting_reaches_the_training_and_the_model_that_it_gives_good_enough_or_not(plant: Plant) -> None:
    plant.environ["STREAM_DETECTOR_LEARNING__ONLY_WHILE"] = "pressure > 1"
    for _ in range(4):
        plant.produce(200)
        plant.produce(50, standing=True)

    service = plant.start()
    until(lambda: any(message.startswith("training: ") for message in messages(service)), TRAINING_SECONDS - 30.0)
    (summary,) = [message for message in messages(service) if message.startswith("training: ")]
    given = plant.model if summary.startswith("training: promoted") else plant.directory / "model.rejected"

    assert "only while pressure > 1: 400 of 2,000 readings are left out; the model keeps the condition" in summary
    assert load_artifact(given).spec.only_while == "pressure > 1"
    assert "gave no" not in (given / "training.txt").read_text()
    assert service.stop() == 0


def test_a_training_that_is_killed_is_said_and_tried_again_later(plant: Plant) -> None:
    plant.produce(800)
    service = plant.start()
    until(lambda: bool(trainings_of(plant)), TRAINING_SECONDS)
    os.kill(trainings_of(plant)[0], signal.SIGKILL)
    until(lambda: readiness(service).get("learning", "").startswith("waiting: there is no model"))

    assert "signal 9" in readiness(service)["learning"]
    assert re.search(r"Next attempt in (1 min|\d+ s)", readiness(service)["learning"])
    assert service.metric('learning_attempts_total{outcome="failed"}') == 1
    assert service.get("/readyz")[0] == 200
    assert not plant.model.exists()
    assert service.stop() == 0
