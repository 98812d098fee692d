"""A client of Redis or Valkey, from the settings: bounded in time, with TLS, for one server or a Cluster."""

from __future__ import annotations

from typing import Any, Protocol

import redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.connection import parse_url
from redis.retry import Retry

from stream_detector.errors import SettingsError
from stream_detector.settings import PREFIX, RedisSettings


class Client(Protocol):
    """What is used of redis-py's two clients."""

    def execute_command(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - answers depend on the command
        """Send one command and return its answer."""

    def close(self) -> None:
        """Close the connections."""


def checked_address(settings: RedisSettings) -> str:
    """Return where Redis is, for messages, without the secrets of the URL. Raises SettingsError for unusable settings."""
    name = f"{PREFIX}REDIS__URL"
    url = settings.url.get_secret_value()
    try:
        parts = parse_url(url)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
    except ValueError:  # its text may hold parts of the password
        msg = (
            f"{name}: not redis://[user:password@]host:port/db, or rediss://; percent-encode special characters of the password"
        )
        raise SettingsError(msg) from None
    if settings.ca_file is not None and not url.startswith("rediss://"):
        msg = f"{PREFIX}REDIS__CA_FILE is set, but {name} does not begin with rediss://"
        raise SettingsError(msg)
    if settings.ca_file is not None and not settings.ca_file.is_file():
        msg = f"{PREFIX}REDIS__CA_FILE: there is no file {settings.ca_file}"
        raise SettingsError(msg)
    return parts.get("path") or f"{parts.get('host', 'localhost')}:{parts.get('port', 6379)}"


def connect(settings: RedisSettings) -> Client:
    """Return a client. It sends a command once more when its connection turns out to be closed: all ours are idempotent."""
    options: dict[str, Any] = {
        "socket_timeout": settings.timeout_seconds,
        "socket_connect_timeout": settings.timeout_seconds,
        "retry": Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        "decode_responses": False,
    }
    if settings.ca_file is not None:
        options["ssl_ca_certs"] = str(settings.ca_file)
    url = settings.url.get_secret_value()
    client: Client = RedisCluster.from_url(url, **options) if settings.cluster else redis.Redis.from_url(url, **options)
    return client
