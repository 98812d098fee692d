"""The service as a process, with a trained model, on a real Kafka and Valkey: many tests inspect one run."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.assembly import build_detector
from stream_detector.detection.detector import Detector
from stream_detector.settings.schema import AlertSettings, RuleSettings, StateSettings
from tests.fixtures_model import FEATURES, WINDOW_LENGTH, tiny_values
from tests.integration.expectation import expected_alerts
from tests.integration.service_process import STOP_SECONDS, ServiceProcess, environment
from tests.integration.topics import Topics, by_sensor, headers, until
from tests.pipeline.replica_config import reading

SENSORS = ("pump-0", "pump-1", "pump-2", "pump-new")  # the last one is unknown to the model
PARTITIONS = 2
START_MS = 1_767_300_000_000
HISTORY, SLICE = 40, 24
FAULT_AT = (0, 1, 2, 3, 12)  # readings of each slice; the gap between them is longer than a quiet spell
UPDATE_SECONDS = 2.0


@dataclass(slots=True)
class Story:
    """Everything observed during the run."""

    at_start: dict[str, tuple[int, str]]  # pages of the first replica when it was ready
    first_alerts: list[Any]  # of the first slice
    metrics: str  # after the first slice
    exit_codes: list[int]
    stop_seconds: float
    members_after_stop: int
    shared: list[float]  # partitions of each of two replicas
    taken_over: float  # partitions of the one that was left
    history_ends: dict[int, int]
    input: list[Any]
    alerts: list[Any]
    dead_letters: list[Any]
    first_log: list[dict[str, Any]]


def partition_of(sensor: str) -> int:
    return SENSORS.index(sensor) % PARTITIONS


def produce(topics: Topics, first: int, count: int, fault_at: Sequence[int] = (), bad: Sequence[bytes] = ()) -> None:
    """Append `count` readings of each sensor, a second apart; those of `fault_at` are far too hot. Bad records lie between.

    The faults of sensors that the model does not know come a reading later: they take their first scored reading for usual.
    """
    for partition in range(PARTITIONS):
        records: list[tuple[str, bytes]] = []
        for second in range(first, first + count):
            for sensor in (one for one in SENSORS if partition_of(one) == partition):
                temperature, pressure = tiny_values(first + count, SENSORS.index(sensor))[second].tolist()
                heat = 40.0 if second - first - (sensor not in SENSORS[:2]) in fault_at else 0.0
                value = reading(sensor, START_MS + 1000 * second, temperature + heat, pressure, features=FEATURES)
                records.append((sensor, value))
        for value in bad:
            records.insert(len(records) // 2, ("somebody", value))
        topics.produce(partition, records)


BAD = (
    b"\xff\xfe not json",
    b"",
    json.dumps({"sensor_id": "pump-0", "values": {"humidity": 1.0}}).encode(),
    json.dumps({"sensor_id": "pump-0", "timestamp": "2099-01-01T00:00:00Z", "values": {"pressure": 1.0}}).encode(),
)
REASONS = ("not_json", "unknown_features", "time_in_future")


@pytest.fixture(scope="module")
def story(
    kafka_brokers: str, redis_url: str, tiny_model_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    topics = Topics(kafka_brokers, f"service-{uuid.uuid4().hex[:8]}", PARTITIONS)
    logs = tmp_path_factory.mktemp("logs")
    environ = environment(
        topics.settings,
        redis_url,
        tiny_model_directory,
        ALERTS__UPDATE_SECONDS=UPDATE_SECONDS,
        STATE__MAX_SENSORS=5000,
        SERVICE__START_SECONDS=30,
        RULES__SILENT_SECONDS=0,  # its silences depend on how fast this machine is
    )
    with ExitStack() as stack:
        stack.callback(topics.close)

        def start(name: str) -> ServiceProcess:
            replica = ServiceProcess(environ, logs / name)
            stack.callback(replica.kill)
            return replica

        yield tell(topics, start)


def tell(topics: Topics, start: Any) -> Story:  # noqa: ANN401
    produce(topics, 0, HISTORY)
    history_ends = topics.ends()
    # A new group starts at the end of the topic.
    first = start("first")
    first.await_ready()
    at_start = {path: first.get(path) for path in ("/healthz", "/readyz", "/nothing")}
    produce(topics, HISTORY, SLICE, FAULT_AT, BAD)
    topics.await_all_committed()
    first_alerts = topics.alerts()
    until(lambda: first.metric("batches_total") > 0 and first.metric("store_lag") == 0)
    metrics = first.get("/metrics")[1]
    began = time.monotonic()
    exit_codes = [first.stop()]
    stop_seconds = time.monotonic() - began
    members_after_stop = topics.members()
    # Readings come while nobody is there; then two replicas share the work.
    produce(topics, HISTORY + SLICE, SLICE, FAULT_AT)
    second, third = start("second"), start("third")
    second.await_ready()
    third.await_ready()
    replicas = (second, third)
    until(lambda: [one.metric("assigned_partitions") for one in replicas] == [1, 1])
    shared = [one.metric("assigned_partitions") for one in replicas]
    produce(topics, HISTORY + 2 * SLICE, SLICE, FAULT_AT)
    topics.await_all_committed()
    # One of them goes.
    exit_codes.append(second.stop())
    produce(topics, HISTORY + 3 * SLICE, SLICE, FAULT_AT)
    topics.await_all_committed()
    taken_over = third.metric("assigned_partitions")
    exit_codes.append(third.stop())
    return Story(
        at_start=at_start,
        first_alerts=first_alerts,
        metrics=metrics,
        exit_codes=exit_codes,
        stop_seconds=stop_seconds,
        members_after_stop=members_after_stop,
        shared=shared,
        taken_over=taken_over,
        history_ends=history_ends,
        input=topics.input(),
        alerts=topics.alerts(),
        dead_letters=topics.dead_letters(),
        first_log=first.lines(),
    )


def test_a_new_group_starts_at_the_end_and_detects_at_once_since_the_history_fills_the_windows(story: Story) -> None:
    opened = [json.loads(record.value) for record in story.first_alerts]
    at_once = [one for one in opened if one["window"]["last_offset"] - story.history_ends[one["window"]["partition"]] < 4]

    assert {one["sensor_id"] for one in at_once} == set(SENSORS)
    assert all(one["window"]["length"] == WINDOW_LENGTH for one in at_once)
    assert {one["sensor_id"]: one["sensor_state"] for one in at_once} == dict.fromkeys(SENSORS[:2], "ready") | {
        "pump-2": "provisional",
        "pump-new": "provisional",
    }


def test_events_are_valid_and_keyed_by_sensor(story: Story) -> None:
    schema = json.loads(resources.files("stream_detector").joinpath("detection", "event.schema.json").read_text())
    validate = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate

    assert story.alerts
    for record in story.alerts:
        event = json.loads(record.value)
        validate(event)
        assert record.key.decode() == event["sensor_id"]
        assert headers(record)["event_id"] == event["event_id"].encode()


def test_stops_and_changes_of_owner_neither_lose_nor_double_nor_change_an_event(story: Story, tiny_scorer: KerasScorer) -> None:
    alerts = AlertSettings(update_seconds=UPDATE_SECONDS)

    def detector() -> Detector:
        return build_detector(tiny_scorer, StateSettings(), alerts, RuleSettings(silent_seconds=0))

    expected = expected_alerts(detector, story.input, story.history_ends)

    assert set(expected) == {sensor.encode() for sensor in SENSORS}
    assert {status for values in expected.values() for status in statuses(values)} == {"opened", "updated", "closed"}
    assert by_sensor(story.alerts) == expected


def test_what_cannot_be_used_is_a_dead_letter_and_its_neighbours_go_on(story: Story) -> None:
    found = [(headers(letter)["stream_detector.reason"], letter.value or b"") for letter in story.dead_letters]

    assert sorted(found) == sorted(
        [(reason.encode(), value) for reason, value in zip(REASONS, filter(None, BAD), strict=True)] * PARTITIONS
    )
    assert {letter.key for letter in story.dead_letters} == {b"somebody"}


def test_health_and_readiness_are_pages_of_one_port(story: Story) -> None:
    assert {path: status for path, (status, _) in story.at_start.items()} == {"/healthz": 200, "/readyz": 200, "/nothing": 404}
    assert json.loads(story.at_start["/healthz"][1])["status"] == "ok"
    assert json.loads(story.at_start["/readyz"][1]) == {"status": "ready"}


def test_metrics_count_what_was_done(story: Story) -> None:
    readings = len(SENSORS) * SLICE
    alerts = [json.loads(record.value)["status"] for record in story.first_alerts]

    lines = story.metrics.splitlines()

    for line in (
        f"stream_detector_readings_total {readings:.1f}",
        f"stream_detector_records_total {readings + PARTITIONS * len(BAD):.1f}",
        f"stream_detector_scored_windows_total {readings:.1f}",
        'stream_detector_dead_letters_total{reason="not_json"} 2.0',
        f'stream_detector_alerts_total{{status="opened",type="anomaly"}} {alerts.count("opened"):.1f}',
        "stream_detector_ready 1.0",
        "stream_detector_assigned_partitions 2.0",
        "stream_detector_store_lag 0.0",
    ):
        assert line in lines


def test_a_stop_ends_the_process_in_good_order_and_leaves_the_group(story: Story) -> None:
    assert story.exit_codes == [0, 0, 0]
    assert story.stop_seconds < STOP_SECONDS
    assert story.members_after_stop == 0
    assert story.first_log[-1]["message"] == "stopping: the last batch is committed"


def test_a_start_says_whether_the_models_training_resolves_the_budget_and_events_and_metrics_agree(story: Story) -> None:
    (said,) = [line for line in story.first_log if "budget_resolved" in line]

    assert said["budget_resolved"] is False
    assert said["message"].startswith("The alarm limit for ")
    assert {json.loads(record.value)["rules"]["budget_resolved"] for record in story.first_alerts} == {False}
    assert "stream_detector_alarm_budget_resolved 0.0" in story.metrics.splitlines()


def test_replicas_share_the_partitions_and_take_over_from_one_that_stops(story: Story) -> None:
    assert story.shared == [1, 1]
    assert story.taken_over == PARTITIONS


def statuses(values: Sequence[bytes | None]) -> list[str]:
    return [json.loads(value or b"{}")["status"] for value in values]
