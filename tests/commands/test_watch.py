"""`stream-detector watch` as a user runs it, on a real Kafka."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from kafka import KafkaAdminClient, KafkaProducer

from stream_detector.commands.watch import _report_missing_topic, open_line
from tests.inspection.test_alarms import Found

COMMAND = [sys.executable, "-m", "stream_detector", "watch"]
SECONDS = 60.0


def environment(brokers: str, topic: str) -> dict[str, str]:
    return {
        "STREAM_DETECTOR_KAFKA__BROKERS": brokers,
        "STREAM_DETECTOR_KAFKA__ALERTS_TOPIC": topic,
        "STREAM_DETECTOR_KAFKA__REQUEST_TIMEOUT_SECONDS": "10",
        "PYTHONIOENCODING": "utf-8",
    }


def watch(brokers: str, topic: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *options], env=environment(brokers, topic), capture_output=True, text=True, timeout=SECONDS, check=False
    )


def event(number: int) -> bytes:
    return json.dumps({"sensor_id": f"pump-{number}", "timestamp": "2026-11-23T07:12:00Z", "status": "opened"}).encode()


class Terminal(io.StringIO):
    """Stderr on a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_of_80_columns_shows_what_it_waits_for_in_whole_words(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    _report_missing_topic("anomaly-events-of-plant-2", "kafka-1.plant.example:9092", follow=True)

    lines = terminal.getvalue().splitlines()
    assert [len(line) < 80 for line in lines] == [True, True]
    assert "kafka-1.plant.example:9092" in terminal.getvalue()


def change(incident: str, status: str, kind: str = "anomaly", sensor: str = "pump-1") -> Found:
    body = {"sensor_id": sensor, "timestamp": "2026-11-23T07:12:00Z", "status": status, "type": kind, "incident_id": incident}
    return Found(json.dumps(body).encode())


def test_it_names_the_incidents_that_are_open_and_where_to_see_what_they_wait_for() -> None:
    past = [
        change("1", "opened"),
        change("2", "opened", "frozen"),
        change("1", "closed"),
        change("3", "opened", sensor="pump-2"),
        change("3", "updated", sensor="pump-2"),
        change("4", "opened", "input_silent", sensor=""),
        Found(b"no event"),
        Found(None),
    ]

    assert open_line(past) == (
        "open now: pump-1 (frozen), pump-2 (anomaly); `stream-detector show SENSOR` says what each waits for"
    )
    assert open_line(past[:1] + past[2:3]) == ""
    assert " and 3 more;" in open_line([change(str(number), "opened") for number in range(8)])


def make_topic(brokers: str, topic: str, partitions: int = 2) -> None:
    admin = KafkaAdminClient(bootstrap_servers=brokers)
    admin.create_topics({topic: {"num_partitions": partitions, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()


@contextmanager
def transactional_producer(brokers: str, topic: str) -> Iterator[KafkaProducer]:
    producer = KafkaProducer(bootstrap_servers=brokers, transactional_id=topic)
    producer.init_transactions()
    yield producer
    producer.close()


def commit(producer: KafkaProducer, topic: str, values: Sequence[bytes]) -> None:
    """Write each value in a transaction of its own, as the service does when alerts are rare."""
    for position, value in enumerate(values):
        producer.begin_transaction()
        producer.send(topic, value, partition=position % 2)
        producer.commit_transaction()


def test_the_last_alerts_are_shown_in_the_order_in_which_they_came(kafka_brokers: str, unique_name: str) -> None:
    make_topic(kafka_brokers, unique_name)
    with transactional_producer(kafka_brokers, unique_name) as producer:
        commit(producer, unique_name, [event(number) for number in range(30)])

    done = watch(kafka_brokers, unique_name, "--no-follow", "--json")

    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["sensor_id"] for line in done.stdout.splitlines()] == [
        f"pump-{number}" for number in range(20, 30)
    ]


def test_json_lines_are_the_events_as_they_are_on_the_topic(kafka_brokers: str, unique_name: str) -> None:
    make_topic(kafka_brokers, unique_name)
    values = [b'{"sensor_id": "\xc3\xbc",  "new": 1.0}', b'{\n"sensor_id":\n"b"}', b"\x1b[31mnonsense"]
    with transactional_producer(kafka_brokers, unique_name) as producer:
        commit(producer, unique_name, values)

    done = watch(kafka_brokers, unique_name, "--no-follow", "--json")

    assert done.returncode == 0
    assert done.stdout.splitlines() == ['{"sensor_id": "\u00fc",  "new": 1.0}', '{"sensor_id":"b"}']
    assert done.stderr.startswith(f"stream-detector watch: unreadable alert at {unique_name} partition 0 offset 2: JSON is mal")


def test_an_aborted_alert_is_not_shown(kafka_brokers: str, unique_name: str) -> None:
    make_topic(kafka_brokers, unique_name)
    with transactional_producer(kafka_brokers, unique_name) as producer:
        producer.begin_transaction()
        producer.send(unique_name, event(1), partition=0).get(timeout=10)
        producer.abort_transaction()
        commit(producer, unique_name, [event(2)])

    done = watch(kafka_brokers, unique_name, "--no-follow", "--json")

    assert [json.loads(line)["sensor_id"] for line in done.stdout.splitlines()] == ["pump-2"]


def test_drawings_follow_and_continue_after_an_unreadable_record(kafka_brokers: str, unique_name: str) -> None:
    make_topic(kafka_brokers, unique_name)
    with transactional_producer(kafka_brokers, unique_name) as producer:
        commit(producer, unique_name, [event(1), event(2)])
        command = [*COMMAND, "--last", "1", "--until-idle-seconds", "10"]
        process = subprocess.Popen(
            command, env=environment(kafka_brokers, unique_name), stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        assert process.stdout is not None
        with process:
            first = process.stdout.readline()  # it has the end of the topic now
            assert process.stdout.readline() == "  not scored\n"
            commit(producer, unique_name, [b"\x1b[31mnonsense", event(3)])
            following = [process.stdout.readline(), process.stdout.readline()]
            process.kill()

    assert first.startswith("● opened")
    assert "pump-2" in first
    assert following[0].startswith(f"? unreadable alert at {unique_name} partition 0 offset 2: JSON is malformed")
    assert "\x1b" not in following[0]
    assert "pump-3" in following[1]


def test_it_ends_when_nothing_came_for_a_while(kafka_brokers: str, unique_name: str) -> None:
    make_topic(kafka_brokers, unique_name)

    done = watch(kafka_brokers, unique_name, "--until-idle-seconds", "0.5")

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"stream-detector watch: connected to {unique_name}, no alert yet\n"


def test_a_topic_that_is_not_there_is_waited_for_or_an_error(kafka_brokers: str, unique_name: str) -> None:
    waited = watch(kafka_brokers, unique_name, "--until-idle-seconds", "0.5")
    refused = watch(kafka_brokers, unique_name, "--no-follow")

    assert (waited.returncode, refused.returncode) == (0, 1)
    assert f"there is no topic {unique_name} at {kafka_brokers} yet; waiting for it" in waited.stderr
    assert refused.stderr == f"stream-detector watch: there is no topic {unique_name} at {kafka_brokers}\n"


def test_brokers_that_do_not_answer_are_one_message() -> None:
    options = environment("127.0.0.1:1", "alerts") | {"STREAM_DETECTOR_KAFKA__REQUEST_TIMEOUT_SECONDS": "1"}
    done = subprocess.run(COMMAND, env=options, capture_output=True, text=True, timeout=SECONDS, check=False)

    assert done.returncode == 1
    assert done.stdout == ""
    assert "answered within 1 s" in done.stderr
    assert "STREAM_DETECTOR_KAFKA__BROKERS" in done.stderr
    assert done.stderr.count("\n") == 1


def test_it_ends_when_nobody_reads_it_any_more(kafka_brokers: str, unique_name: str) -> None:
    make_topic(kafka_brokers, unique_name)
    with transactional_producer(kafka_brokers, unique_name) as producer:
        commit(producer, unique_name, [event(1)])
    process = subprocess.Popen([*COMMAND, "--json"], env=environment(kafka_brokers, unique_name), stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()

    process.stdout.close()  # as `| head -1` does

    assert process.wait(SECONDS) == 0
