"""A TCP proxy between a client and a server that tests can cut, silence, slow and redirect, as networks fail."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

CHUNK_BYTES = 65_536
CALL_SECONDS = 10.0
#: SO_LINGER value with which close() sends a reset.
RESET = struct.pack("ii", 1, 0)

Address = tuple[str, int]
#: Returns the destination that a newly accepted client asks for. Raises OSError or EOFError.
Handshake = Callable[[socket.socket], Awaitable[Address]]
#: Gets what one client sends, chunk by chunk; returns whether its connection is silent from this chunk on.
Watch = Callable[[bytes], bool]


def watch_nothing() -> Watch:
    """Return a watch that lets everything pass."""
    return lambda _: False


class TcpProxy:
    """Passes bytes on in both directions until told otherwise. Listens on 127.0.0.1:`port`, in its own thread.

    Nothing is lost but by a cut: what does not pass is kept and passes later, as in a network that retransmits.
    Methods may be called from any other thread, and have taken effect when they return.
    """

    def __init__(self, upstream: Address | Handshake, make_watch: Callable[[], Watch] = watch_nothing) -> None:
        self._upstream = upstream
        self._make_watch = make_watch
        self._delay_seconds = 0.0
        self._refuses = False
        self._requests_pass, self._answers_pass, self._stop = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._requests_pass.set()
        self._answers_pass.set()
        self._links: dict[asyncio.Task[None], asyncio.Event] = {}  # connections; the event is set while one is not silenced
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name=f"proxy-{self.port}", daemon=True)
        self.thread.start()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._links)

    def cut(self) -> None:
        """Reset all connections; accept new ones."""
        self._call(self._cut())

    def silence(self, *, requests: bool = True, answers: bool = True) -> None:
        """Pass no bytes in one direction or both; keep connections open and accept new ones (half-open)."""

        async def close_gates() -> None:
            for gate, closes in ((self._requests_pass, requests), (self._answers_pass, answers)):
                if closes:
                    gate.clear()

        self._call(close_gates())

    def restore(self) -> None:
        """End `silence`, `slow`, `refuse` and a watch's silence; pass on all withheld bytes."""

        async def open_gates() -> None:
            for gate in (self._requests_pass, self._answers_pass, *self._links.values()):
                gate.set()

        self._delay_seconds, self._refuses = 0.0, False
        self._call(open_gates())

    def slow(self, seconds: float) -> None:
        """Delay every chunk of a response; 0 ends this."""
        self._delay_seconds = seconds

    def refuse(self) -> None:
        """Reset new connections at once."""
        self._refuses = True

    def redirect(self, upstream: Address) -> None:
        """Reset all connections; connect new ones to another server."""
        self._upstream = upstream
        self.cut()

    def close(self) -> None:
        """Reset all connections and end the thread. Idempotent."""
        if self.thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self.thread.join(CALL_SECONDS)
        self._listener.close()

    def _call(self, change: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(change, self._loop).result(CALL_SECONDS)

    # -- in the proxy's thread

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        accepting = asyncio.create_task(self._accept())
        await self._stop.wait()
        accepting.cancel()
        await self._cut()

    async def _accept(self) -> None:
        while True:
            client, _ = await self._loop.sock_accept(self._listener)
            if self._refuses:
                _reset(client)
                continue
            passes = asyncio.Event()
            passes.set()
            link = asyncio.create_task(self._carry(client, passes))
            self._links[link] = passes
            link.add_done_callback(self._links.pop)

    async def _cut(self) -> None:
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def _carry(self, client: socket.socket, passes: asyncio.Event) -> None:
        """Serve a connection until it ends. If it does not end in order, reset it on both sides."""
        ends = [client]
        try:
            address = await self._upstream(client) if callable(self._upstream) else self._upstream
            await self._requests_pass.wait()
            server = socket.socket()
            server.setblocking(False)
            ends.append(server)
            await self._loop.sock_connect(server, address)
            await self._exchange(client, server, passes)
        except (OSError, EOFError, asyncio.CancelledError):
            for end in ends:
                _reset(end)
        finally:
            for end in ends:
                end.close()

    async def _exchange(self, client: socket.socket, server: socket.socket, passes: asyncio.Event) -> None:
        directions = [
            asyncio.create_task(self._pass_requests(client, server, passes)),
            asyncio.create_task(self._pass_answers(server, client, passes)),
        ]
        try:
            await asyncio.gather(*directions)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)

    async def _pass_requests(self, client: socket.socket, server: socket.socket, passes: asyncio.Event) -> None:
        is_silent_from = self._make_watch()
        data = b"-"
        while data:
            data = await self._loop.sock_recv(client, CHUNK_BYTES)
            if is_silent_from(data):
                passes.clear()
            await self._requests_pass.wait()
            await passes.wait()
            await self._hand_over(data, server)

    async def _pass_answers(self, server: socket.socket, client: socket.socket, passes: asyncio.Event) -> None:
        data = b"-"
        while data:
            data = await self._loop.sock_recv(server, CHUNK_BYTES)
            await asyncio.sleep(self._delay_seconds)
            await self._answers_pass.wait()
            await passes.wait()
            await self._hand_over(data, client)

    async def _hand_over(self, data: bytes, target: socket.socket) -> None:
        """Pass on data, or the end of the stream."""
        if data:
            await self._loop.sock_sendall(target, data)
        else:
            target.shutdown(socket.SHUT_WR)


def _reset(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()
