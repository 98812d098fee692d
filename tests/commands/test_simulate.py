"""`stream-detector simulate` as a user runs it."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from kafka import KafkaAdminClient, KafkaConsumer

COMMAND = [sys.executable, "-m", "stream_detector", "simulate"]


def simulate(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_csv_file_has_a_row_per_sensor_and_time_and_labels_match_it(tmp_path: Path) -> None:
    options = ["--sensors", "3", "--duration-seconds", "600", "--faults", "4", "--missing", "0.02"]
    done = simulate("--output", "fleet.csv", "--labels", "truth.csv", *options, cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    rows = rows_of(tmp_path / "fleet.csv")
    truth = rows_of(tmp_path / "truth.csv")
    assert len(rows) == 3 * 600
    assert list(rows[0]) == ["sensor_id", "timestamp", "temperature", "pressure", "flow", "vibration", "current"]
    assert (rows[0]["sensor_id"], rows[0]["timestamp"]) == ("pump-1", "2026-01-01T00:00:00.000Z")
    assert any(row["flow"] == "" for row in rows)
    assert [(row["sensor_id"], row["timestamp"]) for row in truth] == [(row["sensor_id"], row["timestamp"]) for row in rows]
    assert {row["label"] for row in truth} == {"0", "1"}
    assert all((row["label"] == "1") == (row["fault"] != "") for row in truth)
    assert len({row["fault"] for row in truth} - {""}) == 4


def test_a_parquet_file_has_the_same_values_as_the_csv_file(tmp_path: Path) -> None:
    options = ["--sensors", "2", "--duration-seconds", "30", "--start", "2026-11-23T07:00:00Z"]
    assert simulate("--output", "fleet.csv", *options, cwd=tmp_path).returncode == 0
    assert simulate("--output", "fleet.parquet", *options, cwd=tmp_path).returncode == 0

    rows = rows_of(tmp_path / "fleet.csv")
    table = pq.read_table(tmp_path / "fleet.parquet")

    assert str(table["timestamp"].type) == "timestamp[ms, tz=UTC]"
    assert table["sensor_id"].to_pylist() == [row["sensor_id"] for row in rows]
    assert table["flow"].to_pylist() == [float(row["flow"]) for row in rows]


def test_equal_options_give_equal_files(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        simulate("--output", name, "--sensors", "2", "--duration-seconds", "200", "--faults", "1", cwd=tmp_path)

    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--output", "fleet.xlsx"], 1, "must end in .csv or .parquet"),
        (["--output", "nowhere/fleet.csv"], 1, "nowhere/fleet.csv: cannot be written: No such file or directory"),
        (["--output", "fleet.csv", "--until-stopped"], 1, "a file needs --duration-seconds"),
        (["--labels", "truth.csv"], 1, "--labels needs --output"),
        (["--output", "fleet.csv", "--sensors", "0"], 2, "'0' is not a whole number of at least 1"),
        (["--output", "fleet.csv", "--missing", "nan"], 2, "'nan' is not a share"),
        (["--start", "2026-11-23T07:00:00"], 2, "is not a time with a time zone"),
    ],
)
def test_wrong_options_are_one_message(options: list[str], code: int, message: str, tmp_path: Path) -> None:
    done = simulate(*options, cwd=tmp_path)

    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def topic_environment(brokers: str, topic: str, **more: str) -> dict[str, str]:
    return os.environ | {"STREAM_DETECTOR_KAFKA__BROKERS": brokers, "STREAM_DETECTOR_KAFKA__INPUT_TOPIC": topic} | more


def records_of(brokers: str, topic: str, count: int) -> list[Any]:
    options = {"auto_offset_reset": "earliest", "consumer_timeout_ms": 5000, "enable_auto_commit": False}
    consumer = KafkaConsumer(topic, bootstrap_servers=brokers, **options)
    records = [record for record, _ in zip(consumer, range(count), strict=False)]
    consumer.close()
    return records


def test_readings_go_to_the_input_topic_in_order_and_not_ahead_of_the_clock(kafka_brokers: str, unique_name: str) -> None:
    options = ["--sensors", "3", "--duration-seconds", "300", "--speed", "200", "--faults", "2"]
    environment = topic_environment(kafka_brokers, unique_name, STREAM_DETECTOR_KAFKA__PARTITIONS="2")
    done = subprocess.run([*COMMAND, *options], env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len([line for line in lines if line.startswith("fault: pump-")]) == 2
    assert lines[-1] == f"{unique_name}: 900 readings of 3 pumps"
    records = records_of(kafka_brokers, unique_name, 900)
    assert len(records) == 900
    assert {record.partition for record in records} <= {0, 1}
    for sensor in ("pump-1", "pump-2", "pump-3"):
        own = [json.loads(record.value) for record in records if record.key == sensor.encode()]
        times = [datetime.fromisoformat(reading["timestamp"]).timestamp() for reading in own]
        assert {reading["sensor_id"] for reading in own} == {sensor}
        assert times == [times[0] + step for step in range(300)]
        assert times[-1] <= time.time()


def test_a_stream_without_end_stops_gracefully_on_sigterm(kafka_brokers: str, unique_name: str) -> None:
    command = [*COMMAND, "--until-stopped", "--sensors", "2", "--interval-seconds", "0.05"]
    with subprocess.Popen(
        command, env=topic_environment(kafka_brokers, unique_name), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"publishing 2 pumps to {unique_name} at {kafka_brokers} from ")
        while not records_of(kafka_brokers, unique_name, 1):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        said = process.stdout.read()

    assert process.returncode == 0
    assert said.splitlines()[-1].startswith(f"{unique_name}: ")


def test_a_topic_is_not_made_where_that_is_not_allowed(kafka_brokers: str, unique_name: str) -> None:
    environment = topic_environment(kafka_brokers, unique_name, STREAM_DETECTOR_KAFKA__CREATE_TOPICS="false")
    done = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert f"there is no topic {unique_name}" in done.stderr
    admin = KafkaAdminClient(bootstrap_servers=kafka_brokers)
    assert unique_name not in admin.list_topics()
    admin.close()


def test_brokers_are_waited_for_a_bounded_time() -> None:
    command = [*COMMAND, "--wait-seconds", "1"]
    environment = topic_environment("127.0.0.1:1", "readings", STREAM_DETECTOR_KAFKA__REQUEST_TIMEOUT_SECONDS="1")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert "answered within 1 s" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--until-stopped", "--faults", "3"], "--faults N needs an end"),
        (["--start", "2099-01-01T00:00:00Z"], "lies in the future"),
    ],
)
def test_options_that_a_topic_cannot_have_are_one_message(options: list[str], message: str, tmp_path: Path) -> None:
    done = simulate(*options, cwd=tmp_path)

    assert done.returncode == 1
    assert message in done.stderr
