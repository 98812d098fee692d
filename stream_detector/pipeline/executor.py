"""Runs tasks in parallel with the loop (a thread pool in the service) or inline, where nothing overlaps."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

_Result = TypeVar("_Result")


class Executor(Protocol):
    """The part of concurrent.futures.Executor that the pipeline uses."""

    def submit(self, task: Callable[[], _Result], /) -> Future[_Result]:
        """Start a task; return the future of its result."""


class InlineExecutor:
    """Runs a task before `submit` returns. `submit` raises whatever the task raises."""

    def submit(self, task: Callable[[], _Result], /) -> Future[_Result]:
        """See Executor."""
        future = Future[_Result]()
        future.set_result(task())
        return future


def no_op() -> None:
    """Do nothing."""
