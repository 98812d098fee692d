"""An executor whose tasks run only when a caller waits for them or a test calls `arrive`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class LateFuture(Future[_Result]):
    """A future whose task runs when a caller waits for its result."""

    def __init__(self, task: Callable[[], _Result]) -> None:
        super().__init__()
        self._task = task

    def result(self, timeout: float | None = None) -> _Result:
        """Run the task unless it has run already; return its result."""
        if not self.done():
            self.set_result(self._task())
        return super().result(timeout)


class LateExecutor:
    """An executor that holds writes on their way to the store until a caller waits for one or a test calls `arrive`.

    Writes that a process has sent arrive even if the process is dead.
    """

    def __init__(self) -> None:
        self._sent: list[LateFuture[Any]] = []

    def submit(self, task: Callable[[], _Result], /) -> Future[_Result]:
        """See pipeline.executor.Executor."""
        future = LateFuture(task)
        self._sent.append(future)
        return future

    def arrive(self) -> None:
        """Run all pending tasks: every write that was sent arrives."""
        for future in self._sent:
            future.result()
        self._sent.clear()
