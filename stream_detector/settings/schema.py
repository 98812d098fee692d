"""Every setting of the service: its name, type, default and meaning.

sources.py reads them. The tables of docs/settings.md are generated from this file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from stream_detector.settings.group import PREFIX, Count, Group, Seconds, ShortWait
from stream_detector.settings.input_reading import input_reader
from stream_detector.settings.input_settings import InputSettings
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.learning_settings import LearningSettings
from stream_detector.settings.registry_settings import RegistrySettings


class RedisSettings(Group):
    """Connection to Redis or Valkey, the state store."""

    url: SecretStr = Field(
        SecretStr("redis://localhost:6379/0"),
        description="redis://[user:password@]host:port/db, or rediss:// for TLS.",
    )
    cluster: bool = Field(False, description="The URL names a node of a Redis Cluster.")
    ca_file: Path | None = Field(None, description="CA certificates that verify the server.")
    timeout_seconds: Seconds = Field(5.0, description="Limit for each request.")
    ttl_seconds: Seconds = Field(30 * 86_400.0, description="State of a sensor silent for this long expires.")
    max_lag_readings: Count = Field(
        200_000,
        description="Most readings committed but not stored; beyond it, reading stops until Redis answers.",
    )
    max_lag_seconds: Seconds = Field(
        300.0,
        description="Longest time from commit to store; beyond it, reading stops too.",
    )


class ModelSettings(Group):
    """The model and how it scores."""

    directory: Path = Field(
        Path("model"),
        description="Model directory. While there is none, or an empty one, the built-in model and the rules watch.",
    )
    built_in: bool = Field(
        True, description="While there is no model, score with the [built-in](built-in.md) one. false: only the rules watch."
    )
    required: bool = Field(False, description="Refuse to start without a model of your own.")
    features: list[str] = Field(
        default_factory=list,
        description='Features while there is no model, as JSON: `["temperature", "pressure"]`. Unset: those that sensors send.',
    )
    tile_rows: Count = Field(
        256,
        description="Most windows in a forward pass, rounded down to a multiple of 48. Affects the last bits of scores.",
    )
    threads: Count | None = Field(
        None, description="Scoring threads; they do not change scores. Unset: one per processor, at most 4."
    )
    compiled_directory: Path | None = Field(
        Path("~/.cache/stream-detector"),
        description="Where compiled programs of models are kept, so that a start takes seconds less. Empty: nowhere.",
    )
    refuse_unpromoted: bool = Field(False, description="Refuse a model that lost to windowed PCA in training.")

    @field_validator("compiled_directory", mode="before")
    @classmethod
    def _empty_is_nowhere(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("features")
    @classmethod
    def _features_are_names(cls, value: list[str]) -> list[str]:
        if not all(value) or len(set(value)) < len(value):
            msg = "names a feature twice, or one without a name"
            raise ValueError(msg)
        return value


class StateSettings(Group):
    """Sensor windows and memory."""

    max_sensors: Count = Field(200_000, description="Sensors in memory; the others wait in Redis.")
    max_gap_seconds: Seconds | None = Field(
        None,
        description="A longer pause restarts a sensor's window. Unset: 10 of its own intervals, and 3 of its usual pauses.",
    )
    stride: Count = Field(1, description="Score every n-th reading of a sensor, but all during an incident.")
    lookback_margin: float = Field(2.0, ge=1.0, description="History read from the topic to fill windows, in windows.")
    max_lookback_records: Count = Field(5_000_000, description="Limit for that history, in records per partition.")


class DeadLetterSettings(Group):
    """How much bad input stops the service."""

    max_share: float = Field(0.5, gt=0, le=1, description="Largest share of bad records among the last min_count.")
    min_count: Count = Field(1000, description="Records over which the share is computed.")
    max_run: Count = Field(5000, description="Most bad records in a row.")
    max_value_bytes: Count = Field(262_144, description="Bytes of the record kept in a dead letter.")


class AlertSettings(Group):
    """When anomalies become incidents and events."""

    budget_per_sensor_day: float = Field(0.1, ge=1e-6, le=86_400, description="False alarms accepted per sensor and day.")
    budget_per_fleet_day: float | None = Field(
        None, ge=1e-6, le=1e9, description="False alarms accepted per day over all sensors, instead of per sensor."
    )
    fleet_size: int | None = Field(
        None,
        ge=1,
        le=1_000_000_000,
        description="Sensors that share the fleet's budget. Unset: as many as in training.",
    )
    update_seconds: Seconds | None = Field(
        None,
        description="Event time between updates of an incident. Unset: 300, or a window if longer. One that becomes `high` or "
        "`critical` is updated at once.",
    )
    quiet_seconds: Seconds | None = Field(
        None,
        description="Event time below a quarter of the margin of an alarm, and within healthy values, that closes an incident. "
        "Unset: half a window.",
    )
    accept_seconds: Seconds = Field(
        43_200.0,
        description="Event time after which an incident is accepted as normal. At least two windows.",
    )

    @model_validator(mode="after")
    def _a_fleet_size_needs_a_fleet_budget(self) -> Self:
        if self.fleet_size is not None and self.budget_per_fleet_day is None:
            msg = f"{PREFIX}ALERTS__FLEET_SIZE has no effect without {PREFIX}ALERTS__BUDGET_PER_FLEET_DAY: set both or neither"
            raise ValueError(msg)
        return self


class RuleSettings(Group):
    """Rules that need no model: what each finds and its limits are in [rules.md](rules.md)."""

    frozen: bool = Field(True, description="Find features that do not change for longer than healthy data ever show.")
    missing_feature: bool = Field(True, description="Find features that give no value for longer than healthy data ever show.")
    out_of_range: bool = Field(True, description="Find values beyond `limits`, or far beyond all healthy data.")
    flapping: bool = Field(
        True, description="Find features that go back and forth more often in a row than healthy data ever do."
    )
    clock: bool = Field(True, description="Find sensors whose clocks jump.")
    frozen_readings: Count = Field(20, description="Fewest repeats of one feature's value that are frozen.")
    frozen_row_readings: Count = Field(8, description="Fewest repeats of all values of a reading that are frozen.")
    missing_readings: Count = Field(20, description="Fewest readings in a row without a value of a feature that count.")
    flapping_turns: Count = Field(32, description="Fewest turns back and forth in a row that are flapping.")
    healthy_factor: float = Field(
        3.0, ge=1.0, le=1000.0, description="A limit is at least this many times the longest run that healthy data show."
    )
    range_spans: float = Field(
        5.0, gt=0.0, le=1e6, description="How far beyond the healthy range a value must be, in widths of that range."
    )
    limits: dict[str, tuple[float | None, float | None]] = Field(
        default_factory=dict,
        description="Lowest and highest value by feature, in its own units, in place of the learned ones, as JSON: "
        '`{"temperature": [-20, 120]}`. null: no limit.',
    )
    units: dict[str, str] = Field(
        default_factory=dict, description='Units by feature, for the sentence of an event, as JSON: `{"temperature": "°C"}`.'
    )
    quiet_readings: Count | None = Field(
        None, description="Readings in a row at which a rule does not apply that close its incident. Unset: half a window."
    )
    silent_seconds: Annotated[float, Field(ge=0, le=7 * 86_400)] = Field(
        60.0,
        description="A sensor is silent after so long without a reading, at least; 0 turns this rule off.",
    )
    silent_intervals: float = Field(5.0, ge=1, le=1000, description="And after this many of its own intervals.")
    silent_pauses: float = Field(3.0, ge=1, le=1000, description="And after this many of its own usual longest pauses.")


class HttpSettings(Group):
    """The HTTP port for health and metrics."""

    host: str = Field("0.0.0.0", description="Address to listen on.")  # noqa: S104 - probed from outside the container
    port: int = Field(8080, ge=0, le=65_535, description="Port of /metrics, /healthz and /readyz. 0: any free port.")


class ServiceSettings(Group):
    """The process: waits, latency and logs."""

    start_seconds: Seconds = Field(60.0, description="How long a start waits for Kafka.")
    watchdog_seconds: Seconds = Field(120.0, description="The process exits after this long without progress.")
    target_latency_seconds: ShortWait = Field(
        0.1,
        description="Latency target at low load. Gathering readings may take half of it, which saves CPU. 0: no gathering.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Lowest level that is logged.")
    log_format: Literal["json", "text"] = Field("json", description="json (an object per line) or text.")
    unanswered: list[str] = Field(
        default_factory=list, description="What `init` did not understand: `run` does not start until this is empty."
    )


class Settings(BaseSettings):
    """All settings, in groups."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)
    file_tables: ClassVar[dict[str, Any]] = {}  # of a TOML file

    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    model: ModelSettings = ModelSettings()
    learning: LearningSettings = LearningSettings()
    state: StateSettings = StateSettings()
    input: InputSettings = InputSettings()
    registry: RegistrySettings = RegistrySettings()
    dead_letters: DeadLetterSettings = DeadLetterSettings()
    alerts: AlertSettings = AlertSettings()
    rules: RuleSettings = RuleSettings()
    http: HttpSettings = HttpSettings()
    service: ServiceSettings = ServiceSettings()

    @model_validator(mode="after")
    def _the_mapping_can_be_compiled(self) -> Self:
        try:
            input_reader(self.input)
        except re.error as error:
            msg = f"{PREFIX}INPUT__TAG_PATTERN is not a regular expression: {error}"
            raise ValueError(msg) from None
        except ValueError as error:
            msg = f"the settings of group input: {error}"
            raise ValueError(msg) from None
        return self

    @model_validator(mode="after")
    def _a_batch_fits_in_memory(self) -> Self:
        if self.state.max_sensors < self.kafka.max_poll_records:
            msg = (
                f"STATE__MAX_SENSORS ({self.state.max_sensors}) must not be smaller than KAFKA__MAX_POLL_RECORDS "
                f"({self.kafka.max_poll_records}): all sensors of a batch must fit in memory"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _the_topic_between_is_another(self) -> Self:
        kafka = self.kafka
        if self.input.repartition_topic in (kafka.input_topic, kafka.alerts_topic, kafka.dead_letter_topic):
            msg = f"INPUT__REPARTITION_TOPIC ({self.input.repartition_topic}) is a topic of group KAFKA too: name another"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _the_watchdog_outlasts_gathering(self) -> Self:
        service = self.service
        if service.watchdog_seconds <= service.target_latency_seconds:
            msg = (
                f"SERVICE__WATCHDOG_SECONDS ({service.watchdog_seconds:g}) must be more than "
                f"SERVICE__TARGET_LATENCY_SECONDS ({service.target_latency_seconds:g}): the watchdog would end a process "
                f"that is gathering readings"
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
        """Return the sources, the first of which wins: arguments, environment, secret files, TOML file."""
        toml = InitSettingsSource(settings_cls, cls.file_tables)
        return init_settings, env_settings, NestedSecretsSettingsSource(file_secret_settings), toml
