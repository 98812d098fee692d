"""Share a server or a value among the worker processes of one test run: whichever worker asks first starts or computes it.

Locks are those of open files, so a worker that dies releases its own.
"""

from __future__ import annotations

import fcntl
import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar

import pytest

T = TypeVar("T")


def shared_directory(factory: pytest.TempPathFactory) -> Path:
    """Return a directory that all workers of this run see."""
    own = factory.getbasetemp()
    is_worker = own.name.startswith("popen-")  # pytest-xdist gives each worker a directory in that of the run
    directory = (own.parent if is_worker else own) / "shared"
    directory.mkdir(exist_ok=True)
    return directory


def computed_once(directory: Path, name: str, compute: Callable[[], T]) -> T:
    """Return a value that one worker of the run computes; the others wait for it. The value must be picklable."""
    with _locked(directory / f"{name}.lock"):
        path = directory / f"{name}.pickle"
        if not path.exists():
            path.write_bytes(pickle.dumps(compute()))
        value: T = pickle.loads(path.read_bytes())
    return value


class SharedServers:
    """The shared servers that this worker uses, each described to all workers by a picklable value."""

    def __init__(self) -> None:
        self._in_use = ExitStack()

    def use(self, directory: Path, name: str, run: Callable[[Path], AbstractContextManager[T]]) -> T:
        """Return what `run` yields, here or in the worker that asked first; the server runs until every worker released it."""
        return self._in_use.enter_context(_shared(directory / name, run))

    def release(self) -> None:
        """Release all servers. Waits for the other workers before it stops a server that this worker started."""
        self._in_use.close()


@contextmanager
def _shared(directory: Path, run: Callable[[Path], AbstractContextManager[T]]) -> Iterator[T]:
    """Hold `users` shared while using the server. Only the holder of `start` may start it, stop it or become a user."""
    directory.mkdir(exist_ok=True)
    description = directory / "server.pickle"
    with (directory / "users").open("ab") as users, ExitStack() as started:
        with _locked(directory / "start"):
            fcntl.flock(users, fcntl.LOCK_SH)
            is_ours = not description.exists()
            if is_ours:
                description.write_bytes(pickle.dumps(started.enter_context(run(directory / "server"))))
            server: T = pickle.loads(description.read_bytes())
        yield server
        if is_ours:
            with _without_other_users(directory / "start", users):
                description.unlink()
                started.close()


@contextmanager
def _without_other_users(start: Path, users: IO[bytes]) -> Iterator[None]:
    """Wait until this is the only user, and let nobody become one meanwhile."""
    while True:
        with _locked(start), suppress(BlockingIOError):
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
            return
        time.sleep(0.2)


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
