"""Stream and file give the same scores: the readings of one file, produced to a real topic and scored offline.

The model's calibration is changed so that every score is above its threshold; so every scored reading gives an event.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.assembly import build_detector
from stream_detector.cli import main
from stream_detector.model_store.model_directory import load_artifact, save_artifact
from stream_detector.model_store.serialization import with_version
from stream_detector.settings.group import PREFIX
from stream_detector.settings.schema import AlertSettings, StateSettings
from stream_detector.timestamps import iso_time
from tests.fixtures_model import FEATURES, WINDOW_LENGTH, tiny_values
from tests.integration.replica import Replica
from tests.integration.topics import Topics
from tests.pipeline.replica_config import reading

START_MS = 1_767_300_000_000
ROWS = 150
SENSORS = ("pump-0", "pump-1", "pump-2")  # the model knows the first two
UPDATE_SECONDS = 0.001
Row = tuple[str, int, float | None, float | None]  # sensor, time, temperature, pressure
Scores = dict[tuple[str, int], tuple[float, float]]  # score and threshold by sensor and time


@pytest.fixture
def topics(kafka_brokers: str, unique_name: str) -> Iterator[Topics]:
    with closing(Topics(kafka_brokers, unique_name, 2, start="earliest", max_poll_records=23)) as opened:
        yield opened


@pytest.fixture
def alarming_model(tiny_model_directory: Path, tmp_path: Path) -> Path:
    """Return a model for which every score is anomalous."""
    return alarming(tiny_model_directory, tmp_path / "model")


def alarming(model: Path, target: Path, only_while: str = "") -> Path:
    artifact = load_artifact(model)
    everything, spec = replace(artifact.calibration, tail_start=-100.0), replace(artifact.spec, only_while=only_while)
    save_artifact(with_version(replace(artifact, calibration=everything, spec=spec)), target, b"")
    return target


def rows() -> list[Row]:
    """Return readings of three sensors: one has a fault, one misses values and then pauses, one is sometimes late."""
    values = [tiny_values(ROWS, seed) for seed in range(len(SENSORS))]
    made: list[Row] = []
    for second in range(ROWS):
        for number, sensor in enumerate(SENSORS):
            temperature, pressure = values[number][second].tolist()
            time_ms = START_MS + 1000 * second
            if number == 0 and 60 <= second < 80:
                temperature += 30.0
            if number == 1 and second > 100:
                time_ms += 600_000
            late = number == 2 and second % 40 == 39
            made.append((sensor, time_ms - 5000 * late, None if number == 1 and second % 7 == 0 else temperature, pressure))
    return made


def write_csv(path: Path, readings: list[Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sensor_id", "timestamp", *FEATURES])
        writer.writerows([sensor, iso_time(time_ms), *values] for sensor, time_ms, *values in readings)


def scores_of_file(path: Path) -> Scores:
    """Return score and threshold of every scored row, by sensor and time, rounded as in events."""
    with path.open(newline="") as file:
        return {
            (row["sensor_id"], milliseconds(row["timestamp"])): (rounded(row["score"]), rounded(row["threshold"]))
            for row in csv.DictReader(file)
            if row["score"]
        }


def rounded(number: str) -> float:
    return float(f"{float(number):.6g}")


def milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).astimezone(UTC).timestamp() * 1000)


def scores_of_stream(topics: Topics, model: Path, redis_url: str, readings: list[Row]) -> Scores:
    """Run the readings through a real topic, a few at a time; return score and threshold of every event."""
    scorer = KerasScorer(model)
    alerts = AlertSettings(update_seconds=UPDATE_SECONDS)
    detector = build_detector(scorer, StateSettings(), alerts)
    for partition in range(2):
        mine = [row for row in readings if SENSORS.index(row[0]) % 2 == partition]
        topics.produce(
            partition, [(sensor, reading(sensor, time_ms, *values, features=FEATURES)) for sensor, time_ms, *values in mine]
        )
    ends = topics.ends()
    with closing(Replica(topics.settings, redis_url, detector)) as replica:
        replica.run(lambda: topics.committed() == ends)
    events = [json.loads(record.value) for record in topics.alerts()]
    assert len({event["event_id"] for event in events}) == len(events)
    return {
        (event["sensor_id"], milliseconds(event["timestamp"])): (event["score"], event["threshold"])
        for event in events
        if event["score"] is not None  # the incident that the silence ended was closed by a reading without a score
    }


def test_a_file_and_the_stream_of_its_readings_give_equal_scores_and_thresholds(
    alarming_model: Path, topics: Topics, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = rows()
    write_csv(tmp_path / "in.csv", readings)
    monkeypatch.setenv(f"{PREFIX}ALERTS__UPDATE_SECONDS", str(UPDATE_SECONDS))
    options = ["--model", str(alarming_model), "--input", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out.csv")]

    assert main(["score", *options]) == 0
    file = scores_of_file(tmp_path / "out.csv")
    stream = scores_of_stream(topics, alarming_model, redis_url, readings)

    warming = WINDOW_LENGTH - 1  # of the sensor that the model does not know
    late = ROWS // 40
    assert len(file) == len(readings) - warming - late
    assert stream == file


def test_they_are_equal_where_machines_are_idle_now_and_then(
    tiny_model_directory: Path, topics: Topics, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = alarming(tiny_model_directory, tmp_path / "idle", only_while="pressure > 2.5")
    readings = rows()
    write_csv(tmp_path / "in.csv", readings)
    monkeypatch.setenv(f"{PREFIX}ALERTS__UPDATE_SECONDS", str(UPDATE_SECONDS))
    options = ["--model", str(model), "--input", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out.csv")]

    assert main(["score", *options]) == 0
    file = scores_of_file(tmp_path / "out.csv")
    stream = scores_of_stream(topics, model, redis_url, readings)

    running = {(sensor, time_ms) for sensor, time_ms, _, pressure in readings if pressure is not None and pressure > 2.5}
    assert 50 < len(file) < len(running)
    assert set(file) < running
    assert stream == file
