"""The service on a Kafka and a Redis that authenticate it, and allow exactly the rights in docs/security.md.

It gets its secrets once from the environment and once from files. The tests search everything it writes for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.assembly import build_detector
from stream_detector.detection.detector import Detector
from stream_detector.settings.group import PREFIX
from stream_detector.settings.schema import AlertSettings, RuleSettings, StateSettings
from tests.fixtures_model import FEATURES, tiny_values
from tests.integration.expectation import expected_alerts
from tests.integration.rights import Grants, Right, rights_of
from tests.integration.service_process import QUICK_START, STOP_SECONDS, ServiceProcess, environment
from tests.integration.topics import Topics, by_sensor, until
from tests.pipeline.replica_config import reading
from tests.servers import redis_user
from tests.servers.kafka_secure import CERTIFICATE_NAME, KEY_PASSWORD, PASSWORD, USER, SecureKafka
from tests.servers.valkey import Valkey, running_valkey

START_MS = 1_767_300_000_000
HISTORY, SLICE, FAULT_AT = 24, 24, (0, 1, 2, 16)
SENSOR = "pump-0"
SECRETS = (PASSWORD, KEY_PASSWORD, redis_user.PASSWORD, quote(redis_user.PASSWORD, safe=""))
SECRET_SETTINGS = ("KAFKA__SASL_PASSWORD", "KAFKA__SSL_KEY_PASSWORD", "REDIS__URL")
WRITE_ALERTS = Right("run", "topic", "alerts_topic", "Write")


@dataclass(frozen=True, slots=True)
class Access:
    """One way to connect: the user, the settings, and where the secrets are kept."""

    name: str
    principal: str
    secrets_in_files: bool


BY_SCRAM = Access("scram", USER, secrets_in_files=False)
BY_CERTIFICATE = Access("certificate", f"CN={CERTIFICATE_NAME}", secrets_in_files=True)


@dataclass(slots=True)
class Story:
    """Everything observed while the service ran."""

    input: list[Any] = field(default_factory=list)
    history_ends: dict[int, int] = field(default_factory=dict)
    alerts: list[Any] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)  # by where they were left
    failed_reloads: float = 0.0
    committed: int = 0  # position, after the end
    exit_code: int | None = None


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with running_valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="module", params=[BY_SCRAM, BY_CERTIFICATE], ids=lambda access: access.name)
def story(
    request: pytest.FixtureRequest,
    secure_kafka: SecureKafka,
    valkey: Valkey,
    tiny_model_directory: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Story]:
    access: Access = request.param
    directory = tmp_path_factory.mktemp(access.name)
    url = redis_user.make_user([valkey], redis_user.documented_rights(cluster=False))
    with ExitStack() as stack:
        topics = Topics(secure_kafka.admin_brokers, f"secured-by-{access.name}", 1)
        stack.callback(topics.close)
        grants = stack.enter_context(Grants(secure_kafka.admin_brokers, access.principal, topics.settings))
        grants.give(rights_of("run"))
        way_in = secure_kafka.by_scram() if access is BY_SCRAM else secure_kafka.by_certificate()
        environ = environment(topics.settings, url, tiny_model_directory, SERVICE__LOG_LEVEL="DEBUG", **QUICK_START)
        environ |= {f"{PREFIX}KAFKA__{name.upper()}": str(value) for name, value in way_in.items()}
        options = ["--config", str(write_settings(directory, "budget_per_sensor_day = 0.1"))]
        if access.secrets_in_files:
            options += ["--secrets", str(move_secrets_to_files(environ, directory / "secrets"))]
        produce(topics, 0, HISTORY)
        history_ends = topics.ends()
        service = ServiceProcess(environ, directory / "log", options)
        stack.callback(service.kill)
        told = Story(history_ends=history_ends)
        tell(told, service, topics, directory)
        if access is BY_SCRAM:
            grants.take(WRITE_ALERTS)
            produce(topics, HISTORY + SLICE, SLICE, FAULT_AT)
            told.exit_code = service.process.wait(STOP_SECONDS)
        else:
            told.exit_code = service.stop()
        told.input, told.alerts, told.committed = topics.input(), topics.alerts(), topics.committed()[0]
        told.words |= {"log": service.log.read_text(), "stdout": service.output.read_text()}
        told.words |= {"alerts": repr(told.alerts), "dead letters": repr(topics.dead_letters())}
        yield told


def tell(story: Story, service: ServiceProcess, topics: Topics, directory: Path) -> None:
    """Make the service find a fault, reject a record and reject a reload; record all its output."""
    service.await_ready()
    produce(topics, HISTORY, SLICE, FAULT_AT)
    topics.produce(0, [(SENSOR, b"no reading")])
    topics.await_all_committed()
    write_settings(directory, f'budget_per_sensor_day = "{PASSWORD}"')
    service.reload()
    until(lambda: service.metric('reloads_total{outcome="failed"}') > 0)
    story.failed_reloads = service.metric('reloads_total{outcome="failed"}')
    write_settings(directory, f"unfinished = '{PASSWORD}")
    service.reload()
    until(lambda: service.metric('reloads_total{outcome="failed"}') > story.failed_reloads)
    story.words |= {page: service.get(page)[1] for page in ("/metrics", "/healthz", "/readyz", "/nothing")}
    story.words["command line"] = Path(f"/proc/{service.process.pid}/cmdline").read_text()


def produce(topics: Topics, first: int, count: int, fault_at: tuple[int, ...] = ()) -> None:
    """Append readings, a second apart; those of `fault_at` are far too hot."""
    records = []
    for second in range(first, first + count):
        temperature, pressure = tiny_values(first + count, 0)[second].tolist()
        heat = 40.0 if second - first in fault_at else 0.0
        records.append((SENSOR, reading(SENSOR, START_MS + 1000 * second, temperature + heat, pressure, features=FEATURES)))
    topics.produce(0, records)


def write_settings(directory: Path, alerts: str) -> Path:
    path = directory / "detector.toml"
    path.write_text(f"[alerts]\n{alerts}\n")
    return path


def move_secrets_to_files(environ: dict[str, str], directory: Path) -> Path:
    directory.mkdir()
    for name in (PREFIX + name for name in SECRET_SETTINGS):
        if name in environ:
            (directory / name).write_text(environ.pop(name))
    return directory


def test_alerts_are_those_of_the_readings_that_were_committed(story: Story, tiny_scorer: KerasScorer) -> None:
    def detector() -> Detector:
        return build_detector(tiny_scorer, StateSettings(), AlertSettings(), RuleSettings())

    processed = [record for record in story.input if record.offset < story.committed]
    statuses = [json.loads(alert.value)["status"] for alert in story.alerts]
    assert {"opened", "closed"} <= set(statuses)
    assert by_sensor(story.alerts) == expected_alerts(detector, processed, story.history_ends)


def test_no_secret_is_left_anywhere(story: Story, valkey: Valkey) -> None:
    words = story.words | {"redis": content(valkey)}

    assert story.failed_reloads == 1
    assert all(words[place] for place in words if place != "stdout"), "nothing was looked at"
    assert {place: secret for place, text in words.items() for secret in SECRETS if secret in text} == {}


def content(valkey: Valkey) -> str:
    """Return all keys and values of a Redis."""
    with closing(valkey.client()) as client:
        keys = list(client.scan_iter())
        return repr([(key, client.dump(key)) for key in keys])


def test_a_right_that_is_taken_away_ends_the_service_with_one_line_and_without_a_commit(story: Story) -> None:
    last = story.words["log"].splitlines()[-1]

    assert "Traceback" not in story.words["log"]
    if story.exit_code == 0:  # by its certificate it kept its rights, and was stopped
        assert "stopping: the last batch is committed" in last
        assert story.committed == len(story.input)
    else:
        assert story.exit_code == 1
        assert last.startswith("stream-detector run: topic secured-by-scram.alerts refuses a record")
        assert "TopicAuthorizationFailed" in last
        assert story.committed < len(story.input)
