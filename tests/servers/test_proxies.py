"""The proxies fail as networks do, and leave nothing behind."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaTimeoutError

from tests.integration.topics import until
from tests.servers.socks_proxy import RequestKeys, SocksProxy
from tests.servers.tcp_proxy import TcpProxy

PATIENCE_SECONDS = 10.0
A_MOMENT_SECONDS = 0.2


class Echo:
    """A server that answers with what it was sent, after its name."""

    def __init__(self, name: bytes = b"") -> None:
        self._name = name
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._answer, args=(self._listener.accept()[0],), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            while data := client.recv(65_536):
                client.sendall(self._name + data)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    with contextlib.closing(Echo()) as server:
        yield server


@pytest.fixture
def proxy(echo: Echo) -> Iterator[TcpProxy]:
    made = TcpProxy(echo.address)
    yield made
    made.close()
    assert not made.thread.is_alive()


def connect(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE_SECONDS)


def ask(client: socket.socket, data: bytes = b"hello") -> bytes:
    client.sendall(data)
    return client.recv(len(data) + 10)


def hears_nothing(client: socket.socket) -> bool:
    client.settimeout(A_MOMENT_SECONDS)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(PATIENCE_SECONDS)
    return False


def test_much_passes_unchanged_and_so_does_the_end(proxy: TcpProxy) -> None:
    sent = bytes(range(256)) * 10_000
    received = b""

    def send(client: socket.socket) -> None:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)

    with connect(proxy) as client:
        threading.Thread(target=send, args=(client,), daemon=True).start()
        while data := client.recv(65_536):
            received += data

    assert received == sent
    until(lambda: proxy.connections == 0, PATIENCE_SECONDS)


def test_a_cut_resets_what_is_open_and_lets_new_connections_pass(proxy: TcpProxy) -> None:
    with connect(proxy) as client:
        ask(client)
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(1)

    with connect(proxy) as client:
        assert ask(client) == b"hello"


def test_in_a_silence_connections_stay_and_are_accepted_and_what_was_kept_passes_after_it(proxy: TcpProxy) -> None:
    with connect(proxy) as old:
        ask(old)
        proxy.silence()
        with connect(proxy) as new:
            for client in (old, new):
                client.sendall(b"kept")
                assert hears_nothing(client)
            proxy.restore()
            assert [client.recv(10) for client in (old, new)] == [b"kept", b"kept"]


def test_a_silence_may_be_of_the_answers_only(proxy: TcpProxy) -> None:
    with connect(proxy) as client:
        proxy.silence(requests=False)
        client.sendall(b"kept")
        assert hears_nothing(client)
        proxy.restore()
        assert client.recv(10) == b"kept"


def test_a_silent_connection_can_be_cut(proxy: TcpProxy) -> None:
    with connect(proxy) as client:
        ask(client)
        proxy.silence()
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_slow_answers_come_late(proxy: TcpProxy) -> None:
    with connect(proxy) as client:
        ask(client)
        proxy.slow(A_MOMENT_SECONDS)
        began = time.monotonic()
        assert ask(client) == b"hello"
        assert time.monotonic() - began >= A_MOMENT_SECONDS


def test_refused_connections_are_reset_and_the_others_stay(proxy: TcpProxy) -> None:
    with connect(proxy) as old:
        ask(old)
        proxy.refuse()
        with pytest.raises(ConnectionResetError), connect(proxy) as new:
            ask(new)
        assert ask(old) == b"hello"
        proxy.restore()
        with connect(proxy) as new:
            assert ask(new) == b"hello"


def test_a_redirected_client_speaks_to_another_server(proxy: TcpProxy) -> None:
    with contextlib.closing(Echo(b"other ")) as other:
        with connect(proxy) as client:
            ask(client)
            proxy.redirect(other.address)
            with pytest.raises(ConnectionResetError):
                client.recv(1)

        with connect(proxy) as client:
            assert ask(client) == b"other hello"


def test_a_server_that_is_away_resets_its_clients(proxy: TcpProxy, echo: Echo) -> None:
    echo.close()

    with pytest.raises(ConnectionResetError), connect(proxy) as client:
        ask(client)


def test_closing_ends_what_is_open_and_silent(echo: Echo) -> None:
    proxy = TcpProxy(echo.address)
    with connect(proxy) as client:
        ask(client)
        proxy.silence()
        proxy.close()
        proxy.close()

        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert not proxy.thread.is_alive()


@pytest.mark.parametrize("piece_bytes", [1, 3, 5, 6, 7, 1000])
def test_api_keys_are_found_however_the_stream_is_cut(piece_bytes: int) -> None:
    requests = [(3, 12), (12, 0), (0, 700), (26, 5), (11, 1)]
    stream = b"".join(struct.pack(">ih", 2 + rest_bytes, key) + bytes(rest_bytes) for key, rest_bytes in requests)
    keys = RequestKeys()

    found = [key for at in range(0, len(stream), piece_bytes) for key in keys.feed(stream[at : at + piece_bytes])]

    assert found == [key for key, _ in requests]


def test_with_the_coordinators_stalled_data_flow_and_positions_are_not_told(kafka_brokers: str, unique_name: str) -> None:
    proxy = SocksProxy()
    options = {"bootstrap_servers": kafka_brokers, "proxy_url": proxy.url}
    partition = TopicPartition(unique_name, 0)
    with contextlib.ExitStack() as stack:
        stack.callback(proxy.close)
        create(kafka_brokers, unique_name)
        producer = KafkaProducer(**options)
        stack.callback(producer.close, timeout=PATIENCE_SECONDS)
        consumer = KafkaConsumer(group_id=unique_name, enable_auto_commit=False, **options)
        stack.callback(consumer.close, autocommit=False)
        consumer.assign([partition])
        consumer.seek(partition, 0)
        before = consumer.committed(partition, timeout_ms=1000 * PATIENCE_SECONDS)
        proxy.stall_coordinators()

        with pytest.raises(KafkaTimeoutError):
            consumer.committed(partition, timeout_ms=1000 * A_MOMENT_SECONDS)
        producer.send(unique_name, b"data", partition=0).get(timeout=PATIENCE_SECONDS)
        until(lambda: bool(consumer.poll(timeout_ms=100)), PATIENCE_SECONDS)
        proxy.restore()
        after = consumer.committed(partition, timeout_ms=1000 * PATIENCE_SECONDS)

    assert (before, after) == (None, None)


def create(brokers: str, topic: str) -> None:
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=brokers)) as admin:
        admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)], wait_for_metadata=True)
