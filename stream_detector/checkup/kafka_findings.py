"""Findings about Kafka: the brokers, the rights of this user, the topics, and the replicas of the group."""

from __future__ import annotations

from collections.abc import Iterator

from stream_detector.checkup.findings import Finding, counted, ok, unchecked, warning, wrong
from stream_detector.checkup.kafka_facts import KafkaFacts, TopicFacts

_RIGHTS_PAGE = "docs/security.md"
_SETTING = "STREAM_DETECTOR_KAFKA__"
#: What `run` does with each topic, in Kafka's words.
NEEDED = {"input_topic": ("READ",), "alerts_topic": ("WRITE", "READ"), "dead_letter_topic": ("WRITE",)}
NAMES = {"input_topic": "input topic", "alerts_topic": "alerts topic", "dead_letter_topic": "dead-letter topic"}


def broker_findings(facts: KafkaFacts, address: str, how: str) -> Iterator[Finding]:
    """Say that the brokers answer, and whether what they hold survives the loss of one."""
    yield ok("Kafka", f"{counted(facts.brokers, 'broker')} {'answers' if facts.brokers == 1 else 'answer'} at {address}, {how}")
    if facts.brokers == 1:
        yield warning(
            "Kafka",
            "there is a single broker: while it is away nothing is read, and killing it may lose or repeat events",
            "run at least three brokers, with topics of three replicas, where alerts matter",
        )


def right_findings(facts: KafkaFacts, group: str) -> Iterator[Finding]:
    """Say which of the rights that `run` needs this user lacks."""
    lacking = [*_lacking_on_topics(facts), *_lacking_elsewhere(facts, group)]
    yield from lacking
    if not lacking:
        yield ok("rights", f"this user may read and write the topics, join group {group} and write in transactions")


def _lacking_on_topics(facts: KafkaFacts) -> Iterator[Finding]:
    for setting, topic in facts.topics.items():
        for operation in NEEDED[setting]:
            if topic.allowed is not None and operation not in topic.allowed:
                yield wrong(
                    "rights",
                    f"this user may not {operation} topic {topic.name}",
                    _grant(operation, f"--topic {topic.name}"),
                )
        if topic.exists and topic.allowed is None:
            yield warning(
                "rights",
                f"the brokers do not say what this user may do with topic {topic.name}",
                f"compare its rights with {_RIGHTS_PAGE}",
            )


def _lacking_elsewhere(facts: KafkaFacts, group: str) -> Iterator[Finding]:
    asked = (
        (facts.group_refused, f"join group {group}", _grant("READ", f"--group {group}")),
        (
            facts.transactions_refused,
            f"write in transactions whose ids begin with {group}-",
            _grant("WRITE", f"--transactional-id {group}- --resource-pattern-type prefixed"),
        ),
    )
    for refusal, doing, command in asked:
        if refusal is None:
            yield unchecked("rights", f"the brokers did not say whether this user may {doing}", "run the check again")
        elif refusal:
            yield wrong("rights", f"this user may not {doing}", command)


def _grant(operation: str, resource: str) -> str:
    before = "kafka-acls.sh --bootstrap-server HOST:PORT --add --allow-principal User:DETECTOR"
    return f"{before} --operation {operation} {resource}"


def topic_findings(facts: KafkaFacts, *, creates: bool) -> Iterator[Finding]:
    """Say of each topic whether it is there or can be created, and whether it can be used."""
    for setting, topic in facts.topics.items():
        if topic.refused:
            yield wrong(
                NAMES[setting],
                f"the brokers do not show topic {topic.name}: {topic.refused}",
                _grant("DESCRIBE", f"--topic {topic.name}"),
            )
        elif not topic.exists:
            yield _missing(setting, topic, creates=creates)
        else:
            yield from _existing(setting, topic)


def _missing(setting: str, topic: TopicFacts, *, creates: bool) -> Finding:
    about = NAMES[setting]
    create = f"kafka-topics.sh --bootstrap-server HOST:PORT --create --topic {topic.name} --partitions 6"
    if not creates:
        return wrong(about, f"there is no topic {topic.name}", create, f"or export {_SETTING}CREATE_TOPICS=true")
    if topic.creation_refused:
        return wrong(about, f"there is no topic {topic.name}, and run could not create it: {topic.creation_refused}", create)
    if setting == "input_topic":
        return wrong(
            about,
            f"there is no topic {topic.name}; run would create it, empty, and wait for readings",
            f"export {_SETTING}INPUT_TOPIC=NAME if the readings are in another topic",
            "or start the producer; it may create the topic",
        )
    return ok(about, f"there is no topic {topic.name} yet; run creates it")


def _existing(setting: str, topic: TopicFacts) -> Iterator[Finding]:
    about, before = NAMES[setting], "kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics --entity-name"
    if topic.offline:
        yield wrong(
            about,
            f"{counted(topic.offline, 'partition')} of {topic.name} {'has' if topic.offline == 1 else 'have'} no leader: "
            "the brokers that hold it are away",
            f"kafka-topics.sh --bootstrap-server HOST:PORT --describe --topic {topic.name} --unavailable-partitions",
        )
    configs = topic.configs or {}
    needed = int(configs.get("min.insync.replicas", "1"))
    if needed > topic.replicas:
        yield wrong(
            about,
            f"{topic.name} has {counted(topic.replicas, 'replica')} and asks for {needed} in sync (min.insync.replicas): "
            "the brokers refuse every write",
            f"{before} {topic.name} --add-config min.insync.replicas={topic.replicas}",
        )
    if "compact" in configs.get("cleanup.policy", "delete"):
        yield _compacted(setting, topic, f"{before} {topic.name} --add-config cleanup.policy=delete")
    replicas = "1 replica each: losing its broker loses it" if topic.replicas == 1 else f"{topic.replicas} replicas each"
    text = f"{topic.name} has {counted(topic.partitions, 'partition')}, {replicas}"
    yield warning(about, text, "give the topic three replicas, where alerts matter") if topic.replicas == 1 else ok(about, text)


def _compacted(setting: str, topic: TopicFacts, command: str) -> Finding:
    if setting == "input_topic":
        text = f"{topic.name} is compacted: Kafka removes all but the newest reading of each key, so windows cannot be rebuilt"
        return wrong(NAMES[setting], text, command)
    text = f"{topic.name} is compacted: Kafka removes all but the newest record of each key"
    return (warning if setting == "alerts_topic" else wrong)(NAMES[setting], text, command)


def replica_findings(facts: KafkaFacts, group: str, replicas: int | None) -> Iterator[Finding]:
    """Compare partitions with the replicas that run now, or that shall run."""
    partitions = facts.topics["input_topic"].partitions
    if not partitions:
        return
    now = facts.members or 0
    running = f"{counted(now, 'replica')} in group {group} now"
    wanted = max(now, replicas or 0)
    if wanted > partitions:
        yield warning(
            "replicas",
            f"{wanted} replicas would share {counted(partitions, 'partition')}: {wanted - partitions} would have nothing to do",
            f"run at most {counted(partitions, 'replica')}; adding partitions moves sensors (docs/scaling.md)",
        )
    elif partitions == 1:
        yield warning(
            "replicas",
            f"one partition feeds one replica only ({running})",
            "create the topic with more partitions before it holds readings, if one process is too few (docs/scaling.md)",
        )
    else:
        yield ok("replicas", f"{running}; {counted(partitions, 'partition')} allow as many")
