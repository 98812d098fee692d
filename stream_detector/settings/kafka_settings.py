"""The settings of group `kafka`: the connection, the topics and the consumer group."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from stream_detector.settings.group import PREFIX, Count, Group, Seconds, ShortWait, legal_topic

_BROKER = re.compile(r"(\[[0-9A-Fa-f:.]+(%[\w.-]+)?\]|[\w.-]+):(?P<port>[0-9]{1,5})", re.ASCII)


class KafkaSettings(Group):
    """Connection to Kafka, topics and consumer group."""

    brokers: str = Field("localhost:9092", description="Bootstrap brokers: HOST:PORT, separated by commas.")
    input_topic: str = Field("sensor-readings", description="Topic of the readings.")
    alerts_topic: str = Field("sensor-alerts", description="Topic of the events.")
    dead_letter_topic: str = Field("sensor-dead-letters", description="Topic of unusable records.")
    group_id: str = Field(
        "stream-detector",
        description="Consumer group, shared by all replicas of one detector.",
    )
    instance_id: str | None = Field(None, description="Fixed name of this replica. Unset: a dynamic group member.")
    start: str = Field("latest", description="Where a new consumer group starts: latest, earliest, or a time (ISO 8601).")
    session_timeout_seconds: Seconds = Field(30.0, description="A replica silent for this long loses its partitions.")
    transaction_timeout_seconds: Seconds = Field(10.0, description="Limit for one transaction.")
    request_timeout_seconds: Seconds = Field(15.0, description="Limit for each request and wait.")
    max_poll_records: Count = Field(4096, description="Most records in a poll, and so in a batch.")
    commit_seconds: ShortWait = Field(
        0.5,
        description="How long batches without output may wait for a joint commit. 0: not at all.",
    )
    create_topics: bool = Field(True, description="Create missing topics.")
    partitions: Count = Field(6, description="Partitions of a created input topic.")
    replication_factor: int = Field(-1, ge=-1, description="Replicas of created topics. -1: the broker's default.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."
    )
    sasl_mechanism: str | None = Field(None, description="PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, GSSAPI or OAUTHBEARER.")
    sasl_username: str | None = Field(None, description="SASL user.")
    sasl_password: SecretStr | None = Field(None, description="SASL password.")
    ssl_ca_file: Path | None = Field(None, description="CA certificates that verify the brokers.")
    ssl_certificate_file: Path | None = Field(None, description="Client certificate.")
    ssl_key_file: Path | None = Field(None, description="Private key of the client certificate.")
    ssl_key_password: SecretStr | None = Field(None, description="Password of the private key.")
    ssl_check_hostname: bool = Field(True, description="Check the host name in the brokers' certificates.")
    extra: dict[str, Any] = Field(default_factory=dict, description="Other options of the Kafka client.")

    @field_validator("brokers")
    @classmethod
    def _brokers_have_ports(cls, value: str) -> str:
        brokers = [broker.strip() for broker in value.split(",") if broker.strip()]
        if not brokers:
            msg = "names no broker; give HOST:PORT"
            raise ValueError(msg)
        for number, broker in enumerate(brokers, start=1):
            found = _BROKER.fullmatch(broker)
            if not found or not 1 <= int(found["port"]) <= 65_535:
                msg = f"broker {number} of {len(brokers)} is not HOST:PORT, such as kafka-1:9092 or [fd00::1]:9092"
                raise ValueError(msg)
        return value

    @field_validator("input_topic", "alerts_topic", "dead_letter_topic")
    @classmethod
    def _topic_is_legal(cls, value: str) -> str:
        return legal_topic(value)

    @model_validator(mode="after")
    def _topics_differ(self) -> Self:
        names: dict[str, str] = {}
        for setting in ("input_topic", "alerts_topic", "dead_letter_topic"):
            topic = getattr(self, setting)
            if topic in names:
                msg = (
                    f"{PREFIX}KAFKA__{names[topic].upper()} and {PREFIX}KAFKA__{setting.upper()} are both {topic}: "
                    f"readings, alerts and dead letters each need their own topic"
                )
                raise ValueError(msg)
            names[topic] = setting
        return self

    @field_validator("start")
    @classmethod
    def _start_is_known(cls, value: str) -> str:
        if value in ("latest", "earliest"):
            return value
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            msg = "should be latest, earliest or a time such as 2026-11-23T07:00:00Z"
            raise ValueError(msg) from None
        if parsed.tzinfo is None:
            msg = "a time needs a time zone, as in 2026-11-23T07:00:00Z"
            raise ValueError(msg)
        return value
