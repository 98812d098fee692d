"""A server as a child process, with its log in a file: start it, wait until it is ready, and stop it reliably.

Every wait is bounded. A start that fails raises ServerStartError with the end of the log.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

LOG_TAIL_LINES = 40


class ServerStartError(Exception):
    """A server did not start; the text has the end of its log."""


class ServerMissingError(Exception):
    """This machine has no such server; the text says how to get one."""


def free_port() -> int:
    """Return a free port of the loopback address."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Return different free ports; asked for one at a time, the kernel may return the same port twice."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def tail(log: Path) -> str:
    """Return the end of a log; empty without a log."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])


class ServerProcess:
    """One child process. Every `start` runs `command`, so a killed server restarts with its port and data."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = [*_die_with_parent(), *command]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self, is_ready: Callable[[], bool], timeout_seconds: float) -> None:
        """Start, and wait until it is ready. Raises ServerStartError."""
        self.launch()
        self.await_ready(is_ready, timeout_seconds)

    def launch(self) -> None:
        """Start. Call it from a long-lived thread: on Linux the child ends with the thread that started it."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

    def await_ready(self, is_ready: Callable[[], bool], timeout_seconds: float) -> None:
        """Wait until it is ready. Raises ServerStartError."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline and self.running:
            if is_ready():
                return
            time.sleep(0.05)
        happened = f"is not ready after {timeout_seconds:g} s" if self.running else "ended at once"
        self.kill()
        msg = f"{self.name} {happened}; the end of {self.log}:\n{tail(self.log)}"
        raise ServerStartError(msg)

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """Terminate it, and kill it after the timeout. Idempotent."""
        if self._process is None:
            return
        self.resume()
        self._process.terminate()
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill it, as a power failure would. Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def pause(self) -> None:
        """Stop answering but keep connections open, as a machine under memory pressure would."""
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue after `pause`."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)


def _die_with_parent() -> list[str]:
    """Return a command prefix that ends a child when the test run is killed; empty if the system has none."""
    if sys.platform == "linux" and (setpriv := shutil.which("setpriv")):
        return [setpriv, "--pdeathsig", "KILL", "--"]
    return []
