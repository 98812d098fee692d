"""Messages about wrong settings: where they were written, under the name that they have there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stream_detector.errors import SettingsError
from stream_detector.settings.group import PREFIX
from stream_detector.settings.sources import load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "detector.toml"


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    directory = tmp_path / "secrets"
    directory.mkdir()
    return directory


def message(config_file: Path | None = None, secrets_directory: Path | None = None) -> list[str]:
    """Return the lines of the error."""
    with pytest.raises(SettingsError) as raised:
        load_settings(config_file, secrets_directory)
    return str(raised.value).splitlines()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[kafak]\nbrokers = 'a:1'", "[kafak]: there is no such setting; did you mean [kafka]?"),
        ("[kafka]\nbroker = 'a:1'", "[kafka] broker: there is no such setting; did you mean [kafka] brokers?"),
        ("[zzz]\nbrokers = 'a:1'", "[zzz]: there is no such setting; docs/settings.md lists all"),
        ("brokers = 'a:1'", "brokers: there is no such setting; did you mean [kafka] brokers?"),
        ("kafka = 5", "kafka: should be a valid dictionary or instance of KafkaSettings"),
        ("[kafka]\npartitions = 0", "[kafka] partitions: should be greater than or equal to 1"),
        ("[kafka]\npartitions = 6.5", "[kafka] partitions: should be a valid integer, got a number with a fractional part"),
        ("[kafka]\npartitions = [6]", "[kafka] partitions: should be a valid integer"),
        ("[kafka]\nbrokers = ['a:1']", "[kafka] brokers: should be a valid string"),
        ("[kafka]\nssl_ca_file = 5", "[kafka] ssl_ca_file: is not a valid path for <class 'pathlib.Path'>"),
        ("[kafka]\nextra = 5", "[kafka] extra: should be a valid dictionary"),
        (
            "[alerts]\nquiet_seconds = '0,1'",
            "[alerts] quiet_seconds: should be a valid number, unable to parse string as a number",
        ),
        ("[alerts]\nbudget_per_sensor_day = 0", "[alerts] budget_per_sensor_day: should be greater than or equal to 0.000001"),
        ("[redis]\ncluster = 'perhaps'", "[redis] cluster: should be a valid boolean, unable to interpret input"),
        (
            "[kafka]\ninput_topic = 'a'\nalerts_topic = 'a'",
            f"[kafka]: {PREFIX}KAFKA__INPUT_TOPIC and {PREFIX}KAFKA__ALERTS_TOPIC are both a: "
            "readings, alerts and dead letters each need their own topic",
        ),
    ],
)
def test_a_wrong_setting_of_a_file_is_named_with_the_file_and_the_table(text: str, line: str, toml: Path) -> None:
    toml.write_text(text)

    assert message(toml) == [f"{toml} {line}"]


def test_a_variable_that_overrides_the_file_is_named(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml.write_text("[kafka]\npartitions = 0\n[http]\nport = -1\n")
    monkeypatch.setenv(f"{PREFIX}KAFKA__PARTITIONS", "-3")

    assert message(toml) == [
        f"{PREFIX}KAFKA__PARTITIONS: should be greater than or equal to 1",
        f"{toml} [http] port: should be greater than or equal to 0",
    ]


def test_a_secret_file_is_named_and_its_value_is_not_shown(toml: Path, secrets: Path) -> None:
    toml.write_text("[http]\nport = 1\n")
    file = secrets / f"{PREFIX}HTTP__PORT"
    file.write_text("70000")

    assert message(toml, secrets) == [f"{file}: should be less than or equal to 65535"]


def test_a_secret_file_of_an_unknown_group_is_refused(secrets: Path) -> None:
    (secrets / "..data").mkdir()  # as Kubernetes has it
    (secrets / f"{PREFIX}REDSI__URL").write_text("redis://:hidden@redis:6379/0")

    assert message(None, secrets) == [f"{PREFIX}REDSI__URL: there is no such setting; did you mean {PREFIX}REDIS__URL?"]


def test_a_secret_file_that_is_not_text_is_named_rather_than_the_settings_file(toml: Path, secrets: Path) -> None:
    toml.write_text("")
    (secrets / f"{PREFIX}REDIS__URL").write_bytes(b"\xff")

    (line,) = message(toml, secrets)

    assert line.startswith(f"the secrets in {secrets} cannot be read: ")


@pytest.mark.parametrize("value", ["hidden", "5f2a77c0", "1234567890123", "12 34", "987654"])
def test_a_wrong_value_is_not_shown_even_if_it_is_a_number(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}KAFKA__SESSION_TIMEOUT_SECONDS", f"{value}!")
    monkeypatch.setenv(f"{PREFIX}HTTP__PORT", value)

    assert not [line for line in message() if value in line]


@pytest.mark.parametrize("setting", ["KAFKA__SASL_PASSWORD", "KAFKA__SSL_KEY_PASSWORD", "REDIS__URL"])
def test_a_secret_that_looks_like_a_number_is_not_shown(setting: str, toml: Path) -> None:
    group, name = setting.lower().split("__")
    toml.write_text(f"[{group}]\n{name} = 4711\n")

    assert message(toml) == [f"{toml} [{group}] {name}: should be a valid string"]
