"""Builds a Redis or Valkey client from the settings: bounded in time, with TLS, for one server or a Cluster."""

from __future__ import annotations

import re
from typing import Any, Protocol
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.connection import parse_url
from redis.exceptions import AskError
from redis.retry import Retry

from stream_detector.errors import RIGHTS_PAGE, SettingsError
from stream_detector.settings.group import PREFIX
from stream_detector.settings.schema import RedisSettings


class Client(Protocol):
    """The part of redis-py's two clients that the store uses."""

    def execute_command(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - answers depend on the command
        """Send one command and return its answer."""

    def close(self) -> None:
        """Close the connections."""


def checked_address(settings: RedisSettings) -> str:
    """Return the address of Redis for messages, without the URL's secrets. Raises SettingsError for unusable settings."""
    name = f"{PREFIX}REDIS__URL"
    url = settings.url.get_secret_value()
    try:
        parts = parse_url(url)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
    except ValueError:  # its text may contain parts of the password
        msg = (
            f"{name}: not redis://[user:password@]host:port/db, or rediss://; percent-encode special characters of the password"
        )
        raise SettingsError(msg) from None
    _check_database_and_options(name, url)
    if settings.ca_file is not None and not url.startswith("rediss://"):
        msg = f"{PREFIX}REDIS__CA_FILE is set, but {name} does not begin with rediss://"
        raise SettingsError(msg)
    if settings.ca_file is not None and not settings.ca_file.is_file():
        msg = f"{PREFIX}REDIS__CA_FILE: there is no file {settings.ca_file}"
        raise SettingsError(msg)
    return parts.get("path") or f"{parts.get('host', 'localhost')}:{parts.get('port', 6379)}"


def user_of(settings: RedisSettings) -> str:
    """Return the user as whom the URL connects. Raises ValueError for an unusable URL."""
    parts = parse_url(settings.url.get_secret_value())  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
    return str(parts.get("username") or "default")


def _check_database_and_options(name: str, url: str) -> None:
    """Refuse a database or options that the client would ignore, or fail on when it connects."""
    if not url.startswith("unix://") and not re.fullmatch(r"(/\d*)?", urlsplit(url).path):
        msg = (  # without the value: a slash in the password would make the password part of it
            f"{name}: the database after the port is a number, as in redis://host:6379/0; percent-encode special characters"
            " of the password"
        )
        raise SettingsError(msg)
    try:
        redis.ConnectionPool.from_url(url).make_connection()  # does not connect yet
    except TypeError as error:
        option = re.search(r"argument '(\w+)'", str(error))
        msg = f"{name}: the client does not know {f'option {option[1]}' if option else 'an option'} after the question mark"
        raise SettingsError(msg) from None
    except redis.RedisError as error:
        raise SettingsError(f"{name}: {error}") from None


#: Remedies, by a pattern in the text of an error that waiting does not resolve.
_REMEDIES = {
    r"(?i)no permissions|NOPERM|can't run this command": (
        f"Grant this Redis user the command, or the keys that begin with sd: ({RIGHTS_PAGE} lists all that are needed)"
    ),
    r"username-password|WRONGPASS|NOAUTH|Authentication required|already authenticated|AUTH <password>": (
        f"Check the user and the password in {PREFIX}REDIS__URL"
    ),
    "CERTIFICATE_VERIFY_FAILED": (
        f"Check {PREFIX}REDIS__CA_FILE (unset: the authorities that the machine trusts), and that {PREFIX}REDIS__URL"
        " names the host as its certificate does"
    ),
    "Cluster mode is not enabled": (
        f"Set {PREFIX}REDIS__CLUSTER=false if it is a single server; if it is a Cluster, grant the Redis user CLUSTER SLOTS"
        f" ({RIGHTS_PAGE})"
    ),
    "DB index is out of range|``db`` querystring option can only be 0": (
        f"Check the number of the database at the end of {PREFIX}REDIS__URL; a Cluster has only 0"
    ),
    "Protocol error, got|Protocol Error: ": (  # by hiredis; without it
        f"The server there is not Redis: check the port in {PREFIX}REDIS__URL, which begins with rediss:// for TLS"
    ),
    "WRONG_VERSION_NUMBER|record layer failure": (
        f"The server there does not speak TLS: check the port in {PREFIX}REDIS__URL, which begins with redis:// without TLS"
    ),
}


def remedy(error: Exception) -> str:
    """Return what to do when Redis, or this client, refuses the connection or a command; "" for any other error."""
    if isinstance(error, AskError):  # MovedError is one; their text is only the address of the key
        return f"It is a node of a Cluster: set {PREFIX}REDIS__CLUSTER=true"
    return next((advice for pattern, advice in _REMEDIES.items() if re.search(pattern, str(error))), "")


def connect(settings: RedisSettings) -> Client:
    """Return a client that repeats a command once if the connection was closed. All commands of the store are idempotent."""
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
