"""Connects the arena and the store through a guard, a loader and a writer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stream_detector.detection.detector import Detector
from stream_detector.ingest.memory import Memory
from stream_detector.pipeline.executor import Executor, no_op
from stream_detector.pipeline.sensor_loader import SensorLoader
from stream_detector.pipeline.state_snapshot import WHOLE_BYTES
from stream_detector.pipeline.state_writer import StateWriter
from stream_detector.pipeline.store_guard import StoreGuard
from stream_detector.ports import StateStore


@dataclass(frozen=True, slots=True)
class StateAccess:
    """The paths from memory to the store and back. All share one guard."""

    guard: StoreGuard
    loader: SensorLoader
    writer: StateWriter


def open_state(
    store: StateStore,
    detector: Detector,
    clock: Callable[[], float],
    random_bytes: Callable[[int], bytes],
    *,
    retry_seconds: float = 1.0,
    executor: Executor | None = None,
    whole_bytes: int = WHOLE_BYTES,
    on_progress: Callable[[], None] = no_op,
    memory: Memory | None = None,
) -> StateAccess:
    """Build the guard, loader and writer of a store; for the options see StoreGuard and StateWriter."""
    guard = StoreGuard(store, clock, retry_seconds)
    of_memory = () if memory is None else (memory, detector.silences.deaths)
    writer = StateWriter(
        guard,
        detector.arena,
        detector.layout,
        random_bytes,
        note_of=lambda number, position: detector.silences.of(number).note(position),
        keepers=(*of_memory, detector.new_names) if detector.assembles else of_memory,
        executor=executor,
        whole_bytes=whole_bytes,
        on_progress=on_progress,
    )
    return StateAccess(guard, SensorLoader(guard, detector, clock), writer)
