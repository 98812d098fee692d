"""Opens the client's consumer, producer and admin: bounded, cleaned up after a failure, with the cause in the error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from kafka.errors import KafkaConfigurationError, KafkaError, KafkaTimeoutError
from kafka.net.compat import KafkaNetClient

from stream_detector.adapters.kafka.client_patches.connection_log import LastAttempt
from stream_detector.adapters.kafka.client_patches.topic_creation import create_nothing_by_asking
from stream_detector.adapters.kafka.errors import translate
from stream_detector.adapters.kafka.options import Options
from stream_detector.adapters.kafka.security import SETTING, remedy
from stream_detector.errors import RetriableError, SettingsError

Client = TypeVar("Client")


def open_client(client_class: Callable[..., Client], options: Options) -> Client:
    """Open a client, which creates no topic by asking for it. Blocks up to the bootstrap time-out.

    Raises SettingsError for options that the client refuses, RetriableError if no broker answers. Closes the connections of a
    client that failed to open.
    """
    opened: list[KafkaNetClient] = []

    def recorded(**configs: object) -> KafkaNetClient:
        opened.append(KafkaNetClient(**configs))
        create_nothing_by_asking(opened[-1])
        return opened[-1]

    attempts = LastAttempt()
    try:
        with attempts:
            return client_class(**options, kafka_client=recorded)
    except Exception as error:
        for net in opened:
            net.close()
        raise _open_error(error, options, attempts.cause) from error


def _open_error(error: Exception, options: Options, last_attempt: str) -> Exception:
    """Return our error for a client that could not be opened."""
    brokers = ", ".join(options["bootstrap_servers"])
    if isinstance(error, KafkaTimeoutError):
        if advice := remedy(last_attempt):
            return RetriableError(f"no connection to Kafka at {brokers}: {last_attempt}. What to do: {advice}")
        seconds = options["bootstrap_timeout_ms"] / 1000
        reason = f" Last attempt: {last_attempt}." if last_attempt else ""
        # Brokers close the connection of a wrong user, often before the client has read the reason.
        sasl = f", {SETTING}SASL_*" if options["security_protocol"].startswith("SASL") else ""
        msg = (
            f"no Kafka broker at {brokers} answered within {seconds:g} s.{reason}"
            f" Check {SETTING}BROKERS, {SETTING}SECURITY_PROTOCOL{sasl} and that the brokers run."
        )
        return RetriableError(msg)
    if isinstance(error, KafkaConfigurationError) or not isinstance(error, KafkaError):
        msg = f"the Kafka client refuses its options: {error}. Check {SETTING}EXTRA and the SASL and SSL settings"
        return SettingsError(msg)
    return translate(error, f"connecting to Kafka at {brokers}")
