"""The rights on Kafka that docs/security.md lists are enough for every command, and each of them is needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from stream_detector.adapters.kafka.incident_log import KafkaIncidentLog
from stream_detector.adapters.kafka.sink import KafkaSink
from stream_detector.adapters.kafka.source import KafkaSource
from stream_detector.adapters.kafka.span_reader import KafkaReader
from stream_detector.adapters.kafka.topics import KafkaTopics, ensure_topics
from stream_detector.cli import main
from stream_detector.commands.inspected import KafkaLook
from stream_detector.errors import PermanentDeliveryError
from stream_detector.readings import Membership, Message
from stream_detector.settings.group import PREFIX
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.sources import load_settings
from tests.integration.rights import PAGE, Grants, Right, documented, rights_of
from tests.integration.topics import Topics, headers, until
from tests.integration.unkeyed import STOP_SECONDS, rekey, rekey_environment
from tests.logging_state import logging_restored
from tests.servers.kafka_java import run_tool
from tests.servers.kafka_secure import USER, SecureKafka


@dataclass(frozen=True, slots=True)
class Place:
    """Topics, the rights of the user under test, and that user's settings."""

    topics: Topics
    grants: Grants
    settings: KafkaSettings
    environment: dict[str, str]


@pytest.fixture
def place(secure_kafka: SecureKafka, unique_name: str) -> Iterator[Place]:
    with ExitStack() as stack:
        topics = Topics(secure_kafka.admin_brokers, unique_name, 1)
        stack.callback(topics.close)
        topics.produce(0, [("pump", b"{}")])
        access = secure_kafka.by_scram()
        settings = KafkaSettings.model_validate(topics.settings.model_dump(exclude_defaults=True) | access)
        grants = stack.enter_context(Grants(secure_kafka.admin_brokers, USER, settings))
        names = ("input_topic", "alerts_topic", "dead_letter_topic", "group_id")
        given = access | {name: getattr(settings, name) for name in names}
        environment = {f"{PREFIX}KAFKA__{name.upper()}": str(value) for name, value in given.items()}
        yield Place(topics, grants, settings, environment)


def start(settings: KafkaSettings, _: Membership) -> None:
    ensure_topics(settings)


def read(settings: KafkaSettings, _: Membership) -> None:
    with closing(KafkaReader(settings, settings.input_topic)) as reader:
        assert len(reader.read(0, *reader.bounds(0), 10).records) == 1


def join(settings: KafkaSettings, _: Membership) -> None:
    with closing(KafkaSource(settings)) as source:
        until(lambda: source.poll(0.1).membership is not None)


def publish(settings: KafkaSettings, membership: Membership) -> None:
    commit(settings, membership, settings.alerts_topic)


def reject(settings: KafkaSettings, membership: Membership) -> None:
    commit(settings, membership, settings.dead_letter_topic)


def commit(settings: KafkaSettings, membership: Membership, topic: str) -> None:
    with closing(KafkaSink(settings)) as sink:
        sink.commit([Message(topic, b"pump", b"{}")], {0: 1}, membership)


def read_back(settings: KafkaSettings, _: Membership) -> None:
    assert KafkaIncidentLog(settings).open_incidents(0, 1) == []


Use = Callable[[KafkaSettings, Membership], None]
#: What `run` does, and which of it is refused when a right is missing. `start` asks the brokers what is allowed.
USES: tuple[Use, ...] = (start, read, join, publish, reject, read_back)
REFUSED: dict[str, tuple[Use, ...]] = {
    "Read topic input_topic": (start, read),
    "Write topic alerts_topic": (start, publish),
    "Read topic alerts_topic": (start, read_back),
    "Write topic dead_letter_topic": (start, reject),
    "Read group group_id": (join, publish),
    "Write transactional id group_id": (publish, reject),
}


@pytest.fixture
def member(place: Place) -> Iterator[Membership]:
    """The membership of a process that, for now, has all the rights it needs."""
    place.grants.give(rights_of("run"))
    with closing(KafkaSource(place.settings)) as source:
        until(lambda: bool(source.poll(0.1).assigned))
        membership = source.poll(0).membership
        publish(place.settings, membership)
        yield membership


def test_the_listed_rights_are_all_that_run_needs(place: Place, member: Membership) -> None:
    for use in (start, read, publish, reject, read_back):
        use(place.settings, member)


@pytest.mark.parametrize("right", rights_of("run"), ids=str)
def test_without_one_of_them_run_is_refused_with_the_name_of_what_it_lacks(
    right: Right, place: Place, member: Membership
) -> None:
    place.grants.take(right)

    for use in REFUSED[str(right)]:
        with pytest.raises(PermanentDeliveryError, match=r"docs/security\.md") as caught:
            use(place.settings, member)
        assert getattr(place.settings, right.setting) in str(caught.value), use.__name__


def test_topics_are_made_with_the_listed_rights(place: Place, unique_name: str, secure_kafka: SecureKafka) -> None:
    changes = {name: f"{unique_name}.new.{name}" for name in ("input_topic", "alerts_topic", "dead_letter_topic")}
    settings = place.settings.model_copy(update=changes)
    making = rights_of("run, topics missing")

    with Grants(secure_kafka.admin_brokers, USER, settings) as grants:
        grants.give(rights_of("run"))
        for right in making:
            with pytest.raises(
                PermanentDeliveryError, match=f"creating topic {getattr(settings, right.setting)}: .*docs/security"
            ):
                ensure_topics(settings)
            grants.give([right])
        ensure_topics(settings)

    place.topics.admin.delete_topics(list(changes.values()))


@pytest.fixture
def command(place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., str]]:
    """Run a command as the user under test; return its stderr if it is refused, else ""."""
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: object) -> str:
        code = main([str(argument) for argument in arguments])
        error = capsys.readouterr().err
        if code == 0:
            return ""
        assert code == 1
        return error

    with logging_restored():
        yield run


def test_watch_needs_the_listed_right_and_no_other(place: Place, command: Callable[..., str]) -> None:
    refused = command("watch", "--no-follow")

    place.grants.give(rights_of("watch"))

    assert command("watch", "--no-follow") == ""
    assert place.settings.alerts_topic in refused
    assert len(refused.splitlines()) == 1


@pytest.mark.parametrize("right", rights_of("status"), ids=str)
def test_status_needs_each_of_the_listed_rights_and_no_other(
    right: Right, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    place.grants.give(rights_of("status"))
    with closing(KafkaLook(load_settings(None, None), lambda: 0)) as looking:
        allowed = looking.look()
    place.grants.take(right)

    with closing(KafkaLook(load_settings(None, None), lambda: 0)) as looking, pytest.raises(PermanentDeliveryError) as caught:
        looking.look()

    assert [one.end for one in allowed.group.partitions] == [1]
    assert getattr(place.settings, right.setting) in str(caught.value)


def test_show_needs_the_right_of_watch() -> None:
    assert rights_of("show") == [replace(right, command="show") for right in rights_of("watch")]


def test_simulate_needs_the_listed_right_and_no_other(place: Place, command: Callable[..., str]) -> None:
    simulate = ("simulate", "--sensors", 1, "--duration-seconds", 3, "--speed", 100)
    refused = command(*simulate)

    place.grants.give(rights_of("simulate"))

    assert command(*simulate) == ""
    assert place.settings.input_topic in refused
    assert len(refused.splitlines()) == 1


def test_simulate_makes_its_topic_with_the_listed_rights(
    secure_kafka: SecureKafka, place: Place, command: Callable[..., str], unique_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{unique_name}.new"
    monkeypatch.setenv(f"{PREFIX}KAFKA__INPUT_TOPIC", name)
    simulate = ("simulate", "--sensors", 1, "--duration-seconds", 3, "--speed", 100)

    with Grants(secure_kafka.admin_brokers, USER, place.settings.model_copy(update={"input_topic": name})) as grants:
        grants.give(rights_of("simulate"))
        refused = command(*simulate)
        grants.give(rights_of("simulate, topic missing"))
        assert command(*simulate) == ""

    assert f"creating topic {name}" in refused
    place.topics.admin.delete_topics([name])


def test_training_from_the_topic_needs_the_listed_right_and_no_other(
    place: Place, command: Callable[..., str], tmp_path: Path
) -> None:
    train = ("train", "--from-topic", "--features", "temperature", "--output", tmp_path / "model")
    refused = command(*train)

    place.grants.give(rights_of("train --from-topic"))

    assert "no record of the span could be used" in command(*train)  # it has read the one that is there, which is none
    assert place.settings.input_topic in refused
    assert len(refused.splitlines()) == 1


def test_every_listed_command_is_tried_here() -> None:
    tried = {"run", "run, topics missing", "watch", "simulate", "simulate, topic missing", "train --from-topic"}
    tried |= {"status", "show"}

    assert {right.command for right in documented()} == tried
    assert {str(right) for right in rights_of("run")} == REFUSED.keys()


def test_the_commands_of_the_page_make_a_user_with_the_rights_of_the_page(secure_kafka: SecureKafka, tmp_path: Path) -> None:
    """Runs Kafka's own tools as docs/security.md does; only address and user differ."""
    user, password, defaults = "from-the-page", "password-of-the-page", KafkaSettings()
    (tmp_path / "admin.properties").write_text("")
    (credentials,) = re.findall(r"^(SCRAM-SHA-512=.+)$", PAGE.read_text(), re.MULTILINE)
    (tmp_path / "detector.properties").write_text(credentials.replace("...", password))
    calls = re.findall(r"^\$ (kafka-\w+)\.sh --bootstrap-server \S+ (.+)$", PAGE.read_text(), re.MULTILINE)

    for tool, arguments in calls:
        own = arguments.replace("User:detector", f"User:{user}").replace("--entity-name detector", f"--entity-name {user}")
        run_tool(tool, ["--bootstrap-server", secure_kafka.admin_brokers, *own.split()], tmp_path)

    with Grants(secure_kafka.admin_brokers, user, defaults) as grants:
        granted = grants.all()
        way_in = secure_kafka.by_scram() | {"sasl_username": user, "sasl_password": password}
        with KafkaTopics(KafkaSettings.model_validate(way_in)) as topics:
            assert topics.describe(defaults.alerts_topic) is None  # it may look, and there is none
        grants.take_all()
    assert granted == grants.described(rights_of("run"))
    assert [tool for tool, _ in calls] == ["kafka-configs", *["kafka-acls"] * 4]


def test_a_user_without_any_right_sees_no_topic(place: Place) -> None:
    with KafkaTopics(place.settings) as topics, pytest.raises(PermanentDeliveryError, match=place.settings.input_topic):
        topics.describe(place.settings.input_topic)


def test_re_keying_needs_the_rights_that_the_page_says(place: Place, tmp_path: Path) -> None:
    settings = place.settings
    group, copy = f"{settings.group_id}-rekey", f"{settings.group_id}.copy"
    named = settings.model_copy(update={"group_id": group, "alerts_topic": copy})
    rights = [
        Right("rekey", "topic", "input_topic", "Read"),
        *(Right("rekey", "topic", "alerts_topic", operation) for operation in ("Create", "Read", "Write")),
        Right("rekey", "topic", "dead_letter_topic", "Write"),
        Right("rekey", "group", "group_id", "Read"),
        Right("rekey", "transactional id", "group_id", "Write"),
    ]
    options = ["--to", copy, "--group", group, "--until-end"]
    log = tmp_path / "log"
    with Grants(place.topics.settings.brokers, USER, named) as grants:
        grants.give(rights)
        assert rekey(rekey_environment(settings), log, options).wait(STOP_SECONDS) == 0, log.read_text()
        grants.take(rights[0])
        assert rekey(rekey_environment(settings), log, options).wait(STOP_SECONDS) == 1
    place.topics.admin.delete_topics([copy])

    assert "0 readings of 1 records" in log.read_text()
    assert "docs/security.md" in log.read_text()
    assert [headers(one)["stream_detector.reason"] for one in place.topics.dead_letters()] == [b"sensor_missing"]
