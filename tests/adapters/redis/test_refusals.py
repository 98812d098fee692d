"""RedisStore where the server refuses or is none: a wrong password, certificate, database or port, told with what to mend."""

from __future__ import annotations

import ssl
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stream_detector.adapters.redis.client import remedy
from stream_detector.errors import StoreRefusedError, StoreUnavailableError
from tests.adapters.redis.user_stores import CLUSTER, SINGLE, missing, store_at, use
from tests.servers.certificates import CertificateAuthority
from tests.servers.processes import ServerMissingError
from tests.servers.redis_user import PASSWORD, make_user
from tests.servers.tls_proxy import Certificate, TlsProxy
from tests.servers.valkey import Valkey


@pytest.mark.parametrize("is_cluster", [False, True], ids=["single", "cluster"])
def test_a_wrong_password_is_told_with_the_setting_and_without_the_password(
    valkey: Valkey, cluster: list[Valkey], *, is_cluster: bool
) -> None:
    url = make_user(cluster if is_cluster else [valkey], CLUSTER)

    with (
        closing(store_at(url.replace("8d21e4", "wrong"), cluster=is_cluster)) as store,
        pytest.raises(StoreRefusedError, match=r"STREAM_DETECTOR_REDIS__URL") as caught,
    ):
        store.meta(0)

    assert "secret" not in str(caught.value)


def test_a_server_that_wants_a_password_is_told_apart_from_one_that_is_away(own_valkey: Valkey) -> None:
    with closing(own_valkey.client()) as client:
        client.config_set("requirepass", PASSWORD)

    with closing(store_at(own_valkey.url)) as store, pytest.raises(StoreRefusedError, match="STREAM_DETECTOR_REDIS__URL"):
        store.meta(0)
    own_valkey.kill()
    with closing(store_at(own_valkey.url)) as store, pytest.raises(StoreUnavailableError) as caught:
        store.meta(0)
    assert not isinstance(caught.value, StoreRefusedError)


def test_a_client_certificate_goes_into_the_url(valkey: Valkey, tmp_path: Path) -> None:
    try:
        authority = CertificateAuthority(tmp_path)
    except ServerMissingError as error:
        missing(error)
    server, client = authority.sign("server", host="localhost"), authority.sign("client")
    user = make_user([valkey], SINGLE).removeprefix("redis://").split("@")[0]
    with TlsProxy(("127.0.0.1", valkey.port), Certificate(server.path, server.key_path)) as proxy:
        proxy._context.load_verify_locations(authority.path)
        proxy._context.verify_mode = ssl.CERT_REQUIRED
        url = f"rediss://{user}@localhost:{proxy.port}/0"

        with closing(
            store_at(f"{url}?ssl_certfile={client.path}&ssl_keyfile={client.key_path}", ca_file=authority.path)
        ) as store:
            store.ping()
        with closing(store_at(url, ca_file=authority.path)) as store, pytest.raises(StoreUnavailableError):
            store.ping()


def test_a_certificate_that_is_not_trusted_or_names_another_host_is_a_refusal(valkey: Valkey, tmp_path: Path) -> None:
    try:
        authority = CertificateAuthority(tmp_path)
    except ServerMissingError as error:
        missing(error)
    server, stranger = authority.sign("server", host="localhost"), CertificateAuthority(tmp_path, "stranger")
    with TlsProxy(("127.0.0.1", valkey.port), Certificate(server.path, server.key_path)) as proxy:
        for host, ca_file in (("localhost", stranger.path), ("127.0.0.1", authority.path)):
            with (
                closing(store_at(f"rediss://{host}:{proxy.port}/0", ca_file=ca_file)) as store,
                pytest.raises(StoreRefusedError, match="STREAM_DETECTOR_REDIS__CA_FILE"),
            ):
                store.ping()


@pytest.mark.parametrize("is_cluster", [False, True], ids=["single", "cluster"])
def test_a_database_that_there_is_not_is_a_refusal(valkey: Valkey, cluster: list[Valkey], *, is_cluster: bool) -> None:
    url = (cluster[0] if is_cluster else valkey).url.replace("/0", "/99")

    with (
        closing(store_at(url, cluster=is_cluster)) as store,
        pytest.raises(StoreRefusedError, match=r"Check the number of the database at the end of STREAM_DETECTOR_REDIS__URL"),
    ):
        store.ping()


@pytest.mark.parametrize(
    ("scheme", "said"), [("redis", "The server there is not Redis"), ("rediss", "The server there does not speak TLS")]
)
def test_a_port_at_which_no_redis_answers_is_a_refusal(scheme: str, said: str) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as pages:
        threading.Thread(target=pages.serve_forever, daemon=True).start()

        with (
            closing(store_at(f"{scheme}://127.0.0.1:{pages.server_port}/0")) as store,
            pytest.raises(StoreRefusedError, match=rf"\. {said}.*STREAM_DETECTOR_REDIS__URL"),
        ):
            store.ping()
        pages.shutdown()


def test_a_cluster_that_is_taken_for_a_single_server_is_a_refusal(cluster: list[Valkey]) -> None:
    with (
        closing(store_at(cluster[0].url)) as store,
        pytest.raises(StoreRefusedError, match="set STREAM_DETECTOR_REDIS__CLUSTER=true"),
    ):
        use(store)


@pytest.mark.parametrize(
    "text",
    [
        "NOPERM this user has no permissions to run the 'hmget' command",  # Redis 7
        "The user executing the script can't run this command or subcommand script: 5c7b, on @user_script:21.",
        "WRONGPASS invalid username-password pair or user is disabled.",
        "Authentication required.",
        "AUTH <password> called without any password configured for the default user. Are you sure?",
        "Protocol Error: b'<html>'",  # without hiredis
    ],
)
def test_what_other_versions_of_the_server_say_is_understood_as_well(text: str) -> None:
    assert remedy(RuntimeError(text)) != ""


def test_a_server_that_is_away_or_full_is_no_refusal() -> None:
    for text in (
        "Error 111 connecting to redis:6379. Connection refused.",
        "Error -2 connecting to redis:6379. Name or service not known.",
        "Connection closed by server.",
        "Timeout connecting to server",
        "OOM command not allowed when used memory",
        "Redis is loading the dataset in memory",
        "You can't write against a read only replica.",
    ):
        assert remedy(RuntimeError(text)) == ""
