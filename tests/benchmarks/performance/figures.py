"""The results (figures) of a part of the benchmark, and its inputs: a size, and servers of its own."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from tests.servers import kafka_java
from tests.servers.processes import ServerMissingError, free_port
from tests.servers.valkey import Valkey, running_valkey

#: The direction in which a figure gets better.
MORE, LESS, NEITHER = "more", "less", "neither"
AT_LEAST, AT_MOST = ">=", "<="

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number and its goal."""

    part: str  # "end to end"
    name: str  # "drain, 8 features, window 64"; unique in its part
    value: float
    unit: str  # "readings/s", "us of CPU a reading", "ms", "MB", "ratio"
    key: str | None = None  # its key in build/bench.json, if it is one of the headline figures
    goal: tuple[str, float] | None = None  # (">=", 100.0)
    better: str | None = None  # MORE, LESS or NEITHER; None: as its goal says, else as its unit does

    @property
    def direction(self) -> str:
        """The better direction: MORE, LESS, or NEITHER for a figure that only describes the measurement."""
        if self.better is not None:
            return self.better
        if self.goal is not None:
            return MORE if self.goal[0] == AT_LEAST else LESS
        return MORE if self.unit.endswith("/s") or self.unit == "ratio" else LESS

    @property
    def is_reached(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        sign, bound = self.goal
        return self.value >= bound if sign == AT_LEAST else self.value <= bound


@dataclass(frozen=True, slots=True)
class RunSize:
    """How much to measure."""

    quick: bool

    def choose(self, quick: _T, full: _T) -> _T:
        """Return the value for this size."""
        return quick if self.quick else full


class Places:
    """The working place of a part: its directory, the trained models, and servers that start on first use.

    Starting raises ServerMissingError or ServerStartError. `parts` stops them.
    """

    def __init__(self, directory: Path, models: Path, parts: ExitStack) -> None:
        self.directory = directory
        self.models = models  # see models.trained_model
        self._parts = parts

    @cached_property
    def kafka(self) -> kafka_java.JavaKafka:
        """A broker started from its jars, so that its process can be measured and its own tools can produce the load."""
        if reason := kafka_java.why_not():
            msg = f"the benchmark runs Kafka from its jars, and there is {reason}"
            raise ServerMissingError(msg)
        kafka = kafka_java.JavaKafka(self.directory / "kafka", free_port())
        self._parts.callback(kafka.stop)
        kafka.start()
        return kafka

    @cached_property
    def valkey(self) -> Valkey:
        """A server that keeps its data in memory only."""
        return self._parts.enter_context(running_valkey(self.directory / "valkey"))
