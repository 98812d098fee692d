"""A replica for the kill test: the real adapters and pipeline, a checksum as its model, and a fate.

The process sends itself a signal at the chosen step. Steps are reached in wrappers around the ports and around the client's
producer; the product has no hooks.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream_detector.adapters.kafka.client_patches import bounded_producer
from stream_detector.adapters.kafka.producer import TransactionalProducer
from stream_detector.errors import StoreUnavailableError
from stream_detector.logs import set_up_logging
from stream_detector.pipeline.config import AT_ONCE, CommitPolicy
from stream_detector.ports import Chunk, Sink, StateStore, StoreVerdict
from stream_detector.readings import Float32Array, Membership, Message
from stream_detector.service.metrics import Metrics
from stream_detector.service.reload import Reloader
from stream_detector.service.service import Service
from stream_detector.service.signals import ReloadFlag, StopFlag
from stream_detector.service.watchdog import Heartbeat
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import RedisSettings
from stream_detector.state.running_scale import Scales
from tests.fakes.scorer import ChecksumScorer
from tests.integration.plants import plant_of
from tests.integration.replica import MUCH, Connections, build_pipeline, connect

#: Where a process can die, in the order of the hot path, and while restoring. "asked": a request to the transaction's
#: coordinator is on its way or not, nobody knows. "persisted" is between the persists of two partitions as well.
STEPS = (
    "polled",
    "appended",
    "scored",
    "detected",
    "sent",
    "asked",
    "positions_sent",
    "committed",
    "persisted",
    "restoring",
)
#: From how many readings on a batch is left in flight: all of them, or none.
PACES = (0, MUCH)
#: What waits to be committed: nothing, or what says nothing, for a while.
WAITS = (AT_ONCE, CommitPolicy(seconds=0.3, records=MUCH))
#: Up to how many bytes a record is stored whole: none, or all.
SIZES = (0, MUCH)
REACHED, READ_AGAIN = "reached", "read again"


@dataclass(frozen=True, slots=True)
class Fate:
    """The fate of a process: a signal, and the step and count at which the process gets it."""

    step: str = ""
    count: int = 0
    signal: str = "SIGKILL"
    restoring: int = 0  # it is killed earlier if it restores so many slices
    persists: int = 1_000_000  # so many are carried out, then the store takes no more


@dataclass(frozen=True, slots=True)
class Setup:
    """The configuration of a process: its plant, its model version, whether its clock jumps, and whether it has a defect."""

    plant: str = "some"
    model_version: str = "v1"
    clock_seed: int | None = None
    is_torn: bool = False  # it commits the positions before most of the events: a campaign has to find that out


class Fates:
    """Counts how often the process reaches each step, and sends the signal at the chosen one."""

    def __init__(self, fate: Fate) -> None:
        self._left = {"restoring": fate.restoring} | {fate.step: fate.count}
        self._signal = signal.Signals[fate.signal]
        self.persists_left = fate.persists

    def reach(self, step: str) -> None:
        """Count a step that the process has reached."""
        if step in self._left:
            self._left[step] -= 1
            if self._left[step] == 0:
                os.write(sys.stderr.fileno(), f"{REACHED} {step}\n".encode())
                os.kill(os.getpid(), self._signal)

    def wrap(
        self, owner: object, name: str, before: str = "", after: str = "", when: Callable[[Any], bool] = lambda _: True
    ) -> None:
        """Wrap a method of an object or class: it reaches one step before the call and, if `when(result)`, another after it."""
        inner = getattr(owner, name)

        def method(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - any method
            self.reach(before)
            result = inner(*arguments, **named)
            if when(result):
                self.reach(after)
            return result

        setattr(owner, name, method)


def _wrap_ports(fates: Fates, to: Connections) -> None:
    fates.wrap(to.source, "poll", after="polled", when=lambda polled: bool(polled.chunks))
    fates.wrap(to.source, "read", after="restoring", when=_note_read_again)
    fates.wrap(TransactionalProducer, "begin", before="detected")
    fates.wrap(TransactionalProducer, "send_positions", before="sent", after="positions_sent")
    fates.wrap(TransactionalProducer, "commit", after="committed")
    _refuse_persists(fates, to.store)
    fates.wrap(to.store, "persist", after="persisted")
    await_answer = bounded_producer.await_answer

    def on_its_way(producer: Any, result: Any, timeout_ms: float) -> bool:  # noqa: ANN401 - the client ships no types
        producer._sender.wakeup()
        fates.reach("asked")
        return await_answer(producer, result, timeout_ms)

    bounded_producer.await_answer = on_its_way


def _note_read_again(chunk: Chunk) -> bool:
    os.write(sys.stderr.fileno(), f"{READ_AGAIN} {len(chunk.records)}\n".encode())
    return True


def _refuse_persists(fates: Fates, store: StateStore) -> None:
    persist = store.persist

    def limited(*arguments: Any) -> StoreVerdict:  # noqa: ANN401 - passed on
        fates.persists_left -= 1
        if fates.persists_left < 0:
            msg = "the store takes no more"
            raise StoreUnavailableError(msg)
        return persist(*arguments)

    store.persist = limited  # type: ignore[method-assign, assignment]


def _tear_commits(sink: Sink) -> None:
    """Split each commit into two transactions, the built-in defect."""
    commit = sink.commit

    def torn(
        messages: Sequence[Message], positions: Mapping[int, int], membership: Membership, notes: Mapping[int, str]
    ) -> None:
        commit(messages[:1], positions, membership, notes)
        commit(messages[1:], positions, membership, notes)

    sink.commit = torn  # type: ignore[method-assign, assignment]


def _scorer(fates: Fates) -> ChecksumScorer:
    scorer = ChecksumScorer()
    start = scorer.start

    def started(windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        fates.reach("appended")
        errors = start(windows, scales)

        def awaited() -> Float32Array:
            found = errors()
            fates.reach("scored")
            return found

        return awaited

    scorer.start = started  # type: ignore[method-assign]
    scorer.windows_seen = deque(maxlen=0)
    return scorer


def _clock(setup: Setup) -> Callable[[], float]:
    """Return the pipeline's clock. With a seed, it sometimes leaps forward, and the wall clock jumps by hours."""
    if setup.clock_seed is None:
        return time.monotonic
    chance = random.Random(setup.clock_seed)
    wall, leaps = time.time, 0.0

    def jumping_wall() -> float:
        return wall() + chance.choice((-7200.0, -1.0, 0.0, 1.0, 7200.0))

    def leaping() -> float:
        nonlocal leaps
        leaps += 60.0 if chance.random() < 0.02 else 0.0
        return time.monotonic() + leaps

    time.time = jumping_wall
    return leaping


def run(kafka: KafkaSettings, redis: RedisSettings, log: Path, fate: Fate, setup: Setup) -> None:
    """Run a replica until SIGTERM, or until its fate strikes."""
    with log.open("ab") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    set_up_logging("INFO", "text")
    stop = StopFlag()
    with stop.installed(), ExitStack() as parts:
        fates, clock, plant = Fates(fate), _clock(setup), plant_of(setup.plant, setup.model_version)
        connections = connect(kafka, redis, parts)
        if setup.is_torn:
            _tear_commits(connections.sink)
        _wrap_ports(fates, connections)
        # Replicas that leave batches in flight, or carry them through, that commit each batch, or several together, and that
        # store records whole, or what changed, share a group.
        pace, commits, size = random.choice(PACES), random.choice(WAITS), random.choice(SIZES)
        detector = plant.detector(_scorer(fates))
        pipeline = build_pipeline(
            kafka,
            connections,
            detector,
            clock,
            overlap_records=pace,
            commits=commits,
            whole_bytes=size,
            decoder=plant.decoder(),
        )
        metrics = Metrics()
        reloader = Reloader(ReloadFlag(), plant.rules(), plant.rules, metrics)
        Service(pipeline, metrics, Heartbeat(clock()), clock, kafka.dead_letter_topic).run(stop, reloader)
