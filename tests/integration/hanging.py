"""A process whose loop hangs for good after a few turns, under the service's watchdog. Everything else is in memory."""

from __future__ import annotations

import sys
import threading
import time

from stream_detector.logs import set_up_logging
from stream_detector.ports import Polled
from stream_detector.service.metrics import Metrics
from stream_detector.service.reload import Reloader
from stream_detector.service.service import Service
from stream_detector.service.signals import ReloadFlag, StopFlag
from stream_detector.service.watchdog import Heartbeat, Watchdog, end_process
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import DEAD_LETTERS, ReplicaConfig
from tests.pipeline.world import World

TURNS = 5


def main(limit_seconds: float) -> None:
    """Run until the watchdog ends the process."""
    set_up_logging("INFO", "json")
    replica = Replica(World())
    poll, turns = replica.source.poll, iter(range(TURNS))

    def poll_and_hang(timeout_seconds: float) -> Polled:
        if next(turns, None) is None:
            threading.Event().wait()
        return poll(timeout_seconds)

    replica.source.poll = poll_and_hang  # type: ignore[method-assign]  # a client that never returns
    metrics, heartbeat = Metrics(), Heartbeat(time.monotonic())
    reloader = Reloader(ReloadFlag(), ReplicaConfig().rules(), ReplicaConfig().rules, metrics)
    service = Service(replica.pipeline, metrics, heartbeat, time.monotonic, DEAD_LETTERS)
    with Watchdog(heartbeat, limit_seconds, time.monotonic, end_process):
        service.run(StopFlag(), reloader)


if __name__ == "__main__":
    main(float(sys.argv[1]))
