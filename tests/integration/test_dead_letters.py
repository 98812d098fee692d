"""`stream-detector dead-letters` as its users run it: lists, and sends records back exactly once, on a real Kafka."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.admin import NewTopic

from stream_detector.ingest.dead_letters import dead_letter
from stream_detector.readings import Rejected
from tests.checkup.test_model_findings import Sent
from tests.integration.service_process import environment
from tests.integration.topics import Topics, headers, until

COMMAND = [sys.executable, "-m", "stream_detector", "dead-letters"]
SECONDS = 120.0
#: Recent: the brokers remove a record that is older than the topic's retention, whenever it was written.
FIRST_MS = 1000 * int(time.time()) - 3_600_000


@pytest.fixture
def topics(kafka_brokers: str, unique_name: str) -> Iterator[Topics]:
    with closing(Topics(kafka_brokers, unique_name, 2)) as found:
        yield found


def reject(topics: Topics, records: Sequence[tuple[str, Sent]], limit: int = 1000) -> None:
    """Write dead letters of these records, each with its reason, as the service does."""
    topic = topics.settings.dead_letter_topic
    with closing(KafkaProducer(bootstrap_servers=topics.settings.brokers)) as producer:
        for reason, record in records:
            message = dead_letter(Rejected(record, reason, f"why {record.offset}"), topic, limit)
            producer.send(topic, message.value, message.key, headers=list(message.headers))
        producer.flush(timeout=SECONDS)


def record(topics: Topics, offset: int, value: bytes = b"{}") -> Sent:
    """A record that was in partition 1 of the input topic."""
    own = (("trace", str(offset).encode()),)
    return Sent(value, 1, offset, b"pump-7", topics.settings.input_topic, FIRST_MS + offset, own)


def run(topics: Topics, *options: str, **settings: object) -> subprocess.CompletedProcess[str]:
    own = environment(topics.settings, "redis://127.0.0.1:1/0", Path("none"), **settings)
    done = subprocess.run([*COMMAND, *options], env=own, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert "Traceback" not in done.stderr
    return done


def answer(topics: Topics, *options: str, **settings: object) -> dict[str, Any]:
    done = run(topics, *options, "--json", **settings)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def traces(topics: Topics) -> list[int]:
    """The records of the input topic, by the header that they had from the start."""
    return [int(headers(one)["trace"] or b"") for one in topics.input()]


def topics_file(topics: Topics, directory: Path) -> Path:
    """Write the settings of the topics into a file with a space in its name."""
    kafka, path = topics.settings, directory / "the plant.toml"
    lines = [f"{name} = {json.dumps(getattr(kafka, name))}" for name in ("brokers", "input_topic", "dead_letter_topic")]
    path.write_text("\n".join(["[kafka]", *lines]))
    return path


def test_dead_letters_are_listed_by_reason_with_an_example(topics: Topics, tmp_path: Path) -> None:
    reject(topics, [("not_json", record(topics, number, b"{bad")) for number in range(3)])
    reject(topics, [("no_value", record(topics, 3)), ("too_large", record(topics, 4, b"x" * 2000))])

    listed = answer(topics)
    shown = run(topics).stdout
    each = run(topics, "--reason", "no_value", "--show").stdout
    last = answer(topics, "--last", "1")
    config = topics_file(topics, tmp_path)
    command = [*COMMAND, "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)

    assert [(group["reason"], group["count"]) for group in listed["reasons"]] == [
        ("not_json", 3),
        ("no_value", 1),
        ("too_large", 1),
    ]
    example = listed["reasons"][0]["example"]
    assert (example["detail"], example["origin"]["offset"], example["value"]) == ("why 2", 2, "{bad")
    assert listed["reasons"][0]["keys"] == {"pump-7": 3}
    assert listed["reasons"][2]["example"]["cannot_be_replayed"] == "its value was cut, it had 2,000 bytes"
    assert shown.splitlines()[0] == f"5 dead letters in {topics.settings.dead_letter_topic}, the newest looked at:"
    assert "  value    {bad" in shown
    assert "no_value: why 3" in each.splitlines()[0]
    assert last["looked_at"] == 1
    assert topics.input() == []
    assert done.stdout.splitlines()[-1] == (
        f"after a fix: stream-detector dead-letters replay --config '{config}' --reason REASON"
    )


def test_without_yes_nothing_is_sent_and_with_it_records_return_as_they_were(topics: Topics) -> None:
    reject(topics, [("not_json", record(topics, 0, b"a")), ("no_value", record(topics, 1, b"b"))])
    reject(topics, [("too_large", record(topics, 2, b"x" * 2000))])

    planned = answer(topics, "replay")
    nothing = topics.input()
    done = answer(topics, "replay", "--yes")
    again = answer(topics, "replay", "--yes")

    assert (planned["done"], planned["sent"], planned["cannot_be_replayed"]) == (False, 2, 1)
    assert nothing == []
    assert (done["sent"], done["by_reason"]) == (2, {"not_json": 1, "no_value": 1})
    assert (again["sent"], again["sent_before"]) == (0, 3)
    found = topics.input()
    assert [(one.key, one.value, one.timestamp, one.partition) for one in found] == [
        (b"pump-7", b"a", FIRST_MS, 1),
        (b"pump-7", b"b", FIRST_MS + 1, 1),
    ]
    assert [name for name, _ in found[0].headers] == ["trace", "stream_detector.replayed_from"]
    assert (headers(found[0])["stream_detector.replayed_from"] or b"").startswith(topics.settings.dead_letter_topic.encode())


def test_reasons_go_back_one_after_the_other(topics: Topics) -> None:
    reject(topics, [(("not_json", "no_value")[number % 2], record(topics, number)) for number in range(10)])

    first = answer(topics, "replay", "--yes", "--reason", "no_value")
    then = answer(topics, "replay", "--yes")

    assert (first["sent"], then["sent"]) == (5, 5)
    assert traces(topics) == [1, 3, 5, 7, 9, 0, 2, 4, 6, 8]


def test_letters_of_another_input_topic_and_older_ones_stay(topics: Topics) -> None:
    elsewhere = Sent(b"{}", 0, 5, b"k", "another-topic", FIRST_MS, (("trace", b"5"),))
    reject(topics, [("not_json", elsewhere), ("not_json", record(topics, 6))])

    later = answer(topics, "replay", "--since", "2100-01-01T00:00:00Z")
    done = answer(topics, "replay", "--yes")

    assert (later["sent"], later["older_than_since"]) == (0, 2)
    assert (done["sent"], done["of_another_topic"]) == (1, 1)
    assert traces(topics) == [6]


def test_a_replay_without_the_settings_of_re_keying_leaves_the_letters_of_the_topic_between(topics: Topics) -> None:
    kafka = topics.settings
    between = f"{kafka.group_id}-{kafka.input_topic}-by-sensor"[-249:]
    topics.admin.create_topics([NewTopic(between, 2, 1)], wait_for_metadata=True)
    copied = replace(record(topics, 1), topic=between)
    reject(topics, [("not_json", record(topics, 0)), ("not_json", copied), ("not_json", record(topics, 2))])

    without = answer(topics, "replay", "--yes")
    then = answer(topics, "replay", "--yes", INPUT__REPARTITION="true")
    again = answer(topics, "replay", "--yes", INPUT__REPARTITION="true")

    assert (without["by_topic"], without["of_another_topic"]) == ({kafka.input_topic: 2}, 1)
    assert (then["by_topic"], then["sent_before"]) == ({between: 1}, 2)
    assert (again["sent"], again["sent_before"]) == (0, 3)


def test_records_that_retention_would_remove_are_said_before_they_are_sent(topics: Topics) -> None:
    old = Sent(b"{}", 0, 5, b"k", topics.settings.input_topic, FIRST_MS - 30 * 86_400_000)
    reject(topics, [("not_json", old), ("not_json", record(topics, 6))])

    planned = answer(topics, "replay")
    said = run(topics, "replay").stdout

    assert (planned["sent"], planned["older_than_retention"]) == (2, 1)
    assert f"1 of them are older than {topics.settings.input_topic} keeps records" in said


def test_a_replay_that_is_killed_and_run_again_sends_each_record_once(topics: Topics) -> None:
    count = 6000
    reject(topics, [("not_json", record(topics, number)) for number in range(count)])
    own = environment(topics.settings, "redis://127.0.0.1:1/0", Path("none"))
    kills = 0
    for _ in range(3):
        before = sum(topics.ends().values())
        process = subprocess.Popen([*COMMAND, "replay", "--yes"], env=own, stdout=subprocess.DEVNULL)
        until(lambda before=before, process=process: sum(topics.ends().values()) > before or process.poll() is not None)  # type: ignore[misc]  # mypy cannot infer it
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait(SECONDS)

    last = answer(topics, "replay", "--yes")

    assert kills
    assert last["sent"] + last["sent_before"] == count
    assert Counter(traces(topics)) == Counter(range(count))


def test_a_missing_topic_and_options_that_do_not_go_together_are_one_message(topics: Topics) -> None:
    missing = topics.settings.model_copy(update={"dead_letter_topic": "no-such-topic"})
    own = environment(missing, "redis://127.0.0.1:1/0", Path("none"))
    done = subprocess.run(COMMAND, env=own, capture_output=True, text=True, timeout=SECONDS, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("stream-detector dead-letters: there is no topic no-such-topic at ")
    assert [run(topics, *options).returncode for options in (("--yes",), ("replay", "--last", "3"))] == [1, 1]
