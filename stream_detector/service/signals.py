"""Handles signals that stop or reload a process. A handler only sets a flag; the previous handlers are restored at the end.

Python runs handlers in the main thread and allows only that thread to install them.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

Handlers = Mapping[signal.Signals, Callable[[int, FrameType | None], Any] | int | None]


def _install(handlers: Handlers) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _previous(numbers: Iterable[signal.Signals]) -> Handlers:
    return {number: signal.getsignal(number) for number in numbers}


@contextmanager
def _handling(handlers: Handlers) -> Iterator[None]:
    """Install handlers until the end of the block."""
    before = _previous(handlers)
    _install(handlers)
    try:
        yield
    finally:
        _install(before)


class StopFlag:
    """Set by SIGTERM and SIGINT. A second signal raises KeyboardInterrupt instead of waiting for the orderly stop."""

    def __init__(self) -> None:
        self.is_set = False

    def handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of a handler
        """Ask for an orderly stop."""
        if self.is_set:
            raise KeyboardInterrupt
        self.is_set = True

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle both signals until the end of the block."""
        with _handling({signal.SIGTERM: self.handle, signal.SIGINT: self.handle}):
            yield


class ReloadFlag:
    """Set by SIGHUP; the loop takes it between two batches."""

    def __init__(self) -> None:
        self.is_set = False

    def handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of a handler
        """Ask for a reload."""
        self.is_set = True

    def take(self) -> bool:
        """Return whether a reload was requested since the last call."""
        was_set, self.is_set = self.is_set, False
        return was_set

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signal until the end of the block."""
        with _handling({signal.SIGHUP: self.handle}):
            yield


@contextmanager
def stop_requested() -> Iterator[threading.Event]:
    """Yield an event that the first SIGINT or SIGTERM sets; a second signal gets the previous handler."""
    stop = threading.Event()
    before = _previous((signal.SIGINT, signal.SIGTERM))

    def request(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            _install(before)
            signal.raise_signal(number)
        stop.set()

    with _handling(dict.fromkeys(before, request)):
        yield stop


@contextmanager
def exiting_on_sigterm() -> Iterator[None]:
    """Raise SystemExit on SIGTERM until the end of the block, so that it unwinds the stack as Ctrl-C does."""

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    with _handling({signal.SIGTERM: leave}):
        yield
