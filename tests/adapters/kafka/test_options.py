from __future__ import annotations

import threading
import time
from typing import Any

import kafka.errors as kafka_errors
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from pydantic import SecretStr

from stream_detector.adapters.kafka.connect import open_client
from stream_detector.adapters.kafka.errors import translate
from stream_detector.adapters.kafka.options import (
    admin_options,
    check_settings,
    consumer_options,
    producer_options,
    reader_options,
)
from stream_detector.errors import FencedError, PermanentDeliveryError, RetriableError, SettingsError, StreamDetectorError
from stream_detector.settings.kafka_settings import KafkaSettings
from tests.servers.processes import free_port


def settings(**changes: Any) -> KafkaSettings:  # noqa: ANN401 - any setting
    return KafkaSettings(**changes)


def test_every_option_is_known_to_its_client() -> None:
    given = settings(security_protocol="SASL_SSL", sasl_mechanism="PLAIN", sasl_username="u", sasl_password=SecretStr("p"))

    assert consumer_options(given).keys() <= KafkaConsumer.DEFAULT_CONFIG.keys()
    assert reader_options(given).keys() <= KafkaConsumer.DEFAULT_CONFIG.keys()
    assert producer_options(given, "id").keys() <= KafkaProducer.DEFAULT_CONFIG.keys()
    assert admin_options(given).keys() <= KafkaAdminClient.DEFAULT_CONFIG.keys()


def test_the_member_commits_nothing_by_itself_and_decides_nothing_about_positions() -> None:
    options = consumer_options(settings(session_timeout_seconds=30, instance_id="replica-1"))

    assert options["enable_auto_commit"] is False
    assert options["auto_offset_reset"] == "none"
    assert options["isolation_level"] == "read_committed"
    assert options["group_instance_id"] == "replica-1"
    assert (options["session_timeout_ms"], options["heartbeat_interval_ms"]) == (30_000, 3000)


def test_a_short_session_has_three_heartbeats() -> None:
    assert consumer_options(settings(session_timeout_seconds=1.5))["heartbeat_interval_ms"] == 500


def test_brokers_are_a_list_separated_by_commas() -> None:
    assert reader_options(settings(brokers="a:1, b:2,"))["bootstrap_servers"] == ["a:1", "b:2"]


def test_extra_options_reach_the_clients_that_know_them() -> None:
    given = settings(extra={"fetch_min_bytes": 7, "compression_type": "lz4", "client_id": "mine"})

    assert consumer_options(given)["fetch_min_bytes"] == 7
    assert "fetch_min_bytes" not in producer_options(given)
    assert producer_options(given)["compression_type"] == "lz4"
    assert {consumer_options(given)["client_id"], producer_options(given)["client_id"], admin_options(given)["client_id"]} == {
        "mine"
    }


def test_a_delivery_has_time_for_lingering_and_a_request() -> None:
    given = settings(request_timeout_seconds=2, extra={"linger_ms": 30})

    assert producer_options(given)["delivery_timeout_ms"] == 2030


def test_an_unknown_extra_option_is_named_with_the_nearest_known_one() -> None:
    with pytest.raises(SettingsError, match=r"STREAM_DETECTOR_KAFKA__EXTRA.*'fetch_min_byte'; did you mean fetch_min_bytes\?"):
        check_settings(settings(extra={"fetch_min_byte": 1}))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("isolation_level", "exactly-once delivery depends on its value"),
        ("enable_auto_commit", "exactly-once delivery depends on its value"),
        ("group_id", "use STREAM_DETECTOR_KAFKA__GROUP_ID"),
        ("request_timeout_ms", "use STREAM_DETECTOR_KAFKA__REQUEST_TIMEOUT_SECONDS"),
    ],
)
def test_options_that_delivery_rests_on_cannot_be_overridden(name: str, hint: str) -> None:
    with pytest.raises(SettingsError, match=f"STREAM_DETECTOR_KAFKA__EXTRA: {name} cannot be set here: {hint}"):
        check_settings(settings(extra={name: "x"}))


def test_a_token_provider_is_made_from_its_name() -> None:
    given = settings(
        security_protocol="SASL_SSL",
        sasl_mechanism="OAUTHBEARER",
        extra={"sasl_oauth_token_provider": "collections:OrderedDict"},
    )

    assert consumer_options(given)["sasl_oauth_token_provider"] == {}


@pytest.mark.parametrize("name", ["no_such_module:x", "collections:no_such_thing", "collections", ""])
def test_a_token_provider_that_cannot_be_made_is_named(name: str) -> None:
    given = settings(extra={"sasl_oauth_token_provider": name})

    with pytest.raises(SettingsError, match="sasl_oauth_token_provider"):
        consumer_options(given)


@pytest.mark.parametrize("client", [KafkaConsumer, KafkaProducer, KafkaAdminClient])
def test_brokers_that_are_away_end_in_one_clear_message_and_leave_no_thread(client: type) -> None:
    address = f"127.0.0.1:{free_port()}"
    given = settings(brokers=address, request_timeout_seconds=1)
    options = {KafkaConsumer: reader_options, KafkaProducer: producer_options, KafkaAdminClient: admin_options}[client](given)
    threads = threading.active_count()

    with pytest.raises(RetriableError, match=rf"no Kafka broker at {address} answered within 1 s. .*KAFKA__BROKERS"):
        open_client(client, options)

    deadline = time.monotonic() + 5
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= threads


def test_options_that_the_client_refuses_are_a_settings_error() -> None:
    given = settings(extra={"fetch_max_wait_ms": 10**9})

    with pytest.raises(SettingsError, match=r"fetch_max_wait_ms .*STREAM_DETECTOR_KAFKA__EXTRA"):
        open_client(KafkaConsumer, reader_options(given))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (kafka_errors.TopicAuthorizationFailedError({"t"}), PermanentDeliveryError),
        (kafka_errors.GroupAuthorizationFailedError("g"), PermanentDeliveryError),
        (kafka_errors.TransactionalIdAuthorizationFailedError(), PermanentDeliveryError),
        (kafka_errors.SaslAuthenticationFailedError(), PermanentDeliveryError),
        (kafka_errors.MessageSizeTooLargeError(), PermanentDeliveryError),
        (kafka_errors.FencedInstanceIdError(), FencedError),
        (kafka_errors.InvalidSessionTimeoutError(), SettingsError),
        (kafka_errors.InvalidTransactionTimeoutError(), SettingsError),
        (kafka_errors.InvalidReplicationFactorError(), SettingsError),
        (kafka_errors.ProducerFencedError(), RetriableError),
        (kafka_errors.InvalidProducerEpochError(), RetriableError),
        (kafka_errors.CommitFailedError(), RetriableError),
        (kafka_errors.IllegalGenerationError(), RetriableError),
        (kafka_errors.KafkaTimeoutError(), RetriableError),
        (kafka_errors.UnknownTopicOrPartitionError(), RetriableError),
        (kafka_errors.UnknownError(), RetriableError),
    ],
)
def test_errors_are_told_apart_by_who_must_react(error: Exception, expected: type[StreamDetectorError]) -> None:
    assert type(translate(error, "doing")) is expected


def test_a_long_error_is_shortened() -> None:
    assert len(str(translate(kafka_errors.UnknownError("x" * 10_000), "doing"))) < 400
