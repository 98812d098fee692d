"""What RedisStore does beyond the contract of stores: keys, time to live, outages, TLS, a Cluster."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from pydantic import SecretStr

from stream_detector.adapters.redis.store import RedisStore
from stream_detector.errors import SettingsError, StoreUnavailableError
from stream_detector.ports import PartitionMeta, SensorUpdate, StoreVerdict
from stream_detector.settings.input_settings import InputSettings
from stream_detector.settings.schema import RedisSettings
from tests.fakes.clock import Clock
from tests.pipeline.updates import together, whole
from tests.servers.tls_proxy import TlsProxy, make_certificate
from tests.servers.valkey import Valkey

EPOCH = b"epoch--1"
DAY = 86_400.0


def settings_for(
    url: str, *, timeout_seconds: float = 5.0, cluster: bool = False, ca_file: Path | None = None
) -> RedisSettings:
    return RedisSettings(
        url=SecretStr(url), timeout_seconds=timeout_seconds, cluster=cluster, ca_file=ca_file, ttl_seconds=8 * DAY
    )


def meta_at(next_position: int) -> PartitionMeta:
    return PartitionMeta(next_position, EPOCH, layout="layout-1", topic_id="topic-1")


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with closing(redis.Redis.from_url(redis_url, socket_timeout=5)) as opened:
        yield opened


@pytest.fixture
def own_store(own_valkey: Valkey) -> Iterator[RedisStore]:
    with closing(RedisStore(settings_for(own_valkey.url, timeout_seconds=0.5), "group", "readings")) as store:
        store.begin(0, meta_at(0))
        yield store


def test_words_on_the_learning_are_read_until_they_expire_and_in_the_group_and_topic_that_left_them(
    redis_url: str, unique_name: str
) -> None:
    with (
        closing(RedisStore(settings_for(redis_url), unique_name, "readings")) as store,
        closing(RedisStore(settings_for(redis_url), unique_name, "others")) as other,
    ):
        before = store.learning()
        store.leave_learning(b"first", 60.0)
        store.leave_learning(b"second", 60.0)
        found, foreign = store.learning(), other.learning()
        store.leave_learning(b"", 0.001)

        assert (before, found, foreign) == (b"", b"second", b"")
        assert store.learning() == b""


def test_a_scan_finds_sensors_with_names_as_long_as_they_may_be_by_default(redis_url: str, unique_name: str) -> None:
    name = "s" * InputSettings().max_sensor_id_bytes
    with closing(RedisStore(settings_for(redis_url), unique_name, "readings")) as store:
        store.begin(0, meta_at(0))
        store.persist(0, EPOCH, 0, 1, together(whole(name, b"record")))

        assert store.scan(0, EPOCH, "", 1000).records == {name: b"record"}


def test_keys_are_as_documented_and_share_the_hash_tag(redis_url: str, client: redis.Redis, unique_name: str) -> None:
    long_name = "s" * 257
    with closing(RedisStore(settings_for(redis_url), f"{unique_name} {{a}}/b:c%", "readings")) as store:
        store.begin(12, meta_at(0))
        store.persist(12, EPOCH, 0, 1, together(whole("pump 7", b"record"), whole(long_name, b"long")))

    tag = f"sd:{{{unique_name}%20%7Ba%7D%2Fb%3Ac%25/readings:12}}".encode()
    keys = set(client.scan_iter(match=f"*{unique_name}*"))

    assert {tag + b":meta", tag + b":w:pump 7"} < keys
    (hashed,) = keys - {tag + b":meta", tag + b":w:pump 7"}
    assert hashed.startswith(tag + b":h:")
    assert client.get(tag + b":w:pump 7") == EPOCH + b"record"
    assert client.hgetall(tag + b":meta") == {
        b"next": b"1",
        b"epoch": EPOCH,
        b"layout": b"layout-1",
        b"topic_id": b"topic-1",
        b"note": b"",
    }


def test_group_and_topic_cannot_be_mistaken_for_each_other(redis_url: str, unique_name: str) -> None:
    one = RedisStore(settings_for(redis_url), f"{unique_name}/x", "y")
    other = RedisStore(settings_for(redis_url), unique_name, "x/y")
    with closing(one), closing(other):
        one.begin(0, meta_at(0))

        assert other.meta(0) is None


def test_sensors_expire_in_time_and_are_renewed_once_a_quarter(redis_url: str, client: redis.Redis, unique_name: str) -> None:
    clock = Clock(1e9)
    with closing(RedisStore(settings_for(redis_url), unique_name, "readings", clock)) as store:
        key = f"sd:{{{unique_name}/readings:0}}:w:a"
        store.begin(0, meta_at(0))

        store.persist(0, EPOCH, 0, 1, together(whole("a", b"h1")))
        assert 9.9 * DAY < client.ttl(key) <= 10 * DAY
        store.persist(0, EPOCH, 1, 2, together(SensorUpdate("a", b"h2", b"h1", ((0, 2),))))

        client.expire(key, 100)
        store.persist(0, EPOCH, 2, 3, together(SensorUpdate("a", b"h3", b"h2", ((0, 2),))))
        assert client.ttl(key) <= 100

        clock.seconds += 2 * DAY
        store.persist(0, EPOCH, 3, 4, together(SensorUpdate("a", b"h4", b"h3", ((0, 2),))))
        assert client.ttl(key) > 9.9 * DAY


def test_a_sensor_that_is_written_whole_has_a_new_time_to_live(redis_url: str, client: redis.Redis, unique_name: str) -> None:
    with closing(RedisStore(settings_for(redis_url), unique_name, "readings")) as store:
        key = f"sd:{{{unique_name}/readings:0}}:w:a"
        store.begin(0, meta_at(0))
        store.persist(0, EPOCH, 0, 1, together(whole("a", b"h1")))
        client.expire(key, 100)

        store.persist(0, EPOCH, 1, 2, together(whole("a", b"h2")))

        assert client.ttl(key) > 9.9 * DAY
        assert client.ttl(f"sd:{{{unique_name}/readings:0}}:meta") == -1


def test_a_refused_persist_does_not_count_as_a_renewal(redis_url: str, client: redis.Redis, unique_name: str) -> None:
    clock = Clock(1e9)
    with closing(RedisStore(settings_for(redis_url), unique_name, "readings", clock)) as store:
        store.begin(0, meta_at(0))
        store.persist(0, EPOCH, 0, 1, together(whole("a", b"h1")))
        clock.seconds += 2 * DAY
        update = SensorUpdate("a", b"h2", b"h1", ((0, 2),))
        assert store.persist(0, b"epoch--2", 1, 2, together(update)) == StoreVerdict.AHEAD

        client.expire(f"sd:{{{unique_name}/readings:0}}:w:a", 100)
        store.persist(0, EPOCH, 1, 2, together(update))

        assert client.ttl(f"sd:{{{unique_name}/readings:0}}:w:a") > 9.9 * DAY


def test_a_server_that_forgot_the_script_is_given_it_again(own_valkey: Valkey, own_store: RedisStore) -> None:
    own_store.persist(0, EPOCH, 0, 1, together(whole("a", b"h1")))
    with closing(own_valkey.client()) as client:
        client.script_flush()

    assert own_store.persist(0, EPOCH, 1, 2, together(whole("a", b"h2"))) == StoreVerdict.APPLIED


def test_a_persist_that_arrived_after_its_time_out_was_applied_once(own_valkey: Valkey, own_store: RedisStore) -> None:
    own_store.persist(0, EPOCH, 0, 1, together(whole("a", b"h1aa")))
    update = SensorUpdate("a", b"h2bb", b"h1", ((0, 3),))

    own_valkey.pause()
    with pytest.raises(StoreUnavailableError):
        own_store.persist(0, EPOCH, 1, 2, together(update))
    own_valkey.resume()

    assert own_store.persist(0, EPOCH, 1, 2, together(update)) == StoreVerdict.ALREADY_APPLIED
    assert own_store.load(0, EPOCH, ["a"]) == [b"h2ba"]


def test_the_store_comes_back_by_itself_when_the_server_does(own_valkey: Valkey, own_store: RedisStore) -> None:
    own_store.persist(0, EPOCH, 0, 1, together(whole("a", b"h1")))

    own_valkey.kill()
    said = rf"^Redis at 127.0.0.1:{own_valkey.port} \(STREAM_DETECTOR_REDIS__URL\): .*[^.]$"  # a sentence follows it in the log
    with pytest.raises(StoreUnavailableError, match=said):
        own_store.ping()
    own_valkey.start()

    assert own_store.load(0, EPOCH, ["a"]) == [b"h1"]
    assert own_store.persist(0, EPOCH, 1, 2, together(whole("a", b"h2"))) == StoreVerdict.APPLIED


def test_a_full_server_is_unavailable_and_nothing_is_half_written(own_valkey: Valkey, own_store: RedisStore) -> None:
    own_store.persist(0, EPOCH, 0, 1, together(whole("a", b"h1")))
    updates = together(SensorUpdate("a", b"h2", b"h1", ((0, 2),)), whole("b", b"h2"))

    with closing(own_valkey.client()) as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(StoreUnavailableError, match="maxmemory"):
            own_store.persist(0, EPOCH, 1, 2, updates)
        with pytest.raises(StoreUnavailableError):
            own_store.ping()
        client.config_set("maxmemory", "0")

    assert own_store.meta(0) == meta_at(1)
    assert own_store.load(0, EPOCH, ["a", "b"]) == [b"h1", None]
    assert own_store.persist(0, EPOCH, 1, 2, updates) == StoreVerdict.APPLIED


def test_a_replica_is_unavailable_for_writing(own_valkey: Valkey, own_store: RedisStore) -> None:
    with closing(own_valkey.client()) as client:
        client.replicaof("127.0.0.1", "1")

    with pytest.raises(StoreUnavailableError):
        own_store.ping()
    with pytest.raises(StoreUnavailableError):
        own_store.persist(0, EPOCH, 0, 1, together(whole("a", b"h1")))


def test_a_refused_password_is_not_shown(own_valkey: Valkey) -> None:
    with closing(own_valkey.client()) as client:
        client.config_set("requirepass", "right-secret")
    address = f"127.0.0.1:{own_valkey.port}"

    with (
        closing(RedisStore(settings_for(f"redis://:wrong-secret@{address}/0"), "group", "readings")) as store,
        pytest.raises(StoreUnavailableError, match=address) as caught,
    ):
        store.ping()
    with closing(RedisStore(settings_for(f"redis://default:right-secret@{address}/0"), "group", "readings")) as store:
        store.ping()

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["localhost:6379", "http://localhost", "redis://:pass/word-secret@localhost:6379/0", "redis://localhost:port-secret"],
)
def test_an_unusable_url_names_the_setting_and_hides_its_value(url: str) -> None:
    with pytest.raises(SettingsError, match="STREAM_DETECTOR_REDIS__URL") as caught:
        RedisStore(settings_for(url), "group", "readings")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["redis://localhost", "rediss://localhost"])
def test_a_ca_file_that_cannot_be_used_is_an_error_at_the_start(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="STREAM_DETECTOR_REDIS__CA_FILE"):
        RedisStore(settings_for(url, ca_file=tmp_path / "missing.pem"), "group", "readings")


def test_a_server_that_evicts_is_warned_of(own_valkey: Valkey, own_store: RedisStore) -> None:
    assert own_store.eviction_warning() is None

    with closing(own_valkey.client()) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        assert own_store.eviction_warning() is None
        client.config_set("maxmemory", "100mb")

    warning = own_store.eviction_warning()
    assert warning is not None
    assert "allkeys-lru" in warning
    assert "noeviction" in warning


def test_the_warning_of_eviction_is_logged_once(own_valkey: Valkey, caplog: pytest.LogCaptureFixture) -> None:
    with closing(own_valkey.client()) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory", "100mb")

    with closing(RedisStore(settings_for(own_valkey.url), "group", "readings")) as store:
        store.meta(0)
        store.meta(1)

    assert [record.message.count("noeviction") for record in caplog.records] == [1]


def test_a_user_who_may_not_ask_for_the_memory_gets_on_without_a_warning(
    own_valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(own_valkey.client()) as client:
        client.acl_setuser("detector", enabled=True, passwords="+word", keys=["sd:*"], categories=["+@all"], commands=["-info"])
    url = f"redis://detector:word@127.0.0.1:{own_valkey.port}/0"

    with closing(RedisStore(settings_for(url), "group", "readings")) as store:
        assert store.meta(0) is None
        store.begin(0, meta_at(0))
        assert store.persist(0, EPOCH, 0, 1, together(whole("a", b"h1"))) == StoreVerdict.APPLIED

    assert caplog.records == []


def test_a_cluster_holds_a_partition_on_one_node_and_partitions_on_several(redis_cluster_url: str, unique_name: str) -> None:
    partitions = range(12)
    with closing(RedisStore(settings_for(redis_cluster_url, cluster=True), unique_name, "readings")) as store:
        for partition in partitions:
            store.begin(partition, meta_at(0))
            updates = [whole("a", b"h1"), whole("b}{", b"h1")]
            assert store.persist(partition, EPOCH, 0, 1, together(*updates)) == StoreVerdict.APPLIED
        assert store.eviction_warning() is None

    keys_of_node = [keys_on(port, unique_name) for port in ports_of(redis_cluster_url)]
    tags_of_node = [{key.split(b"}:")[0] for key in keys} for keys in keys_of_node]

    assert sum(len(keys) for keys in keys_of_node) == 3 * len(partitions)
    assert sum(len(tags) for tags in tags_of_node) == len(partitions)
    assert sum(bool(tags) for tags in tags_of_node) > 1


def test_a_connection_over_tls_is_checked_against_the_ca_file(redis_url: str, tmp_path: Path, unique_name: str) -> None:
    if not shutil.which("openssl") and not os.environ.get("CI"):
        pytest.skip("openssl is needed to make a certificate")
    certificate, stranger = make_certificate(tmp_path, "server"), make_certificate(tmp_path, "stranger")
    upstream = urlsplit(redis_url)
    with TlsProxy((upstream.hostname or "", upstream.port or 6379), certificate) as proxy:
        url = f"rediss://localhost:{proxy.port}/0"

        with closing(RedisStore(settings_for(url, ca_file=certificate.path), unique_name, "readings")) as store:
            store.begin(0, meta_at(3))
            assert store.meta(0) == meta_at(3)
        with (
            closing(RedisStore(settings_for(url, ca_file=stranger.path), unique_name, "readings")) as store,
            pytest.raises(StoreUnavailableError, match="certificate"),
        ):
            store.ping()


def ports_of(cluster_url: str) -> list[int]:
    with closing(redis.RedisCluster.from_url(cluster_url)) as cluster:
        return [node.port for node in cluster.get_primaries()]  # type: ignore[no-untyped-call]  # redis-py leaves it untyped


def keys_on(port: int, name: str) -> list[bytes]:
    with closing(redis.Redis(port=port)) as client:
        return list(client.scan_iter(match=f"*{name}*"))
