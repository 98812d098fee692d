"""No message shows a secret, whatever is wrong with the settings around it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from stream_detector.adapters.kafka.options import check_settings
from stream_detector.adapters.redis.client import checked_address
from stream_detector.cli import main
from stream_detector.errors import SettingsError
from stream_detector.logs import set_up_logging
from stream_detector.settings.group import PREFIX
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import RedisSettings
from tests.logging_state import logging_restored

SECRET = "hidden-7f3a9c"


@pytest.mark.parametrize(
    "setting",
    [
        ("KAFKA__SASL_PASSWOR", SECRET),
        ("KAFKA__BROKERS", f"detector:{SECRET}@kafka"),
        ("KAFKA__SECURITY_PROTOCOL", SECRET),
        ("KAFKA__SESSION_TIMEOUT_SECONDS", SECRET),
        ("KAFKA__START", SECRET),
        ("KAFKA__INPUT_TOPIC", f"{SECRET}/"),
        ("KAFKA__EXTRA", f"{{'sasl_plain_password': '{SECRET}'}}"),
        ("KAFKA", f'{{"sasl_password": "{SECRET}"'),
        ("KAFKA", f'{{"sasl_password": ["{SECRET}"]}}'),
        ("KAFKA", f'{{"sasl_password": {{"value": "{SECRET}"}}}}'),
        ("REDIS", f'{{"password": "{SECRET}"}}'),
        ("REDIS__URL__PASSWORD", SECRET),
        ("REDIS__CLUSTER", SECRET),
    ],
)
@pytest.mark.parametrize("source", ["environment", "secret file"])
def test_a_wrong_setting_is_named_without_its_value(
    setting: tuple[str, str],
    source: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name, value = setting
    if source == "environment":
        monkeypatch.setenv(PREFIX + name, value)
    else:
        (tmp_path / (PREFIX + name)).write_text(value)

    assert main(["run", "--secrets", str(tmp_path)]) == 1

    shown = capsys.readouterr()
    assert name.split("__", maxsplit=1)[0] in shown.err
    assert SECRET not in shown.out + shown.err


@pytest.mark.parametrize(
    "text",
    [f'[kafka]\nsasl_password = "{SECRET}', f"[kafka]\nsasl_password = {SECRET}", f"[kafka]\nsasl_password = ['{SECRET}']"],
)
def test_a_settings_file_that_cannot_be_read_is_not_quoted(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "detector.toml"
    file.write_text(text)

    assert main(["run", "--config", str(file)]) == 1

    shown = capsys.readouterr().err
    assert shown.startswith("stream-detector run: ")
    assert SECRET not in shown


@pytest.mark.parametrize("url", [f"socks5://u:{SECRET}@[bad", f"u:{SECRET}@proxy", f"socks5://u:{SECRET}/x@proxy:1080"])
def test_a_proxy_that_cannot_be_used_is_not_quoted(url: str) -> None:
    with pytest.raises(SettingsError, match=r"KAFKA__EXTRA: proxy_url is not scheme://") as caught:
        check_settings(KafkaSettings.model_validate({"extra": {"proxy_url": url}}))

    assert SECRET not in str(caught.value)


def test_a_proxy_with_a_password_is_accepted() -> None:
    check_settings(KafkaSettings.model_validate({"extra": {"proxy_url": f"socks5://u:{SECRET}@proxy:1080"}}))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"redis://redis:6379/0{SECRET}", "the database after the port is a number"),
        (f"redis://:12/{SECRET}@redis:6379/0", "the database after the port is a number"),  # a slash in the password
        (f"redis://:{SECRET}@redis:6379/0?user={SECRET}", "the client does not know option user after the question mark"),
        (
            f"redis://:{SECRET}@redis:6379/0?ssl_certfile=x",
            "the client does not know option ssl_certfile",
        ),  # as it is not rediss://
        (f"redis://:{SECRET}@redis:6379/0?protocol=7", "protocol must be either 2 or 3"),
    ],
)
def test_an_address_of_redis_that_cannot_be_used_is_not_quoted(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=rf"^STREAM_DETECTOR_REDIS__URL: {said}") as caught:
        checked_address(RedisSettings.model_validate({"url": url}))

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://redis", "redis:6379"),
        ("redis://redis/", "redis:6379"),
        ("rediss://redis:6380/3?ssl_certfile=/certificate&ssl_keyfile=/key", "redis:6380"),
        ("unix:///run/redis.sock?db=2", "/run/redis.sock"),
    ],
)
def test_an_address_of_redis_may_leave_things_out_or_have_options(url: str, address: str) -> None:
    assert checked_address(RedisSettings.model_validate({"url": url})) == address


def test_printed_settings_have_no_secrets() -> None:
    kafka = KafkaSettings.model_validate({"sasl_password": SECRET, "ssl_key_password": SECRET})
    redis = RedisSettings.model_validate({"url": f"redis://detector:{SECRET}@redis:6379/0"})

    assert SECRET not in f"{kafka} {kafka!r} {kafka.model_dump()} {kafka.model_dump_json()} {redis!r} {redis.model_dump()}"
    assert checked_address(redis) == "redis:6379"


def test_the_debug_level_does_not_enable_the_kafka_clients_messages_which_contain_passwords() -> None:
    with logging_restored():
        set_up_logging("DEBUG", "json")

        assert not logging.getLogger("kafka.net.connection").isEnabledFor(logging.INFO)
