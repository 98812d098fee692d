"""What bounds the learning of `run`: memory, one training of all replicas, and the gate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
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
from tests.integration.service_process import ServiceProcess, environment
from tests.integration.topics import Topics, until
from tests.pipeline.replica_config import reading

START_MS = 1_767_300_000_000
FAILED, REJECTED, PROMOTED = (f'learning_attempts_total{{outcome="{one}"}}' for one in ("failed", "rejected", "promoted"))


@pytest.fixture
def plant(kafka_brokers: str, redis_url: str, unique_name: str, tmp_path: Path) -> Iterator[Plant]:
    with closing(Topics(kafka_brokers, unique_name, 2, start="earliest")) as topics:
        found = Plant(topics, environment(topics.settings, redis_url, tmp_path / "model", **QUICK), tmp_path)
        yield found
        for service in found.services:
            service.kill()


def test_a_training_that_takes_too_much_memory_is_ended_and_said_and_tried_again_while_the_rules_go_on(plant: Plant) -> None:
    """TensorFlow alone takes more than 256 MiB; the next attempt is a minute later, not the half hour of the setting."""
    plant.environ["STREAM_DETECTOR_LEARNING__MEMORY_MB"] = "256"
    plant.produce(800)
    service = plant.start()
    until(lambda: service.metric(FAILED) == 1, TRAINING_SECONDS)
    until(lambda: readiness(service).get("learning", "").startswith("waiting"))

    assert "it took more memory than STREAM_DETECTOR_LEARNING__MEMORY_MB (256)" in readiness(service)["learning"]
    assert "it took more memory" in told_by_status(plant)["learning"]["text"]
    assert service.get("/readyz")[0] == 200
    until(lambda: service.metric(FAILED) == 2, TRAINING_SECONDS)
    assert service.get("/readyz")[0] == 200
    assert not plant.model.exists()
    assert service.stop() == 0


def test_of_two_replicas_one_trains_and_both_go_on_with_its_model(plant: Plant) -> None:
    plant.produce(800)
    services = [plant.start(), plant.start()]
    most = 0

    def are_done() -> bool:
        nonlocal most
        most = max(most, len(trainings_of(plant)))
        return all(one.metric("built_in") == 0 and one.get("/readyz")[0] == 200 for one in services)

    until(are_done, TRAINING_SECONDS)

    assert most == 1
    assert sorted(one.metric(PROMOTED) for one in services) == [0, 1]
    version = load_artifact(plant.model).spec.version
    assert all(any(f"model model {version}: features" in text for text in messages(one)) for one in services)
    assert [one.stop() for one in services] == [0, 0]


def produce_twins(plant: Plant) -> None:
    """Append readings of noise in one feature and twice that in the other: without one, nothing is known of the other."""
    rng = np.random.default_rng(3)
    for sensor in ("pump-0", "pump-1"):
        first = rng.normal(0.0, 1.0, 800)
        rows = np.column_stack([first, 2.0 * first + rng.normal(0.0, 0.02, 800)]).round(5).tolist()
        plant.topics.produce(
            0,
            [(sensor, reading(sensor, START_MS + 1000 * at, *row, features=("a", "b"))) for at, row in enumerate(rows)],
        )


def test_a_model_that_the_gate_rejects_is_kept_aside_and_said_and_all_replicas_wait(plant: Plant) -> None:
    plant.environ["STREAM_DETECTOR_ALERTS__BUDGET_PER_SENSOR_DAY"] = "0.1"
    produce_twins(plant)
    services: list[ServiceProcess] = [plant.start(), plant.start()]
    until(lambda: sum(one.metric(REJECTED) for one in services) == 1, TRAINING_SECONDS)
    why = "what was learned is not good enough: the model is blind while features are missing"
    until(lambda: all(why in readiness(one).get("learning", "") for one in services))

    assert all("Next attempt in " in readiness(one)["learning"] for one in services)
    assert why in told_by_status(plant)["learning"]["text"]
    assert not plant.model.exists()
    assert load_artifact(plant.directory / "model.rejected").report["learned_by_run"] is True
    assert "NOT PROMOTED" in (plant.directory / "model.rejected" / "training.txt").read_text()
    (summary,) = [text for one in services for text in messages(one) if text.startswith("training: ")]
    assert summary.startswith("training: rejected")
    assert not trainings_of(plant)
    assert all(one.metric("built_in") == 1 and one.get("/readyz")[0] == 200 for one in services)
    assert [one.stop() for one in services] == [0, 0]
