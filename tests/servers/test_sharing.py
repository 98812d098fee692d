"""Workers of one test run share servers and values."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.processes import ServerMissingError
from tests.sharing import SharedServers, computed_once


class Rack:
    """Records which servers were started and stopped."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.stopped: list[str] = []

    @contextmanager
    def run(self, directory: Path) -> Iterator[str]:
        name = f"{directory.parent.name}-{len(self.started)}"
        self.started.append(name)
        yield name
        self.stopped.append(name)


def test_workers_use_one_server_and_the_first_stops_it_after_the_last_released_it(tmp_path: Path) -> None:
    rack, first, second = Rack(), SharedServers(), SharedServers()
    assert first.use(tmp_path, "kafka", rack.run) == second.use(tmp_path, "kafka", rack.run) == "kafka-0"
    waiting = threading.Thread(target=first.release)
    waiting.start()

    waiting.join(0.5)
    assert waiting.is_alive()
    assert rack.stopped == []
    second.release()
    waiting.join(10)

    assert not waiting.is_alive()
    assert (rack.started, rack.stopped) == (["kafka-0"], ["kafka-0"])


def test_a_worker_that_comes_after_the_server_was_stopped_starts_another(tmp_path: Path) -> None:
    rack, first, second = Rack(), SharedServers(), SharedServers()
    first.use(tmp_path, "kafka", rack.run)
    first.release()

    assert second.use(tmp_path, "kafka", rack.run) == "kafka-1"
    second.release()

    assert rack.stopped == ["kafka-0", "kafka-1"]


def test_a_server_that_is_missing_is_missing_for_every_worker(tmp_path: Path) -> None:
    @contextmanager
    def missing(_: Path) -> Iterator[str]:
        raise ServerMissingError("no Java")
        yield ""

    for worker in (SharedServers(), SharedServers()):
        with pytest.raises(ServerMissingError):
            worker.use(tmp_path, "kafka", missing)
        worker.release()


def test_a_value_is_computed_once(tmp_path: Path) -> None:
    values = {computed_once(tmp_path, "value", lambda: uuid.uuid4().hex) for _ in range(3)}

    assert len(values) == 1
