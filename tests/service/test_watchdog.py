"""The watchdog: it ends a process whose loop hangs, and leaves one that works alone."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

from stream_detector.errors import StalledError
from stream_detector.service.watchdog import STALLED_EXIT_CODE, Heartbeat, Watchdog

PATIENCE_SECONDS = 30.0


def test_a_watchdog_ends_the_process_when_the_loop_hangs() -> None:
    ended: list[StalledError] = []
    called = threading.Event()

    def end(error: StalledError) -> None:
        ended.append(error)
        called.set()

    with Watchdog(Heartbeat(beat_at=100.0), 0.2, lambda: 131.0, end):
        assert called.wait(PATIENCE_SECONDS)

    assert "no progress for 31 s" in str(ended[0])
    assert "STREAM_DETECTOR_SERVICE__WATCHDOG_SECONDS" in str(ended[0])
    assert len(ended) == 1


def test_a_watchdog_leaves_a_loop_alone_that_makes_progress() -> None:
    looks: list[float] = []
    ended: list[StalledError] = []

    def clock() -> float:
        looks.append(100.1)
        return 100.1

    with Watchdog(Heartbeat(beat_at=100.0), 0.2, clock, ended.append):
        until = time.monotonic() + PATIENCE_SECONDS
        while len(looks) < 3 and time.monotonic() < until:
            time.sleep(0.01)

    assert len(looks) >= 3
    assert ended == []


def test_a_process_that_hangs_leaves_the_stack_of_each_thread_and_its_last_line_is_the_reason() -> None:
    program = """
import logging
import threading
from stream_detector.errors import StalledError
from stream_detector.logs import set_up_logging
from stream_detector.service.watchdog import end_process

def wait_for_a_broker_that_never_answers():
    threading.Event().wait()

set_up_logging("INFO", "json")
threading.Thread(target=wait_for_a_broker_that_never_answers, daemon=True).start()
end_process(StalledError("no progress"))
print("still alive")
"""

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )

    *stacks, last = ended.stderr.splitlines()
    assert (ended.returncode, ended.stdout) == (STALLED_EXIT_CODE, "")
    assert any("wait_for_a_broker_that_never_answers" in line for line in stacks)
    assert any("end_process" in line for line in stacks)
    assert (json.loads(last)["level"], json.loads(last)["message"]) == ("CRITICAL", "no progress")
