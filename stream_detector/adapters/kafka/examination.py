"""Asks the brokers what `check` wants to know. Creates nothing, joins no group, writes nothing; every request is bounded."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import kafka.errors as kafka_errors
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, NoError, UnknownTopicOrPartitionError, for_code

from stream_detector.adapters.kafka.client_patches.probes import group_error, transaction_error
from stream_detector.adapters.kafka.connect import open_client
from stream_detector.adapters.kafka.errors import explain, translate
from stream_detector.adapters.kafka.options import admin_options
from stream_detector.checkup.kafka_facts import KafkaFacts, TopicFacts
from stream_detector.settings.kafka_settings import KafkaSettings

#: The settings that name topics.
TOPICS = ("input_topic", "alerts_topic", "dead_letter_topic")

#: How often a coordinator is asked that is not available yet.
ATTEMPTS, PAUSE_SECONDS = 6, 0.5
UNAVAILABLE = (
    kafka_errors.CoordinatorNotAvailableError,
    kafka_errors.CoordinatorLoadInProgressError,
    kafka_errors.NotCoordinatorError,
    kafka_errors.KafkaConnectionError,
    kafka_errors.KafkaTimeoutError,
)


class KafkaExamination:
    """Asks the brokers of some settings. A context manager.

    Raises RetriableError when no broker answers, PermanentDeliveryError when they refuse the connection.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._admin: KafkaAdminClient = open_client(KafkaAdminClient, admin_options(settings))

    def facts(self) -> KafkaFacts:
        """Return what the brokers say about everything but the records. Blocks, at most the request time-out a request."""
        try:
            brokers = len(self._admin.describe_cluster()["brokers"])
        except KafkaError as error:
            raise translate(error, "looking up the brokers") from error
        settings = self._settings
        group_id = settings.group_id
        return KafkaFacts(
            brokers,
            _refusal(lambda: group_error(self._admin, group_id)),
            _refusal(lambda: transaction_error(self._admin, f"{group_id}-check")),
            self._members(),
            {setting: self.topic(setting) for setting in TOPICS},
        )

    def topic(self, setting: str) -> TopicFacts:
        """Return what the brokers say about the topic that a setting names."""
        name: str = getattr(self._settings, setting)
        try:
            (found,) = self._admin.describe_topics([name])
        except KafkaError as error:
            return TopicFacts(name, exists=False, refused=explain(error))
        error_type = for_code(found["error_code"])
        if error_type is UnknownTopicOrPartitionError:
            return TopicFacts(name, exists=False, creation_refused=self._creation_refused(name, setting))
        if error_type is not NoError:
            return TopicFacts(name, exists=False, refused=explain(error_type()))
        partitions = found["partitions"]
        return TopicFacts(
            name,
            exists=True,
            partitions=len(partitions),
            replicas=min((len(one["replica_nodes"]) for one in partitions), default=0),
            offline=sum(one["leader_id"] < 0 for one in partitions),
            allowed=frozenset(found.get("authorized_operations") or ()) or None,
            configs=self._configs(name),
        )

    def close(self) -> None:
        """Release the connections. Idempotent."""
        self._admin.close()

    def __enter__(self) -> KafkaExamination:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _configs(self, name: str) -> dict[str, str] | None:
        """Return a topic's settings; None if this user may not read them, of which the client tells by an empty answer."""
        try:
            found = self._admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)], config_filter="all")
        except KafkaError:
            return None
        configs: dict[str, Any] = found.get("topic", {}).get(name, {})
        return {key: str(config["value"]) for key, config in configs.items()} or None

    def _creation_refused(self, name: str, setting: str) -> str:
        """Ask the brokers whether they would create a topic, which they then do not; return why not."""
        partitions = self._settings.partitions if setting == "input_topic" else -1
        options = {"num_partitions": partitions, "replication_factor": self._settings.replication_factor}
        try:
            self._admin.create_topics({name: options}, validate_only=True)
        except KafkaError as error:
            return str(translate(error, f"creating topic {name}"))
        return ""

    def _members(self) -> int | None:
        """Return how many replicas are in the group now; None if this user may not know."""
        group_id = self._settings.group_id
        try:
            return len(self._admin.describe_groups([group_id])[group_id]["members"])
        except (KafkaError, KeyError):
            return None


def _refusal(ask: Callable[[], type[KafkaError]]) -> str | None:
    """Return why the brokers refuse; "" if they do not; None if they do not answer.

    A coordinator that has just been asked for the first time is not available for a moment.
    """
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        try:
            answer: KafkaError = ask()()
        except KafkaError as error:
            answer = error
        if isinstance(answer, kafka_errors.AuthorizationError):
            return explain(answer)
        if not isinstance(answer, UNAVAILABLE):
            return ""
    return None
