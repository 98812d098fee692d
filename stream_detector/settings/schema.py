"""Every setting of the service, once: the name, the type, the default and what it means.

Reading them is in sources.py. docs/settings.md is held against this file by a test.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

PREFIX = "STREAM_DETECTOR_"
Seconds = Annotated[float, Field(gt=0, le=30 * 86_400)]
Count = Annotated[int, Field(ge=1)]
#: A wait that does no harm to anybody who waits for this process.
ShortWait = Annotated[float, Field(ge=0, le=1)]

_BROKER = re.compile(r"(\[[0-9A-Fa-f:.]+(%[\w.-]+)?\]|[\w.-]+):(?P<port>[0-9]{1,5})", re.ASCII)
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")


class Group(BaseModel):
    """A group of settings; an unknown name in it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class KafkaSettings(Group):
    """How to reach Kafka, and the topics."""

    brokers: str = Field("localhost:9092", description="Brokers to start from, HOST:PORT, separated by commas.")
    input_topic: str = Field("sensor-readings", description="Topic of the readings.")
    alerts_topic: str = Field("sensor-alerts", description="Topic of the anomaly events.")
    dead_letter_topic: str = Field("sensor-dead-letters", description="Topic of records that could not be used.")
    group_id: str = Field("stream-detector", description="Consumer group; replicas share it, other detectors do not.")
    instance_id: str | None = Field(None, description="Stable name of this replica (StatefulSet); unset: dynamic member.")
    start: str = Field("latest", description="Where a new group starts: latest, earliest, or a time (ISO 8601).")
    session_timeout_seconds: Seconds = Field(30.0, description="A replica silent for so long loses its partitions.")
    transaction_timeout_seconds: Seconds = Field(10.0, description="Bound on one transaction.")
    request_timeout_seconds: Seconds = Field(15.0, description="Bound on every request and wait.")
    max_poll_records: Count = Field(4096, description="Records per poll; the upper bound of a micro-batch.")
    commit_seconds: ShortWait = Field(
        0.5, description="How long positions wait to be committed together; events and dead letters never do. 0: no wait."
    )
    create_topics: bool = Field(True, description="Create missing topics.")
    partitions: Count = Field(6, description="Partitions of an input topic that is created.")
    replication_factor: int = Field(-1, ge=-1, description="Replicas of topics that are created; -1: the broker's default.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How connections are secured."
    )
    sasl_mechanism: str | None = Field(None, description="PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, GSSAPI or OAUTHBEARER.")
    sasl_username: str | None = Field(None, description="SASL user.")
    sasl_password: SecretStr | None = Field(None, description="SASL password.")
    ssl_ca_file: Path | None = Field(None, description="Certificates of the authority that signed the brokers'.")
    ssl_certificate_file: Path | None = Field(None, description="Client certificate.")
    ssl_key_file: Path | None = Field(None, description="Key of the client certificate.")
    ssl_key_password: SecretStr | None = Field(None, description="Password of the key.")
    ssl_check_hostname: bool = Field(True, description="Require that the broker's certificate names its host.")
    extra: dict[str, Any] = Field(
        default_factory=dict, description="Further options of the client, passed through as they are."
    )

    @field_validator("brokers")
    @classmethod
    def _brokers_have_ports(cls, value: str) -> str:
        brokers = [broker.strip() for broker in value.split(",") if broker.strip()]
        if not brokers:
            msg = "no broker is named; give HOST:PORT"
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
        if not _TOPIC.fullmatch(value) or value in (".", ".."):
            msg = "not a name of a topic: 1 to 249 letters, digits, dots, underscores and hyphens, and not . or .. alone"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _topics_differ(self) -> Self:
        names: dict[str, str] = {}
        for setting in ("input_topic", "alerts_topic", "dead_letter_topic"):
            topic = getattr(self, setting)
            if topic in names:
                msg = (
                    f"{PREFIX}KAFKA__{names[topic].upper()} and {PREFIX}KAFKA__{setting.upper()} are both {topic}: "
                    f"readings, alerts and dead letters need a topic each"
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
            msg = "neither latest, nor earliest, nor a time such as 2026-11-23T07:00:00Z"
            raise ValueError(msg) from None
        if parsed.tzinfo is None:
            msg = "a time needs its zone, for example 2026-11-23T07:00:00Z"
            raise ValueError(msg)
        return value


class RedisSettings(Group):
    """How to reach Redis or Valkey."""

    url: SecretStr = Field(
        SecretStr("redis://localhost:6379/0"),
        description="redis://[user:password@]host:port/db, or rediss:// for TLS.",
    )
    cluster: bool = Field(False, description="The URL names a node of a Redis Cluster.")
    ca_file: Path | None = Field(None, description="Certificates of the authority that signed the server's.")
    timeout_seconds: Seconds = Field(5.0, description="Bound on every request.")
    ttl_seconds: Seconds = Field(30 * 86_400.0, description="Safety net: state of a sensor not seen for so long expires.")
    max_lag_readings: Count = Field(200_000, description="Readings that may wait for an unreachable Redis before holding.")
    max_lag_seconds: Seconds = Field(300.0, description="Seconds that readings may wait for it before holding.")


class ModelSettings(Group):
    """The model."""

    directory: Path = Field(Path("model"), description="Directory written by `stream-detector train`.")
    tile_rows: Count = Field(
        256,
        description="Most windows per forward pass, cut to a multiple of 48; a small batch takes 48 or 96 where that gives the "
        "same bits. Part of the result: scores are equal for equal tiles.",
    )
    threads: Count | None = Field(
        None, description="Threads that score; a result does not depend on it. Unset: one per processor, at most 4."
    )
    refuse_unpromoted: bool = Field(False, description="Refuse a model that lost to windowed PCA in its training; else warn.")


class StateSettings(Group):
    """Windows and memory."""

    max_sensors: Count = Field(200_000, description="Sensors held in memory; others wait in Redis.")
    max_gap_seconds: Seconds | None = Field(
        None, description="A longer silence starts a sensor's window anew; unset: 10 sampling intervals."
    )
    stride: Count = Field(1, description="Score every n-th reading of a sensor; all while it has an open incident.")
    lookback_margin: float = Field(
        2.0, ge=1.0, description="Windows' worth of history read to fill windows at the first start."
    )
    max_lookback_records: Count = Field(5_000_000, description="Bound on that history, in records per partition.")


class InputSettings(Group):
    """What is accepted as a reading."""

    max_record_bytes: Count = Field(65_536, description="A larger reading is a dead letter.")
    max_sensor_id_bytes: Count = Field(256, description="A longer sensor id is a dead letter.")
    max_future_seconds: Seconds = Field(
        3600.0, description="A reading dated further than this after its record's own time is a dead letter."
    )
    unknown_features: Literal["dead_letter", "ignore"] = Field(
        "dead_letter",
        description="A reading with features that the model does not know: dead_letter, or ignore to read it without them; "
        "with none that it knows it is a dead letter always.",
    )


class DeadLetterSettings(Group):
    """When bad input stops the service instead of draining the topic into the dead letters."""

    max_share: float = Field(0.5, gt=0, le=1, description="Largest share of bad records, over the last min_count records.")
    min_count: Count = Field(1000, description="Records over which the share is taken.")
    max_run: Count = Field(5000, description="Longest run of bad records without a good one.")
    max_value_bytes: Count = Field(262_144, description="Bytes of the original kept in a dead letter.")


class AlertSettings(Group):
    """When an anomaly becomes an event."""

    budget_per_sensor_day: float = Field(0.1, ge=1e-6, le=86_400, description="False alarms accepted per sensor and day.")
    budget_per_fleet_day: float | None = Field(
        None, ge=1e-6, le=1e9, description="False alarms accepted per day for all sensors together; replaces the one above."
    )
    fleet_size: int | None = Field(
        None, ge=1, le=1_000_000_000, description="Sensors that share the fleet's budget; unset: those of the training."
    )
    update_seconds: Seconds | None = Field(
        None, description="While an incident lasts, at most one update per this event time; unset: 300, or a window if longer."
    )
    quiet_seconds: Seconds | None = Field(
        None, description="Event time without an anomalous reading that closes an incident; unset: half a window."
    )
    accept_seconds: Seconds = Field(
        43_200.0,
        description="Event time after which a lasting incident is taken for the new normal; two windows at least.",
    )

    @model_validator(mode="after")
    def _a_size_is_of_a_budget(self) -> Self:
        if self.fleet_size is not None and self.budget_per_fleet_day is None:
            msg = f"{PREFIX}ALERTS__FLEET_SIZE has no effect without {PREFIX}ALERTS__BUDGET_PER_FLEET_DAY: set both or none"
            raise ValueError(msg)
        return self


class HttpSettings(Group):
    """Health and metrics."""

    host: str = Field("0.0.0.0", description="Address to listen on.")  # noqa: S104 - probed from outside the container
    port: int = Field(8080, ge=0, le=65_535, description="Port of /metrics, /healthz and /readyz; 0: any free one.")


class ServiceSettings(Group):
    """The process."""

    start_seconds: Seconds = Field(60.0, description="How long Kafka is waited for at the start.")
    watchdog_seconds: Seconds = Field(120.0, description="The process ends when nothing moves for so long.")
    target_latency_seconds: ShortWait = Field(
        0.1,
        description="What an event may take at small loads: half of it goes into gathering readings, which spares processors. "
        "0: nothing is gathered.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severe message logged.")
    log_format: Literal["json", "text"] = Field("json", description="One JSON object per line, or text.")


class Settings(BaseSettings):
    """All settings, in groups."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    model: ModelSettings = ModelSettings()
    state: StateSettings = StateSettings()
    input: InputSettings = InputSettings()
    dead_letters: DeadLetterSettings = DeadLetterSettings()
    alerts: AlertSettings = AlertSettings()
    http: HttpSettings = HttpSettings()
    service: ServiceSettings = ServiceSettings()

    @model_validator(mode="after")
    def _a_batch_fits_into_memory(self) -> Self:
        if self.state.max_sensors < self.kafka.max_poll_records:
            msg = (
                f"STATE__MAX_SENSORS ({self.state.max_sensors}) must not be smaller than KAFKA__MAX_POLL_RECORDS "
                f"({self.kafka.max_poll_records}): all sensors of a batch are held in memory"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _the_watchdog_lets_readings_be_gathered(self) -> Self:
        service = self.service
        if service.watchdog_seconds <= service.target_latency_seconds:
            msg = (
                f"SERVICE__WATCHDOG_SECONDS ({service.watchdog_seconds:g}) must be more than "
                f"SERVICE__TARGET_LATENCY_SECONDS ({service.target_latency_seconds:g}): gathering is no hanging"
            )
            raise ValueError(msg)
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic-settings'
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources; sources.py says how."""
        toml = TomlConfigSettingsSource(settings_cls)
        return init_settings, env_settings, NestedSecretsSettingsSource(file_secret_settings), toml
