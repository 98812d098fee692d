"""Keeps the training that `run` starts within its memory and processors; it ends with its parent, whatever ends that."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from pathlib import Path

#: Exit code beyond the memory.
MEMORY_EXIT_CODE = 77
#: How much later than the service a training gets a processor.
_NICE = 10
_LOOK_SECONDS = 0.25


def resident_bytes() -> int:
    """Return the memory of this process now; the most that it had where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else 1024 * most


def _watch(parent: int, most_bytes: int) -> None:
    """End this process when its parent has ended, or when it has more memory than it may."""
    while os.getppid() == parent:
        if resident_bytes() > most_bytes:
            os._exit(MEMORY_EXIT_CODE)
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


def _use_cores(count: int) -> None:
    """Run on so many processors, the last ones, after everything else that wants them."""
    os.nice(_NICE)
    if sys.platform == "linux":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-count:])


def bound(bounds: str) -> None:
    """Bound this process by PARENT:MIB:CORES: the process that it ends with, its memory, and its processors."""
    parent, most_mib, cores = map(int, bounds.split(":"))
    threading.Thread(target=_watch, args=(parent, most_mib * 2**20), name="bounds", daemon=True).start()
    _use_cores(cores)
