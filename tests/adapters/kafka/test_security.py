"""How connections to Kafka are secured: settings checked without a broker, and messages when a broker refuses."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import kafka.errors as kafka_errors
import pytest
from pydantic import SecretStr

from stream_detector.adapters.kafka.client_patches.connection_log import LastAttempt
from stream_detector.adapters.kafka.errors import translate
from stream_detector.adapters.kafka.options import admin_options, check_settings
from stream_detector.adapters.kafka.security import remedy
from stream_detector.errors import SettingsError
from stream_detector.settings.kafka_settings import KafkaSettings
from tests.servers.certificates import CertificateAuthority, SignedCertificate
from tests.servers.processes import ServerMissingError

WRONG_PASSWORD = "[Error 58] SaslAuthenticationFailedError: Authentication failed: invalid credentials"
DISCONNECTED = "KafkaConnectionError: socket disconnected"


def settings(**changes: Any) -> KafkaSettings:  # noqa: ANN401 - any setting
    return KafkaSettings(**changes)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    try:
        return CertificateAuthority(tmp_path_factory.mktemp("certificates"))
    except ServerMissingError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def client(authority: CertificateAuthority) -> SignedCertificate:
    return authority.sign("client", key_password="key secret")


@pytest.fixture(scope="module")
def stranger(authority: CertificateAuthority) -> SignedCertificate:
    return authority.sign("stranger")


def test_credentials_and_files_become_the_clients_options(authority: CertificateAuthority, client: SignedCertificate) -> None:
    given = settings(
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="detector",
        sasl_password=SecretStr("secret"),
        ssl_ca_file=authority.path,
        ssl_certificate_file=client.path,
        ssl_key_file=client.key_path,
        ssl_key_password=SecretStr("key secret"),
        ssl_check_hostname=False,
    )

    options = admin_options(given)

    assert {name: options[name] for name in options if name.startswith(("sasl", "ssl", "security"))} == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "detector",
        "sasl_plain_password": "secret",
        "ssl_cafile": str(authority.path),
        "ssl_certfile": str(client.path),
        "ssl_keyfile": str(client.key_path),
        "ssl_password": "key secret",
        "ssl_check_hostname": False,
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"security_protocol": "SASL_SSL"}, "SASL_MECHANISM: needed with"),
        ({"sasl_mechanism": "PLAIN"}, "SECURITY_PROTOCOL: SASL_SSL or SASL_PLAINTEXT is needed"),
        (
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_username": "u"},
            "SASL_USERNAME and STREAM_DETECTOR_KAFKA__SASL_PASSWORD: both are needed with PLAIN",
        ),
        ({"security_protocol": "SSL", "ssl_ca_file": Path("nowhere.pem")}, "SSL_CA_FILE: there is no file nowhere.pem"),
        ({"security_protocol": "SSL", "ssl_ca_file": Path(__file__)}, "SSL_CA_FILE: .* cannot be used: no certificate"),
        (
            {"ssl_ca_file": Path(__file__)},
            "SECURITY_PROTOCOL: SSL or SASL_SSL is needed for STREAM_DETECTOR_KAFKA__SSL_CA_FILE",
        ),
        (
            {"security_protocol": "SSL", "ssl_key_file": Path(__file__)},
            "SSL_KEY_FILE: .*SSL_CERTIFICATE_FILE is needed as well",
        ),
    ],
)
def test_security_settings_that_cannot_work_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=f"^STREAM_DETECTOR_KAFKA__{message}"):
        check_settings(settings(**changes))


@pytest.mark.parametrize("password", [SecretStr("wrong key secret"), None])
def test_a_key_that_cannot_be_opened_is_an_error_and_no_question_at_the_terminal(
    client: SignedCertificate, password: SecretStr | None
) -> None:
    given = settings(
        security_protocol="SSL",
        ssl_certificate_file=client.path,
        ssl_key_file=client.key_path,
        ssl_key_password=password,
    )

    with pytest.raises(SettingsError, match=r"SSL_CERTIFICATE_FILE: .*SSL_KEY_PASSWORD") as caught:
        check_settings(given)

    assert "secret" not in str(caught.value)


def test_a_key_of_another_certificate_is_an_error(client: SignedCertificate, stranger: SignedCertificate) -> None:
    given = settings(security_protocol="SSL", ssl_certificate_file=client.path, ssl_key_file=stranger.key_path)

    with pytest.raises(SettingsError, match="key values mismatch"):
        check_settings(given)


def test_a_key_may_be_in_the_file_of_its_certificate(stranger: SignedCertificate, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_text(stranger.path.read_text() + stranger.key_path.read_text())

    check_settings(settings(security_protocol="SSL", ssl_certificate_file=both))


@pytest.mark.parametrize(
    ("reason", "setting"),
    [
        (WRONG_PASSWORD, "SASL_PASSWORD"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate", "SSL_CA_FILE"),
        ("certificate verify failed: IP address mismatch, certificate is not valid for '127.0.0.1'", "BROKERS"),
        ("certificate verify failed: Hostname mismatch, certificate is not valid for 'kafka'", "BROKERS"),
        ("[SSL: SSLV3_ALERT_BAD_CERTIFICATE] sslv3 alert bad certificate", "SSL_CERTIFICATE_FILE"),
        ("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required", "SSL_CERTIFICATE_FILE"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "SECURITY_PROTOCOL"),
    ],
)
def test_a_refused_connection_is_answered_with_the_setting_to_look_at(reason: str, setting: str) -> None:
    assert f"STREAM_DETECTOR_KAFKA__{setting}" in remedy(reason)


def test_a_broker_that_is_away_is_no_refusal() -> None:
    assert remedy("KafkaConnectionError: [Errno 111] Connection refused") == ""
    assert remedy(DISCONNECTED) == ""


@pytest.mark.parametrize(
    ("reasons", "kept"),
    [
        ([WRONG_PASSWORD, DISCONNECTED], WRONG_PASSWORD),  # the client often misses the brokers' answer
        ([DISCONNECTED, WRONG_PASSWORD], WRONG_PASSWORD),
        ([DISCONNECTED, "Connection refused"], "Connection refused"),
    ],
)
def test_of_all_attempts_the_reason_that_says_what_to_do_is_kept(reasons: list[str], kept: str) -> None:
    attempts = LastAttempt()

    with attempts:
        for reason in reasons:
            logging.getLogger("kafka.net.manager").warning("Bootstrap connection to 0 failed: %s (backoff 0.05 secs)", reason)
        logging.getLogger("kafka.net.manager").error("Bootstrap failed: KafkaTimeoutError")

    assert attempts.cause == kept


@pytest.mark.parametrize(
    "error", [kafka_errors.TopicAuthorizationFailedError("t"), kafka_errors.TransactionalIdAuthorizationFailedError()]
)
def test_a_missing_right_is_told_with_where_the_rights_are_listed(error: Exception) -> None:
    message = str(translate(error, "publishing to t"))

    assert message.startswith("publishing to t: Kafka refuses: ")
    assert "Grant" in message
    assert "docs/security.md" in message
