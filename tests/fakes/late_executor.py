"""An executor whose tasks run when somebody waits for them, or when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class LateFuture(Future[_Result]):
    """A future whose task runs when somebody waits for it."""

    def __init__(self, task: Callable[[], _Result]) -> None:
        super().__init__()
        self._task = task

    def result(self, timeout: float | None = None) -> _Result:
        """Run the task, unless that was done; return its result."""
        if not self.done():
            self.set_result(self._task())
        return super().result(timeout)


class LateExecutor:
    """An executor: what was handed to the store and has not arrived: it does when it is waited for, or when a test says so.

    What a process has sent arrives though the process is dead.
    """

    def __init__(self) -> None:
        self._sent: list[LateFuture[Any]] = []

    def submit(self, task: Callable[[], _Result], /) -> Future[_Result]:
        """See pipeline.executor.Executor."""
        future = LateFuture(task)
        self._sent.append(future)
        return future

    def arrive(self) -> None:
        """Let everything arrive that was sent."""
        for future in self._sent:
            future.result()
        self._sent.clear()
