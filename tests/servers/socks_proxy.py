"""A SOCKS5 proxy through which a test controls all connections of a Kafka client, whatever addresses brokers advertise.

It can tell the requests to the coordinators of groups and transactions from the others. The client under test makes them on
connections of their own, one per broker that coordinates; so these can be silenced while data flow on the others.
"""

from __future__ import annotations

import asyncio
import socket
import struct

from tests.servers.tcp_proxy import Address, TcpProxy, Watch

#: Of Kafka's protocol, by api key: OffsetCommit, OffsetFetch, JoinGroup, Heartbeat, LeaveGroup, SyncGroup, InitProducerId,
#: AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, TxnOffsetCommit.
COORDINATOR_REQUESTS = frozenset({8, 9, 11, 12, 13, 14, 22, 24, 25, 26, 28})
LENGTH_BYTES = 4
GRANTED = b"\x05\x00\x00\x01" + bytes(6)


class SocksProxy:
    """A TcpProxy whose clients choose their destination. `url` is the proxy setting of a client."""

    def __init__(self) -> None:
        self._coordinators_are_stalled = False
        self._proxy = TcpProxy(_shake_hands, self._make_watch)
        self.thread = self._proxy.thread
        self.url = f"socks5://127.0.0.1:{self._proxy.port}"

    def cut(self) -> None:
        """See TcpProxy."""
        self._proxy.cut()

    def silence(self, *, requests: bool = True, answers: bool = True) -> None:
        """See TcpProxy."""
        self._proxy.silence(requests=requests, answers=answers)

    def stall_coordinators(self) -> None:
        """Silence each connection, including new ones, from its next request to a coordinator on, until `restore`."""
        self._coordinators_are_stalled = True

    def restore(self) -> None:
        """See TcpProxy. Also ends `stall_coordinators`."""
        self._coordinators_are_stalled = False
        self._proxy.restore()

    def slow(self, seconds: float) -> None:
        """See TcpProxy."""
        self._proxy.slow(seconds)

    def refuse(self) -> None:
        """See TcpProxy."""
        self._proxy.refuse()

    def close(self) -> None:
        """See TcpProxy."""
        self._proxy.close()

    def _make_watch(self) -> Watch:
        requests = RequestKeys()

        def asks_a_coordinator(data: bytes) -> bool:
            keys = requests.feed(data)  # always, to keep track of where requests begin
            return self._coordinators_are_stalled and not COORDINATOR_REQUESTS.isdisjoint(keys)

        return asks_a_coordinator


class RequestKeys:
    """Finds the api keys in a stream of Kafka requests: each is its length in four bytes, its api key in two, and the rest."""

    def __init__(self) -> None:
        self._head = b""
        self._rest_bytes = 0

    def feed(self, data: bytes) -> list[int]:
        """Return the API keys of the requests whose header ends in this chunk of the stream."""
        keys = []
        while data:
            skipped = min(self._rest_bytes, len(data))
            self._rest_bytes -= skipped
            data = self._head + data[skipped:]
            self._head = b""
            if len(data) < LENGTH_BYTES + 2:
                self._head = data
                break
            length, key = struct.unpack_from(">ih", data)
            keys.append(key)
            self._rest_bytes, data = length - 2, data[LENGTH_BYTES + 2 :]
        return keys


async def _shake_hands(client: socket.socket) -> Address:
    """Perform the handshake of RFC 1928 without authentication, for an IPv4 address."""
    loop = asyncio.get_running_loop()
    _, methods = await _exactly(client, 2)
    await _exactly(client, methods)
    await loop.sock_sendall(client, b"\x05\x00")
    await _exactly(client, 4)
    host = socket.inet_ntoa(await _exactly(client, 4))
    (port,) = struct.unpack("!H", await _exactly(client, 2))
    await loop.sock_sendall(client, GRANTED)
    return host, port


async def _exactly(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = await asyncio.get_running_loop().sock_recv(client, count - len(data))
        if not more:
            raise EOFError
        data += more
    return data
