"""Settings: their sources, and the errors about wrong ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import BaseModel

from stream_detector.errors import SettingsError
from stream_detector.settings.group import PREFIX
from stream_detector.settings.schema import Settings
from stream_detector.settings.sources import changed_settings, load_settings, relative_to


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "detector.toml"
    path.write_text('[kafka]\nbrokers = "from-toml:9092"\ngroup_id = "from-toml"\ninput_topic = "from-toml"\n')
    return path


@pytest.mark.parametrize("group", list(Settings.model_fields))
def test_every_setting_says_what_it_means(group: str) -> None:
    model = Settings.model_fields[group].annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)

    described = {name: field.description or "" for name, field in model.model_fields.items()}

    assert described
    assert [name for name, text in described.items() if not text.endswith(".")] == []


def test_the_defaults_are_usable_without_any_setting() -> None:
    settings = load_settings()

    assert settings.kafka.brokers == "localhost:9092"
    assert settings.kafka.alerts_topic == "sensor-alerts"
    assert settings.redis.url.get_secret_value() == "redis://localhost:6379/0"


def test_the_environment_overrides_secret_files_and_these_the_toml_file(
    toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / f"{PREFIX}KAFKA__GROUP_ID").write_text("from-secret\n")
    (secrets / f"{PREFIX}KAFKA__BROKERS").write_text("from-secret:9092\n")
    monkeypatch.setenv(f"{PREFIX}KAFKA__BROKERS", "from-environment:9092")

    kafka = load_settings(toml, secrets).kafka

    assert (kafka.brokers, kafka.group_id, kafka.input_topic) == ("from-environment:9092", "from-secret", "from-toml")


def test_names_in_the_environment_and_of_secret_files_ignore_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stream_detector_redis__url").write_text("redis://:hidden@redis:6379/0")
    monkeypatch.setenv(f"{PREFIX}kafka__Partitions".lower(), "12")

    settings = load_settings(secrets_directory=tmp_path)

    assert settings.redis.url.get_secret_value() == "redis://:hidden@redis:6379/0"
    assert settings.kafka.partitions == 12


def test_further_client_options_are_given_as_json_or_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}KAFKA__EXTRA", '{"metadata_max_age_ms": 5000, "client_rack": "a"}')

    assert load_settings().kafka.extra == {"metadata_max_age_ms": 5000, "client_rack": "a"}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("KAFKA__PARTITIONS", "0", "should be greater than or equal to 1"),
        ("KAFKA__PARTITIONS", "many", "should be a valid integer"),
        ("KAFKA__PARTITIONS", "6.5", "should be a valid integer"),
        ("KAFKA__PARTITIONS", "", "should be a valid integer"),
        ("KAFKA__REQUEST_TIMEOUT_SECONDS", "15s", "should be a valid number"),
        ("KAFKA__CREATE_TOPICS", "perhaps", "should be a valid boolean"),
        ("KAFKA__START", "yesterday", "should be latest, earliest or a time"),
        ("KAFKA__START", "2026-11-23T07:00:00", "zone"),
        ("KAFKA__SECURITY_PROTOCOL", "TLS", "'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL'"),
        ("KAFKA__BROKER", "localhost:9092", "there is no such setting; did you mean STREAM_DETECTOR_KAFKA__BROKERS?"),
        ("KAFKA__FROBNICATION_ZZ", "1", "there is no such setting; docs/settings.md lists all"),
        ("ALERTS__BUDGET_PER_SENSOR_DAY", "0", "should be greater than or equal to 0.000001"),
        ("ALERTS__BUDGET_PER_SENSOR_DAY", "86401", "should be less than or equal to 86400"),
        ("ALERTS__BUDGET_PER_FLEET_DAY", "-1", "should be greater than or equal to 0.000001"),
        ("ALERTS__QUIET_SECONDS", "0", "should be greater than 0"),
        ("ALERTS__QUIET_SECONDS", "0,1", "should be a valid number"),
        ("ALERTS__BUDGET_PER_SENSOR_DAY", "nan", "should be a finite number"),
        ("ALERTS__BUDGET_PER_SENSOR_DAY", "inf", "should be a finite number"),
        ("DEAD_LETTERS__MAX_SHARE", "1.5", "should be less than or equal to 1"),
        ("HTTP__PORT", "70000", "should be less than or equal to 65535"),
        ("SERVICE__WATCHDOG_SECONDS", "inf", "should be a finite number"),
        ("INPUT__UNKNOWN_FEATURES", "drop", "'dead_letter' or 'ignore'"),
        ("SERVICE__LOG_LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_wrong(name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + name, value)

    with pytest.raises(SettingsError) as raised:
        load_settings()

    assert str(raised.value).startswith(f"{PREFIX}{name}: ")
    assert said in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    "brokers", ["kafka:9092", "a:1, b_2.example:65535,", "10.0.0.1:9092", "[::1]:9092", "[fe80::1%eth0]:9092"]
)
def test_brokers_are_hosts_with_ports(brokers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}KAFKA__BROKERS", brokers)

    assert load_settings().kafka.brokers == brokers


@pytest.mark.parametrize(
    ("brokers", "said"),
    [
        ("kafka", "broker 1 of 1"),
        ("a:1,b", "broker 2 of 2"),
        ("kafka:0", "broker 1 of 1"),
        ("kafka:65536", "broker 1 of 1"),
        ("::1:9092", "broker 1 of 1"),
        ("SSL://kafka:9092", "broker 1 of 1"),
        ("user:hidden@kafka:9092", "broker 1 of 1"),
        (" , ", "names no broker"),
    ],
)
def test_brokers_that_are_not_hosts_with_ports_are_refused_and_not_shown(
    brokers: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}KAFKA__BROKERS", brokers)

    with pytest.raises(SettingsError) as raised:
        load_settings()

    assert str(raised.value).startswith(f"{PREFIX}KAFKA__BROKERS: {said}")
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("setting", ["INPUT_TOPIC", "ALERTS_TOPIC", "DEAD_LETTER_TOPIC"])
@pytest.mark.parametrize("topic", ["", ".", "..", "a b", "a/b", "a\n", "tüp", "x" * 250])
def test_a_topic_that_kafka_would_refuse_is_refused_at_once(setting: str, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}KAFKA__{setting}", topic)

    with pytest.raises(SettingsError, match=rf"^{PREFIX}KAFKA__{setting}: not a topic name: use 1 to 249"):
        load_settings()


def test_a_topic_may_have_the_longest_name_that_kafka_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}KAFKA__INPUT_TOPIC", "..a_B-9" + "x" * 242)

    assert len(load_settings().kafka.input_topic) == 249


@pytest.mark.parametrize(
    ("one", "other"),
    [("INPUT_TOPIC", "ALERTS_TOPIC"), ("INPUT_TOPIC", "DEAD_LETTER_TOPIC"), ("ALERTS_TOPIC", "DEAD_LETTER_TOPIC")],
)
def test_two_topics_of_one_name_are_refused_by_their_settings(one: str, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}KAFKA__{one}", "plant")
    monkeypatch.setenv(f"{PREFIX}KAFKA__{other}", "plant")

    with pytest.raises(SettingsError, match=rf"{PREFIX}KAFKA__{one} and {PREFIX}KAFKA__{other} are both plant"):
        load_settings()


def test_a_value_that_is_not_a_number_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}HTTP__PORT", "hidden")

    with pytest.raises(SettingsError) as raised:
        load_settings()

    assert str(raised.value) == f"{PREFIX}HTTP__PORT: should be a valid integer, unable to parse string as an integer"


def test_a_variable_of_an_unknown_group_is_refused_with_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}KAFAK__BROKERS", "hidden:1")

    with pytest.raises(SettingsError) as raised:
        load_settings()

    assert str(raised.value) == f"{PREFIX}KAFAK__BROKERS: there is no such setting; did you mean {PREFIX}KAFKA__BROKERS?"


@pytest.mark.parametrize("name", ["KAFKA_BROKERS", "REDIS_URL", "ALERTS_BUDGET_PER_SENSOR_DAY", "model_directory"])
def test_one_underscore_instead_of_two_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(PREFIX + name, "1")

    with pytest.raises(SettingsError) as raised:
        load_settings()

    right = PREFIX + name.replace("_", "__", 1).upper()
    assert str(raised.value) == f"{PREFIX}{name}: there is no such setting; did you mean {right}?"


def test_variables_that_kubernetes_sets_for_a_service_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_DETECTOR_PORT", "tcp://10.0.0.1:8080")
    monkeypatch.setenv("STREAM_DETECTOR_HTTP_PORT", "tcp://10.0.0.1:8080")
    monkeypatch.setenv("STREAM_DETECTOR_SERVICE", '{"log_level": "INFO"}')
    monkeypatch.setenv("STREAM_DETECTOR_PORT_8080_TCP_ADDR", "10.0.0.1")

    assert load_settings().http.port == 8080


def test_every_wrong_setting_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}KAFKA__PARTITIONS", "0")
    monkeypatch.setenv(f"{PREFIX}HTTP__PORT", "-1")

    with pytest.raises(SettingsError) as raised:
        load_settings()

    assert [line.split(":")[0] for line in str(raised.value).splitlines()] == [
        f"{PREFIX}KAFKA__PARTITIONS",
        f"{PREFIX}HTTP__PORT",
    ]


def test_a_setting_that_contradicts_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}STATE__MAX_SENSORS", "100")

    with pytest.raises(SettingsError, match=r"STATE__MAX_SENSORS \(100\) must not be smaller than KAFKA__MAX_POLL_RECORDS"):
        load_settings()


def test_a_watchdog_that_would_mistake_gathering_for_hanging_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}SERVICE__WATCHDOG_SECONDS", "0.5")
    monkeypatch.setenv(f"{PREFIX}SERVICE__TARGET_LATENCY_SECONDS", "1")

    with pytest.raises(SettingsError, match=r"WATCHDOG_SECONDS \(0.5\) must be more than SERVICE__TARGET_LATENCY_SECONDS"):
        load_settings()


def test_a_fleet_needs_a_budget_to_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}ALERTS__FLEET_SIZE", "200")

    with pytest.raises(SettingsError, match="FLEET_SIZE has no effect without STREAM_DETECTOR_ALERTS__BUDGET_PER_FLEET_DAY"):
        load_settings()

    monkeypatch.setenv(f"{PREFIX}ALERTS__BUDGET_PER_FLEET_DAY", "20")
    assert load_settings().alerts.fleet_size == 200


def test_changed_settings_are_named_including_secret_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_settings()
    assert changed_settings(before, load_settings()) == []

    monkeypatch.setenv(f"{PREFIX}ALERTS__QUIET_SECONDS", "9")
    monkeypatch.setenv(f"{PREFIX}REDIS__URL", "redis://:hidden@redis:6379/0")
    monkeypatch.setenv(f"{PREFIX}KAFKA__PARTITIONS", "6")  # the default

    assert changed_settings(before, load_settings()) == [f"{PREFIX}REDIS__URL", f"{PREFIX}ALERTS__QUIET_SECONDS"]


def test_a_group_that_is_not_json_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}KAFKA__EXTRA", "{secret")

    with pytest.raises(SettingsError) as raised:
        load_settings()

    assert "KAFKA" in str(raised.value).upper()
    assert "EXTRA" in str(raised.value).upper()
    assert "{secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAFKA__SASL_PASSWORD", "hidden-password"),
        ("KAFKA__SSL_KEY_PASSWORD", "hidden-password"),
        ("REDIS__URL", "redis://user:hidden-password@redis:6379/0"),
    ],
)
def test_a_secret_is_shown_neither_in_settings_nor_in_errors(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + name, value)

    settings = load_settings()
    assert "hidden-password" not in repr(settings)
    assert "hidden-password" not in settings.model_dump_json()

    monkeypatch.setenv(f"{PREFIX}KAFKA__PARTITIONS", "0")
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert "hidden-password" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_secret_in_a_misspelled_setting_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}KAFKA__SASL_PASWORD", "hidden-password")

    with pytest.raises(SettingsError) as raised:
        load_settings()

    assert "SASL_PASWORD" in str(raised.value)
    assert "hidden-password" not in str(raised.value)


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "detector.toml"
    path.write_text("[kafka\n")

    with pytest.raises(SettingsError, match=r"settings file .*detector\.toml cannot be read: .*line 1"):
        load_settings(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"there is no settings file .*missing"):
        load_settings(tmp_path / "missing")
    with pytest.raises(SettingsError, match="there is no settings file"):
        load_settings(tmp_path)


def test_a_missing_secrets_directory_is_named(toml: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"there is no secrets directory .*missing"):
        load_settings(secrets_directory=tmp_path / "missing")
    with pytest.raises(SettingsError, match="there is no secrets directory"):
        load_settings(secrets_directory=toml)


def test_relative_paths_of_a_settings_file_are_seen_from_it_and_those_of_the_environment_from_where_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "detector.toml").write_text(
        '[model]\ndirectory = "../model"\ncompiled_directory = "~/cache"\n[redis]\nca_file = "certs/redis.pem"\n'
        '[registry]\nurl = "https://r:8081"\nca_file = "/etc/ca.pem"\n[kafka]\nssl_ca_file = "ca.pem"\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"{PREFIX}KAFKA__SSL_CA_FILE", "ca.pem")

    settings = load_settings(Path("plant/detector.toml"))

    assert settings.model.directory == Path("plant/../model")
    assert settings.model.compiled_directory == Path.home() / "cache"
    assert (settings.redis.ca_file, settings.registry.ca_file) == (Path("plant/certs/redis.pem"), Path("/etc/ca.pem"))
    assert settings.kafka.ssl_ca_file == Path("ca.pem")


def test_a_group_in_capitals_has_the_same_paths(tmp_path: Path) -> None:
    (tmp_path / "detector.toml").write_text('[MODEL]\ndirectory = "model"\n')

    assert load_settings(tmp_path / "detector.toml").model.directory == tmp_path / "model"


def test_every_path_among_the_settings_is_seen_from_the_settings_file() -> None:
    written = {
        group: dict.fromkeys(field.annotation.model_fields, "x")
        for group, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }

    seen = relative_to(Path("plant"), written)

    moved = {f"{group}.{name}" for group, names in seen.items() for name, value in names.items() if value == "plant/x"}
    assert moved == {
        *("kafka.ssl_ca_file", "kafka.ssl_certificate_file", "kafka.ssl_key_file", "redis.ca_file", "model.directory"),
        *("model.compiled_directory", "registry.ca_file", "registry.certificate_file", "registry.key_file"),
    }


@pytest.mark.parametrize("text", ["running", "running = 1", "os.system('x')"])
def test_a_condition_to_learn_in_is_checked_at_once(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}LEARNING__ONLY_WHILE", text)

    with pytest.raises(SettingsError, match="LEARNING__ONLY_WHILE"):
        load_settings()
