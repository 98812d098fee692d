"""What Kafka says about itself, the topics, and what this user may do. The adapter gathers it, without changing anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """A topic as the brokers describe it."""

    name: str
    exists: bool
    partitions: int = 0
    replicas: int = 0  # the fewest of a partition
    offline: int = 0  # partitions without a leader
    #: The operations that this user may do on it, as Kafka names them (READ); None if the brokers do not say.
    allowed: frozenset[str] | None = None
    #: The topic's settings; None if this user may not read them.
    configs: Mapping[str, str] | None = None
    refused: str = ""  # why the brokers do not tell about it
    #: What a request to create it would be answered; "" if the brokers would create it. Asked only of a missing topic.
    creation_refused: str = ""


@dataclass(frozen=True, slots=True)
class KafkaFacts:
    """The brokers, and what this user may do beside its topics. None: could not be found out."""

    brokers: int
    group_refused: str | None  # "" if this user may join the group
    transactions_refused: str | None  # "" if it may write in transactions
    members: int | None = None  # replicas in the group now
    topics: Mapping[str, TopicFacts] = field(default_factory=dict)  # by the setting's name, such as input_topic


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What a topic holds, from the first and the newest records."""

    records: int  # positions between the starts and the ends of all partitions
    empty_partitions: int
    oldest_ms: int | None = None  # the records' own times
    newest_ms: int | None = None
