"""`stream-detector run` where Kafka or Redis refuses access: it exits in time, with one line of advice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stream_detector.cli import main
from stream_detector.settings.group import PREFIX
from tests.integration.rights import Grants, Right, rights_of
from tests.integration.service_process import environment
from tests.integration.topics import Topics
from tests.logging_state import logging_restored
from tests.servers import redis_user
from tests.servers.certificates import CertificateAuthority
from tests.servers.kafka_secure import KEY_PASSWORD, PASSWORD, USER, SecureKafka
from tests.servers.valkey import Valkey

pytestmark = pytest.mark.usefixtures("compiled_once")

WRONG = "wrong-secret-c47d"
START_SECONDS = 2
#: Rights that are missed at different places: before the group is joined, by joining it, by opening the transactions.
MISSING = [right for right in rights_of("run") if str(right) in ("Write topic alerts_topic", "Read group group_id")]
MISSING += [right for right in rights_of("run") if right.resource == "transactional id"]
Refused = Callable[[dict[str, Any]], str]
SECRETS = (WRONG, PASSWORD, KEY_PASSWORD, redis_user.PASSWORD)


@pytest.fixture
def topics(secure_kafka: SecureKafka, unique_name: str) -> Iterator[Topics]:
    made = Topics(secure_kafka.admin_brokers, unique_name, 1)
    yield made
    made.close()


@pytest.fixture
def refused(
    topics: Topics,
    redis_url: str,
    tiny_model_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Refused]:
    """Run in this process with settings of Kafka and Redis; return the last line, the error message."""

    def run(kafka: dict[str, Any], url: str = redis_url) -> str:
        environ = environment(topics.settings, url, tiny_model_directory, SERVICE__START_SECONDS=START_SECONDS)
        environ |= {f"{PREFIX}KAFKA__{name.upper()}": str(value) for name, value in kafka.items() if value is not None}
        for name, value in environ.items():
            monkeypatch.setenv(name, value)

        assert main(["run"]) == 1

        shown = capsys.readouterr()
        words = shown.out + shown.err
        assert [secret for secret in SECRETS if secret in words] == []
        assert "Traceback" not in words
        (line,) = (line for line in shown.err.splitlines() if line.startswith("stream-detector run: "))
        return line

    with logging_restored():
        yield run


@pytest.mark.parametrize("changes", [{"sasl_password": WRONG}, {"sasl_username": "nobody"}], ids=["password", "user"])
def test_a_wrong_user_or_password(secure_kafka: SecureKafka, refused: Refused, changes: dict[str, str]) -> None:
    line = refused(secure_kafka.by_scram() | changes)

    # The client has often not read the brokers' answer when they close the connection.
    assert "SaslAuthenticationFailed" in line or "STREAM_DETECTOR_KAFKA__SASL_*" in line
    assert "STREAM_DETECTOR_KAFKA__SASL_" in line


def test_brokers_whose_certificate_is_of_another_authority(secure_kafka: SecureKafka, refused: Refused, tmp_path: Path) -> None:
    stranger = CertificateAuthority(tmp_path, "stranger")

    line = refused(secure_kafka.by_scram() | {"ssl_ca_file": stranger.path})

    assert "certificate verify failed" in line
    assert "STREAM_DETECTOR_KAFKA__SSL_CA_FILE" in line


def test_brokers_whose_certificate_names_another_host(secure_kafka: SecureKafka, refused: Refused) -> None:
    line = refused(secure_kafka.by_scram() | {"brokers": f"127.0.0.1:{secure_kafka.scram_port}"})

    assert "certificate is not valid for '127.0.0.1'" in line
    assert "STREAM_DETECTOR_KAFKA__BROKERS" in line


def test_the_name_of_the_host_is_not_looked_at_where_that_is_switched_off(secure_kafka: SecureKafka, refused: Refused) -> None:
    brokers = {"brokers": f"127.0.0.1:{secure_kafka.scram_port}", "ssl_check_hostname": False}

    assert "TopicAuthorizationFailed" in refused(secure_kafka.by_scram() | brokers)


def test_a_missing_client_certificate(secure_kafka: SecureKafka, refused: Refused) -> None:
    nothing = dict.fromkeys(("ssl_certificate_file", "ssl_key_file", "ssl_key_password"))

    line = refused(secure_kafka.by_certificate() | nothing)

    assert "certificate" in line
    assert "STREAM_DETECTOR_KAFKA__SSL_CERTIFICATE_FILE" in line


def test_a_wrong_password_of_the_client_key(secure_kafka: SecureKafka, refused: Refused) -> None:
    line = refused(secure_kafka.by_certificate() | {"ssl_key_password": WRONG})

    assert "STREAM_DETECTOR_KAFKA__SSL_KEY_PASSWORD" in line


@pytest.mark.parametrize("missing", MISSING, ids=str)
def test_a_missing_right(secure_kafka: SecureKafka, topics: Topics, refused: Refused, missing: Right) -> None:
    with Grants(secure_kafka.admin_brokers, USER, topics.settings) as grants:
        grants.give(right for right in rights_of("run") if right != missing)

        line = refused(secure_kafka.by_scram())

    assert getattr(topics.settings, missing.setting) in line
    assert "docs/security.md" in line


def test_a_redis_that_does_not_know_the_password(refused: Callable[..., str], own_valkey: Valkey) -> None:
    url = redis_user.make_user([own_valkey], ["on", "~sd:*", "+@all"])

    line = refused({}, url.replace("8d21e4", "other"))

    assert f"Redis at 127.0.0.1:{own_valkey.port}: " in line
    assert "STREAM_DETECTOR_REDIS__URL" in line


def test_a_redis_that_refuses_a_command(refused: Callable[..., str], own_valkey: Valkey) -> None:
    url = redis_user.make_user([own_valkey], ["on", "~sd:*", "+@all", "-pexpire"])

    line = refused({}, url)

    assert f"Redis at 127.0.0.1:{own_valkey.port}: " in line
    assert "'pexpire' command. Grant" in line
