"""A SOCKS5 proxy for a client's connections, which a test can silence or cut: how networks and brokers fail."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress


class CuttableProxy:
    """Forwards bytes both ways until told otherwise. Listens on 127.0.0.1; `url` is what the client is given.

    `requests_pass` and `answers_pass` can be switched at any time; what does not pass is swallowed, the connections stay.
    """

    def __init__(self) -> None:
        self.requests_pass = True
        self.answers_pass = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socks5://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def silence(self) -> None:
        """Let nothing pass in either direction."""
        self.requests_pass = self.answers_pass = False

    def restore(self) -> None:
        """Let everything pass again. A connection that lost bytes is of no use: all are cut."""
        self.requests_pass = self.answers_pass = True
        self.cut()

    def cut(self) -> None:
        """Close all connections; new ones may be made."""
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close everything and wait for the threads."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            self._start(lambda client=client: self._serve(client))

    def _start(self, work: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self, client: socket.socket) -> None:
        """Do the handshake of RFC 1928 without authentication, for an IPv4 address, then forward."""
        with suppress(OSError, EOFError):
            _, methods = _exactly(client, 2)
            _exactly(client, methods)
            client.sendall(b"\x05\x00")
            _exactly(client, 4)
            address, port = socket.inet_ntoa(_exactly(client, 4)), struct.unpack("!H", _exactly(client, 2))[0]
            broker = socket.create_connection((address, port), timeout=5)
            broker.settimeout(None)
            self._open.append(broker)
            client.sendall(b"\x05\x00\x00\x01" + bytes(6))
            self._start(lambda: self._forward(broker, client, "answers_pass"))
            self._forward(client, broker, "requests_pass")

    def _forward(self, source: socket.socket, target: socket.socket, switch: str) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if getattr(self, switch):
                    target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data
