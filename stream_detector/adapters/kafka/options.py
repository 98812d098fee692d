"""Builds the keyword arguments of the client's consumer, producer and admin from the settings.

`extra` may set any option of the client except those that exactly-once delivery depends on (isolation, offsets, idempotence,
group membership). Secrets never get into a message.
"""

from __future__ import annotations

import difflib
import importlib
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

from stream_detector.adapters.kafka.security import SETTING, check_proxy, check_security, security_options
from stream_detector.errors import SettingsError
from stream_detector.settings.kafka_settings import KafkaSettings

Options = dict[str, Any]

#: Longest time between two polls before the broker considers the member dead; a rebalance waits for a busy member this long.
MAX_POLL_INTERVAL_SECONDS = 120.0
#: A new partition or a new leader is noticed within this time.
METADATA_MAX_AGE_SECONDS = 30.0
#: An unreachable broker is tried again at least this often.
RECONNECT_SECONDS = 2.0
#: A batch to one partition holds 100 events of 2.4 kB. No compression: it costs more than it saves (1000 such events: 41 ms
#: of CPU without, 56 with lz4, 71 with zstd).
BATCH_BYTES = 262_144

#: The brokers reject a transaction while they still write the markers of the previous one. The client's default wait of
#: 100 ms would take most of the time of a small transaction.
TRANSACTION_RETRY_MS = 10

#: Options that `extra` must not set, and where to look instead.
RESERVED = {
    "bootstrap_servers": f"use {SETTING}BROKERS",
    "group_id": f"use {SETTING}GROUP_ID",
    "group_instance_id": f"use {SETTING}INSTANCE_ID",
    "session_timeout_ms": f"use {SETTING}SESSION_TIMEOUT_SECONDS",
    "transaction_timeout_ms": f"use {SETTING}TRANSACTION_TIMEOUT_SECONDS",
    "request_timeout_ms": f"use {SETTING}REQUEST_TIMEOUT_SECONDS",
    "bootstrap_timeout_ms": f"use {SETTING}REQUEST_TIMEOUT_SECONDS",
    "max_block_ms": f"use {SETTING}REQUEST_TIMEOUT_SECONDS",
    "max_poll_records": f"use {SETTING}MAX_POLL_RECORDS",
    "security_protocol": f"use {SETTING}SECURITY_PROTOCOL",
    "sasl_mechanism": f"use {SETTING}SASL_MECHANISM",
    "sasl_plain_username": f"use {SETTING}SASL_USERNAME",
    "sasl_plain_password": f"use {SETTING}SASL_PASSWORD",
    "ssl_cafile": f"use {SETTING}SSL_CA_FILE",
    "ssl_certfile": f"use {SETTING}SSL_CERTIFICATE_FILE",
    "ssl_keyfile": f"use {SETTING}SSL_KEY_FILE",
    "ssl_password": f"use {SETTING}SSL_KEY_PASSWORD",
    "ssl_check_hostname": f"use {SETTING}SSL_CHECK_HOSTNAME",
} | dict.fromkeys(
    [
        "acks",
        "allow_auto_create_topics",
        "auto_commit_interval_ms",
        "auto_offset_reset",
        "default_offset_commit_callback",
        "enable_auto_commit",
        "enable_idempotence",
        "isolation_level",
        "kafka_client",
        "key_deserializer",
        "key_serializer",
        "retries",
        "transactional_id",
        "value_deserializer",
        "value_serializer",
    ],
    "exactly-once delivery depends on its value",
)


def check_settings(settings: KafkaSettings) -> None:
    """Raise SettingsError for settings that are wrong whatever the brokers answer."""
    _check_extra(settings.extra)
    check_proxy(settings.extra)
    check_security(settings)


def consumer_options(settings: KafkaSettings) -> Options:
    """Return the options of the consumer in the group."""
    session_ms = _milliseconds(settings.session_timeout_seconds)
    own = reader_options(settings) | {
        "group_id": settings.group_id,
        "group_instance_id": settings.instance_id,
        "session_timeout_ms": session_ms,
        "heartbeat_interval_ms": min(3000, session_ms // 3),
        "max_poll_interval_ms": max(_milliseconds(MAX_POLL_INTERVAL_SECONDS), session_ms),
        "partition_assignment_strategy": (CooperativeStickyAssignor,),
    }
    return own | _extra(settings, KafkaConsumer.DEFAULT_CONFIG)


def reader_options(settings: KafkaSettings) -> Options:
    """Return the options of a consumer outside any group."""
    own = _common(settings) | {
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
        "allow_auto_create_topics": False,
        "max_poll_records": settings.max_poll_records,
        "fetch_max_wait_ms": min(500, _milliseconds(settings.request_timeout_seconds) // 2),
        "metrics_enabled": False,
    }
    return own | _extra(settings, KafkaConsumer.DEFAULT_CONFIG)


def producer_options(settings: KafkaSettings, transactional_id: str | None = None) -> Options:
    """Return the options of a producer: idempotent, and transactional if an id is given."""
    request_ms = _milliseconds(settings.request_timeout_seconds)
    own = _common(settings) | {
        "transactional_id": transactional_id,
        "transaction_timeout_ms": _milliseconds(settings.transaction_timeout_seconds),
        "max_block_ms": request_ms,
        "allow_auto_create_topics": False,
        "batch_size": BATCH_BYTES,
        "linger_ms": 0,
        "retry_backoff_ms": TRANSACTION_RETRY_MS,
        "metrics_enabled": False,
    }
    options = own | _extra(settings, KafkaProducer.DEFAULT_CONFIG)
    if "delivery_timeout_ms" not in settings.extra:
        options["delivery_timeout_ms"] = request_ms + options["linger_ms"]  # the client requires room for both
    return options


def admin_options(settings: KafkaSettings) -> Options:
    """Return the options of the admin client."""
    return _common(settings) | _extra(settings, KafkaAdminClient.DEFAULT_CONFIG)


def _common(settings: KafkaSettings) -> Options:
    check_settings(settings)
    request_ms = _milliseconds(settings.request_timeout_seconds)
    return {
        "bootstrap_servers": [broker.strip() for broker in settings.brokers.split(",") if broker.strip()],
        "client_id": f"stream-detector-{settings.instance_id}" if settings.instance_id else "stream-detector",
        "bootstrap_timeout_ms": request_ms,
        "request_timeout_ms": request_ms,
        "connections_max_idle_ms": max(540_000, request_ms + 1000),
        "reconnect_backoff_max_ms": _milliseconds(RECONNECT_SECONDS),
        "metadata_max_age_ms": _milliseconds(METADATA_MAX_AGE_SECONDS),
        **security_options(settings),
    }


def _check_extra(extra: Options) -> None:
    known = KafkaConsumer.DEFAULT_CONFIG.keys() | KafkaProducer.DEFAULT_CONFIG.keys() | KafkaAdminClient.DEFAULT_CONFIG.keys()
    for name in extra:
        if name in RESERVED:
            msg = f"{SETTING}EXTRA: {name} cannot be set here: {RESERVED[name]}"
            raise SettingsError(msg)
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; see the options of kafka-python's consumer, producer and admin"
            msg = f"{SETTING}EXTRA: the Kafka client has no option {name!r}{hint}"
            raise SettingsError(msg)


def _extra(settings: KafkaSettings, known: Options) -> Options:
    """Return the options of `extra` that a client knows. `module:callable` stands for the object that the callable returns."""
    options = {name: value for name, value in settings.extra.items() if name in known}
    provider = options.get("sasl_oauth_token_provider")
    if isinstance(provider, str):
        options["sasl_oauth_token_provider"] = _make(provider)
    return options


def _make(name: str) -> object:
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        msg = f"{SETTING}EXTRA: sasl_oauth_token_provider={name!r} cannot be made: {error}; set it to module:callable"
        raise SettingsError(msg) from None


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
