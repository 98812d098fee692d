"""The servers of a campaign, each started on first use."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from tests.chaos.round import Places
from tests.fixtures_model import train_tiny_model
from tests.servers.kafka import Kafka, running_kafka
from tests.servers.kafka_cluster import KafkaCluster, running_kafka_cluster
from tests.servers.valkey import Valkey, running_cluster, running_valkey
from tests.servers.valkey_pair import ValkeyPair, running_pair


class CampaignServers:
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
    def kafka_cluster(self) -> KafkaCluster:
        """Three brokers."""
        return self._parts.enter_context(running_kafka_cluster(self.directory / "brokers"))

    @cached_property
    def valkey(self) -> Valkey:
        """A Valkey that has every acknowledged write on disk."""
        return self._parts.enter_context(running_valkey(self.directory / "kept", append_only=True))

    @cached_property
    def forgetful(self) -> Valkey:
        """A Valkey that keeps nothing on disk."""
        return self._parts.enter_context(running_valkey(self.directory / "forgotten"))

    @cached_property
    def pair(self) -> ValkeyPair:
        """A primary Valkey and its replica."""
        return self._parts.enter_context(running_pair(self.directory / "pair"))

    @cached_property
    def valkey_cluster(self) -> list[Valkey]:
        """A cluster of three primaries."""
        return self._parts.enter_context(running_cluster(self.directory / "cluster"))

    @cached_property
    def model(self) -> Path:
        """The directory of a small trained model."""
        directory = self.directory / "model"
        train_tiny_model(directory)
        return directory

    def places(self, valkey: Valkey | None = None, **kafka_changes: object) -> Places:
        """Return where replicas find the lone broker and a Valkey."""
        url = (valkey or self.valkey).url
        return Places(self.kafka.brokers, url, self.directory, kafka_changes=kafka_changes)
