"""RedisStore as the user that docs/security.md describes: its rights suffice, and each of them is needed."""

from __future__ import annotations

import os
import re
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from stream_detector.adapters.redis.client import remedy
from stream_detector.adapters.redis.examination import examine_store
from stream_detector.adapters.redis.store import RedisStore
from stream_detector.errors import StoreRefusedError, StoreUnavailableError
from stream_detector.ports import PartitionMeta, SensorUpdate, StoreVerdict
from stream_detector.settings.schema import RedisSettings
from tests.pipeline.updates import together, whole
from tests.servers.certificates import CertificateAuthority
from tests.servers.processes import ServerMissingError
from tests.servers.redis_user import PASSWORD, USER, documented_rights, make_user
from tests.servers.tls_proxy import Certificate, TlsProxy
from tests.servers.valkey import Valkey, running_cluster, running_valkey

EPOCH = b"epoch--1"
SINGLE = documented_rights(cluster=False)
CLUSTER = documented_rights(cluster=True)
LIFETIME_SECONDS = 100.0


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A server whose users these tests create."""
    try:
        with running_valkey(tmp_path_factory.mktemp("valkey")) as server:
            yield server
    except ServerMissingError as error:
        missing(error)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Valkey]]:
    try:
        with running_cluster(tmp_path_factory.mktemp("cluster")) as nodes:
            yield nodes
    except ServerMissingError as error:
        missing(error)


def missing(error: ServerMissingError) -> None:
    if os.environ.get("CI"):
        raise error
    pytest.skip(str(error))


def store_at(url: str, *, cluster: bool = False, ca_file: Path | None = None, partition_name: str = "readings") -> RedisStore:
    """Return a store whose clock advances by a lifetime at every call, so that every write renews."""
    seconds = iter(range(10**6))
    settings = RedisSettings(url=SecretStr(url), cluster=cluster, ca_file=ca_file, ttl_seconds=LIFETIME_SECONDS)
    return RedisStore(settings, "group", partition_name, lambda: LIFETIME_SECONDS * next(seconds))


def use(store: RedisStore) -> None:
    """Do all that a detector does with partitions, except the check of rights beforehand."""
    store._is_proven = True
    for partition in range(4):  # on several nodes of a Cluster
        store.begin(partition, PartitionMeta(0, EPOCH, "layout", "topic"))
        assert store.meta(partition) == PartitionMeta(0, EPOCH, "layout", "topic")
        assert store.persist(partition, EPOCH, 0, 1, together(whole("pump", b"h1aa"))) == StoreVerdict.APPLIED
        update = SensorUpdate("pump", b"h2bb", b"h1", ((0, 3),))
        assert store.persist(partition, EPOCH, 1, 2, together(update)) == StoreVerdict.APPLIED
        assert store.load(partition, EPOCH, ["pump"]) == [b"h2ba"]
        assert store.kept(partition) == {}
    store.scan(0, EPOCH, "", 10)
    store.leave_learning(b"collecting", 60.0)
    assert store.learning() == b"collecting"


def forget_all(nodes: Sequence[Valkey]) -> None:
    """Delete all keys and scripts of earlier tests."""
    for node in nodes:
        with closing(node.client()) as client:
            client.flushall()
            client.script_flush()


def commands(rights: Sequence[str]) -> list[str]:
    return [right for right in rights if right.startswith("+")]


def without(rights: Sequence[str], taken: str) -> list[str]:
    return [right for right in rights if right != taken]


def test_the_listed_rights_are_all_that_is_needed(valkey: Valkey) -> None:
    forget_all([valkey])
    with closing(store_at(make_user([valkey], SINGLE))) as store:
        store.ping()
        use(store)


@pytest.mark.parametrize("right", commands(SINGLE))
def test_each_of_them_is_needed_and_its_lack_is_named_before_anything_is_written(valkey: Valkey, right: str) -> None:
    forget_all([valkey])
    url = make_user([valkey], without(SINGLE, right))

    with closing(store_at(url)) as store, pytest.raises(StoreRefusedError, match=rf"'{right[1:]}' command\. Grant"):
        store.meta(0)
    with closing(store_at(url)) as store, pytest.raises(StoreRefusedError, match="Grant"):
        use(store)


def rights_lacking(url: str, nodes: Sequence[Valkey], *, topic: str = "readings", cluster: bool = False) -> list[str]:
    """Return the rights that `check` says a user lacks; it has written nothing by that."""
    forget_all(nodes)
    facts = examine_store(RedisSettings(url=SecretStr(url), cluster=cluster), "group", topic)
    for node in nodes:
        with closing(node.client()) as client:
            assert client.dbsize() == 0
    assert facts.user == USER
    return sorted({one.right for one in facts.refusals})


def test_check_says_which_right_is_lacking_and_writes_nothing(valkey: Valkey) -> None:
    assert rights_lacking(make_user([valkey], SINGLE), [valkey]) == []
    for right in commands(SINGLE):
        assert rights_lacking(make_user([valkey], without(SINGLE, right)), [valkey]) == [right]
    few = without(without(SINGLE, "+hgetall"), "+scan")
    assert rights_lacking(make_user([valkey], few), [valkey]) == ["+hgetall", "+scan"]
    others = [*without(SINGLE, "~sd:*"), "~sd:{group/others*"]
    assert rights_lacking(make_user([valkey], others), [valkey]) == ["~sd:*"]
    assert rights_lacking(make_user([valkey], others), [valkey], topic="others") == []


def test_a_user_whose_name_is_like_what_the_server_says_of_keys_lacks_what_it_lacks(valkey: Valkey) -> None:
    """The server says: User data-access has no permissions to run the 'scan' command."""
    with closing(valkey.client()) as client:
        client.execute_command("ACL", "SETUSER", "data-access", "on", ">secret", *without(SINGLE, "+scan"))  # type: ignore[no-untyped-call]  # redis-py
    url = f"redis://data-access:secret@127.0.0.1:{valkey.port}/0"

    facts = examine_store(RedisSettings(url=SecretStr(url)), "group", "readings")

    assert [one.right for one in facts.refusals] == ["+scan"]


def test_check_says_which_right_is_lacking_on_a_cluster(cluster: list[Valkey]) -> None:
    assert rights_lacking(make_user(cluster, CLUSTER), cluster, cluster=True) == []
    for right in ("+scan", "+hgetall"):
        assert rights_lacking(make_user(cluster, without(CLUSTER, right)), cluster, cluster=True) == [right]


def test_keys_of_others_need_not_be_granted_and_ones_own_must_be(valkey: Valkey) -> None:
    forget_all([valkey])
    only_one_topic = [*without(SINGLE, "~sd:*"), "~sd:{group/readings*"]

    with closing(store_at(make_user([valkey], only_one_topic))) as store:
        store.ping()
        use(store)
    with (
        closing(store_at(make_user([valkey], only_one_topic), partition_name="others")) as store,
        pytest.raises(StoreRefusedError, match=r"permissions to access .*key.*\. Grant .*docs/security\.md"),
    ):
        store.meta(0)


def test_asking_for_the_memory_is_optional(valkey: Valkey) -> None:
    with closing(store_at(make_user([valkey], [*SINGLE, "+info"]))) as store:
        assert store.eviction_warning() is None
    with closing(store_at(make_user([valkey], SINGLE))) as store, pytest.raises(StoreRefusedError, match="'info' command"):
        store.eviction_warning()


def test_the_listed_rights_are_all_that_is_needed_on_a_cluster(cluster: list[Valkey]) -> None:
    forget_all(cluster)
    with closing(store_at(make_user(cluster, CLUSTER), cluster=True)) as store:
        store.ping()
        use(store)


@pytest.mark.parametrize(
    ("right", "said"), [("+cluster|slots", "grant the Redis user CLUSTER SLOTS"), ("+command", "'command'")]
)
def test_each_of_those_for_a_cluster_is_needed_and_its_lack_is_named(cluster: list[Valkey], right: str, said: str) -> None:
    assert right in CLUSTER
    with (
        closing(store_at(make_user(cluster, without(CLUSTER, right)), cluster=True)) as store,
        pytest.raises(StoreRefusedError, match=re.escape(said)),
    ):
        store.meta(0)


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


def test_rights_that_are_granted_later_are_seen(valkey: Valkey) -> None:
    with closing(store_at(make_user([valkey], without(SINGLE, "+mget")))) as store:
        with pytest.raises(StoreRefusedError):
            store.ping()
        make_user([valkey], SINGLE)
        store.ping()


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
