"""Ends a process at once on a signal, for as long as it has nothing to finish.

Python runs handlers in the main thread, between two of its instructions: not while that thread loads a library or compiles a
model, which takes seconds. The first process of a container does not even get the signals that it has no handler for. So a
thread waits for the signals here.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from types import FrameType

Exit = Callable[[int], object]


def end_at_once(exit_codes: Mapping[int, int], leave: Exit = os._exit) -> None:
    """From now on end the process with an exit code at its signal, until another handler for that signal is installed.

    When that handler is removed, and the one before it comes back, this holds again. Call it in the main thread. `leave` ends
    the process; a test may give another.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    for number in exit_codes:
        signal.signal(number, _leave_it_to_the_thread)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_wait, args=(reading, exit_codes, leave), name="early-stop", daemon=True).start()


def _leave_it_to_the_thread(number: int, frame: FrameType | None) -> None:
    """Do nothing: as long as this is the handler, the thread ends the process."""


def _wait(reading: int, exit_codes: Mapping[int, int], leave: Exit) -> None:
    while received := os.read(reading, 1):  # the interpreter writes the number of each signal that has a handler
        number = received[0]
        if number in exit_codes and signal.getsignal(number) is _leave_it_to_the_thread:
            _say("stopping at once: there is nothing to finish")
            leave(exit_codes[number])


def _say(text: str) -> None:
    """Log a line if logging is set up; the module may not even be imported yet."""
    logging = sys.modules.get("logging")
    if logging is not None and hasattr(logging, "getLogger") and logging.getLogger().handlers:
        logging.getLogger(__name__).info(text)
