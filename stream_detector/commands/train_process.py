"""Runs a training in a process of its own, and ends it when its time is over or the service stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from stream_detector.commands.train_bounded import MEMORY_EXIT_CODE
from stream_detector.commands.train_output import PROGRESS, SHORT
from stream_detector.settings.learning_settings import LearningSettings

_LOOK_SECONDS = 0.5
_END_SECONDS = 5.0
_LAST_LINES = 3
#: Lines of the report that are kept.
_MOST_LINES = 2_000


@dataclass(frozen=True, slots=True)
class Ended:
    """How a training ended."""

    failure: str | None  # None: it wrote a model
    needs_less: bool = False  # it took too much memory or time
    summary: tuple[str, ...] = ()  # what it says in short
    report: tuple[str, ...] = ()  # all that it printed, without its progress


def cores_of(settings: LearningSettings, available: int) -> int:
    """Return the processors of the training: those of the settings, or half of those there are."""
    return min(settings.cores or max(1, available // 2), available)


def available_cores() -> int:
    """Return the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class _Output:
    """What a training printed; bounded."""

    summary: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_LINES))
    report: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_LINES))
    last: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_LINES))


@dataclass(frozen=True, slots=True)
class TrainProcess:
    """A training to run. `on_progress` gets its progress, line by line, from a thread of its own."""

    settings: LearningSettings
    arguments: Sequence[str]  # of `train`
    lock: int  # a descriptor, which it holds as well
    on_progress: Callable[[str], None]

    def run(self, stop: threading.Event) -> Ended:
        """Run it to its end, and end it if that takes too long or `stop` is set."""
        cores = cores_of(self.settings, available_cores())
        bounds = f"{os.getpid()}:{self.settings.memory_mb}:{cores}"
        process = subprocess.Popen(
            [sys.executable, "-m", "stream_detector", "train", "--part-of-run", bounds, *self.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | _environment(cores),
            pass_fds=(self.lock,),
            start_new_session=True,
            text=True,
            errors="replace",
        )
        output = _Output()
        reading = threading.Thread(target=self._read, args=(process, output), name="training-output", daemon=True)
        reading.start()
        try:
            is_late = self._wait(process, stop)
        finally:
            _end(process)
            reading.join(_END_SECONDS)
            if process.stdout is not None and not reading.is_alive():
                process.stdout.close()
        ended = self._ended(process.returncode, output.last, is_late=is_late)
        return replace(ended, summary=tuple(output.summary), report=tuple(output.report))

    def _wait(self, process: subprocess.Popen[str], stop: threading.Event) -> bool:
        """Return whether its time was over before it ended."""
        until = time.monotonic() + self.settings.train_seconds
        while process.poll() is None and not stop.wait(_LOOK_SECONDS):
            if time.monotonic() > until:
                return True
        return False

    def _read(self, process: subprocess.Popen[str], output: _Output) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            text = line.rstrip()
            if text.startswith(PROGRESS):
                self.on_progress(text.removeprefix(PROGRESS))
            elif text.startswith(SHORT):
                output.summary.append(text.removeprefix(SHORT))
            else:
                output.report.append(text)
                output.last.extend([text.strip()] if text.strip() else [])

    def _ended(self, code: int, last: Sequence[str], *, is_late: bool) -> Ended:
        settings = self.settings
        if is_late:
            return Ended(
                f"it was not done within STREAM_DETECTOR_LEARNING__TRAIN_SECONDS ({settings.train_seconds:g})", needs_less=True
            )
        if code == MEMORY_EXIT_CODE:
            return Ended(
                f"it took more memory than STREAM_DETECTOR_LEARNING__MEMORY_MB ({settings.memory_mb})", needs_less=True
            )
        if code == -signal.SIGKILL:
            why = "it was killed (signal 9), as the system does when memory ends; lower STREAM_DETECTOR_LEARNING__MEMORY_MB"
            return Ended(why, needs_less=True)
        if code:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            return Ended(f"{' '.join(last) or 'it said nothing'} ({how})")
        return Ended(None)


def _environment(cores: int) -> dict[str, str]:
    """Return what bounds the threads of the libraries of a training."""
    threads = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {name: str(cores) for name in threads} | {"TF_NUM_INTEROP_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_END_SECONDS)
