"""The demo's servers: embedded, or the user's own. On those, the demo uses names of its own and removes what it created."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import (
    CoordinatorNotAvailableError,
    GroupIdNotFoundError,
    KafkaError,
    UnknownTopicOrPartitionError,
)
from pydantic import SecretStr
from redis.exceptions import RedisError

from stream_detector.adapters.kafka.connect import open_client
from stream_detector.adapters.kafka.options import admin_options
from stream_detector.adapters.kafka.topics import KafkaTopics
from stream_detector.adapters.redis.client import checked_address, connect
from stream_detector.demo.embedded_servers import running_broker, running_valkey
from stream_detector.errors import StreamDetectorError
from stream_detector.settings.group import PREFIX
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import RedisSettings
from stream_detector.settings.sources import load_settings


@dataclass(frozen=True, slots=True)
class DemoServers:
    """Servers, and the topic and group names to use there. Owned servers are embedded and serve only the demo."""

    kafka: KafkaSettings
    redis: RedisSettings
    owns_broker: bool
    owns_redis: bool

    def redis_address(self) -> str:
        """Return the address of Redis without the secrets of its URL."""
        return checked_address(self.redis)

    def service_environment(self) -> dict[str, str]:
        """Return the environment of the service: this process's, with these servers and names."""
        owned = [f"{PREFIX}KAFKA__"] * self.owns_broker + [f"{PREFIX}REDIS__"] * self.owns_redis
        base = {name: value for name, value in os.environ.items() if not name.startswith(tuple(owned))}
        return base | {
            f"{PREFIX}KAFKA__BROKERS": self.kafka.brokers,
            f"{PREFIX}KAFKA__INPUT_TOPIC": self.kafka.input_topic,
            f"{PREFIX}KAFKA__ALERTS_TOPIC": self.kafka.alerts_topic,
            f"{PREFIX}KAFKA__DEAD_LETTER_TOPIC": self.kafka.dead_letter_topic,
            f"{PREFIX}KAFKA__GROUP_ID": self.kafka.group_id,
            f"{PREFIX}KAFKA__START": "latest",
            f"{PREFIX}REDIS__URL": self.redis.url.get_secret_value(),
        }


@contextmanager
def demo_servers(
    brokers: str | None, redis_url: str | None, directory: Path, warn: Callable[[str], None]
) -> Iterator[DemoServers]:
    """Start the servers that the user did not give, and stop them at the end. Remove what the demo created on the others."""
    with ExitStack() as stack:
        prefix = f"demo-{secrets.token_hex(3)}-" if brokers or redis_url else ""
        names = {
            "input_topic": f"{prefix}sensor-readings",
            "alerts_topic": f"{prefix}sensor-alerts",
            "dead_letter_topic": f"{prefix}sensor-dead-letters",
            "group_id": f"{prefix}stream-detector",
            "create_topics": True,
        }
        settings = load_settings()
        if redis_url:
            redis = settings.redis.model_copy(update={"url": SecretStr(redis_url)})
        else:
            redis = RedisSettings(url=SecretStr(stack.enter_context(running_valkey(directory))))
        if brokers:
            kafka = settings.kafka.model_copy(update={"brokers": brokers, **names})
        else:
            kafka = KafkaSettings.model_validate({"brokers": stack.enter_context(running_broker(directory)), **names})
        servers = DemoServers(kafka, redis, owns_broker=not brokers, owns_redis=not redis_url)
        _check(servers)
        if redis_url:
            stack.callback(_remove_keys, servers, warn)
        if brokers:
            stack.callback(_remove_topics, servers, warn)
        yield servers


def _check(servers: DemoServers) -> None:
    """Raise StreamDetectorError if a server does not answer, before time is spent on training."""
    with KafkaTopics(servers.kafka) as topics:
        topics.describe(servers.kafka.input_topic)
    client = connect(servers.redis)
    try:
        client.execute_command("PING")
    except RedisError as error:
        msg = f"Redis at {servers.redis_address()} does not answer: {error}"
        raise StreamDetectorError(msg) from None
    finally:
        client.close()


def _remove_topics(servers: DemoServers, warn: Callable[[str], None]) -> None:
    """Delete the demo's topics and its consumer group, which is empty by now, on the user's broker."""
    kafka = servers.kafka
    topics = [kafka.input_topic, kafka.alerts_topic, kafka.dead_letter_topic]
    remaining = [*topics, f"group {kafka.group_id}"]
    reason = "refused"
    try:
        admin = open_client(KafkaAdminClient, admin_options(kafka))
        try:
            answers = admin.delete_topics(topics, raise_errors=False)["topics"]
            deleted = (0, UnknownTopicOrPartitionError.errno)
            remaining = [topic["name"] for topic in answers if topic["error_code"] not in deleted]
            with suppress(CoordinatorNotAvailableError):  # no group was ever created
                outcomes = admin.delete_groups([kafka.group_id])
                gone = ("OK", GroupIdNotFoundError.__name__)
                remaining += [f"group {name}" for name, outcome in outcomes.items() if outcome not in gone]
        finally:
            admin.close()
    except (KafkaError, StreamDetectorError) as error:
        reason = str(error)
    if remaining:
        warn(f"not deleted at {kafka.brokers}: {', '.join(remaining)} ({reason}); delete them by hand")


def _remove_keys(servers: DemoServers, warn: Callable[[str], None]) -> None:
    """Delete the demo's keys in the user's Redis."""
    client: Any = connect(servers.redis)
    pattern = f"sd:{{{servers.kafka.group_id}/*"
    try:
        for key in client.scan_iter(match=pattern, count=1000):
            client.unlink(key)
    except RedisError as error:
        warn(f"some keys {pattern} may remain in Redis: {error}")
    finally:
        client.close()
