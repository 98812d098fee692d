"""Keeps the garbage collector away from libraries and models while they are loaded: of all their objects none is garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused(*, keep: bool = False) -> Iterator[None]:
    """Collect no garbage in this process during the block, which must be short.

    With `keep`, what there is at its end counts as needed until the process ends, and is never scanned.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if keep:
            gc.freeze()
        if was_on:
            gc.enable()
