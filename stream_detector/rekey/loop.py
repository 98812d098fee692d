"""Steps a rekeyer until it is asked to stop, waits out what the brokers do not answer, and reports what was done."""

from __future__ import annotations

import logging
from collections.abc import Callable

from stream_detector.errors import RetriableError
from stream_detector.logs import OutageLog
from stream_detector.rekey.engine import Rekeyer, Report

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_RETRY_SECONDS = 0.5
#: At low load, steps begin at least so far apart: more readings share a transaction, and more partitions a merge.
_GATHER_SECONDS = 0.05


def run_loop(
    rekeyer: Rekeyer,
    is_over: Callable[[], bool],
    on_step: Callable[[Report], None],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    """Step until `is_over`, asked after each step. Blocks. `on_step` also gets the empty report of a step that failed.

    Raises what a step raises, but RetriableError.
    """
    outage = OutageLog(logger, clock, "re-keying goes on")
    while not is_over():
        began = clock()
        try:
            report = rekeyer.step(_POLL_SECONDS)
        except RetriableError as error:
            outage.failed("re-keying waits: %s", error)
            on_step(Report())
            sleep(_RETRY_SECONDS)
            continue
        outage.ended()
        on_step(report)
        if not report.is_behind:
            sleep(max(0.0, began + _GATHER_SECONDS - clock()))
