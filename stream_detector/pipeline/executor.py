"""How a task runs in parallel with the loop: a thread pool in the service, at once where there is nothing to overlap."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

_Result = TypeVar("_Result")


class Executor(Protocol):
    """The part of concurrent.futures.Executor that is used."""

    def submit(self, task: Callable[[], _Result], /) -> Future[_Result]:
        """Start a task; it is complete when its future is."""


class InlineExecutor:
    """Runs a task before `submit` returns; what the task raises, `submit` raises."""

    def submit(self, task: Callable[[], _Result], /) -> Future[_Result]:
        """See Executor."""
        future = Future[_Result]()
        future.set_result(task())
        return future


def no_op() -> None:
    """Do nothing."""
