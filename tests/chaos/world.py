"""The servers of a campaign, started when first asked for."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from tests.chaos.round import Places
from tests.servers.kafka import Kafka, running_kafka
from tests.servers.valkey import Valkey, running_valkey


class World:
    """Kafka and Valkey of different kinds. Close it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._parts = ExitStack()

    def close(self) -> None:
        """Stop every server that was started."""
        self._parts.close()

    @cached_property
    def kafka(self) -> Kafka:
        """A lone broker."""
        directory = self.directory / "kafka"
        directory.mkdir()
        return self._parts.enter_context(running_kafka(directory))

    @cached_property
    def valkey(self) -> Valkey:
        """A Valkey that keeps on disk what it has acknowledged."""
        return self._parts.enter_context(running_valkey(self.directory / "kept", append_only=True))

    @cached_property
    def forgetful(self) -> Valkey:
        """A Valkey that keeps nothing on disk."""
        return self._parts.enter_context(running_valkey(self.directory / "forgotten"))

    def places(self, valkey: Valkey | None = None, **kafka_changes: object) -> Places:
        """Return where replicas find the lone broker and a Valkey."""
        url = (valkey or self.valkey).url
        return Places(self.kafka.brokers, url, self.directory, kafka_changes=kafka_changes)
